import os
import subprocess
import sys
import time

import pytest
from conftest import ROOT

from deepkm.devices import lease_device, visible_gpus

HOLD = """
import os, sys, time
from deepkm.devices import lease_device
with lease_device(1) as device:
    print(device, os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def keep_environment(monkeypatch, tmp_path):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


def hold(seconds):
    command = [sys.executable, "-c", HOLD, str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_two_jobs_get_two_gpus_and_a_third_waits():
    first, second = hold(60), hold(60)
    held = {process.stdout.readline().strip() for process in (first, second)}
    assert held == {"cuda 0", "cuda 1"}
    third = hold(0)
    time.sleep(1)
    assert third.poll() is None
    first.kill()  # SIGKILL: the operating system frees the lock
    assert third.stdout.readline().strip() in held
    for process in (first, second, third):
        process.kill()
        process.wait()
        process.stdout.close()


def test_cpu_on_demand_or_without_gpus(monkeypatch):
    with lease_device(0, threads=3) as device:
        assert device == "cpu"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
        assert os.environ["OMP_NUM_THREADS"] == "3"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with lease_device(1) as device:
        assert device == "cpu"


def test_gpus_are_those_that_nvidia_smi_lists(monkeypatch, tmp_path):
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\nprintf '0\\n1\\n2\\n'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["0", "1", "2"]
