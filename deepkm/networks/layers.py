"""Layers of S networks side by side: every weight has a leading run axis, every layer is one batched operation."""

import math
from contextlib import contextmanager
from threading import Lock

import torch
from torch import nn
from torch.nn import functional


class StackedLinear(nn.Module):
    """S linear layers: (S, B, in) -> (S, B, out)."""

    def __init__(self, n_runs: int, n_in: int, n_out: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_runs, n_in, n_out))
        self.bias = nn.Parameter(torch.empty(n_runs, 1, n_out))

    def forward(self, x):
        return torch.baddbmm(self.bias, x, self.weight)

    def initialize(self, generators):
        """Draw Glorot-uniform weights, each run's from its own generator; biases are zero."""
        _, n_in, n_out = self.weight.shape
        _draw_glorot(self.weight, n_in + n_out, generators)
        nn.init.zeros_(self.bias)


class StackedConv(nn.Module):
    """S convolutions with square windows: (B, S * in, H, W) -> (B, S * out, H', W'), one group per run."""

    def __init__(self, n_runs: int, n_in: int, n_out: int, *, window: int = 3, stride: int = 1, padding: int = 0):
        super().__init__()
        self.stride, self.padding = stride, padding
        self.weight = nn.Parameter(torch.empty(n_runs, n_out, n_in, window, window))
        self.bias = nn.Parameter(torch.empty(n_runs, n_out))

    def forward(self, maps):
        return functional.conv2d(
            maps,
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            stride=self.stride,
            padding=self.padding,
            groups=len(self.weight),
        )

    def initialize(self, generators):
        """Draw Glorot-uniform weights, each run's from its own generator; biases are zero."""
        _, n_out, n_in, *window = self.weight.shape
        _draw_glorot(self.weight, (n_in + n_out) * math.prod(window), generators)
        nn.init.zeros_(self.bias)


class StackedConvTranspose(nn.Module):
    """S transposed convolutions with square windows: (B, S * in, H, W) -> (B, S * out, H', W').

    `padding` and `output_padding` as in `torch.nn.ConvTranspose2d`.
    """

    def __init__(self, n_runs: int, n_in: int, n_out: int, *, window=3, stride=1, padding=0, output_padding=0):
        super().__init__()
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.weight = nn.Parameter(torch.empty(n_runs, n_in, n_out, window, window))
        self.bias = nn.Parameter(torch.empty(n_runs, n_out))

    def forward(self, maps):
        return functional.conv_transpose2d(
            maps,
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            groups=len(self.weight),
        )

    initialize = StackedConv.initialize


@contextmanager
def exact_convolutions():
    """Let a GPU's convolutions take full float32 within the block, and give the same bits each time.

    cuDNN is else free to take TF32, and sums in an order that changes from call to call. Forward and backward passes
    must both lie within. PyTorch keeps these choices for the whole process: the first block that is entered, of all
    threads, makes them, and the last one that is left puts back what there was.
    """
    if not torch.cuda.is_available():
        yield
        return
    with _LOCK:
        if not _CHOSEN:
            _CHOSEN.append(_choose(deterministic=True, benchmark=False, fp32_precision="ieee"))
        _CHOSEN.append(None)
    try:
        yield
    finally:
        with _LOCK:
            _CHOSEN.pop()
            if len(_CHOSEN) == 1:
                _choose(**_CHOSEN.pop())


def _choose(*, deterministic, benchmark, fp32_precision):
    """Set how cuDNN computes convolutions; return how it did."""
    cudnn = torch.backends.cudnn
    before = {"deterministic": cudnn.deterministic, "benchmark": cudnn.benchmark}
    before["fp32_precision"] = cudnn.conv.fp32_precision  # not allow_tf32, which those who set this may not read
    cudnn.deterministic, cudnn.benchmark = deterministic, benchmark
    cudnn.conv.fp32_precision = fp32_precision
    return before


_LOCK = Lock()
_CHOSEN: list = []  # what there was before the first block, and a None for each that is entered


@torch.no_grad()
def _draw_glorot(weight, fan_in_and_out, generators):
    limit = math.sqrt(6 / fan_in_and_out)
    for one, random in zip(weight, generators, strict=True):
        one.copy_((2 * torch.rand(one.shape, dtype=torch.float64, generator=random) - 1) * limit)
