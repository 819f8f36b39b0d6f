"""Multilayer perceptrons of S runs with their gradients, by the fastest products that this machine has.

PyTorch multiplies float32 matrices on the CPU by MKL, which uses half the width of processors that are not Intel's.
oneDNN, which PyTorch brings along for convolutions, uses all of it, and takes bias and ReLU in the same pass; on
Intel's it is slower. A rule decides, never a clock: the same machine gives the same digits. On a GPU the products take
TF32 or bfloat16 where `precision` asks for it, here and nowhere else: k-means and all distances stay in full float32.
The backward pass is written out, so that a network is one node of the graph and not three per layer.
"""

import os
from functools import cache
from pathlib import Path

import torch

CHOICE = "DEEPKM_PRODUCTS"  # a variable of the environment: "mkl" or "onednn", whatever the rule says
# Maker, instruction set (a flag of /proc/cpuinfo) and the faster product there: the first that fits. By the measured
# docs/performance/products.csv a processor has one that is faster for all networks, so that shapes decide nothing.
RULE = (
    ("GenuineIntel", "avx512f", "mkl"),
    ("AuthenticAMD", "avx2", "onednn"),
)
UNMEASURED = "mkl"  # PyTorch's own, whatever that is on other processors


def perceptron(x, weights, biases, *, precision="float32"):
    """Return the output of S multilayer perceptrons, ReLU between the layers, none after the last.

    Parameters
    ----------
    x : Tensor of shape (S, B, F)
    weights : sequence of Tensor, each (S, in, out)
    biases : sequence of Tensor, each (S, 1, out)
    precision : {"float32", "tf32", "bfloat16"}
        Of the products on a GPU: factors of 23, 10 or 7 bits, sums in float32. A CPU takes float32, float64 stays.

    Returns
    -------
    Tensor of shape (S, B, out of the last layer)
    """
    return _Perceptron.apply(_products_for(x, precision), x, *weights, *biases)


@torch.no_grad()
def reconstruct(x, encoder, decoder, *, precision="float32"):
    """Return the reconstruction of x, (S, B, F), by two perceptrons, and set the gradients of its squared error.

    The error is that of `deepkm.networks.autoencoder.reconstruction_error`, summed over runs. No graph is made: a small
    network spends a fifth of a step on it.

    Parameters
    ----------
    x, precision
        As in `perceptron`.
    encoder, decoder : sequence of Tensor
        Weights, then biases, of as many layers each. Their ``grad`` is replaced.
    """
    multiply, n_layers, parameters = _products_for(x, precision), len(encoder) // 2, (*encoder, *decoder)
    outs, gradients = [], []
    for x_of_run, *of_run in zip(*(_parts(tensor, multiply) for tensor in (x, *parameters)), strict=True):
        in_weights, in_biases, out_weights, out_biases = (of_run[i * n_layers : (i + 1) * n_layers] for i in range(4))
        z, encoded = _forward(x_of_run, in_weights, in_biases, multiply)
        x_hat, decoded = _forward(z, out_weights, out_biases, multiply)
        error = (x_hat - x_of_run).mul_(2 / x.shape[1])
        of_z, *of_decoder = _backward(error, decoded, out_weights, multiply, of_x=True)
        _, *of_encoder = _backward(of_z, encoded, in_weights, multiply, of_x=False)
        outs.append(x_hat)
        gradients.append([*of_encoder, *of_decoder])
    for parameter, parts in zip(parameters, zip(*gradients, strict=True), strict=True):
        parameter.grad = _whole(parts)
    return _whole(outs)


