"""Balanced clusters: an option of the methods whose memberships have a gradient."""

import math

import torch


def imbalance(membership):
    """Return how far a batch's mean membership is from uniform: log K - H(p_bar) = KL(p_bar || uniform), (S,).

    Parameters
    ----------
    membership : Tensor of shape (S, B, K)
        Rows sum to 1.

    Notes
    -----
    The entropy of a batch is too low by about (K - 1) / (2 B): with many clusters, B should be ten times K or more.

    Examples
    --------
    >>> round(imbalance(torch.tensor([[[0.9, 0.1], [0.6, 0.4]]])).item(), 6)
    0.130812
    """
    mean = membership.mean(-2)  # (S, K)
    return math.log(mean.shape[-1]) + torch.xlogy(mean, mean).sum(-1)
