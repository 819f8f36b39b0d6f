"""A study with a method that takes its time without load, for tests that interrupt it."""

import pkgutil
import sys
from contextlib import contextmanager
from unittest import mock

from conftest import changed, started_snakemake, wait_for

from deepkm.datasets.features import load_features
from deepkm.estimators.estimator import as_estimator
from deepkm.files import read_hdf5

RESULT = "results/clusterings/slow/blobs/seed0.h5"
METHODS = '''
import os, time
from dataclasses import dataclass

import torch
from deepkm.methods.ct import CT

@dataclass(kw_only=True, eq=False, repr=False)
class Slow(CT):
    """CT that takes its time where asked to, and memory."""
    def before_epoch(self, z, run):
        time.sleep(float(os.environ.get("PAUSE", 0)))
        if run.epoch == int(os.environ.get("HUNGRY", -1)):
            torch.ones(10**11)
        super().before_epoch(z, run)

@dataclass(kw_only=True, eq=False, repr=False)
class Failing(CT):
    """CT that breaks."""
    def loss(self, batch, run):
        raise ValueError("this method fails")
'''


def slow_study(methods=("km", "slow"), *, seeds=(0,), epochs=30, **parts):
    """Return a study of some methods, of which two are those above."""
    entries = {name.lower(): {"estimator": f"mine:{name}", "autoencoder": "mlp"} for name in ("Slow", "Failing")}
    entries["slow"]["epochs"] = epochs
    return changed(study={"methods": list(methods), "seeds": list(seeds)}, methods=entries, **parts)


def write_methods(folder):
    (folder / "mine.py").write_text(METHODS)


@contextmanager
def slow_job(folder, *arguments, study, pause=0.2, extra=(), **options):
    """Let one slow clustering run by Snakemake, from its first checkpoint on."""
    variables = {"PAUSE": str(pause), "DEEPKM_CHECKPOINT_SECONDS": "0.5", **dict(extra)}
    with started_snakemake(folder, RESULT, *arguments, study=study, extra=variables, **options) as snakemake:
        wait_for(lambda: checkpoints(folder) or (folder / RESULT).exists() or snakemake.poll() is not None, 120)
        assert checkpoints(folder), output(folder)
        yield snakemake


def checkpoints(folder):
    return list(folder.glob("results/clusterings/slow/blobs/.*.checkpoint"))


def output(folder):
    return (folder / "snakemake.txt").read_text()


def log(folder, method="slow"):
    path = folder / f"results/logs/cluster/{method}/blobs/seed0.log"
    return path.read_text() if path.exists() else ""


def assert_uninterrupted(folder, pattern="*"):
    """Compare clusterings with what their estimators give in this process, bit for bit; return how many."""
    x = load_features(folder / "data" / "blobs.npz", "standard")
    paths = sorted(folder.glob(f"results/clusterings/{pattern}/blobs/*.h5"))
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        sys.modules.pop("mine", None)  # of another study
        for path in paths:
            arrays, attributes = read_hdf5(path)
            spec = attributes["spec"]
            method = as_estimator(pkgutil.resolve_name(spec["estimator"]))(**spec["parameters"], device="cpu")
            for s, seed in enumerate(spec["seeds"]):
                labels = method.set_params(random_state=seed).fit(x).labels_
                assert (labels == arrays["labels"][s]).all(), path
    sys.modules.pop("mine", None)
    return len(paths)