def takes_onednn(x):
    """Tell whether oneDNN multiplies tensors such as `x`."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and products_on_cpu() == "onednn"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


@cache
def products_on_cpu():
    """Return by what this machine's processor multiplies float32 matrices: "mkl" is PyTorch's own way.

    Raises
    ------
    ValueError
        When the environment asks for something else.
    """
    chosen = os.environ.get(CHOICE) or by_rule(*_maker_and_flags())
    if chosen not in ("mkl", "onednn"):
        raise ValueError(f"{CHOICE}: got {chosen!r}, expected mkl or onednn; unset it for the faster one")
    return chosen


def by_rule(maker, flags):
    """Return which product `RULE` says, "mkl" or "onednn".

    Parameters
    ----------
    maker : str
    flags : container of str
        The instruction sets that the processor has.
    """
    return next((product for of, needed, product in RULE if of == maker and needed in flags), UNMEASURED)


def _maker_and_flags():
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:  # no Linux
        return "", ()
    about = {name.strip(): value.split() for name, _, value in (line.partition(":") for line in lines)}
    return " ".join(about.get("vendor_id", ())), about.get("flags", ())


class _Perceptron(torch.autograd.Function):
    """Where a product takes one matrix, runs go through the whole network one by one: no layer copies a stack."""

    @staticmethod
    def forward(ctx, multiply, x, *parameters):
        n_layers = len(parameters) // 2
        outs, inputs = [], []
        for x_of_run, *of_run in zip(*(_parts(tensor, multiply) for tensor in (x, *parameters)), strict=True):
            out, layers = _forward(x_of_run, of_run[:n_layers], of_run[n_layers:], multiply)
            outs.append(out)
            inputs += layers
        ctx.save_for_backward(*parameters[:n_layers], *inputs)
        ctx.multiply, ctx.n_layers = multiply, n_layers
        return _whole(outs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        weights, inputs = ctx.saved_tensors[: ctx.n_layers], ctx.saved_tensors[ctx.n_layers :]
        stacks = (_parts(tensor, ctx.multiply) for tensor in (gradient.contiguous(), *weights))
        of_runs = []
        for s, (of_out, *of_run) in enumerate(zip(*stacks, strict=True)):
            layers = inputs[s * ctx.n_layers : (s + 1) * ctx.n_layers]
            of_runs.append(_backward(of_out, layers, of_run, ctx.multiply, of_x=ctx.needs_input_grad[1]))
        return None, *(parts[0] if parts[0] is None else _whole(parts) for parts in zip(*of_runs, strict=True))


def _forward(x, weights, biases, multiply):
    """Return the output and each layer's input."""
    inputs = []
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        inputs.append(x)
        x = multiply(x, weight, bias, relu=i < len(weights) - 1)
    return x, inputs


def _backward(gradient, inputs, weights, multiply, *, of_x):
    """Return the gradients of x (None where it is not asked for), of all weights and of all biases."""
    of_weights, of_biases = [], []  # from the last layer to the first
    for i in reversed(range(len(weights))):
        of_weights.append(multiply(inputs[i].mT, gradient))
        of_biases.append(gradient.sum(-2, keepdim=True))
        if i > 0:  # the layer's input came through ReLU
            gradient = multiply(gradient, weights[i].mT)
            torch.ops.aten.threshold_backward.grad_input(gradient, inputs[i], 0, grad_input=gradient)
    return [multiply(gradient, weights[0].mT) if of_x else None, *of_weights[::-1], *of_biases[::-1]]


# Products (M, K) @ (K, N), plus bias (1, N), through ReLU; those of a CPU take one run, the others stacks of S.


def _products_for(x, precision):
    if x.device.type == "cpu":
        return _by_onednn if takes_onednn(x) else _by_mkl
    if x.device.type == "cuda" and x.dtype == torch.float32 and precision != "float32":
        return _by_tf32 if precision == "tf32" else _by_bfloat16
    return _by_torch


def _parts(stack, multiply):
    """Return what `multiply` takes of a stack (S, ...): each run alone, or all as they are."""
    return stack.unbind() if multiply in _OF_ONE_RUN else [stack]


def _whole(parts):
    """Return the stack of what `_parts` took apart."""
    if parts[0].dim() == 3:
        return parts[0]
    return parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)


def _by_torch(a, b, bias=None, *, relu=False):
    out = torch.bmm(a, b) if bias is None else torch.baddbmm(bias, a, b)
    return out.relu_() if relu else out


def _by_onednn(a, b, bias=None, *, relu=False):
    run = torch.ops.mkldnn._linear_pointwise  # a @ b.mT, so that it wants b transposed
    return run(a, b.mT, None if bias is None else bias[0], "relu" if relu else "none", [], "")


def _by_mkl(a, b, bias=None, *, relu=False):
    out = torch.mm(a, b) if bias is None else torch.addmm(bias, a, b)
    return out.relu_() if relu else out


_OF_ONE_RUN = (_by_onednn, _by_mkl)


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
