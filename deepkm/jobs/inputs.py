"""What a training job reads: the scaled features, on its device, and digests of all that it is made of."""

import hashlib
import json
import os
import socket
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepkm.datasets.converted import digest_of, read_converted, sample_shape_of
from deepkm.datasets.features import load_features
from deepkm.datasets.resampling import check_sample, draw_samples
from deepkm.datasets.streaming import StreamedFeatures, is_streamed
from deepkm.files import read_hdf5
from deepkm.jobs.provenance import describe_device
from deepkm.networks.images import check_range, image_side, sides_of
from deepkm.study.parameters import constant_of
from deepkm.study.results import check_autoencoder, what_is_carried
from deepkm.study.settings import sees_views
from deepkm.study.spec import conversion_digest


def load_data(args: Namespace) -> Tensor | StreamedFeatures:
    """Return the scaled features, (N, F), on the job's device; those larger than memory stay in their file.

    Where the job's seed draws a share of the samples, ``args.samples``, (N,), says which; else it is None.
    """
    args.device = _usable(args.device)
    print(f"{socket.gethostname()}: on {describe_device(args.device)}", flush=True)
    torch.set_num_threads(args.threads)
    _check_images(args.data, args.spec)
    scaling = args.spec["dataset"]["scaling"]
    share, args.samples = args.spec["dataset"].get("resample"), None
    if is_streamed(args.data):
        if share:
            raise ValueError(
                f"{args.data}: got data that stay in their file with `resample: {share:g}`, expected samples that are "
                "held in memory; set `stream: false` where they fit, or leave `resample` out"
            )
        streamed = StreamedFeatures(args.data, scaling, args.device)
        check_range(args.spec["parameters"].get("autoencoder"), *streamed.ends)
        return streamed
    x = load_features(args.data, scaling)
    check_range(args.spec["parameters"].get("autoencoder"), x.min(), x.max())
    if share:
        args.samples = _own_samples(args, len(x))
        x = x[args.samples]
    return torch.from_numpy(x).to(args.device)


def _own_samples(args: Namespace, n_samples: int) -> np.ndarray:
    about = args.spec["dataset"]
    check_sample(n_samples, about["resample"], about["n_clusters"], name=f"datasets.{about['name']}.resample")
    [seed] = args.spec["seeds"]
    return draw_samples(seed, n_samples, about["resample"])


def _check_images(path: str, spec: dict[str, Any]) -> None:
    """Raise a ValueError for images that the network cannot take, though it could their number of pixels."""
    kind, estimator = spec["parameters"].get("autoencoder"), spec.get("estimator")
    views = sees_views(spec["parameters"])
    own = bool(not kind and estimator and constant_of(estimator, "convolutional"))
    sides = sides_of(kind, convolutional=own, views=views)
    if not sides:
        return
    if shape := sample_shape_of(read_converted(path, optional=("meta", "image_shape"))):
        image_side(*shape, sides=sides, rows=False)


def digest_inputs(args: Namespace) -> dict[str, str]:
    """Return digests of the numbers that a job reads: what was made of others must not go on as if it were the same."""
    digests = {"data": digest_of(args.data)}
    for path in getattr(args, "autoencoder", None) or []:
        prefix = {"weights": "autoencoder/", "moments": ("autoencoder/", "optimizer/")}[what_is_carried(args.spec)]
        arrays, attributes = read_hdf5(path, prefix)
        check_autoencoder(path, attributes, spec=args.spec, inputs=digests)
        digests["autoencoder"] = digest_arrays(arrays)
    return digests


def digest_conversion(args: Namespace) -> str:
    """Return the digest of what a job's data were converted by; empty where they do not say."""
    found = read_converted(args.data, optional=["spec"])
    return conversion_digest(json.loads(str(found["spec"]))) if found else ""


def digest_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the digest of arrays by name."""
    content = hashlib.sha256(b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays)))
    return content.hexdigest()


def _usable(device: str) -> str:
    """Return `device` where this PyTorch can use it, else "cpu" after one line that says why."""
    if device == "cpu" or torch.cuda.is_available():
        return device
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    print(f"got GPU {gpu}, but PyTorch {torch.__version__} cannot use it: on the CPU instead", flush=True)
    return "cpu"
