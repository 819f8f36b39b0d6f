"""k-means on one core against scikit-learn: ``python -m benchmarks.kmeans --data data/mnist.npz``.

Times whole calls with 20 restarts on pixels and on a code of 10 features, their k-means++ alone, and warm starts as
after an epoch of training; without --data on synthetic data of MNIST's shape. Runs take turns; medians of CPU seconds
count. The row "bare products" is what the distance products of all iterations of a plain Lloyd's algorithm would take,
and nothing else. faiss is compared where it is installed.

Each library gets one thread. Environment variables that name another machine to OpenBLAS slow NumPy down: for a fair
peer start with ``env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE taskset -c 0``.
"""

import argparse
import importlib.util
import time
from statistics import median
from unittest import mock

import numpy as np
import torch
from sklearn.cluster import KMeans, kmeans_plusplus
from threadpoolctl import threadpool_limits

from benchmarks.measure import write_rows
from deepkm.numerics.kmeans import kmeans, kmeans_plus_plus, warm_kmeans
from deepkm.numerics.lloyd import Clusters, inertia

K, N_INIT, N_LATENT = 10, 20, 10


def read_pixels(path):
    """Return features scaled to [0, 1], (N, F) float32; synthetic clusters without a path."""
    if path:
        x = np.load(path, allow_pickle=False)["feature"]
        x = x.reshape(len(x), -1).astype(np.float32)
        return x / x.max()
    random = np.random.default_rng(0)
    scale = 1 / np.sqrt(1 + np.arange(784, dtype=np.float32))  # variances fall as those of images
    centers = random.normal(size=(30, 784)).astype(np.float32)[random.integers(30, size=70000)]
    return (centers + 1.5 * random.normal(size=centers.shape).astype(np.float32)) * scale


def principal_code(x):
    """Return the first principal components, (N, N_LATENT)."""
    x = x - x.mean(0)
    _, directions = np.linalg.eigh(x[::10].T @ x[::10])
    return np.ascontiguousarray(x @ directions[:, -N_LATENT:])


def measure(calls, repeats):
    """Return each call's median CPU seconds and the lowest inertia it found; the calls take turns."""
    seconds, found = {name: [] for name in calls}, {name: [] for name in calls}
    for repeat in range(repeats):
        for name, call in calls.items():
            cpu, wall = time.process_time(), time.monotonic()
            found[name].append(call(repeat))
            seconds[name].append(time.process_time() - cpu)
            print(f"  {name}: {seconds[name][-1]:.2f} CPU s, {time.monotonic() - wall:.2f} s", flush=True)
    return {name: median(values) for name, values in seconds.items()}, {name: min(v) for name, v in found.items()}


def restarts(x):
    """Return the calls with all restarts; each returns its inertia."""
    z = torch.tensor(x).unsqueeze(0)

    def ours(seed):
        return kmeans(z, K, seeds=[seed], n_init=N_INIT)

    def theirs(seed):
        return KMeans(K, n_init=N_INIT, random_state=seed).fit(x).cluster_centers_

    calls = {"ours": ours, "scikit-learn": theirs}
    if importlib.util.find_spec("faiss"):
        import faiss  # noqa: PLC0415

        faiss.omp_set_num_threads(1)

        def by_faiss(seed):
            model = faiss.Kmeans(x.shape[1], K, niter=25, nredo=N_INIT, seed=seed)
            model.train(x)
            return model.centroids

        calls["faiss"] = by_faiss
    return calls


def starts(x):
    """Return the calls of k-means++ alone."""
    z = torch.tensor(x).unsqueeze(0)
    return {
        "ours": lambda seed: kmeans_plus_plus(z, K, seeds=[seed], n_init=N_INIT)[0, 0],
        "scikit-learn": lambda seed: np.stack(
            [kmeans_plusplus(x, K, random_state=N_INIT * seed + restart)[0] for restart in range(N_INIT)]
        )[0],
    }


def warm(x):
    """Return the calls that start from the centers of data that have moved a little since."""
    centers = kmeans(torch.tensor(x).unsqueeze(0), K, seeds=[0], n_init=5)
    x = x + 0.1 * x.std(0) * np.random.default_rng(1).normal(size=x.shape).astype(x.dtype)
    z = torch.tensor(x).unsqueeze(0)
    return {
        "ours": lambda _: warm_kmeans(z, centers),
        "scikit-learn": lambda _: KMeans(K, init=centers[0].numpy(), n_init=1).fit(x).cluster_centers_,
    }


def bare_products(x):
    """Return the CPU seconds of the products of samples and centers in all iterations of all restarts."""
    z, moved, move = torch.tensor(x).unsqueeze(0), [N_INIT], Clusters.move

    def counted(clusters, centers):
        moved.append(len(centers))
        move(clusters, centers)

    with mock.patch.object(Clusters, "move", counted):
        kmeans(z, K, seeds=[0], n_init=N_INIT)
    centers, seconds = torch.rand(N_INIT * K, x.shape[1]), []
    for _ in range(5):
        before = time.process_time()
        for part in z[0].split(2048):
            centers @ part.T
        seconds.append(time.process_time() - before)
    return median(seconds) * sum(moved) / N_INIT


def rows(case, calls, x, *, repeats, goal):
    """Yield one row of the table per peer."""
    print(case, flush=True)
    seconds, found = measure({name: lambda s, call=call: quality(x, call(s)) for name, call in calls.items()}, repeats)
    for other in list(calls)[1:]:
        ratio = seconds[other] / seconds["ours"]
        yield {
            "case": case,
            "ours_seconds": seconds["ours"],
            "other": other,
            "other_seconds": seconds[other],
            "ratio": ratio,
            "goal": goal,
            "inertia_ratio": found["ours"] / found[other],
        }


def quality(x, centers):
    """Return the inertia of centers (K, D)."""
    return inertia(torch.tensor(x).unsqueeze(0), torch.as_tensor(centers).view(1, 1, K, -1)).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help=".npz with `feature`, for example MNIST; else synthetic data")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--on", nargs="+", choices=["code", "pixels"], default=["code", "pixels"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    pixels = read_pixels(args.data)
    table = []
    with threadpool_limits(1):
        data = {"code": (principal_code(pixels), 1), "pixels": (pixels, 4)}
        for name in args.on:
            x, goal = data[name]
            shape = f"{name} {x.shape[0]} x {x.shape[1]}"
            table += rows(f"{shape}, warm start", warm(x), x, repeats=args.repeats, goal=1)
            table += rows(f"{shape}, k-means++ alone", starts(x), x, repeats=args.repeats, goal=1)
            table += rows(f"{shape}, 20 restarts", restarts(x), x, repeats=args.repeats, goal=goal)
            floor = bare_products(x)
            table.append(table[-1] | {"other": "bare products", "other_seconds": floor, "goal": None})
            table[-1] |= {"ratio": floor / table[-1]["ours_seconds"], "inertia_ratio": None}
    write_rows("kmeans", table)


if __name__ == "__main__":
    main()
