"""The workflow on a real SLURM that these tests start: two nodes with a pretended GPU each, and one with two."""

import pkgutil
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from conftest import changed, run_snakemake, started_snakemake, wait_for

from deepkm.datasets.features import load_features
from deepkm.hdf5 import read_hdf5

sys.path.insert(0, str(Path(__file__).parent))
from cluster import Cluster, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

METHODS = '''
import os, time
from dataclasses import dataclass
from deepkm.methods.ct import CT

@dataclass(kw_only=True, eq=False, repr=False)
class Slow(CT):
    """CT that takes its time where asked to."""
    def before_epoch(self, z, run):
        time.sleep(float(os.environ.get("PAUSE", 0)))
        super().before_epoch(z, run)

@dataclass(kw_only=True, eq=False, repr=False)
class Failing(CT):
    """CT that breaks."""
    def loss(self, batch, run):
        raise ValueError("this method fails")
'''
RESULT = "results/clusterings/slow/blobs/seed0.h5"
OPTIONS = "--slurm-status-command squeue --slurm-init-seconds-before-status-checks 2 --latency-wait 20".split()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def study_of(methods, seeds=(0,), epochs=3):
    """Return a study of some methods, of which two are those above."""
    entries = {name.lower(): {"estimator": f"mine:{name}", "autoencoder": "mlp"} for name in ("Slow", "Failing")}
    entries["slow"]["epochs"] = epochs
    return changed(study={"methods": methods, "seeds": list(seeds)}, methods=entries)


def how(cluster, *, partition="gpu", pause=0.2, runtime=10, slurm_extra=""):
    """Return the arguments that stand for what a user writes into profiles/slurm, and the environment."""
    resources = [f"slurm_partition={partition}", f"runtime={runtime}", "mem_mb=1000"]
    resources += [f"slurm_extra='{slurm_extra}'"] if slurm_extra else []
    arguments = [*OPTIONS, "--default-resources", *resources, "--set-resources", f"cluster:runtime={runtime}"]
    extra = {**cluster.variables, "PAUSE": str(pause), "DEEPKM_CHECKPOINT_SECONDS": "1"}
    return arguments, {"profile": "slurm", "extra": extra}


@contextmanager
def slow_job(cluster, folder, *arguments, epochs, **options):
    """Let one slow clustering run on the cluster, from its first checkpoint on."""
    (folder / "results/logs/cluster/slow/blobs/seed0.log").unlink(missing_ok=True)
    words, settings = how(cluster, **options)
    study = study_of(["km", "slow"], epochs=epochs)
    with started_snakemake(folder, RESULT, *words, *arguments, study=study, **settings) as snakemake:
        wait_for(lambda: checkpoints(folder) or (folder / RESULT).exists() or snakemake.poll() is not None, 120)
        assert snakemake.poll() is None, output(folder)
        yield snakemake


def checkpoints(folder):
    return list(folder.glob("results/clusterings/slow/blobs/*.checkpoint"))


def output(folder):
    return (folder / "snakemake.txt").read_text()


def log(folder, method="slow"):
    return (folder / f"results/logs/cluster/{method}/blobs/seed0.log").read_text()


def assert_uninterrupted(folder, pattern="*"):
    """Compare clusterings with what their estimators give in this process, bit for bit; return how many."""
    x = load_features(folder / "data" / "blobs.npz", "standard")
    paths = sorted(folder.glob(f"results/clusterings/{pattern}/blobs/*.h5"))
    for path in paths:
        arrays, attributes = read_hdf5(path)
        spec = attributes["spec"]
        method = pkgutil.resolve_name(spec["estimator"])(**spec["parameters"], device="cpu")
        for s, seed in enumerate(spec["seeds"]):
            labels = method.set_params(random_state=seed).fit(x).labels_
            assert (labels == arrays["labels"][s]).all(), path
    return len(paths)


