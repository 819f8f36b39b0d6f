"""What one CUDA GPU does: ``python -m benchmarks.gpu --mnist mnist.npz --usps usps.npz``; ends where there is none.

- Ten stacked seeds against one.
- The share of the GPU's peaks that a step reaches: of TF32 products, and of memory bandwidth, both measured here.
- A step launched by Python against the same step recorded and replayed; float32 against TF32 and bfloat16.
- ClustPy's DKM on the same GPU, where it is installed.
- With ``--usps``: by each way to compute a step, the seconds of whole runs and the NMI that they end with.
- With ``--results``: the paper's study of MNIST, seven methods, ten seeds stacked, 50 + 100 epochs, job by job as
  Snakemake runs them in that folder, which keeps them.

Without ``--mnist`` random numbers of the same shape are trained on: times do not depend on them.
"""

import argparse
import copy
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import yaml

from benchmarks.epochs import BATCH, K, has_clustpy
from benchmarks.measure import interleaved, write_rows
from deepkm import CT, DKM, IDEC
from deepkm.files import read_attributes
from deepkm.numerics.metrics import scores
from deepkm.training import loop as training
from deepkm.training.loop import final_labels, pretrain, train
from deepkm.training.run import Run
from deepkm.training.steps import CHOICE

ROOT = Path(__file__).parents[1]
N, WIDTHS = 70_000, (784, 500, 500, 2000, 10)
SEEDS = (8905, 9129, 291, 4012, 1256)
WAYS = [("float32", "launched"), ("float32", "recorded"), ("tf32", "recorded"), ("bfloat16", "recorded")]
METHODS = ["km", "aekm", "aekm_long", "dkm", "dkm_reinit", "ct", "ct_no_reinit"]


def clock(function):
    """Return the seconds of one call by the clock, the GPU's work included."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    function()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def paper_study(results, data):
    """Run the jobs of the paper's study of MNIST one after another; return the seconds of each."""
    own = {"study": {"datasets": ["mnist"], "methods": METHODS}, "results_dir": str(results)}
    own |= {"datasets": {"mnist": {"path": str(data), "image_size": [28, 28]}}, "data_dir": str(results / "data")}
    results.mkdir(parents=True, exist_ok=True)
    (results / "study.yaml").write_text(yaml.safe_dump(own))
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--resources", "gpu=1", "--until", "cluster"]
    command += ["--configfile", "studies/paper.yaml", results / "study.yaml"]
    started = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, cwd=ROOT)
    whole = time.perf_counter() - started
    seconds = {}
    for path in sorted(results.glob("autoencoders/*/mnist/*.h5")) + sorted(results.glob("clusterings/*/mnist/*.h5")):
        seconds[path.parts[-3]] = read_attributes(path)["provenance"]["seconds"]
    return seconds | {"all jobs, with Snakemake and the conversion of the data": whole}


def ways(data):
    """Yield rows of whole runs on USPS: by method and way to compute a step, seconds and final NMI, five seeds."""
    with np.load(data, allow_pickle=False) as file:
        x = torch.from_numpy(file["feature"].reshape(len(file["target"]), -1).astype(np.float32)).cuda()
        target = file["target"]
    x = x / 127.5 - 1
    for name, method in {
        "DKM": DKM(n_clusters=K),
        "CT": CT(n_clusters=K, alpha=2.5),
        "IDEC": IDEC(n_clusters=K),
    }.items():
        found = {way: whole_runs(method, *way, x, target) for way in WAYS}
        plain_nmi, plain_seconds = found[WAYS[0]]
        for (precision, steps), (nmi, seconds) in found.items():
            yield {
                "method": name,
                "precision": precision,
                "steps": steps,
                "plain float32 / this, seconds": plain_seconds / seconds,
                "mean NMI of five seeds, in %": 100 * nmi.mean(),
                "least of them": 100 * nmi.min(),
                "furthest from plain float32": 100 * np.abs(nmi - plain_nmi).max(),
            }


def whole_runs(method, precision, steps, x, target):
    """Train five seeds side by side; return their final NMI and the seconds."""
    method = copy.copy(method).set_params(precision=precision)
    os.environ[CHOICE] = steps
    runs = []
    seconds = clock(lambda: runs.append(method.train_runs(x, seeds=SEEDS)))
    del os.environ[CHOICE]
    return np.array([scores(target, labels)["nmi"] for labels in final_labels(runs[0])]), seconds


def dkm_epoch(x, n_runs, *, recorded=True, precision="float32"):
    """Return a function that measures one epoch of stacked DKM."""
    method = DKM(n_clusters=K, epochs=10**6, batch_size=BATCH, n_init=1, precision=precision)
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
    parser.add_argument("--usps", help="an .npz with `feature` (9298, 256), bytes, and `target`")
    parser.add_argument("--results", type=Path, help="a folder for the paper's study of MNIST, which it keeps")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA GPU here, or a PyTorch without CUDA: nothing was measured")
        return
    if args.results and not args.mnist:
        raise SystemExit("got --results without --mnist, expected the data of the study too")
    card = torch.cuda.get_device_name()
    if args.mnist:
        with np.load(args.mnist, allow_pickle=False) as file:
            feature = file["feature"].reshape(N, -1)
    else:
        feature = np.random.default_rng(0).integers(256, size=(N, WIDTHS[0]), dtype=np.uint8)
    x = torch.from_numpy(feature.astype(np.float32) / 255).cuda()
    cases = {"one launched": dkm_epoch(x, 1, recorded=False), "ten launched": dkm_epoch(x, 10, recorded=False)}
    cases |= {"one": dkm_epoch(x, 1), "ten": dkm_epoch(x, 10)}
    cases |= {name: dkm_epoch(x, 10, precision=name) for name in ("tf32", "bfloat16")}
    if has_clustpy():
        cases["clustpy"] = clustpy_epoch(x)
    seconds = interleaved(cases, rounds=3)
    (flops, bandwidth), (operations, moved) = peaks(), arithmetic(10)
    ten = seconds["ten"]
    rows = [
        {"what": "ten stacked seeds / one, DKM epoch", "value": ten / seconds["one"], "goal": "<= 2.5"},
        {"what": "launched by Python / replayed, one seed", "value": seconds["one launched"] / seconds["one"]},
        {"what": "launched by Python / replayed, ten seeds", "value": seconds["ten launched"] / ten},
        {"what": "float32 / TF32, ten seeds", "value": ten / seconds["tf32"]},
        {"what": "float32 / bfloat16, ten seeds", "value": ten / seconds["bfloat16"]},
        {"what": "share of the TF32 peak, ten seeds in TF32", "value": operations / seconds["tf32"] / flops},
        {"what": "share of the memory bandwidth (Adam alone), ten seeds", "value": moved / ten / bandwidth},
        {"what": "DKM epoch of MNIST, ten seeds [s]", "value": ten},
    ]
    if "clustpy" in seconds:
        rows.append(
            {"what": "ten runs: ClustPy / ours, DKM epoch", "value": 10 * seconds["clustpy"] / ten, "goal": ">= 20"}
        )
    write_rows("gpu", rows, measured_on=card)
    if args.usps:
        write_rows("gpu_ways", list(ways(args.usps)), measured_on=card)
    if args.results:
        study = paper_study(args.results.resolve(), Path(args.mnist).resolve())
        *_, whole = study
        rows = [{"what": f"study of MNIST, ten seeds, {key} [s]", "value": value} for key, value in study.items()]
        write_rows(
            "gpu", [row | ({"goal": "<= 300"} if whole in row["what"] else {}) for row in rows], measured_on=card
        )


if __name__ == "__main__":
    main()
