"""k-means against naive loops, scikit-learn, and itself: stacked, in parts, by bounds and by products."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as ScikitKMeans
from sklearn.datasets import load_digits

from deepkm.numerics import centers
from deepkm.numerics import kmeans as kmeans_module
from deepkm.numerics import lloyd as lloyd_module
from deepkm.numerics.centers import nearest, squared_distances
from deepkm.numerics.kmeans import kmeans, kmeans_plus_plus, warm_kmeans
from deepkm.numerics.lloyd import Clusters, Head, assign, lloyd, settle, settle_by_products


def tensor(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def random(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def grouped(n_samples, n_features, *, seed=0, spread=1.0):
    """Samples around 6 centers, their variance falling from feature to feature as in images."""
    draw = np.random.default_rng(seed)
    scale = 3 / np.sqrt(1 + np.arange(n_features))
    centers = draw.normal(size=(6, n_features))[draw.integers(6, size=n_samples)]
    return torch.tensor((centers + spread * draw.normal(size=(n_samples, n_features))) * scale)


def naive_lloyd(x, centers, tol=1e-4):
    """Lloyd's algorithm in a few plain lines, (N, D) and (K, D); an empty cluster takes the farthest sample."""
    for _ in range(300):
        label = ((x[:, None] - centers) ** 2).sum(2).argmin(1)
        used = [k for k in range(len(centers)) if (label == k).any()]
        means = np.array([x[label == k].mean(0) if k in used else np.zeros(x.shape[1]) for k in range(len(centers))])
        for k in sorted(set(range(len(centers))) - set(used)):
            means[k] = x[((x[:, None] - means[used]) ** 2).sum(2).min(1).argmax()]
            used.append(k)
        shift, centers = ((means - centers) ** 2).sum(), means
        if shift <= tol * x.var(0).mean():
            break
    return centers


def by_products(z, starts):
    """Return what the path of the GPU finds."""
    origin = z.mean(1, keepdim=True)
    centers = settle_by_products(z, starts - origin.unsqueeze(1), origin, max_iter=300, tol=1e-4)
    return centers + origin.unsqueeze(1)


CASES = {
    "few features": (grouped(300, 2), 5, 0),
    "many features": (grouped(400, 300), 7, 0),
    "more features than samples": (grouped(60, 300), 5, 0),
    "more clusters than features": (grouped(300, 3), 20, 0),
    "many clusters and features": (grouped(200, 150), 160, 0),
    "far from the origin": (grouped(300, 200) + 1000, 4, 0),
    "duplicates": (grouped(40, 3).repeat_interleave(5, 0), 6, 0),
    "as many clusters as samples": (grouped(12, 140), 12, 0),
    "one cluster": (grouped(50, 140), 1, 0),
    "empty clusters": (grouped(200, 4), 8, 30),
    "empty clusters, many features": (grouped(200, 140), 8, 30),
}


