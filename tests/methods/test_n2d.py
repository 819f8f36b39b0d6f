"""N2D and UMAP, where umap-learn is installed."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from problems import check_resume, check_stack, trained
from sklearn.datasets import make_blobs

from deepkm import N2D
from deepkm.numerics.metrics import scores

pytest.importorskip("umap", reason="umap-learn is not installed: `make` installs it")

X, TARGET = make_blobs(n_samples=90, n_features=6, centers=3, center_box=(-50, 50), random_state=1)


def model_of(clustering, **options):
    usual = {"n_clusters": 3, "autoencoder": None, "random_state": 0, "dtype": "float64"}
    return N2D(**{**usual, "clustering": clustering, **options})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("clustering", ["mixture", "kmeans"])
def test_far_blobs_are_found_and_found_again(clustering):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba, while it compiles
        first = model_of(clustering).fit(X)
    second = model_of(clustering).fit(X, TARGET)
    assert scores(TARGET, first.labels_)["acc"] == 1
    assert first.doubts_ == []
    np.testing.assert_array_equal(first.labels_, second.labels_)
    np.testing.assert_allclose(first.cluster_centers_, [X[first.labels_ == k].mean(0) for k in range(3)])
    for model in (second, pickle.loads(pickle.dumps(first))):
        np.testing.assert_array_equal(model.predict(X), first.labels_)
        np.testing.assert_array_equal(model.predict(X[:5] + 0.01), first.labels_[:5])


@pytest.mark.parametrize("options", [{"autoencoder": None}, {"autoencoder": "mlp", "clustering": "kmeans"}])
def test_runs_are_independent_and_resume(options, tmp_path):
    method, x = N2D(n_clusters=3, hidden_widths=(8,), **options), torch.tensor(X / 50)
    check_stack(method, x)
    check_resume(method, x, tmp_path / "run.h5")


def test_seeds_differ():
    embeddings = [
        run.models[0][0].embedding_ for run in (trained(model_of("kmeans"), torch.tensor(X), [s]) for s in (0, 1))
    ]
    assert embeddings[0].shape == (90, 3)
    assert not np.allclose(*embeddings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_neighbors": 90}, "n_neighbors=90 should be < n_samples=90"),
        ({"n_clusters": 91}, "n_samples=90 should be >= n_clusters=91; lower n_clusters"),
        ({"n_neighbors": 1}, "n_neighbors=1 should be > 1"),
    ],
)
def test_too_few_samples(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        model_of("mixture", **options).fit(X)
