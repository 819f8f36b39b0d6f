"""What DEC and its like share: memberships, the confident ones that they learn from, and when these are made anew."""

import math

import torch

from deepkm.methods.balance import imbalance
from deepkm.numerics.centers import log_student_t, nearest, squared_distances, student_t
from deepkm.numerics.memory import CHUNK_NUMEL


def target_distribution(q):
    """Return p for memberships q, both (S, N, K): q sharpened, and divided by each cluster's size."""
    weight = q.square() / q.sum(1, keepdim=True).clamp_min(torch.finfo(q.dtype).tiny)
    return weight / weight.sum(-1, keepdim=True)


def memberships(z, centers, alpha):
    """Return q of the whole data set, (S, N, K)."""
    chunk = max(1, CHUNK_NUMEL // (len(z) * centers[0].numel()))
    return torch.cat([student_t(squared_distances(part, centers), alpha) for part in z.split(chunk, dim=1)], dim=1)


def divergence(batch, run, alpha):
    """Return KL(P || Q), mean over the batch, (S,)."""
    runs = torch.arange(len(run.seeds), device=batch.index.device).unsqueeze(1)
    p = run.state["target"][runs, batch.index]  # (S, B, K)
    log_q = log_student_t(squared_distances(batch.z, run.centers), alpha)
    return (torch.xlogy(p, p) - p * log_q).sum(-1).mean(-1)


def unevenness(batch, run, alpha):
    """Return the imbalance of a batch's memberships q, (S,)."""
    return imbalance(student_t(squared_distances(batch.z, run.centers), alpha))


def start_target(method, z, run):
    """Train the centers too, and compute the first target."""
    run.centers.requires_grad_()
    run.state["stopped"] = torch.zeros(len(z), dtype=torch.bool, device=z.device)
    refresh_target(method, z, run)


def is_due(method, batch, run):
    """Return how many steps were taken with this one where `update_interval` of them are over, else 0."""
    steps = run.epoch * math.ceil(len(run.x) / method.batch_size) + batch.step + 1
    return 0 if steps % method.update_interval else steps


def refresh_now_and_then(method, batch, run):
    """Refresh the target after every `update_interval` steps, and stop the runs whose labels have settled."""
    if is_due(method, batch, run):
        before = run.state["assigned"]
        refresh_target(method, run.encode(run.x), run)
        changed = (run.state["assigned"] != before).double().mean(1)
        run.stop(changed < method.tol)


def refresh_target(method, z, run):
    """Compute the target, and note the labels that it belongs to."""
    run.state["target"] = target_distribution(memberships(z, run.centers, method.alpha))
    run.state["assigned"] = nearest(z, run.centers)  # (S, N)
