"""An epoch's time beside the arithmetic floor and ClustPy's: ``python -m benchmarks.epochs``.

One core, float32, batches of 256, in one process. The floor is the time of the matrix products of one epoch (forward,
gradients of weights and of inputs) by PyTorch's own product, `torch.mm`; a second one by oneDNN's, which is what is
used here. Epochs of a clustering method are those from 27 to 41 of 100, of which a third is followed by encoding the
whole data set for labels (all of `ct`), as 36 of the 100 are. ClustPy, where it is installed
(`pip install -r benchmarks/requirements.txt`), trains the same widths, batches and epochs.
"""

import argparse
from itertools import pairwise

import numpy as np
import torch

from benchmarks.measure import cpu_seconds, interleaved, write_rows
from deepkm import CT, DCN, DEC, DKM, IDEC
from deepkm.networks.products import _by_onednn
from deepkm.training.loop import pretrain, train
from deepkm.training.run import Run

SHAPES = {  # N, F, hidden widths
    "USPS": (9298, 256, (500, 500, 2000)),
    "MNIST-10k": (10_000, 784, (500, 500, 2000)),
    "Digits": (1797, 64, (128, 128, 512)),
}
K, BATCH, EPOCHS = 10, 256, 3
OF_A_RUN = range(26, 41)  # of 100 epochs: after every third one labels are read
METHODS = {"dkm": DKM, "ct": CT, "idec": IDEC, "dcn": DCN, "dec": DEC}
ENCODER_ONLY = {"dec"}


def floor_seconds(n_samples, widths, multiply):
    """Return the CPU time of the products of one epoch."""
    total = 0.0
    for layer, (n_in, n_out) in enumerate(pairwise(widths)):
        x, w, g = torch.randn(BATCH, n_in), torch.randn(n_in, n_out), torch.randn(BATCH, n_out)
        products = [(x, w), (x.mT, g), (g, w.mT)][: 3 if layer else 2]  # the data need no gradient
        for a, b in products:
            multiply(a, b)
            total += cpu_seconds(lambda a=a, b=b: [multiply(a, b) for _ in range(5)]) / 5
    return total * n_samples / BATCH


def ours(name, x, hidden_widths):
    """Return a function that measures one epoch of a method, or of pretraining."""
    method = METHODS.get(name, DKM)(n_clusters=K, hidden_widths=hidden_widths, epochs=100, batch_size=BATCH)
    method.tol = 0.0  # DEC and IDEC: never stop
    run = method.start(x, seeds=[0])
    if name == "pretraining":
        epochs = pretrain(x, run, epochs=10**6, batch_size=BATCH, learning_rate=1e-3)
    else:
        next(pretrain(x, run, epochs=1, batch_size=BATCH, learning_rate=1e-3))
        run = Run(run.seeds, run.autoencoder)
        epochs = train(method, x, run)
        next(epochs)  # initialisation

    def measure():
        if name != "pretraining" and run.epoch not in OF_A_RUN:
            run.epoch = OF_A_RUN.start
        return cpu_seconds(lambda: [next(epochs) for _ in range(EPOCHS)]) / EPOCHS

    return measure


def clustpys(name, x, hidden_widths):
    """Return the same of ClustPy: the difference of a longer and a shorter call, which both initialise."""
    import copy  # noqa: PLC0415

    from benchmarks.clustpy_comparison import METHODS as PEERS  # noqa: PLC0415
    from benchmarks.clustpy_comparison import FeedforwardAutoencoder  # noqa: PLC0415

    def autoencoder():
        return FeedforwardAutoencoder([x.shape[1], *hidden_widths, K], random_state=0)

    trained = autoencoder()
    trained.fit(1, {"lr": 1e-3}, batch_size=BATCH, data=x)

    def call(epochs):
        if name == "pretraining":
            autoencoder().fit(epochs, {"lr": 1e-3}, batch_size=BATCH, data=x)
            return
        estimator, _ = PEERS[name]
        network = {"neural_network": copy.deepcopy(trained), "embedding_size": K}
        estimator(K, batch_size=BATCH, clustering_epochs=epochs, random_state=0, **network).fit(x)

    return lambda: (cpu_seconds(lambda: call(1 + EPOCHS)) - cpu_seconds(lambda: call(1))) / EPOCHS


def has_clustpy():
    try:
        import benchmarks.clustpy_comparison  # noqa: F401, PLC0415
    except ImportError:
        print("ClustPy is not installed: its columns stay empty (pip install -r benchmarks/requirements.txt)")
        return False
    return True


def measure(shape, rounds, peer, trainings):
    """Yield a row per training for one shape of data."""
    n_samples, n_features, hidden = SHAPES[shape]
    widths = [n_features, *hidden, K]
    whole, half = [*widths, *widths[-2::-1]], widths
    x = np.random.default_rng(0).random((n_samples, n_features), np.float32)
    for name in trainings:
        part = half if name in ENCODER_ONLY else whole
        cases = {
            "floor": lambda part=part: floor_seconds(n_samples, part, torch.mm),
            "onednn": lambda part=part: floor_seconds(n_samples, part, _by_onednn),
            "ours": ours(name, torch.from_numpy(x), hidden),
        }
        if peer and name != "ct":  # ClustPy has no CT
            cases["clustpy"] = clustpys(name, x, hidden)
        seconds = interleaved(cases, rounds=rounds)
        row = {"data": shape, "training": name, "ours / floor": seconds["ours"] / seconds["floor"]}
        row["ours / oneDNN floor"] = seconds["ours"] / seconds["onednn"]
        if "clustpy" in seconds:
            row["ClustPy / floor"] = seconds["clustpy"] / seconds["floor"]
            row["ClustPy / ours"] = seconds["clustpy"] / seconds["ours"]
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES))
    parser.add_argument("--trainings", nargs="+", default=["pretraining", *METHODS])
    args = parser.parse_args()
    torch.set_num_threads(1)
    peer = has_clustpy()
    for shape in args.shapes:
        for row in measure(shape, args.rounds, peer, args.trainings):
            write_rows("epochs", [row])  # one by one: an interruption leaves those that were measured


if __name__ == "__main__":
    main()
