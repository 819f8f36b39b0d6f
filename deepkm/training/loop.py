"""The one training loop: a generator that yields after each epoch, for S runs at once.

The caller logs, stores checkpoints, measures time and stops; a method only supplies the six hooks that `train` names.
"""

import numpy as np
import torch

from deepkm.networks.layers import exact_convolutions
from deepkm.numerics.seeding import keys, permutations
from deepkm.training.lengths import read_out_epochs
from deepkm.training.optimizers import make_optimizer
from deepkm.training.run import READ_OUT
from deepkm.training.steps import Reconstruction, RecordedStep, Step, can_record, stopped_held


def train(method, x, run):
    """Initialise `run` and train it, yielding it after initialisation and after each epoch.

    Parameters
    ----------
    method : object
        Supplies ``epochs``, ``batch_size``, ``optimizer_options()``, ``order(n_samples, run)`` (the samples of the next
        epoch, (S, M)), ``recordable`` (whether all batches of an epoch take the same operations on the device, which
        a GPU then replays; "loss": all but ``after_step``), ``view_options()`` (what `see_views` takes, or None),
        ``read_out`` and ``needs_code`` (after which epochs labels are read: see `reads`), and six hooks, all of them
        for S runs at once:

        - ``init(z, run)``: set up ``run.centers`` and whatever else the method keeps, from the pretrained code;
        - ``before_epoch(z, run)``: the whole data set was just encoded anew; update what the next epoch holds constant.
          Called whenever labels are read, so after the last epoch too: the final labels rest on the final code;
        - ``start_epoch(run)``: epoch ``run.epoch``, counted from 0, is about to be trained. What changes weights, or
          draws numbers by sample (`Run.draw`), does it here, unread by labels. Stopped runs stay as they are;
        - ``loss(batch, run)``: return the loss of each run, (S,);
        - ``after_step(batch, run)``: update by closed form what the optimizer does not train;
        - ``assign(z, run)``: return the labels, (S, N), and change nothing.
    x : Tensor of shape (N, F)
    run : Run
        Fresh, or restored from a checkpoint: then training goes on where it stopped, with the same result.

    Yields
    ------
    Run
        The same object each time, consistent and ready to be saved.

    Notes
    -----
    A method with a stopping rule keeps the flag ``run.state["stopped"]``, (S,), false at first, and calls `Run.stop` in
    ``after_step`` or ``before_epoch``. From then on the loop holds that run's weights and centers fixed and its history
    repeats the last values, while the other runs go on: what a run gives does not depend on its stack. History has
    ``"stopped"`` too, true from the epoch in which the run stopped.

    A run that diverges (`Run.look_for_divergence`) has label 0 for all samples; the others go on.
    """
    run.x = x
    read_after = reads(method)
    if run.epoch < 0:
        z = run.encode(x)
        with torch.no_grad():
            method.init(z, run)
        run.epoch = 0
        if run.optimizer is not None:  # with moments of pretraining
            run.optimizer.parameters = run.parameters()
        _read_out(method, z, run)
        yield run
    while run.epoch < method.epochs:
        if len(run.stopped()) == len(run.seeds):
            _repeat_epoch(method, run, read_after)
            yield run
            continue
        run.z = None
        with torch.no_grad(), stopped_held(run, run.tensors):
            method.start_epoch(run)
        views = method.view_options()
        _train_epoch(
            run,
            Step(x, run, loss=method.loss, after_step=method.after_step, see=views and see_views(run, **views)),
            recordable=recordable(method),
            batch_size=method.batch_size,
            optimizer_options=method.optimizer_options(),
            order=method.order(len(x), run),
        )
        if run.epoch in read_after:
            _read_out(method, run.encode(x), run)
        if "stopped" in run.state:
            run.record(stopped=run.state["stopped"].clone())
        yield run
    run.x = run.z = None  # a fitted model does not keep the data
    run.draws = {}


def reads(method):
    """Return the epochs after which a method's labels are read: all, if it needs the code or is asked to; else some.

    A class with a ``before_epoch`` of its own needs the code, unless it has a ``needs_code`` of its own that is false.
    """
    told = next(vars(cls) for cls in type(method).__mro__ if {"before_epoch", "needs_code"} & vars(cls).keys())
    every = "needs_code" not in told or method.needs_code or method.read_out == "all"
    return range(method.epochs + 1) if every else read_out_epochs(method.epochs)


def recordable(method):
    """Return what of a method's steps a GPU may replay: True, "loss" or False.

    A class that has a ``loss`` or an ``after_step`` of its own must say so itself.
    """
    own = ({"recordable", "loss", "after_step"} & vars(cls).keys() for cls in type(method).__mro__)
    return method.recordable if "recordable" in next(filter(None, own), ()) else False


