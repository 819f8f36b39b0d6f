"""Centers that start at the clusters of a control: spectral clustering, or UMAP and k-means."""

import re
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from problems import SMALL, blobs, check_resume, check_stack, initialized, trained

import deepkm
from deepkm import values
from deepkm.study.plan import Study
from deepkm.training.checkpoint import restore_run, save_run

NO_UMAP = pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is not installed: `make` installs it")
KINDS = ["spectral", pytest.param("umap", marks=NO_UMAP)]
ELSEWHERE = "DeepCluster GaussianMixture KMeans N2D PCAKMeans RandomLabels Spectral VaDE Ward".split()
FROM_CENTERS = [name for name in deepkm.__all__ if name not in ELSEWHERE]


def control_of(kind, **options):
    if kind == "umap":
        return deepkm.N2D(**{**SMALL, **options, "epochs": 0, "clustering": "kmeans"})
    return deepkm.Spectral(**{**SMALL, **options, "epochs": 0})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"autoencoder": "mlp"}, {"autoencoder": None}])
def test_a_start_is_what_the_control_finds(kind, options):
    """On the same code, with the same draws; n_init counts for both."""
    x = blobs()
    control = initialized(control_of(kind, **options), x, [3, 4])
    for method in (deepkm.DCN, deepkm.DEKM):
        run = initialized(method(**{**SMALL, **options}, initial_centers=kind), x, [3, 4])
        assert torch.equal(run.state.get("anchors", run.centers), control.centers)  # DEKM reads centers out elsewhere
    from_kmeans = initialized(deepkm.DEC(**{**SMALL, **options}), x, [3, 4])
    assert not torch.equal(from_kmeans.centers, control.centers)


@pytest.mark.parametrize("name", FROM_CENTERS)
def test_runs_are_independent_and_resume(name, tmp_path):
    method, x = getattr(deepkm, name)(**SMALL, autoencoder="mlp", initial_centers="spectral"), blobs()
    check_stack(method, x)
    check_resume(method, x, tmp_path / "run.h5")
    assert not trained(method, x).diverged.any()


@NO_UMAP
def test_runs_from_umap_are_independent_and_resume(tmp_path):
    method = deepkm.DEC(**SMALL, initial_centers="umap")
    check_stack(method, blobs())
    check_resume(method, blobs(), tmp_path / "run.h5")


@NO_UMAP
def test_umap_leaves_the_number_of_threads_alone():
    """Sums depend on how they are split over threads: a job's results would no longer be those of one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    initialized(deepkm.DEC(**SMALL, initial_centers="umap"), blobs())
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == 1


@pytest.mark.parametrize("kind", KINDS)
def test_new_samples_are_labelled(kind):
    x = blobs().numpy()
    model = deepkm.IDEC(**SMALL, initial_centers=kind, random_state=0).fit(x)
    np.testing.assert_array_equal(model.predict(x), model.labels_)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_who_does_not_start_from_centers_says_so(name):
    with pytest.raises(ValueError, match=r"^initial_centers='spectral' should be 'kmeans'$"):
        getattr(deepkm, name)(initial_centers="spectral").fit(blobs().numpy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial_centers": "umap"}, "initial_centers='umap': n_neighbors=20 should be < n_samples=20"),
        (
            {"initial_centers": "spectral", "n_clusters": 20},
            "initial_centers='spectral': n_clusters=20 should be < n_samples=20",
        ),
    ],
)
def test_too_few_samples(options, message, monkeypatch):
    monkeypatch.setattr(values, "version", lambda name: "1")
    with pytest.raises(ValueError, match=f"^{message}$"):
        deepkm.DEC(**options).fit(blobs(20).numpy())


def test_what_a_control_cannot_take_no_method_starts_from(config, monkeypatch):
    def version(name):
        if name == "umap-learn":
            raise PackageNotFoundError(name)

    monkeypatch.setattr(values, "version", version)
    needs = "initial_centers='umap': needs umap-learn, which is not installed; pip install umap-learn"
    with pytest.raises(ValueError, match=f"^{needs}$"):
        deepkm.DEC(initial_centers="umap").fit(blobs().numpy())
    config["study"] |= {"datasets": ["digits"], "methods": ["dec"]}
    config["methods"]["dec"]["per_dataset"] |= {"digits": {"initial_centers": "umap"}}
    with pytest.raises(ValueError, match=f"^methods.dec: {needs}; or leave it out of the study$"):
        Study(config)
    config["study"]["datasets"] = ["usps"]
    Study(config)
    config["methods"]["dec"]["initial_centers"] = "spectral"
    Study(config)
    config["study"]["datasets"] = ["usps", "mnist"]
    message = (
        "methods.dec: got the data set mnist, which it cannot take: initial_centers='spectral': n_samples=70000 should "
        "be <= 40000, beyond which time or memory grow too fast; leave one of the two out of the study"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Study(config)


@pytest.mark.parametrize("kind", KINDS)
def test_a_diverged_run_does_not_stop_the_others(kind):
    method, x = deepkm.DCN(**SMALL, initial_centers=kind), blobs()
    run = method.start(x, seeds=[4, 5])
    with torch.no_grad():
        run.autoencoder.encoder[0].weight[0] = torch.nan
    run = trained(method, x, run=run)
    assert run.diverged.tolist() == [True, False]
    np.testing.assert_array_equal(run.history["labels"][-1][1], trained(method, x, [5]).history["labels"][-1][0])


def test_doubts_are_told_and_kept(tmp_path, recwarn):
    """Eight groups of fifteen samples, far from each other: no sample has a neighbour in another group."""
    x = torch.tensor(1000 * np.repeat(np.arange(8.0), 15) + np.tile(np.arange(15.0), 8)).unsqueeze(1)
    method = deepkm.SoftKMeans(n_clusters=3, epochs=1, initial_centers="spectral")
    run = initialized(method, x / 1000, [4, 5])
    doubt = "the graph of neighbours falls into 8 parts, more than K=3; take other initial_centers"
    assert run.doubts == [f"seed 4: {doubt}", f"seed 5: {doubt}"]
    save_run(tmp_path / "run.h5", run, spec={})
    resumed = method.start(x, seeds=[4, 5])
    restore_run(tmp_path / "run.h5", resumed, spec={}, optimizer_options=method.optimizer_options(), device="cpu")
    assert resumed.doubts == run.doubts
    assert deepkm.SoftKMeans(n_clusters=3, epochs=1, initial_centers="spectral").fit(blobs().numpy()).doubts_ == []
    assert not recwarn.list
