"""Multilayer perceptrons of S runs with their gradients, by the fastest products that this machine has.

PyTorch multiplies float32 matrices on the CPU by MKL, which uses half the width of some makers' processors. oneDNN,
which PyTorch brings along for convolutions, uses all of it, and takes bias and ReLU in the same pass. On a GPU the
products take TF32 or bfloat16, here and nowhere else: k-means and all distances stay in full float32. The backward pass
is written out, so that a network is one node of the graph and not three per layer.
"""

import torch

PRECISIONS = ("tf32", "float32", "bfloat16")


def perceptron(x, weights, biases, *, precision="tf32"):
    """Return the output of S multilayer perceptrons, ReLU between the layers, none after the last.

    Parameters
    ----------
    x : Tensor of shape (S, B, F)
    weights : sequence of Tensor, each (S, in, out)
    biases : sequence of Tensor, each (S, 1, out)
    precision : {"tf32", "float32", "bfloat16"}
        Of the products on a GPU: factors of 10, 23 or 7 bits, sums in float32. A CPU takes float32, float64 stays.

    Returns
    -------
    Tensor of shape (S, B, out of the last layer)
    """
    return _Perceptron.apply(_products_for(x, precision), x, *weights, *biases)


def has_onednn(x):
    """Tell whether oneDNN multiplies tensors such as `x`."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


class _Perceptron(torch.autograd.Function):
    @staticmethod
    def forward(ctx, multiply, x, *parameters):
        n_layers = len(parameters) // 2
        weights, biases = parameters[:n_layers], parameters[n_layers:]
        inputs = []  # of each layer
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            inputs.append(x)
            x = multiply(x, weight, bias, relu=i < n_layers - 1)
        ctx.save_for_backward(*inputs, *weights)
        ctx.multiply = multiply
        return x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        n_layers = len(ctx.saved_tensors) // 2
        inputs, weights = ctx.saved_tensors[:n_layers], ctx.saved_tensors[n_layers:]
        of_weights, of_biases = [None] * n_layers, [None] * n_layers
        gradient = gradient.contiguous()
        for i in reversed(range(n_layers)):
            of_weights[i] = ctx.multiply(inputs[i].mT, gradient)
            of_biases[i] = gradient.sum(1, keepdim=True)
            if i > 0 or ctx.needs_input_grad[1]:
                gradient = ctx.multiply(gradient, weights[i].mT)
            if i > 0:  # the layer's input came through ReLU
                gradient = torch.ops.aten.threshold_backward(gradient, inputs[i], 0)
        return (None, gradient if ctx.needs_input_grad[1] else None, *of_weights, *of_biases)


# Products of stacks, (S, M, K) @ (S, K, N), plus bias (S, 1, N), through ReLU.


def _products_for(x, precision):
    if has_onednn(x):
        return _by_onednn
    if x.device.type == "cuda" and x.dtype == torch.float32 and precision != "float32":
        return _by_tf32 if precision == "tf32" else _by_bfloat16
    return _by_torch


def _by_torch(a, b, bias=None, *, relu=False):
    out = torch.bmm(a, b) if bias is None else torch.baddbmm(bias, a, b)
    return out.relu_() if relu else out


def _by_onednn(a, b, bias=None, *, relu=False):
    """One product per run; without a stack there is nothing to copy."""
    biases = [None] * len(a) if bias is None else bias.squeeze(1)
    run = torch.ops.mkldnn._linear_pointwise  # a run's a @ b.mT, so that it wants b transposed
    outs = [run(x, w.mT, c, "relu" if relu else "none", [], "") for x, w, c in zip(a, b, biases, strict=True)]
    return outs[0].unsqueeze(0) if len(outs) == 1 else torch.stack(outs)


def _by_tf32(a, b, bias=None, *, relu=False):
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        return _by_torch(a, b, bias, relu=relu)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _by_bfloat16(a, b, bias=None, *, relu=False):
    out = torch.bmm(a.bfloat16(), b.bfloat16()).float()
    out = out if bias is None else out.add_(bias)
    return out.relu_() if relu else out
