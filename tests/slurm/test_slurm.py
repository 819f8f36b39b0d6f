"""The workflow on a real SLURM that these tests start: two nodes with a pretended GPU each, and one with two."""

import os
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, run_snakemake, started_snakemake, wait_for
from slow_study import RESULT, assert_uninterrupted, log, output, slow_job, slow_study, write_methods

sys.path.insert(0, str(Path(__file__).parent))
from cluster import Cluster, missing

if missing():
    pytest.skip(missing(), allow_module_level=True)  # one line for all of them

OPTIONS = "--slurm-status-command squeue --slurm-init-seconds-before-status-checks 2 --latency-wait 20".split()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def how(cluster, *, partition="gpu", runtime=10, slurm_extra=""):
    """Return the arguments that stand for what a user writes into profiles/slurm, and the environment."""
    resources = [f"slurm_partition={partition}", f"runtime={runtime}", "mem_mb=1000"]
    resources += [f"slurm_extra='{slurm_extra}'"] if slurm_extra else []
    arguments = [*OPTIONS, "--default-resources", *resources, "--set-resources", f"cluster:runtime={runtime}"]
    return arguments, {"profile": "slurm", "extra": dict(cluster.variables)}


@pytest.fixture(scope="module")
def studied(cluster, tmp_path_factory):
    """A folder in which the whole small study ran on the cluster, on a node where two jobs sit side by side."""
    folder = tmp_path_factory.mktemp("studied")
    write_methods(folder)
    arguments, settings = how(cluster, partition="pair")
    with started_snakemake(folder, *arguments, study=slow_study(["km", "ct"], seeds=(0, 1)), **settings) as snakemake:
        wait_for(lambda: len(cluster.jobs("running")) == 2 or snakemake.poll() is not None, 600)
        assert snakemake.wait(900) == 0, output(folder)
    return folder


@pytest.fixture
def folder(studied, tmp_path):
    return shutil.copytree(studied, tmp_path / "study")


@pytest.fixture(scope="module", autouse=True)
def limited(cluster, studied, tmp_path_factory):
    """Two jobs that need more time than they ask for; SLURM warns the first. They run beside the other tests."""
    parent = tmp_path_factory.mktemp("limited")
    warned, killed = (shutil.copytree(studied, parent / name) for name in ("warned", "killed"))
    words, settings = how(cluster, partition="pair", runtime=2, slurm_extra="--signal=USR1@70")
    early = slow_job(warned, *words, "--retries", "10", study=slow_study(epochs=260), **settings)
    words, settings = how(cluster, partition="pair", runtime=1)
    late = slow_job(killed, *words, "--retries", "6", study=slow_study(epochs=400), **settings)
    with early as first, late as second:
        yield {"SIGUSR1": (warned, first), "SIGTERM": (killed, second)}


def test_the_whole_study_and_two_jobs_at_once_on_two_gpus(studied):
    assert assert_uninterrupted(studied) == 4
    assert len(pd.read_csv(studied / "results" / "scores.csv")) == 4
    seen = {re.search("got GPU (.*?),", path.read_text())[1] for path in studied.glob("results/logs/*/*/*/*.log")}
    assert seen == {"0", "1"}
    assert "training on the cluster, each job on a GPU\n" in output(studied)
    assert "CT on Blobs, seed 1: sent\n" in output(studied)
    assert re.search(
        r"\nCT on Blobs, seed 1: \d+ s, job \d+ of \d+, (about .*|less than a minute) left\n", output(studied)
    )


def linger_once(folder):
    """Let the next clustering of `folder` sleep after its work is done."""
    lines = [
        "import atexit, pathlib, sys, time",
        "def linger():",
        "    if sys.argv[1:2] == ['cluster'] and not pathlib.Path('lingers').exists():",
        "        pathlib.Path('lingers').touch()",
        "        time.sleep(600)",
        "atexit.register(linger)",
    ]
    (folder / "sitecustomize.py").write_text("\n".join(lines))


def test_a_node_is_taken_away_in_mid_training(cluster, folder):
    words, settings = how(cluster)
    with slow_job(folder, *words, study=slow_study(epochs=60), **settings) as snakemake:
        [[_, node]] = cluster.jobs("running", partition="gpu")
        cluster.take_away(node)
        assert snakemake.wait(900) == 0, output(folder)
    cluster.start_node(node)
    assert "going on from epoch" in log(folder)
    assert assert_uninterrupted(folder, "slow") == 1


def test_a_cancelled_job_saves_and_the_same_command_goes_on(cluster, folder):
    words, settings = how(cluster)
    settings["extra"] |= {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    with slow_job(folder, *words, "--retries", "0", study=slow_study(epochs=60), **settings) as snakemake:
        [[job, _]] = cluster.jobs("running", partition="gpu")
        cluster.command("scancel", job)
        assert snakemake.wait(900) == 1
    epoch = re.search(r"stopped by SIGTERM after epoch (\d+)", log(folder))[1]
    linger_once(folder)
    with started_snakemake(folder, RESULT, *words, study=slow_study(epochs=60), **settings) as snakemake:
        wait_for((folder / "lingers").exists, 600)
        assert f"going on from epoch {epoch}, saved at SIGTERM " in log(folder)
        assert (folder / RESULT).exists()
        [[job, _]] = cluster.jobs("running", partition="gpu")
        cluster.command("scancel", job)  # between the end of the training and that of the job
        assert snakemake.wait(900) == 0, output(folder)
    assert "trained before, to its end" in log(folder)
    assert assert_uninterrupted(folder, "slow") == 1


def test_full_queues_and_a_failing_method(cluster, folder):
    words, settings = how(cluster)
    study = slow_study(["km", "failing", "slow"])
    cluster.command("scontrol", "update", "PartitionName=gpu", "State=INACTIVE")
    done = run_snakemake(folder, RESULT, *words, "--retries", "0", study=study, check=False, **settings)
    cluster.command("scontrol", "update", "PartitionName=gpu", "State=UP")
    assert done.returncode == 1
    assert "SLURM sbatch failed" in done.stdout  # the queue takes no jobs

    others = [
        cluster.command("sbatch", "--parsable", "--gpus=1", "--output=/dev/null", "--wrap", "sleep 600").strip()
        for _ in range(2)
    ]
    cluster.wait_for(lambda: len(cluster.jobs("running", partition="gpu")) == 2)
    with started_snakemake(folder, *words, "--retries", "0", study=study, **settings) as snakemake:
        wait_for(lambda: len(cluster.jobs("pending", partition="gpu")) == 2, 600)  # ours wait for others'
        assert snakemake.poll() is None
        cluster.command("scancel", *others)
        assert snakemake.wait(900) == 1
    assert log(folder, "failing").count("deepkm: error: this method fails") == 1
    assert assert_uninterrupted(folder, "slow") == 1


def test_a_job_over_its_time_limit_goes_on_by_itself(limited):
    """At the limit srun may leave the job no time to save: then its last checkpoint counts."""
    folder, snakemake = limited["SIGTERM"]
    assert snakemake.wait(900) == 0, output(folder)
    assert re.search("going on from epoch|trained before, to its end", log(folder))  # the limit may fall after training
    assert assert_uninterrupted(folder, "slow") == 1


def test_a_job_that_is_warned_of_its_time_limit_saves(limited):
    folder, snakemake = limited["SIGUSR1"]
    assert snakemake.wait(900) == 0, output(folder)
    assert re.search(r"stopped by SIGUSR1, saved at epoch \d+\n", output(folder))
    assert re.search("going on from epoch|trained before, to its end", log(folder))
    assert assert_uninterrupted(folder, "slow") == 1
