"""What DEC and its like share: memberships, the confident ones that they learn from, and when these are made anew."""

import math

import torch

from deepkm.methods.balance import imbalance
from deepkm.numerics.centers import log_student_t, nearest, squared_distances, student_t
from deepkm.numerics.memory import CHUNK_NUMEL
from deepkm.training.optimizers import make_optimizer


def target_distribution(q):
    """Return p for memberships q, both (S, N, K): q sharpened, and divided by each cluster's size."""
    weight = q.square() / q.sum(1, keepdim=True).clamp_min(torch.finfo(q.dtype).tiny)
    return weight / weight.sum(-1, keepdim=True)


def mean_square(x):
    """Return the mean of x^2 over all samples and features, which gives weights the data's scale; 1 where all are 0.

    Parameters
    ----------
    x : Tensor or StreamedFeatures of shape (N, F)
    """
    parts = x.split(max(1, CHUNK_NUMEL // x.shape[1]))
    total = sum(part.square().sum(1).cpu().double().sum().item() for part in parts)
    return total / (len(x) * x.shape[1]) or 1.0


def distances(method, z, run):
    """Return squared distances of codes z (S, M, D) to the centers, over v where weights are relative, (S, M, K)."""
    found = squared_distances(z, run.centers)
    return found / run.state["mean_square"].view(-1, 1, 1) if method.relative_weights else found


def memberships(method, z, run):
    """Return q of codes z (S, N, D), such as those of the whole data set, (S, N, K)."""
    chunk = max(1, CHUNK_NUMEL // (len(z) * run.centers[0].numel()))
    parts = [student_t(distances(method, part, run), method.alpha) for part in z.split(chunk, dim=1)]
    return torch.cat(parts, dim=1)


def divergence(method, batch, run):
    """Return KL(P || Q), mean over the batch, (S,)."""
    runs = torch.arange(len(run.seeds), device=batch.index.device).unsqueeze(1)
    p = run.state["target"][runs, batch.index]  # (S, B, K)
    log_q = log_student_t(distances(method, batch.z, run), method.alpha)
    return (torch.xlogy(p, p) - p * log_q).sum(-1).mean(-1)


def unevenness(method, batch, run):
    """Return the imbalance of a batch's memberships q, (S,)."""
    return imbalance(student_t(distances(method, batch.z, run), method.alpha))


def start_target(method, z, run):
    """Train the centers too, note the data's scale, and compute the first target."""
    run.centers.requires_grad_()
    run.state["mean_square"] = z.new_full((len(z),), mean_square(run.x))
    run.state["stopped"] = torch.zeros(len(z), dtype=torch.bool, device=z.device)
    refresh_target(method, z, run)


def take_relative_steps(method, run):
    """Let SGD move what has the data's unit, biases and centers, as far in this unit as on data of mean square 1."""
    if run.optimizer is None:
        run.optimizer = make_optimizer(run.parameters(), **method.optimizer_options())
    if method.relative_weights:
        names = [name for name in run.parameters() if name.endswith(("bias", "centers"))]
        run.optimizer.factors = dict.fromkeys(names, run.state["mean_square"][0])


def is_due(method, batch, run):
    """Return how many steps were taken with this one where `update_interval` of them are over, else 0."""
    steps = run.epoch * math.ceil(len(run.x) / method.batch_size) + batch.step + 1
    return 0 if steps % method.update_interval else steps


def refresh_now_and_then(method, batch, run):
    """Refresh the target after every `update_interval` steps, and stop the runs whose labels have settled."""
    if is_due(method, batch, run):
        before = run.state["assigned"].clone()
        refresh_target(method, run.encode(run.x), run)
        changed = (run.state["assigned"] != before).double().mean(1)
        run.stop(changed < method.tol)


def refresh_target(method, z, run):
    """Compute the target, and note the labels that it belongs to."""
    found = {"target": target_distribution(memberships(method, z, run)), "assigned": nearest(z, run.centers)}  # (S, N)
    for name, tensor in found.items():  # in place: else a step is recorded anew
        run.state.setdefault(name, tensor).copy_(tensor)
