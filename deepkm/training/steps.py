"""One step of training: a batch, its loss and gradient, the optimizer's step; on a GPU replayed."""

import copy
import os
from contextlib import contextmanager
from functools import cached_property
from threading import Lock

import torch

from deepkm.networks.autoencoder import reconstruction_error
from deepkm.networks.views import augment
from deepkm.numerics.seeding import counted

CHOICE = "DEEPKM_STEPS"  # a variable of the environment: "recorded" or "launched", on a GPU


class Batch:
    """One batch of each run; what a loss asks for is computed once.

    Attributes
    ----------
    index : Tensor of shape (S, B)
        Which samples.
    x : Tensor of shape (S, B, F)
    z : Tensor of shape (S, B, D)
    x_hat : Tensor of shape (S, B, F)
    reconstruction : Tensor of shape (S,)
        Squared error summed over features, mean over the batch.
    step : int
        Which batch of its epoch: with the epoch, it names the stream of what a loss draws at random.
    clean : Batch
        The same samples as they are, where this is one of views; else itself.
    seen : Tensor of shape (S, B, F)
        What is encoded: x, but for numbers masked.
    """

    def __init__(self, x, index, autoencoder, step=0):
        self.index = index
        self.step = step
        self.x = self.seen = x[index]
        self._autoencoder = autoencoder
        self._clean = None
        self.logged = {}

    @property
    def clean(self):
        return self._clean or self

    def views(self, draws, limits):
        """Return a batch of views of the same samples, by numbers in [0, 1) for each of all samples, (S, N, 4)."""
        runs = torch.arange(len(self.index), device=self.index.device).unsqueeze(1)
        x = augment(self.x, 2 * draws[runs, self.index] - 1, **limits)
        return self._other(x=x, seen=x, _clean=self)

    def masked(self, keys, rate):
        """Return the same batch with a share `rate` of what is encoded set to 0, and the rest enlarged."""
        kept = counted(keys, self.index, self.x.shape[-1]) >= rate
        return self._other(x=self.x, seen=self.seen * kept / (1 - rate), _clean=self._clean)

    def _other(self, **attributes):
        batch = Batch.__new__(Batch)
        batch.__dict__ = {"index": self.index, "step": self.step, "_autoencoder": self._autoencoder, "logged": {}}
        batch.__dict__ |= attributes
        return batch

    @cached_property
    def z(self):
        return self._autoencoder.encode(self.seen)

    @cached_property
    def x_hat(self):
        return self._autoencoder.decode(self.z)

    @cached_property
    def reconstruction(self):
        return self.log(reconstruction=reconstruction_error(self.x, self.x_hat))

    def numbered(self, step):
        """Return the same batch as the one of that number, with terms of its own."""
        clean = self._clean and self._clean.numbered(step)
        other = copy.copy(self)
        other.__dict__ |= {"step": step, "_clean": clean, "logged": dict(self.logged)}
        return other

    def log(self, **term):
        """Note one loss term, (S,), for the history, and return it."""
        self.logged |= term
        return next(iter(term.values()))


class Step:
    """Train `run` on one batch: ``step(index, number)``.

    Parameters
    ----------
    x, run
        As in `deepkm.training.loop.train`.
    loss, after_step : callable
        Hooks of a method; the second gets the first of the batches that were trained on.
    see : callable, optional
        From a batch to those whose mean loss is trained on: of views of its samples, for example.

    Attributes
    ----------
    totals : dict of str to Tensor
        Sum over samples of each loss term so far, (S,).
    """

    def __init__(self, x, run, *, loss, after_step=None, see=None):
        self.x, self.run = x, run
        self.loss, self.after_step = loss, after_step
        self.see = see
        self.totals = {}

    def __call__(self, index, number):
        batch, logged = self.descend(index, number)
        self.finish(batch)
        self.count(logged, index.shape[1])

    def descend(self, index, number):
        """Take the optimizer's step; return the first of the batches trained on, and the mean of each loss term."""
        run = self.run
        run.optimizer.zero_grad()
        batch, logged = self.differentiate(Batch(self.x, index, run.autoencoder, number))
        with stopped_held(run, run.parameters):  # their momentum would still move them
            run.optimizer.step()
        return batch, logged

    def finish(self, batch):
        """Call ``after_step``."""
        if self.after_step is not None:
            with torch.no_grad():
                self.after_step(batch, self.run)

    def count(self, logged, n_samples):
        """Add loss terms, means over `n_samples`, to the totals."""
        for name, term in logged.items():
            self.totals.setdefault(name, torch.zeros_like(term)).add_(term.detach(), alpha=n_samples)

    def differentiate(self, batch):
        """Set the gradients of the loss; return the first of the batches trained on, and the mean of each loss term."""
        batches = self.see(batch) if self.see else [batch]
        for seen in batches:
            seen.log(loss=self.loss(seen, self.run))  # (S,)
        logged = _mean([seen.logged for seen in batches])
        if not logged["loss"].requires_grad:
            raise ValueError(
                "got a loss that hangs on nothing that is trained: all weights are frozen; expected some that are not, "
                "or epochs=0"
            )
        logged["loss"].sum().backward()  # run s's loss depends on run s's weights alone
        return batches[0], logged