@pytest.mark.parametrize("path", [settle, by_products])
@pytest.mark.parametrize("case", CASES)
def test_every_restart_ends_where_a_naive_loop_ends(case, path):
    x, n_clusters, far = CASES[case]
    draw = np.random.default_rng(1)
    starts = torch.stack([x[draw.permutation(len(x))[:n_clusters]] for _ in range(6)])
    starts[:, -2:] += far  # two centers that no sample is near
    found = path(x.unsqueeze(0), starts.unsqueeze(0))[0]
    for start, end in zip(starts, found, strict=True):
        expected = torch.tensor(naive_lloyd(x.numpy(), start.numpy()))
        torch.testing.assert_close(end, expected, rtol=1e-9, atol=1e-9)
        assert torch.equal(nearest(x[None], end[None]), nearest(x[None], expected[None]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("patience", [0.0, 0.25, math.inf])
@pytest.mark.parametrize(("n_features", "head"), [(5, 64), (40, 3), (300, 64), (300, 1)])
def test_labels_sums_and_sizes_stay_those_of_a_full_pass(n_features, head, patience, dtype, monkeypatch):
    """Random walks of the centers, small and large: no sample is ever wrongly taken for settled."""
    monkeypatch.setattr(lloyd_module, "HEAD", head)
    monkeypatch.setattr(lloyd_module, "PATIENCE", patience)
    x = grouped(500, n_features, spread=2.0)
    x = (x - x.mean(0)).to(dtype)
    centers = random(3, 4, n_features, seed=1).to(dtype)
    clusters = Clusters(Head(x), centers)
    for step in range(24):
        centers = centers + random(3, 4, n_features, seed=step).to(dtype) * 0.5 ** (step % 8)
        clusters.move(centers)
        _, sums, counts = assign(x[None], centers[None], centers.new_zeros(1, 1, 1))
        distance = squared_distances(x.double().expand(3, -1, -1), centers.double())  # (A, N, K)
        own = distance.gather(2, clusters.label.unsqueeze(2)).squeeze(2)
        torch.testing.assert_close(own, distance.amin(2), rtol=100 * torch.finfo(dtype).eps, atol=0)
        assert torch.equal(clusters.counts, torch.stack([row.bincount(minlength=4) for row in clusters.label]).double())
        if torch.equal(counts[0], clusters.counts):
            scale = x.abs().sum().item() * torch.finfo(dtype).eps
            torch.testing.assert_close(clusters.sums, sums[0], rtol=0, atol=scale)


def test_bounds_rest_on_exact_products_with_the_reference(monkeypatch):
    """Just after a reference was taken, where nothing has moved, a bound is the score itself."""
    monkeypatch.setattr(lloyd_module, "PATIENCE", 0.0)
    x = grouped(500, 300, spread=2.0)
    clusters = Clusters(Head(x - x.mean(0)), random(2, 4, 300, seed=1))
    centers = random(2, 4, 300, seed=2)
    clusters.move(centers)
    assert clusters.reference is centers
    norms = centers.square().sum(-1, keepdim=True)
    weights, _ = clusters.head.weights(centers - clusters.reference, norms)
    scores = norms - 2 * centers @ clusters.x.T
    torch.testing.assert_close(clusters._lower_bounds(weights, slice(None)), scores.flatten(0, 1), rtol=0, atol=1e-10)


def test_a_bound_is_the_score_where_the_tails_are_parallel(monkeypatch):
    """All lies in a plane, and a direction of it is the head."""
    monkeypatch.setattr(lloyd_module, "HEAD", 1)
    x = random(200, 5) * torch.tensor([100.0, 0, 0, 0, 1])
    centers = random(2, 4, 5, seed=1) * torch.tensor([1.0, 0, 0, 0, 5])
    norms = centers.square().sum(-1, keepdim=True)
    head = Head(x)
    assert head.basis is not None
    weights, _ = head.weights(centers, norms)
    bounds, scores = (weights @ head.features.T).unflatten(0, (2, 4)), norms - 2 * centers @ x.T
    assert (bounds <= scores + 1e-6).all()
    tails = [part - part @ head.basis @ head.basis.T for part in (centers, x)]
    parallel = tails[0] @ tails[1].T > 0  # (A, K, N), else opposite
    torch.testing.assert_close(bounds[parallel], scores[parallel], rtol=0, atol=1e-3)
    assert (scores - bounds)[~parallel].max() > 10


def test_an_emptied_cluster_keeps_nothing_that_rounding_left():
    x = random(20, 3)
    centers = torch.stack([x[:2], torch.full((2, 3), 100.0, dtype=x.dtype)], 1)  # the second ones are too far
    clusters = Clusters(Head(x), centers)
    clusters.sums[:, 1] = 1e-9
    clusters.means()
    assert (clusters.sums[:, 1] == 0).all()
    torch.testing.assert_close(clusters.sums[:, 0], x.sum(0).expand(2, 3))


def test_settled_samples_are_not_compared(monkeypatch):
    compared, compare = [], Clusters._compare

    def counted(clusters, index, *rest):
        compared.append(len(index))
        return compare(clusters, index, *rest)

    monkeypatch.setattr(Clusters, "_compare", counted)
    x = grouped(5000, 300, spread=0.5)
    starts = kmeans_plus_plus(x[None], 10, seeds=[0], n_init=3)
    settle(x[None], starts)
    n_iter = [ScikitKMeans(10, init=start.numpy(), n_init=1).fit(x).n_iter_ for start in starts[0]]
    assert sum(compared) < 0.2 * len(x) * sum(n_iter)


@pytest.mark.parametrize("n_features", [6, 200])
def test_stacked_runs_equal_single_ones(n_features):
    z = torch.stack([grouped(300, n_features, seed=seed) for seed in range(3)])
    together = kmeans(z, 5, seeds=[3, 4, 5], n_init=4)
    warm = warm_kmeans(z, together + 0.1)
    for run in range(3):
        alone = kmeans(z[run : run + 1], 5, seeds=[3 + run], n_init=4)
        assert torch.equal(together[run], alone[0])
        assert torch.equal(warm[run], warm_kmeans(z[run : run + 1], alone + 0.1)[0])
    starts = kmeans_plus_plus(z, 5, seeds=[3, 4, 5], n_init=4)
    torch.testing.assert_close(by_products(z, starts), settle(z, starts), rtol=1e-10, atol=1e-10)


def test_restarts_do_not_depend_on_each_other():
    z = grouped(300, 200)[None]
    starts = kmeans_plus_plus(z, 5, seeds=[0], n_init=6)
    together = settle(z, starts)
    alone = torch.cat([settle(z, start.unsqueeze(0).unsqueeze(0)) for start in starts[0]], dim=1)
    torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-10)


def test_a_warm_start_keeps_the_meaning_of_labels_and_stays_where_it_is_settled():
    z = grouped(400, 200)[None]
    centers = kmeans(z, 6, seeds=[0])
    torch.testing.assert_close(warm_kmeans(z, centers, tol=0), centers, rtol=0, atol=0.1)
    moved = z + 0.01 * random(*z.shape, seed=5)
    assert torch.equal(squared_distances(warm_kmeans(moved, centers), centers).argmin(2), torch.arange(6)[None])


def test_centers_stay_on_their_type():
    for dtype in (torch.float32, torch.float64):
        z = grouped(100, 150)[None].to(dtype)
        found, total = lloyd(z, kmeans_plus_plus(z, 3, seeds=[0], n_init=2))
        assert (found.dtype, total.dtype) == (dtype, torch.float64)
        expected = squared_distances(z.double().expand(2, -1, -1), found[0].double()).amin(2).sum(1)
        torch.testing.assert_close(total[0], expected, rtol=1e-5, atol=0)


def test_a_lloyd_step_by_hand():
    z = tensor([[0.0], [1.0], [9.0], [11.0]])
    means, inertia = lloyd(z, tensor([[[0.0], [9.0]]]), max_iter=1)
    assert means.flatten().tolist() == [0.5, 10.0]
    assert inertia.item() == pytest.approx(0.25 + 0.25 + 1 + 1)


def test_an_empty_cluster_takes_the_farthest_sample():
    z = tensor([[0.0], [1.0], [20.0]])
    means, inertia = lloyd(z, tensor([[[0.0], [100.0], [-100.0]]]))
    assert sorted(means.flatten().tolist()) == [0.0, 1.0, 20.0]
    assert inertia.item() == 0


def test_duplicates_and_as_many_clusters_as_samples_are_no_trouble():
    z = torch.zeros(1, 5, 2, dtype=torch.float64)
    assert kmeans(z, 3, seeds=[0]).isfinite().all()
    z = random(1, 4, 2)
    found = kmeans(z, 4, seeds=[0])
    assert sorted(nearest(z, found)[0].tolist()) == [0, 1, 2, 3]


def test_k_means_plus_plus_takes_the_better_of_two_draws_by_squared_distance():
    points = [0.0, 1.0, 3.0, 7.0]
    expected = np.zeros((4, 4))
    for first in range(4):
        chance = np.square(np.subtract(points, points[first]))
        chance /= chance.sum()
        inertia = [sum(min((p - points[first]) ** 2, (p - q) ** 2) for p in points) for q in points]
        for one, other in product(range(4), repeat=2):
            expected[first, min(one, other, key=inertia.__getitem__)] += chance[one] * chance[other] / 4
    counts = np.zeros((4, 4))
    for seed in range(400):
        for start in kmeans_plus_plus(tensor([[p] for p in points]), 2, seeds=[seed], n_init=10)[0]:
            first, second = (points.index(value) for value in start.flatten().tolist())
            counts[first, second] += 1
    assert counts.trace() == 0
    error = np.abs(counts / counts.sum() - expected) / np.sqrt(expected * (1 - expected) / counts.sum() + 1e-12)
    assert error.max() < 4  # standard errors


@pytest.mark.parametrize("n_clusters", [2, 10, 60])
def test_inertia_is_that_of_scikit_learn(n_clusters):
    x, _ = load_digits(return_X_y=True)
    z = torch.tensor(x[None])
    ours = [squared_distances(z, kmeans(z, n_clusters, seeds=[seed])).amin(2).sum().item() for seed in range(3)]
    theirs = [ScikitKMeans(n_clusters, n_init=10, random_state=seed).fit(x).inertia_ for seed in range(3)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.01)


def test_lloyd_from_the_same_start_ends_where_scikit_learn_ends():
    x, _ = load_digits(return_X_y=True)
    start = x[:10]
    ours, inertia = lloyd(torch.tensor(x[None]), torch.tensor(start[None, None]))
    theirs = ScikitKMeans(10, init=start, n_init=1, algorithm="lloyd").fit(x)
    np.testing.assert_allclose(ours[0, 0], theirs.cluster_centers_, atol=1e-8)
    assert inertia.item() == pytest.approx(theirs.inertia_, rel=1e-10)


def test_chunks_change_nothing(monkeypatch):
    z = random(2, 57, 3)
    whole = kmeans(z, 4, seeds=[0, 1])
    for module in (centers, kmeans_module, lloyd_module):
        monkeypatch.setattr(module, "CHUNK_NUMEL", 20)
        monkeypatch.setattr(module, "CACHE_NUMEL", 20, raising=False)
    torch.testing.assert_close(kmeans(z, 4, seeds=[0, 1]), whole)
    assert torch.equal(nearest(z, whole), squared_distances(z, whole).argmin(2))


def test_restarts_that_tie_but_for_rounding_give_the_first():
    z = random(1, 60, 2) / 100 + tensor([[0.0, 0.0]] * 30 + [[9.0, 9.0]] * 30)
    starts = kmeans_plus_plus(z, 2, seeds=[0], n_init=10)
    found, inertia = lloyd(z, starts)
    assert math.isclose(inertia.min(), inertia.max(), rel_tol=1e-9)
    assert torch.equal(kmeans(z, 2, seeds=[0]), found[:, 0])


def far_groups(dtype):
    """Return samples (1, N, 2) in blobs of deviation 0.1, four around the origin and four far off, and single ones."""
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    single = [[1e5, 3e5], [-2e5, 0], [0, 9e4], [-1e5, 300]]
    places = np.vstack([corners, corners + np.array([1e5, 0])]).repeat(50, 0)
    x = np.vstack([places + 0.1 * np.random.default_rng(0).normal(size=places.shape), single])
    return torch.tensor(x[None], dtype=dtype), np.append(np.arange(8).repeat(50), [8, 9, 10, 11])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blobs_far_from_each_other_settle_where_float64_settles(dtype):
    z, group = far_groups(dtype)
    starts = z[:, [np.flatnonzero(group == k)[0] for k in range(12)]].unsqueeze(1) + 0.05
    expected = naive_lloyd(z[0].double().numpy(), starts[0, 0].double().numpy())
    torch.testing.assert_close(settle(z, starts)[0, 0].double(), torch.tensor(expected), rtol=1e-7, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(3))
def test_blobs_far_from_each_other_are_found(seed, dtype):
    z, group = far_groups(dtype)
    found = kmeans(z, 12, seeds=[seed], n_init=4)
    labels = nearest(z, found)[0].numpy()
    assert len(set(zip(group, labels, strict=True))) == 12


@pytest.mark.parametrize("n_features", [3, 200])
def test_blobs_near_each_other_take_no_differences(n_features, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("slow")

    for module in (centers, kmeans_module, lloyd_module):
        monkeypatch.setattr(module, "exact_distances", refuse)
    z = grouped(300, n_features)[None].float() + 1000
    nearest(z, kmeans(z, 6, seeds=[0], n_init=2))
    warm_kmeans(z, kmeans(z, 6, seeds=[0], n_init=1))


def test_inertia_far_from_the_mean_is_not_lost():
    z, _ = far_groups(torch.float32)
    found, total = lloyd(z, kmeans_plus_plus(z, 12, seeds=[0], n_init=3))
    expected = squared_distances(z.double().expand(3, -1, -1), found[0].double()).amin(2).sum(1)
    torch.testing.assert_close(total[0], expected)


def test_differences_to_many_centers_are_taken_of_few_samples_at_once(monkeypatch):
    (z, _), sizes = far_groups(torch.float32), []
    starts = kmeans_plus_plus(z, 12, seeds=[0], n_init=1)
    whole, total = lloyd(z, starts)
    exact = lloyd_module.exact_distances
    monkeypatch.setattr(lloyd_module, "CHUNK_NUMEL", 10 * 12)
    monkeypatch.setattr(
        lloyd_module, "exact_distances", lambda x, near: sizes.append(x.shape[0] * len(near)) or exact(x, near)
    )
    found, same = lloyd(z, starts)
    torch.testing.assert_close(found, whole)
    torch.testing.assert_close(same, total)
    assert max(sizes) == 10 * 12


def test_an_outlier_and_a_center_on_it_cost_no_other_sample_its_center():
    """Four blobs at the corners of a square of side 2, one sample at 99999, a code for "missing": K = 5."""
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    z = torch.cat([corners.repeat(100, 1) + 0.1 * random(400, 2).float(), torch.full((1, 2), 99999.0)])[None]
    found = kmeans(z, 5, seeds=[0])
    expected = squared_distances(z.double(), found.double()).argmin(2)
    assert torch.equal(nearest(z, found), expected)
    assert expected.unique(return_counts=True)[1].sort().values.tolist() == [1, 100, 100, 100, 100]


def test_an_emptied_cluster_far_from_the_mean_takes_the_farthest_sample():
    x = torch.tensor([[1e5, 0.0], [1e5, 1.0], [1e5, 9.0], [-1e5, 0.0]])
    starts = torch.tensor([[1e5, 4.0], [1e5, 100.0], [-1e5, 0.0]])
    found = settle(x[None], starts[None, None], tol=0)[0, 0]
    assert sorted(found.tolist()) == [[-1e5, 0.0], [1e5, 0.5], [1e5, 9.0]]
