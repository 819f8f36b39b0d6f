"""Clusters along the sheets that samples lie on, found by other libraries: of a graph of neighbours, and by UMAP.

Each serves as a control and as a start of centers. It works on the CPU in float64, one run after the other.
"""

import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import one_hot

from deepkm.numerics.seeding import random_state

# With the sample itself, and without.
SPECTRAL_NEIGHBORS = 10
UMAP_NEIGHBORS = 20


class Found(NamedTuple):
    """What another library found in the code of one run.

    Attributes
    ----------
    labels : ndarray of shape (N,)
    model : object, optional
        Labels new samples by its `predict`.
    doubt : str
        What people should know of it; empty where there is nothing.
    """

    labels: np.ndarray
    model: Any = None
    doubt: str = ""


def find(cluster, z, seeds):
    """Return what ``cluster(z, seed)`` finds in the code z (S, N, D) of each run, given to it as array (N, D).

    Returns
    -------
    list of Found
        As many as there are codes or seeds, whichever are fewer.
    """
    return [_find(cluster, *pair) for pair in zip(z, seeds, strict=False)]


def labels_and_doubts(found, seeds, *, device):
    """Return the labels that were found, (S, N) on a device, and a line for each doubt, which names the run's seed."""
    labels = [torch.from_numpy(np.asarray(part.labels, np.int64)) for part in found]
    doubts = [f"seed {seed}: {part.doubt}" for part, seed in zip(found, seeds, strict=True) if part.doubt]
    return torch.stack(labels).to(device), doubts


def cluster_means(z, labels, n_clusters):
    """Return the mean of each cluster, (S, K, D), of z (S, N, D); of an empty one that of all samples."""
    means = []
    for code, label in zip(z, labels, strict=True):
        member = one_hot(label, n_clusters).to(code)  # (N, K)
        count = member.sum(0).unsqueeze(1)
        means.append(torch.where(count > 0, member.T @ code / count.clamp_min(1), code.mean(0)))
    return torch.stack(means)


def manifold_centers(kind, z, n_clusters, *, seeds, n_init):
    """Return the means of clusters along the manifold of each run's code, (S, K, D), and lines of doubt.

    Parameters
    ----------
    kind : {"spectral", "umap"}
        `spectral`, or `umap_kmeans`: k-means on an embedding, which hangs less on its seed than a mixture does.
    z : Tensor of shape (S, N, D)
    n_clusters : int
        K.
    seeds : sequence of int, length S
    n_init : int
        Restarts of k-means on eigenvectors or embedding.
    """
    cluster = {"spectral": spectral, "umap": umap_kmeans}[kind]
    found = find(partial(cluster, n_clusters=n_clusters, n_init=n_init), z, seeds)
    labels, doubts = labels_and_doubts(found, seeds, device=z.device)
    return cluster_means(z, labels, n_clusters), [f"{doubt}; take other initial_centers" for doubt in doubts]


def spectral(z, seed, *, n_clusters, n_init, n_neighbors=SPECTRAL_NEIGHBORS):
    """Return spectral clusters of z (N, D): k-means on the K leading eigenvectors of the graph of neighbours."""
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415
    from sklearn.cluster import SpectralClustering  # noqa: PLC0415  no other job should wait for it

    graph = {"affinity": "nearest_neighbors", "n_neighbors": n_neighbors, "eigen_solver": "arpack"}
    state = random_state(seed, "spectral")
    model = SpectralClustering(n_clusters, **graph, n_init=n_init, random_state=state).fit(z)
    parts, _ = connected_components(model.affinity_matrix_, directed=False)
    doubt = f"the graph of neighbours falls into {parts} parts, more than K={n_clusters}"
    return Found(model.labels_, doubt=doubt if parts > n_clusters else "")


def umap_kmeans(z, seed, *, n_clusters, n_init, **options):
    """Return the clusters of k-means in UMAP's embedding of z (N, D), in K dimensions; options as in `new_umap`."""
    from sklearn.cluster import KMeans  # noqa: PLC0415  no other job should wait for these
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    umap = new_umap(seed, **{"n_components": n_clusters, **options})
    model = make_pipeline(umap, KMeans(n_clusters, n_init=n_init, random_state=random_state(seed, "kmeans++")))
    return Found(model.fit_predict(z), model)


def new_umap(seed, *, n_components, n_neighbors=UMAP_NEIGHBORS, min_dist=0.0):
    """Return UMAP with draws from the stream (seed, "umap"), in one thread, so that it gives the same again."""
    from umap import UMAP  # noqa: PLC0415  it takes seconds, and compiles for more

    options = {"n_components": n_components, "n_neighbors": n_neighbors, "min_dist": min_dist}
    return UMAP(**options, random_state=random_state(seed, "umap"), n_jobs=1)


def _find(cluster, z, seed):
    if not z.isfinite().all():  # a run that diverged must not stop the runs beside it
        return Found(np.zeros(len(z)))
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters of them is a `doubt`
        found = cluster(z.double().numpy(force=True), seed)
    torch.set_num_threads(threads)  # UMAP's compiler raises it to all cores, for the rest of the process
    return found