class Reconstruction(Step):
    """A step of the reconstruction alone, without hooks."""

    def __init__(self, x, run, *, see=None):
        super().__init__(x, run, loss=lambda batch, run: batch.reconstruction, see=see)

    def differentiate(self, batch):
        """Do what a step does, on a CPU without a graph where the autoencoder can."""
        own = getattr(self.run.autoencoder, "reconstruct", None)
        if own is None or self.see or batch.x.device.type != "cpu":
            return super().differentiate(batch)
        batch.log(reconstruction=reconstruction_error(batch.x, own(batch.x)))
        batch.log(loss=batch.logged["reconstruction"])
        return batch, batch.logged


def _mean(logged):
    """Return the mean of each loss term over batches."""
    return (
        {name: torch.stack([terms[name] for terms in logged]).mean(0) for name in logged[0]}
        if logged[1:]
        else logged[0]
    )


class RecordedStep:
    """The same by one launch: the device's operations of a step, recorded once and replayed for further batches.

    A small network leaves a GPU waiting for Python between its many short operations. The recording holds addresses:
    batches of one size, and a state that is only changed in place; and which runs have stopped.

    Parameters
    ----------
    step : Step
        It must have run before, so that the optimizer's moments and the totals exist.
    index : Tensor of shape (S, B)
        A batch of the size to record. Recording trains nothing.
    what : {True, "loss"}
        "loss": ``after_step``, which decides by numbers, is no part of the recording and called after it.
    """

    def __init__(self, step, index, what):
        self._step, self._index = step, index.clone()
        self._state, self._held = dict(step.run.state), self._what_is_held()
        self._batch = None  # where ``after_step`` is called after it: what it is called with
        step.run.optimizer.zero_grad()
        self._replay = record(self._whole if what is True else self._descend, step.x.device)
        if replaced := self._replaced():
            raise TypeError(
                f"state {replaced[0]!r} is replaced in each step; a `recordable` method changes it in place"
            )

    def takes(self, index):
        """Tell whether the recording is one of a step on such a batch, of the runs that still train and their state."""
        unlike = self._held != self._what_is_held() or set(self._replaced()) - {"stopped"}
        return not unlike and index.shape == self._index.shape

    def __call__(self, index, number):
        self._index.copy_(index)
        self._replay()
        if self._batch is not None:
            batch = self._batch.numbered(number)
            self._step.finish(batch)
            if batch.logged.keys() != self._batch.logged.keys():
                raise TypeError("after_step logs a term; in a method whose `recordable` is 'loss' only its loss may")

    def _whole(self):
        self._step(self._index, 0)

    def _descend(self):
        self._batch, logged = self._step.descend(self._index, 0)
        self._step.count(logged, self._index.shape[1])

    def _what_is_held(self):
        run = self._step.run
        return run.stopped(), run.optimizer.rate, run.state.keys() - {"stopped"}

    def _replaced(self):
        return [name for name, tensor in self._state.items() if self._step.run.state.get(name) is not tensor]


def can_record(x):
    """Tell whether steps on these data are recorded: on data in the memory of a CUDA GPU, if nothing else is asked for.

    Raises
    ------
    ValueError
        When the environment asks for something else.
    """
    if not (isinstance(x, torch.Tensor) and x.device.type == "cuda"):
        return False
    chosen = os.environ.get(CHOICE) or "recorded"
    if chosen not in ("launched", "recorded"):
        raise ValueError(f"{CHOICE}: got {chosen!r}, expected recorded or launched; unset it for recorded")
    return chosen == "recorded"


def record(function, device):
    """Record what `function` launches on a GPU, and return what launches it again.

    Raises
    ------
    TypeError
        One line, when it does what no recording can hold: it looks at a number, for example.
    """
    graph, before = torch.cuda.CUDAGraph(), torch.cuda.current_stream(device)
    how = {"stream": torch.cuda.Stream(device), "capture_error_mode": "thread_local"}
    try:
        with _RECORDING, torch.cuda.device(device), torch.cuda.graph(graph, **how):
            function()
    except RuntimeError as error:
        torch.cuda.set_stream(before)
        raise TypeError(
            f"got a step that cannot be recorded ({str(error).splitlines()[0]}), expected one that looks at no number; "
            f"set `recordable = False` in the method's class, or {CHOICE}=launched"
        ) from error
    return graph.replay


_RECORDING = Lock()  # of all threads, one records


@contextmanager
def stopped_held(run, tensors):
    """Put what `tensors()` returns, by name, back for the stopped runs after the block, whatever it did to all runs."""
    stopped = run.stopped()  # one by one: a recording takes no list of them
    kept = {(name, s): tensor.detach()[s].clone() for name, tensor in tensors().items() for s in stopped}
    yield
    for (name, s), value in kept.items():
        tensors()[name].detach()[s] = value
