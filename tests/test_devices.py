import os
import subprocess
import sys
import time

import pytest
import torch
from conftest import ROOT

from deepkm.jobs.devices import lease_device, visible_gpus

HOLD = """
import os, sys, time
from deepkm.jobs.devices import lease_device
with lease_device(1, jobs_per_gpu=int(sys.argv[2])) as device:
    started = time.monotonic()
    print(device, os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    time.sleep(float(sys.argv[1]))
    print(started, time.monotonic())
"""


@pytest.fixture(autouse=True)
def keep_environment(monkeypatch, tmp_path):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_DEVICE_ORDER"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


@pytest.fixture
def nvidia_smi(monkeypatch, tmp_path):
    """What a machine with three GPUs lists."""
    listing = tmp_path / "nvidia-smi"
    listing.write_text("#!/bin/sh\nprintf '0, GPU-aa\\n1, GPU-bb\\n2, GPU-cc\\n'\n")
    listing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def hold(seconds, jobs_per_gpu=1, **variables):
    command = [sys.executable, "-c", HOLD, str(seconds), str(jobs_per_gpu)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | variables)


def end(*holders):
    for process in holders:
        process.kill()
        process.wait()
        process.stdout.close()


def test_two_jobs_get_two_gpus_and_a_third_gets_the_first_that_is_freed():
    first, second = hold(60), hold(60)
    held = {process.stdout.readline().strip() for process in (first, second)}
    assert held == {"cuda 0", "cuda 1"}
    third = hold(0)
    time.sleep(2)  # it has started, and waits
    assert third.poll() is None
    killed = time.monotonic()
    first.kill()  # SIGKILL: the operating system frees the lock
    assert third.stdout.readline().strip() in held
    assert time.monotonic() - killed < 1
    end(first, second, third)


@pytest.mark.parametrize("jobs_per_gpu", [1, 2])
def test_eight_jobs_never_overlap_on_a_slot(jobs_per_gpu):
    outputs = [process.communicate()[0].split() for process in [hold(0.4, jobs_per_gpu) for _ in range(8)]]
    most = 0
    for gpu in ("0", "1"):
        times = [(float(start), float(stop)) for _, name, start, stop in outputs if name == gpu]
        together = [sum(start <= moment < stop for start, stop in times) for moment, _ in times]
        assert max(together) <= jobs_per_gpu
        most = max(most, *together)
    assert most == jobs_per_gpu  # and the slots are used


def test_a_free_gpu_comes_before_a_second_job_on_one():
    holders = [hold(60, jobs_per_gpu=2)]
    first = holders[0].stdout.readline()
    holders.append(hold(60, jobs_per_gpu=2))
    assert {first, holders[1].stdout.readline()} == {"cuda 0\n", "cuda 1\n"}
    end(*holders)


def test_one_gpu_under_two_names_is_one(nvidia_smi):
    by_number, by_uuid = hold(60, CUDA_VISIBLE_DEVICES="1"), None
    assert by_number.stdout.readline() == "cuda 1\n"
    by_uuid = hold(60, CUDA_VISIBLE_DEVICES="GPU-bb")
    time.sleep(2)
    end(by_number)
    assert by_uuid.stdout.readline() == "cuda GPU-bb\n"
    with lease_device(1) as device:
        assert device == "cuda"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    end(by_uuid)


def test_slurm_has_chosen_already(monkeypatch):
    """Two jobs of one node may both see their GPU as number 0: neither must wait for the other."""
    variables = {"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": "0"}
    holders = [hold(60, **variables), hold(60, **variables)]
    assert [process.stdout.readline() for process in holders] == ["cuda 0\n"] * 2
    end(*holders)


def test_cpu_on_demand_or_without_gpus(monkeypatch):
    with lease_device(0, threads=3) as device:
        assert device == "cpu"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
        assert os.environ["OMP_NUM_THREADS"] == "3"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with lease_device(1) as device:
        assert device == "cpu"


def test_gpus_are_those_that_nvidia_smi_lists(monkeypatch, nvidia_smi):
    assert visible_gpus() == {"0": "GPU-aa", "1": "GPU-bb"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-cc, 0")
    assert visible_gpus() == {"GPU-cc": "GPU-cc", "0": "GPU-aa"}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == {uuid: uuid for uuid in ("GPU-aa", "GPU-bb", "GPU-cc")}


@pytest.mark.skipif(torch.cuda.is_available(), reason="PyTorch can use the GPU of this machine")
def test_a_gpu_that_pytorch_cannot_use_is_said(tmp_path):
    """This process's PyTorch finds no GPU under the pretended number."""
    code = "import sys, deepkm.jobs.inputs as t; print(t._usable(sys.argv[1]))"
    command = [sys.executable, "-c", code, "cuda"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("got GPU 0,1, but PyTorch ")
    assert done.stdout.endswith("on the CPU instead\ncpu\n")
