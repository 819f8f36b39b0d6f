"""What one CUDA GPU does: ``python -m benchmarks.gpu --mnist mnist.npz``; says so and ends where there is none.

- The paper's study of MNIST: seven methods, ten seeds stacked, 50 + 100 epochs, job by job as a study runs them.
- Ten stacked seeds against one.
- The share of the GPU's peaks that a step reaches: of TF32 products, and of memory bandwidth, both measured here.
- A step launched by Python against the same step recorded and replayed; float32 against TF32 and bfloat16.
- ClustPy's DKM on the same GPU, where it is installed.

Without ``--mnist`` random numbers of the same shape are trained on: times do not depend on them.
"""

import argparse
import copy
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import yaml

from benchmarks.epochs import BATCH, K, has_clustpy
from benchmarks.measure import interleaved, write_rows
from deepkm import DKM
from deepkm.study.plan import Study
from deepkm.study.spec import dumps
from deepkm.training import loop as training
from deepkm.training.loop import pretrain, train
from deepkm.training.run import Run

ROOT = Path(__file__).parents[1]
N, WIDTHS = 70_000, (784, 500, 500, 2000, 10)
METHODS = ["km", "aekm", "aekm_long", "dkm", "dkm_reinit", "ct", "ct_no_reinit"]


def clock(function):
    """Return the seconds of one call by the clock, the GPU's work included."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    function()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def paper_study(folder, data):
    """Run the jobs of the paper's study of MNIST one after another; return the seconds of each."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    paper = yaml.safe_load((ROOT / "studies" / "paper.yaml").read_text())
    config |= {"study": {**paper["study"], "datasets": ["mnist"], "methods": METHODS}, "seeds_per_job": 10}
    study, seconds = Study(config), {}
    [stack] = study.stacks
    pretrained = folder / "autoencoder.h5"
    jobs = {"pretraining": ("autoencoder", study.autoencoder_spec("mnist", "mlp", stack), pretrained, [])}
    for method in METHODS:
        weights = ["--autoencoder", pretrained] if study.autoencoder_of(method) else []
        jobs[method] = ("cluster", study.cluster_spec("mnist", method, stack), folder / f"{method}.h5", weights)
    for name, (stage, spec, output, weights) in jobs.items():
        command = [sys.executable, "-m", "deepkm", stage, "--spec", dumps(spec), "--data", data, "--output", output]
        started = time.perf_counter()
        subprocess.run(list(map(str, [*command, *weights, "--gpu", 1])), check=True, cwd=ROOT, capture_output=True)
        seconds[name] = time.perf_counter() - started
        print(f"{name}: {seconds[name]:.1f} s", flush=True)
    return seconds


def dkm_epoch(x, n_runs, *, recorded=False, precision="float32"):
    """Return a function that measures one epoch of stacked DKM."""
    method = DKM(n_clusters=K, epochs=10**6, batch_size=BATCH, precision=precision)
    run = method.start(x, seeds=range(n_runs))
    next(pretrain(x, run, epochs=1, batch_size=BATCH, learning_rate=1e-3))
    epochs = train(method, x, Run(run.seeds, run.autoencoder))
    next(epochs)

    def measure():
        allowed, training.can_record = training.can_record, lambda x: recorded
        try:
            return clock(lambda: next(epochs))
        finally:
            training.can_record = allowed

    return measure


def clustpy_epoch(x):
    """Return a function that measures one epoch of ClustPy's DKM, one run."""
    from benchmarks.clustpy_comparison import METHODS as PEERS  # noqa: PLC0415
    from benchmarks.clustpy_comparison import FeedforwardAutoencoder  # noqa: PLC0415

    x = x.cpu().numpy()
    trained = FeedforwardAutoencoder(list(WIDTHS), random_state=0).to("cuda")
    trained.fit(1, {"lr": 1e-3}, batch_size=BATCH, data=x)

    def call(epochs):
        network = {"neural_network": copy.deepcopy(trained), "embedding_size": K, "device": "cuda"}
        PEERS["dkm"][0](K, batch_size=BATCH, clustering_epochs=epochs, random_state=0, **network).fit(x)

    return lambda: (clock(lambda: call(3)) - clock(lambda: call(1))) / 2


def peaks():
    """Return the GPU's measured products per second in TF32, FLOP/s, and bytes moved per second."""
    a = torch.randn(8192, 8192, device="cuda")
    torch.backends.cuda.matmul.allow_tf32 = True
    flops = 2 * 8192**3 / min(clock(lambda: a @ a) for _ in range(10))
    torch.backends.cuda.matmul.allow_tf32 = False
    big, other = torch.empty(2, 2**29, device="cuda")  # 2 GiB each
    return flops, 2 * big.nbytes / min(clock(lambda: other.copy_(big)) for _ in range(10))


def arithmetic(n_runs):
    """Return the floating-point operations of an epoch's products, and the bytes that Adam moves in it."""
    n_weights = 2 * sum(a * b for a, b in pairwise(WIDTHS))
    steps = -(-N // BATCH)
    return 6 * n_weights * N * n_runs, 7 * 4 * n_weights * n_runs * steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", help="an .npz with `feature` (70000, 784)")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA GPU here, or a PyTorch without CUDA: nothing was measured")
        return
    with tempfile.TemporaryDirectory() as name:
        data = Path(args.mnist or Path(name, "mnist.npz")).resolve()
        if not args.mnist:
            np.savez(data, feature=np.random.default_rng(0).integers(256, size=(N, WIDTHS[0]), dtype=np.uint8))
        rows = [{"what": f"study, {key} [s]", "value": value} for key, value in paper_study(Path(name), data).items()]
        with np.load(data, allow_pickle=False) as file:
            x = torch.from_numpy(file["feature"].reshape(N, -1).astype(np.float32) / 255).cuda()
    rows.append({"what": "study, all jobs [s]", "value": sum(row["value"] for row in rows), "goal": "<= 300"})
    cases = {"one": dkm_epoch(x, 1), "ten": dkm_epoch(x, 10), "recorded": dkm_epoch(x, 10, recorded=True)}
    cases |= {name: dkm_epoch(x, 10, precision=name) for name in ("tf32", "bfloat16")}
    if has_clustpy():
        cases["clustpy"] = clustpy_epoch(x)
    seconds = interleaved(cases, rounds=3)
    (flops, bandwidth), (operations, moved) = peaks(), arithmetic(10)
    ten = seconds["ten"]
    rows += [
        {"what": "ten stacked seeds / one, DKM epoch", "value": ten / seconds["one"], "goal": "<= 2.5"},
        {"what": "launched by Python / replayed, ten seeds", "value": ten / seconds["recorded"]},
        {"what": "float32 / TF32, ten seeds", "value": ten / seconds["tf32"]},
        {"what": "float32 / bfloat16, ten seeds", "value": ten / seconds["bfloat16"]},
        {"what": "share of the TF32 peak, ten seeds in TF32", "value": operations / seconds["tf32"] / flops},
        {"what": "share of the memory bandwidth (Adam alone), ten seeds", "value": moved / ten / bandwidth},
    ]
    if "clustpy" in seconds:
        rows.append(
            {"what": "ten runs: ClustPy / ours, DKM epoch", "value": 10 * seconds["clustpy"] / ten, "goal": ">= 20"}
        )
    write_rows("gpu", rows, measured_on=torch.cuda.get_device_name())


if __name__ == "__main__":
    main()
