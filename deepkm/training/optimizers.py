"""Adam and SGD for the stacked tensors of S runs: elementwise, so that runs stay independent.

They call PyTorch's own fused kernels. Its classes around those do nothing more that is needed here, and their first use
loads PyTorch's compiler, which takes as long as loading PyTorch itself.
"""

import torch
from torch.optim.adam import adam
from torch.optim.sgd import sgd


class Optimizer:
    """What both share: moments by name, which a checkpoint keeps.

    Parameters
    ----------
    parameters : dict of str to Tensor
        What is trained. A tensor without a gradient is left as it is.

    Attributes
    ----------
    moments : dict of str to dict of str to Tensor
        Of each tensor that was trained so far.
    """

    def __init__(self, parameters):
        self.parameters = parameters
        self.moments = {}

    def zero_grad(self):
        """Drop all gradients."""
        for tensor in self.parameters.values():
            tensor.grad = None

    @torch.no_grad()
    def step(self):
        """Take one step against the gradients."""
        trained = {name: tensor for name, tensor in self.parameters.items() if tensor.grad is not None}
        for name in trained.keys() - self.moments.keys():
            self.moments[name] = self._first_moments(trained[name])
        tensors, moments = list(trained.values()), [self.moments[name] for name in trained]
        if tensors:
            self._update(tensors, [tensor.grad for tensor in tensors], moments)


class Adam(Optimizer):
    """Adam with the usual decay rates, 0.9 and 0.999 (Kingma and Ba 2015)."""

    def __init__(self, parameters, *, learning_rate):
        super().__init__(parameters)
        self.learning_rate = learning_rate

    def _first_moments(self, tensor):
        step = torch.zeros((), dtype=torch.float32, device=tensor.device)
        return {"step": step, "exp_avg": torch.zeros_like(tensor), "exp_avg_sq": torch.zeros_like(tensor)}

    def _update(self, tensors, gradients, moments):
        first, second, steps = ([m[name] for m in moments] for name in ("exp_avg", "exp_avg_sq", "step"))
        rates = {"lr": self.learning_rate, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
        others = {"amsgrad": False, "maximize": False, "capturable": tensors[0].is_cuda, "fused": _is_fused(tensors)}
        adam(tensors, gradients, first, second, [], steps, **rates, **others)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum and weight decay."""

    def __init__(self, parameters, *, learning_rate, momentum=0.0, weight_decay=0.0):
        super().__init__(parameters)
        self.learning_rate, self.momentum, self.weight_decay = learning_rate, momentum, weight_decay

    def _first_moments(self, tensor):
        return {"momentum_buffer": torch.zeros_like(tensor)} if self.momentum else {}

    def _update(self, tensors, gradients, moments):
        buffers = [m.get("momentum_buffer") for m in moments]
        rates = {"lr": self.learning_rate, "momentum": self.momentum, "weight_decay": self.weight_decay}
        others = {"dampening": 0.0, "nesterov": False, "maximize": False, "fused": _is_fused(tensors)}
        sgd(tensors, gradients, buffers, **rates, **others)


def make_optimizer(parameters, *, learning_rate, name="adam", momentum=0.0, weight_decay=0.0):
    """Return "adam" or "sgd" over the tensors `parameters`, by name; momentum and weight decay are those of SGD."""
    if not parameters:
        raise ValueError("epochs should be 0 without an autoencoder or trained centers: there is nothing to train")
    if name == "sgd":
        return SGD(parameters, learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay)
    return Adam(parameters, learning_rate=learning_rate)


def _is_fused(tensors):
    return tensors[0].device.type in ("cpu", "cuda")
