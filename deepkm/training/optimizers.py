"""Adam and SGD for the stacked tensors of S runs: elementwise, so that runs stay independent.

They call PyTorch's own fused kernels. Its classes around those do nothing more that is needed here, and their first use
loads PyTorch's compiler, which takes as long as loading PyTorch itself.
"""

from contextlib import contextmanager

import torch
from torch.optim.adam import adam
from torch.optim.sgd import sgd


class Optimizer:
    """What both share: moments by name, which a checkpoint keeps.

    Parameters
    ----------
    parameters : dict of str to Tensor
        What is trained. A tensor without a gradient is left as it is.
    learning_rate : float
    warm_up : int
        Steps over which the rate of a step rises linearly to the learning rate; 1: it starts there.

    Attributes
    ----------
    moments : dict of str to dict of str to Tensor
        Of each tensor that was trained so far.
    factors : dict of str to Tensor
        Of gradients, by name, for SGD: Adam's steps do not hang on them. No part of a checkpoint.
    rate : float
        Of the next step.
    """

    def __init__(self, parameters, *, learning_rate, warm_up=1):
        self.parameters = parameters
        self.learning_rate = self.rate = learning_rate
        self.warm_up = warm_up
        self.moments, self.factors = {}, {}

    def set_rate(self, number):
        """Take the rate of a step, counted from 0 over all epochs."""
        self.rate = self.learning_rate * min(1, (number + 1) / self.warm_up)

    def take_over(self, moments, *, scale):
        """Start with Adam's moments of pretraining, `scale` of whose loss is trained on: SGD has no place for them."""

    def zero_grad(self):
        """Drop all gradients."""
        for tensor in self.parameters.values():
            tensor.grad = None

    def reset(self, name):
        """Forget the moments of one tensor, in place, since a recording holds their addresses; its steps still count.

        So Adam's correction is that of a later step: the next one is up to sqrt(10) times the learning rate.
        """
        for moment in self.moments.get(name, {}).keys() - {"step"}:
            self.moments[name][moment].zero_()

    @torch.no_grad()
    def step(self):
        """Take one step against the gradients."""
        trained = {name: tensor for name, tensor in self.parameters.items() if tensor.grad is not None}
        for name, tensor in trained.items():
            if name not in self.moments:
                self.moments[name] = self._first_moments(tensor)
        tensors, moments = list(trained.values()), [self.moments[name] for name in trained]
        if tensors:
            with denormals_as_zero():
                self._update(tensors, [tensor.grad for tensor in tensors], moments)


class Adam(Optimizer):
    """Adam with the usual decay rates, 0.9 and 0.999 (Kingma and Ba 2015).

    Each tensor counts its own steps, so that the moments of one that joins later are corrected for their own start.
    """

    def take_over(self, moments, *, scale):
        """Start with moments of pretraining, as those of a loss that is `scale` times its loss."""
        factors = {"step": 1, "exp_avg": scale, "exp_avg_sq": scale**2}
        self.moments = {
            trained: {name: tensor * factors[name] for name, tensor in own.items()} for trained, own in moments.items()
        }

    def _first_moments(self, tensor):
        step = torch.zeros((), dtype=torch.float32, device=tensor.device)
        return {"step": step, "exp_avg": torch.zeros_like(tensor), "exp_avg_sq": torch.zeros_like(tensor)}

    def _update(self, tensors, gradients, moments):
        first, second, steps = ([m[name] for m in moments] for name in ("exp_avg", "exp_avg_sq", "step"))
        rates = {"lr": self.rate, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
        others = {"amsgrad": False, "maximize": False, "capturable": tensors[0].is_cuda, "fused": _is_fused(tensors)}
        adam(tensors, gradients, first, second, [], steps, **rates, **others)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum and weight decay."""

    def __init__(self, parameters, *, momentum=0.0, weight_decay=0.0, **rates):
        super().__init__(parameters, **rates)
        self.momentum, self.weight_decay = momentum, weight_decay

    @torch.no_grad()
    def step(self):
        """Take one step against the gradients, each times its factor."""
        for name, factor in self.factors.items():
            if (gradient := self.parameters[name].grad) is not None:
                gradient.mul_(factor)
        super().step()

    def _first_moments(self, tensor):
        return {"momentum_buffer": torch.zeros_like(tensor)} if self.momentum else {}

    def _update(self, tensors, gradients, moments):
        buffers = [m.get("momentum_buffer") for m in moments]
        rates = {"lr": self.rate, "momentum": self.momentum, "weight_decay": self.weight_decay}
        others = {"dampening": 0.0, "nesterov": False, "maximize": False, "fused": _is_fused(tensors)}
        sgd(tensors, gradients, buffers, **rates, **others)


def make_optimizer(parameters, *, name="adam", momentum=0.0, weight_decay=0.0, **rates):
    """Return "adam" or "sgd" over the tensors `parameters`, by name.

    Momentum and weight decay are those of SGD; for `rates` see `Optimizer`.
    """
    if not parameters:
        raise ValueError("epochs should be 0 without an autoencoder or trained centers: there is nothing to train")
    if name == "sgd":
        return SGD(parameters, momentum=momentum, weight_decay=weight_decay, **rates)
    if name != "adam":
        raise ValueError(f"optimizer={name!r} should be 'adam' or 'sgd'")
    return Adam(parameters, **rates)


def _is_fused(tensors):
    return tensors[0].device.type in ("cpu", "cuda")


@contextmanager
def denormals_as_zero():
    """Let the processor take numbers below the normal ones of their type as 0 within the block.

    A unit that no sample reaches any more gets no gradients: its moments shrink step by step until they are such
    numbers, stay so, and cost the processor some hundred cycles each. What they would move a weight by is far below
    its last digit.
    """
    before = _DENORMAL == 0.0  # as the processor is set, it compares
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


_DENORMAL = 5e-324