def pretrain(x, run, *, epochs, batch_size, learning_rate, views=None, denoising=0.0):
    """Train the autoencoders of `run` on their reconstruction alone, yielding `run` after each epoch.

    See `train` for `x` and `run`; nothing is read out, so the data set is not encoded. `views`: the limits of random
    views that are reconstructed in place of the images. `denoising`: the share of numbers that are masked at random
    before they are encoded; what is reconstructed is whole.
    """
    run.x = x
    run.epoch = max(run.epoch, 0)
    while run.epoch < epochs:
        see = see_views(run, form="target", limits=views, stream="pretraining views") if views else None
        _train_epoch(
            run,
            Reconstruction(x, run, see=see_masked(run, denoising, see)),
            recordable=True,
            batch_size=batch_size,
            optimizer_options={"learning_rate": learning_rate},
            order=permutations(run.seeds, len(x), stream="pretraining batches", epoch=run.epoch),
        )
        run.look_for_divergence()
        yield run
    run.x, run.draws = None, {}


def see_views(run, *, form, limits, stream="views"):
    """Draw an epoch's views, and return what a step sees of a batch.

    Parameters
    ----------
    run : Run
    form : {"target", "both"}
        A batch of views in place of the samples, or after them.
    limits : dict
        As for `deepkm.networks.views.augment`.
    stream : str
    """
    run.draw("views", 4, stream=stream)

    def see(batch):
        views = batch.views(run.draws["views"], limits)
        return [views] if form == "target" else [batch, views]

    return see


def see_masked(run, rate, see=None):
    """Return what a step sees of a batch when a share of all numbers is masked; without any, as without masks."""
    if not rate:
        return see
    drawn = keys(run.seeds, stream="masks", epoch=run.epoch).to(run.x.device)
    return lambda batch: [part.masked(drawn, rate) for part in (see(batch) if see else [batch])]


@torch.no_grad()
def _read_out(method, z, run):
    run.z = z
    method.before_epoch(z, run)
    labels = method.assign(z, run)  # (S, N)
    run.look_for_divergence(z)
    if run.diverged.any():  # no answer, which must not look like one: all samples are one cluster
        labels = labels.masked_fill(torch.from_numpy(run.diverged).to(labels.device).unsqueeze(1), 0)
    labels = labels.to(torch.uint8 if method.n_clusters <= 256 else torch.int32)
    run.record(labels=labels, label_epochs=torch.full((len(run.seeds),), run.epoch, dtype=torch.int32))


@exact_convolutions()
def _train_epoch(run, step, *, batch_size, optimizer_options, order, recordable):
    """Take one pass over the samples in `order`, (S, M), last short batch kept; record the mean of each logged loss."""
    if run.optimizer is None:
        run.optimizer = make_optimizer(run.parameters(), **optimizer_options)
    stopped_before = run.stopped()
    recorded = None
    batches = order.to(step.x.device).split(batch_size, dim=1)
    first = run.epoch * len(batches)  # steps taken before
    if not (can_record(step.x) and getattr(run.autoencoder, "recordable", True)):
        recordable = False
    if first + 1 < run.optimizer.warm_up:  # a recording holds the rate
        recordable = False
    for number, index in enumerate(batches):
        run.optimizer.set_rate(first + number)
        if recordable and number > 0 and index.shape[1] == batch_size:
            if recorded is None or not recorded.takes(index):
                recorded = RecordedStep(step, index, recordable)
            recorded(index, number)
        else:
            step(index, number)
    means = {name: total / order.shape[1] for name, total in step.totals.items()}
    for name, mean in means.items():
        for s in stopped_before:
            mean[s] = float(run.history[name][-1][s])
    run.record(**means)
    run.epoch += 1


def _repeat_epoch(method, run, read_after):
    """Pass an epoch in which no run is left to train."""
    last = int(run.history["label_epochs"][-1][0])
    had_stopped = all(flags.all() for flags in run.history.get("stopped", [])[max(0, last - 1) : last])
    for name in run.history.keys() - READ_OUT:
        run.history[name].append(run.history[name][-1])
    run.epoch += 1
    if run.epoch in read_after and not had_stopped:
        _read_out(method, run.encode(run.x), run)
    elif run.epoch in read_after:
        run.history["labels"].append(run.history["labels"][-1])
        run.history["label_epochs"].append(np.full_like(run.history["label_epochs"][-1], run.epoch))


def final_labels(run):
    """Return the labels after the last epoch, (S, N)."""
    return run.history["labels"][-1].astype(np.int32)


def check_enough_samples(n_samples, n_clusters):
    """Raise a ValueError when there are more clusters than samples."""
    if n_samples < n_clusters:
        raise ValueError(f"n_samples={n_samples} should be >= n_clusters={n_clusters}; lower n_clusters")
