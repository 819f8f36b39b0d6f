"""Whatever stops a study, the same command goes on with it and ends with the same bits."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from argparse import Namespace
from types import SimpleNamespace
from unittest import mock

import psutil
import pytest
import yaml
from conftest import ROOT, environment, run_snakemake, run_stage, snakemake_command, started_snakemake, wait_for
from slow_study import (
    RESULT,
    assert_uninterrupted,
    checkpoints,
    log,
    output,
    slow_job,
    slow_study,
    write_methods,
)

from deepkm.files import sole_writer
from deepkm.jobs import resuming
from deepkm.jobs.interruption import claim

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small file system")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder in which all is done but the slow clustering."""
    folder = tmp_path_factory.mktemp("prepared")
    write_methods(folder)
    run_snakemake(folder, "results/autoencoders/mlp/blobs/seed0.h5", study=slow_study())
    return folder


@pytest.fixture
def folder(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "study")


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk):
    """Leave no byte free."""
    with open(disk / "filler", "wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while filler.write(bytes(4096)):
            pass


def job_of(snakemake):
    """Return the process that trains."""
    children = psutil.Process(snakemake.pid).children(recursive=True)
    return next(child for child in children if "deepkm" in child.cmdline())


def go_on(folder, study=None):
    """Run the same command again, to its end."""
    done = run_snakemake(folder, RESULT, study=study or slow_study())
    assert assert_uninterrupted(folder, "slow") == 1
    assert all(path.samefile(folder / RESULT) for path in folder.glob("results/clusterings/slow/blobs/.*"))
    return done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_polite_stop_saves_first(number, folder):
    with slow_job(folder, study=slow_study()) as snakemake:
        time.sleep(1)
        os.killpg(snakemake.pid, number)
        assert snakemake.wait(120) == 1
    epoch = int(log(folder).split(f"stopped by {number.name} after epoch ")[1].split(";")[0])
    assert epoch > 1
    go_on(folder)
    assert f"going on from epoch {epoch}, saved at {number.name} " in log(folder)


def test_ctrl_c_does_not_look_like_a_crash(folder):
    with slow_job(folder, study=slow_study()) as snakemake:
        os.killpg(snakemake.pid, signal.SIGINT)
        assert snakemake.wait(120) == 1
    [stopping, kept, go_on] = output(folder)[output(folder).index("Stopping") :].splitlines()
    assert stopping == "Stopping: what trains ends its epoch and saves."
    assert re.fullmatch(r"Whatever finished is kept: 0 of 1 job; saved: slow on Blobs, seed 0 up to epoch \d+", kept)
    assert go_on.startswith("The same command goes on: python -m snakemake ")
    assert RESULT in go_on


def test_ctrl_c_ends_a_stage_in_one_line(folder):
    (folder / "study.yaml").write_text(yaml.safe_dump(slow_study()))
    command = [sys.executable, "-m", "deepkm", "status", "--configfile", "study.yaml", "--watch", "60"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment(), **pipes) as watch:
        assert "training jobs done" in watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        assert watch.stderr.read() == "deepkm: stopped by Ctrl-C\n"
        assert watch.wait() == 130


def test_a_second_signal_stops_at_once(folder):
    with slow_job(folder, study=slow_study(), pause=5) as snakemake:
        job = job_of(snakemake)
        job.send_signal(signal.SIGTERM)
        wait_for(lambda: "stops after this epoch" in log(folder))
        job.send_signal(signal.SIGTERM)
        wait_for(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE, 4)  # less than an epoch
    go_on(folder)


def test_a_killed_job(folder):
    with slow_job(folder, study=slow_study()) as snakemake:
        job_of(snakemake).kill()
        assert snakemake.wait(120) == 1
    go_on(folder)
    assert "going on from epoch" in log(folder)


def test_a_killed_snakemake_whose_job_lives_on(folder):
    with slow_job(folder, study=slow_study()) as snakemake:
        job = job_of(snakemake)
        snakemake.kill()
        snakemake.wait()
        job.suspend()  # as if it had much to do
        with started_snakemake(folder, RESULT, study=slow_study()) as second:
            wait_for(lambda: "waiting for another process" in log(folder))
            job.resume()
            assert second.wait(90) == 0, output(folder)
    assert "was made by the process waited for" in log(folder)
    assert assert_uninterrupted(folder, "slow") == 1


def test_a_job_that_ends_while_no_snakemake_lives(folder):
    with slow_job(folder, study=slow_study(epochs=10)) as snakemake:
        job = job_of(snakemake)
        snakemake.kill()
        snakemake.wait()
        wait_for(lambda: not job.is_running())
        assert (folder / RESULT).exists()
        kept = (folder / RESULT).read_bytes()
        go_on(folder, slow_study(epochs=10))  # Snakemake deletes what it has not seen end
    assert "trained before, to its end" in log(folder)
    assert (folder / RESULT).read_bytes() == kept


def test_a_job_that_dies_between_its_result_and_its_end(folder, tmp_path):
    lines = ["import atexit, os, sys", f"die = lambda: os.path.exists({RESULT!r}) and os.kill(os.getpid(), 9)"]
    (tmp_path / "sitecustomize.py").write_text("\n".join([*lines, "atexit.register(die)"]))
    variables = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = run_snakemake(folder, RESULT, study=slow_study(), check=False, extra=variables)
    assert "slow on Blobs, seed 0: failed: ended without a word; killed, maybe" in done.stdout
    assert not (folder / RESULT).exists()
    go_on(folder)
    assert "trained before, to its end" in log(folder)


def test_everything_killed_at_once(folder):
    with slow_job(folder, study=slow_study()) as snakemake:
        os.killpg(snakemake.pid, signal.SIGKILL)
        snakemake.wait()
    assert not list((folder / ".snakemake" / "locks").glob("*.lock"))  # which nobody would delete now
    assert "--unlock" not in go_on(folder)
    assert "going on from epoch" in log(folder)


def test_two_snakemakes_in_one_folder(folder):
    with slow_job(folder, study=slow_study()) as snakemake:
        job = job_of(snakemake)
        job.suspend()  # as if it had much to do
        second = run_snakemake(folder, RESULT, study=slow_study(), check=False)
        assert second.returncode == 1
        assert second.stdout.count("Directory cannot be locked: got another Snakemake that makes files in results") == 1
        assert run_snakemake(folder, RESULT, "-n", study=slow_study()).returncode == 0
        assert "0 of 2 clustering jobs are done" in run_snakemake(folder, "partial", study=slow_study()).stdout
        job.resume()
        assert "Traceback" not in second.stdout
        assert snakemake.wait(120) == 0, output(folder)
    assert assert_uninterrupted(folder, "slow") == 1


def test_a_folder_is_claimed_by_whoever_makes_files_in_it(tmp_path, monkeypatch, capsys):
    results, data, others = (tmp_path / name for name in ("results", "data", "results-of-others"))
    claim([results, data], [results / "scores.csv"], tmp_path)
    claim([results, data], [], tmp_path)  # partial makes no file that Snakemake knows
    claim([others, data], [others / "scores.csv", data / "mine.npz"], tmp_path)
    with pytest.raises(ValueError, match=r"another Snakemake that makes files in .*/results,"):
        claim([results], [results / "tables" / "acc.md"], tmp_path)
    with pytest.raises(ValueError, match=r"another Snakemake that makes files in .*/data,"):
        claim([data], [data / "other.npz"], tmp_path)
    monkeypatch.setattr("fcntl.flock", mock.Mock(side_effect=OSError(errno.ENOLCK, "no locks")))
    claim([results], [results / "scores.csv"], tmp_path)
    assert "this file system has no locks" in capsys.readouterr().out


def test_out_of_memory(folder):
    command = snakemake_command(folder, RESULT, study=slow_study())
    limited = ["prlimit", f"--as={2 * 10**10}", *command]
    variables = environment() | {"HUNGRY": "20", "DEEPKM_CHECKPOINT_SECONDS": "0"}
    done = subprocess.run(limited, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = log(folder).splitlines()[-1]
    assert "t allocate memory" in last
    assert "; lower seeds_per_job or batch_size, or ask for more memory" in last
    go_on(folder)
    assert "going on from epoch 19," in log(folder)


def test_what_could_not_be_saved_is_not_called_saved(monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    def epochs():
        run.epoch = 1
        os.kill(os.getpid(), signal.SIGTERM)
        yield

    for name, stand_in in {"save_run": full, "checkpoint_path": str, "_identity": vars}.items():
        monkeypatch.setattr(resuming, name, stand_in)
    run = SimpleNamespace(epoch=0, seconds=0.0, cpu_seconds=0.0)
    with pytest.raises(SystemExit):
        resuming.follow(epochs(), run, Namespace(checkpoint_seconds=60), epochs=5)
    printed = capsys.readouterr().out
    assert "no checkpoint at epoch 1: [Errno 28] No space left on device" in printed
    assert "stopped by SIGTERM and epoch 1 not saved" in printed
    assert "after epoch" not in printed  # by which the study's terminal knows what is saved


@needs_root
def test_a_full_disk_under_checkpoints_and_result(small_disk, folder):
    target = folder / "results" / "clusterings" / "slow"
    target.parent.mkdir(parents=True)
    target.symlink_to(small_disk)
    with slow_job(folder, study=slow_study()) as snakemake:
        before = [path.read_bytes() for path in checkpoints(folder)]
        fill(small_disk)
        assert snakemake.wait(120) == 1
    assert before
    assert "no checkpoint at epoch" in log(folder)
    assert "deepkm: error: [Errno 28] No space left on device" in log(folder)
    assert len(checkpoints(folder)) == 1
    (small_disk / "filler").unlink()
    go_on(folder)
    assert "going on from epoch" in log(folder)


@needs_root
def test_a_full_disk_under_everything(small_disk, folder):
    shutil.move(folder, small_disk / "study")
    folder = small_disk / "study"
    with slow_job(folder, study=slow_study()) as snakemake:
        fill(small_disk)
        assert snakemake.wait(120) != 0
    (small_disk / "filler").unlink()
    go_on(folder)


@needs_root
def test_a_read_only_data_folder(small_disk, folder):
    shutil.move(folder / "data", small_disk / "data")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    study = slow_study(data_dir=str(small_disk / "data"))
    run_snakemake(folder, RESULT, study=study)
    study = slow_study(data_dir=str(small_disk / "other"))
    done = run_snakemake(folder, RESULT, study=study, check=False)
    assert done.returncode == 1
    assert done.stdout.count("expected a folder that can be written to, or that holds blobs.npz already") == 1
    assert "Traceback" not in done.stdout


def test_slow_files_make_checkpoints_rarer(folder, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\nfsync = os.fsync\nos.fsync = lambda file: (time.sleep(1.5), fsync(file))\n"
    )
    command = snakemake_command(folder, RESULT, study=slow_study())
    variables = environment() | {"DEEPKM_CHECKPOINT_SECONDS": "0.2", "PAUSE": "0.1"}
    variables["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=True)
    assert len(re.findall(r"a checkpoint took 1\.\d s: slow files; the next one after \d+ s", log(folder))) == 1


def test_a_damaged_checkpoint_is_not_fatal(folder):
    with slow_job(folder, study=slow_study()) as snakemake:
        os.killpg(snakemake.pid, signal.SIGKILL)
        snakemake.wait()
    [path] = checkpoints(folder)
    path.write_bytes(path.read_bytes()[:1000])
    go_on(folder)
    assert "starting again" in log(folder)


def test_a_second_writer_waits_for_the_first(tmp_path):
    code = "import sys, time; from deepkm.files import sole_writer\n"
    code += "with sole_writer(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code, tmp_path / "lock"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        killed = time.monotonic()
        holder.kill()
        with sole_writer(tmp_path / "lock"):
            assert time.monotonic() - killed < 2
    assert not (tmp_path / "lock").exists()


def test_rounds_of_kill_and_resume():
    command = [sys.executable, "-m", "benchmarks.kill_resume", "--rounds", "1", "--seed", str(time.time_ns())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 rounds")
    assert "1 studies ended, bit-identical" in done.stdout


def test_status_of_a_running_study(folder):
    with slow_job(folder, study=slow_study()) as snakemake:
        job = job_of(snakemake)
        job.suspend()
        done = run_stage("status", "--configfile", "study.yaml", folder=folder)
        command = [sys.executable, "-m", "deepkm", "status", "--configfile", "study.yaml", "--watch", "0.1"]
        with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as watch:
            assert [watch.stdout.readline() for _ in range(4)] == 2 * done.stdout.splitlines(keepends=True)
            watch.kill()
        job.resume()
    first, second = done.stdout.splitlines()
    assert first == "1 of 3 training jobs done, 1 running, 1 missing"
    assert re.fullmatch(rf"running +{RESULT}  epoch \d+ of 30, .* left", second)
