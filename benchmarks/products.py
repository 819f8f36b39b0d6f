"""oneDNN's products beside MKL's, by network and by product: ``python -m benchmarks.products``.

One core, float32, batches of 256: forward (with bias and ReLU), gradients of weights and of inputs, summed over the
layers of an autoencoder. What came out is the rule of deepkm/networks/products.py; a test holds it against the rows.
"""

import argparse
from functools import partial
from itertools import pairwise

import torch

from benchmarks.epochs import BATCH, SHAPES, K
from benchmarks.measure import cpu_seconds, interleaved, write_rows
from deepkm.networks.products import _by_mkl, _by_onednn

NETWORKS = {name: (n_features, *hidden, K) for name, (_, n_features, hidden) in SHAPES.items()}
NETWORKS |= {"COIL100": (1024, 500, 500, 2000, 100), "RCV1": (2000, 500, 500, 2000, 4)}
PRODUCTS = {"MKL": _by_mkl, "oneDNN": _by_onednn}
OPERATIONS = 10**9  # of a measurement, about


def factors(widths):
    """Yield, for each layer of an autoencoder, which product, its factors and its options."""
    for n_in, n_out in pairwise([*widths, *widths[-2::-1]]):
        x, w, g, bias = (torch.randn(*size) for size in ((BATCH, n_in), (n_in, n_out), (BATCH, n_out), (1, n_out)))
        yield "forward", (x, w, bias), {"relu": True}
        yield "of weights", (x.mT, g), {}
        yield "of inputs", (g, w.mT), {}


def seconds_of(multiply, arguments, options):
    """Return the CPU time of one product."""
    n = max(1, OPERATIONS // (2 * BATCH * arguments[0].shape[1] * arguments[1].shape[1]))
    return cpu_seconds(lambda: [multiply(*arguments, **options) for _ in range(n)]) / n


def measure(network, rounds):
    """Yield a row per product for one network."""
    totals = {}
    for product, arguments, options in factors(NETWORKS[network]):
        cases = {name: partial(seconds_of, multiply, arguments, options) for name, multiply in PRODUCTS.items()}
        for name, seconds in interleaved(cases, rounds=rounds).items():
            for key in ((product, name), ("all", name)):
                totals[key] = totals.get(key, 0.0) + seconds
    for product in ("forward", "of weights", "of inputs", "all"):
        yield {
            "network": network,
            "product": product,
            "oneDNN / MKL": totals[product, "oneDNN"] / totals[product, "MKL"],
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        write_rows("products", [row for network in NETWORKS for row in measure(network, args.rounds)])


if __name__ == "__main__":
    main()