@pytest.fixture(scope="module")
def studied(cluster, tmp_path_factory):
    """A folder in which the whole small study ran on the cluster, on a node where two jobs sit side by side."""
    folder = tmp_path_factory.mktemp("studied")
    (folder / "mine.py").write_text(METHODS)
    sys.path.insert(0, str(folder))
    arguments, settings = how(cluster, partition="pair")
    with started_snakemake(folder, *arguments, study=study_of(["km", "ct"], seeds=(0, 1)), **settings) as snakemake:
        wait_for(lambda: len(cluster.jobs("running")) == 2 or snakemake.poll() is not None, 120)
        assert snakemake.wait(300) == 0, output(folder)
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def folder(studied, tmp_path):
    return shutil.copytree(studied, tmp_path / "study")


def test_the_whole_study_and_two_jobs_at_once_on_two_gpus(studied):
    assert assert_uninterrupted(studied) == 4
    assert len(pd.read_csv(studied / "results" / "scores.csv")) == 4
    seen = {re.search("got GPU (.*?),", path.read_text())[1] for path in studied.glob("results/logs/*/*/*/*.log")}
    assert seen == {"0", "1"}


def test_a_node_is_taken_away_in_mid_training(cluster, folder):
    with slow_job(cluster, folder, epochs=60) as snakemake:
        [[_, node]] = cluster.jobs("running")
        cluster.take_away(node)
        assert snakemake.wait(200) == 0, output(folder)
    cluster.start_node(node)
    assert "going on from epoch" in log(folder)
    assert assert_uninterrupted(folder, "slow") == 1


def test_a_cancelled_job_saves_and_the_same_command_goes_on(cluster, folder):
    with slow_job(cluster, folder, "--retries", "0", epochs=60) as snakemake:
        [[job, _]] = cluster.jobs("running")
        cluster.command("scancel", job)
        assert snakemake.wait(100) == 1
    epoch = re.search(r"stopped by SIGTERM after epoch (\d+)", log(folder))[1]
    with slow_job(cluster, folder, epochs=60) as snakemake:
        assert snakemake.wait(100) == 0, output(folder)
    assert f"going on from epoch {epoch} " in log(folder)
    assert assert_uninterrupted(folder, "slow") == 1


def test_a_job_over_its_time_limit_saves_and_goes_on_by_itself(cluster, studied, tmp_path):
    warned, killed = (shutil.copytree(studied, tmp_path / name) for name in ("warned", "killed"))
    early = slow_job(cluster, warned, epochs=250, runtime=1, slurm_extra="--signal=USR1@45")
    with early as first, slow_job(cluster, killed, epochs=350, runtime=1) as second:
        wait_for(lambda: "stopped by SIGUSR1 after epoch" in output(warned) + log(warned), 120)
        wait_for(lambda: "stopped by SIGTERM after epoch" in output(killed) + log(killed), 150)
        assert first.wait(150) == 0, output(warned)
        assert second.wait(150) == 0, output(killed)
    for folder in (warned, killed):
        assert "going on from epoch" in log(folder)
        assert assert_uninterrupted(folder, "slow") == 1


def test_a_full_queue_and_a_failing_method(cluster, folder):
    words, settings = how(cluster)
    study = study_of(["km", "failing", "slow"])
    others = [cluster.command("sbatch", "--parsable", "--gpus=1", "--wrap", "sleep 600").strip() for _ in range(2)]
    cluster.wait_for(lambda: len(cluster.jobs("running")) == 2)
    with started_snakemake(folder, *words, "--retries", "0", study=study, **settings) as snakemake:
        wait_for(lambda: cluster.jobs("pending"), 60)
        assert snakemake.poll() is None
        cluster.command("scancel", *others)
        assert snakemake.wait(150) == 1
    assert log(folder, "failing").count("this method fails") == 1
    assert assert_uninterrupted(folder, "slow") == 1


def test_a_queue_that_takes_no_jobs(cluster, folder):
    words, settings = how(cluster)
    cluster.command("scontrol", "update", "PartitionName=gpu", "State=INACTIVE")
    study = study_of(["km", "slow"])
    done = run_snakemake(folder, RESULT, *words, "--retries", "0", study=study, check=False, **settings)
    cluster.command("scontrol", "update", "PartitionName=gpu", "State=UP")
    assert done.returncode == 1
    assert "SLURM sbatch failed" in done.stdout
    run_snakemake(folder, RESULT, *words, study=study, **settings)
    assert assert_uninterrupted(folder, "slow") == 1
