"""What a CUDA GPU must keep of what the CPU does; passed over where there is none."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import assert_same, environment, run_stage
from problems import check_resume
from test_contract import METHODS, epochs_of, make_method
from test_jobs import long_job

from deepkm import KMeans, load, save
from deepkm.files import read_hdf5
from deepkm.networks.products import perceptron
from deepkm.numerics.kmeans import kmeans
from deepkm.numerics.lloyd import inertia

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.fixture
def x():
    """Three blobs as images of 8 x 8, in float32 on the GPU."""
    random = torch.Generator().manual_seed(0)
    centers = 3 * torch.randn(3, 64, generator=random)
    return (centers[torch.arange(100) % 3] + torch.randn(100, 64, generator=random)).cuda()


def recorded(key):
    """Return the estimator of an entry, whose steps are recorded from the start; targets are made anew often."""
    often = {"update_interval": 2} if hasattr(make_method(key), "update_interval") else {}
    return make_method(key, warm_start="none", **often)


def numbers(run):
    tensors = {**run.autoencoder.state_dict(), **run.state}
    arrays = {name: tensor.numpy(force=True) for name, tensor in tensors.items()}
    return arrays | {f"history/{name}": np.stack(values) for name, values in run.history.items()}


@pytest.mark.parametrize("key", METHODS)
def test_a_run_repeats_bit_for_bit(key, x):
    first, again = (numbers(recorded(key).train_runs(x, seeds=[5, 6])) for _ in range(2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name], err_msg=name)


# Its clusters are numbered by the mixture that fits best, of restarts that differ by rounding alone.
NUMBERED_BY_ROUNDING = {"vade"}
ALIKE = [key for key in METHODS if key not in NUMBERED_BY_ROUNDING]


@pytest.mark.parametrize("key", ALIKE)
def test_a_run_starts_as_on_the_cpu(key, x):
    """Of the first epoch: rounding grows from there on."""
    method = make_method(key)
    short = make_method(key, epochs=min(1, method.epochs))
    here, there = (numbers(short.train_runs(data, seeds=[5, 6])) for data in (x, x.cpu()))
    for name, array in there.items():
        if name != "history/labels":
            np.testing.assert_allclose(here[name], array, rtol=2e-2, atol=2e-3, err_msg=name)
    assert (here["history/labels"][0] == there["history/labels"][0]).mean() > 0.97


@pytest.mark.parametrize("key", ALIKE)
def test_a_stack_is_its_single_runs_but_for_rounding(key, x):
    method = make_method(key, epochs=min(1, epochs_of(key)))
    stacked, single = (numbers(method.train_runs(x, seeds=seeds)) for seeds in ((5, 6), (6,)))
    for name, array in single.items():
        at = (slice(None), slice(1, 2)) if name.startswith("history/") else slice(1, 2)
        if name != "history/labels":
            np.testing.assert_allclose(stacked[name][at], array, rtol=2e-2, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("key", [key for key in METHODS if epochs_of(key)])
def test_resumed_equals_uninterrupted(key, x, tmp_path):
    check_resume(recorded(key), x, tmp_path / "run")


@pytest.mark.parametrize("n_features", [10, 300])
def test_kmeans_reaches_the_inertia_of_the_cpu(n_features):
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5000, n_features, generator=random) + 4 * torch.randn(2, 1, n_features, generator=random)
    x += 3 * torch.randn(2, 20, n_features, generator=random).repeat(1, 250, 1)
    values = [inertia(z, kmeans(z, 20, seeds=[0, 1]).unsqueeze(1)).cpu() for z in (x, x.cuda())]
    torch.testing.assert_close(values[1], values[0], rtol=1e-4, atol=0)


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("tf32", 3e-3), ("bfloat16", 3e-2)])
def test_products_have_the_digits_that_are_asked_for(precision, error):
    random = torch.Generator().manual_seed(0)
    shapes = [(3, 256, 784), (3, 784, 512), (3, 512, 64), (3, 1, 512), (3, 1, 64)]
    x, *parameters = (torch.randn(shape, generator=random, dtype=torch.float64).cuda() for shape in shapes)
    exact = perceptron(x, parameters[:2], parameters[2:])
    found = perceptron(x.float(), [w.float() for w in parameters[:2]], [b.float() for b in parameters[2:]],
                       precision=precision)  # fmt: skip
    relative = ((found - exact).norm() / exact.norm()).item()
    assert relative < error
    if precision != "float32":
        assert relative > 1e-5  # it is no other product under that name


def test_an_estimator_takes_the_gpu_and_comes_back_from_a_file(x, tmp_path):
    data = x.cpu().numpy()
    method = make_method("dkm", random_state=0).fit(data)
    assert method._run.centers.is_cuda
    assert (method.predict(data) == method.labels_).all()
    save(method, tmp_path / "dkm.h5")
    for device in ("cuda", "cpu"):
        assert (load(tmp_path / "dkm.h5", device=device).predict(data) == method.labels_).mean() > 0.98
    here, there = (KMeans(n_clusters=3, random_state=0, device=device).fit(data) for device in ("cuda", "cpu"))
    assert (here.labels_ == there.labels_).all()


def test_a_killed_job_goes_on_and_ends_with_the_same_bits(tmp_path):
    whole, broken = tmp_path / "whole.h5", tmp_path / "broken.h5"
    run_stage(*long_job(tmp_path, whole, epochs=300), "--gpu", 1)
    command = [sys.executable, "-m", "deepkm", *map(str, long_job(tmp_path, broken, epochs=300)), "--gpu", "1"]
    with subprocess.Popen([*command, "--checkpoint-seconds", "0"], env=environment()) as job:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob(".broken.*.checkpoint")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.3)
        job.send_signal(signal.SIGKILL)
    assert "going on from epoch" in run_stage(*long_job(tmp_path, broken, epochs=300), "--gpu", 1).stdout
    (first, about), (second, _) = (read_hdf5(path) for path in (whole, broken))
    assert_same(first, second)
    assert torch.cuda.get_device_name() in about["provenance"]["device"]
    assert about["provenance"]["peak_memory_bytes"] > 0
