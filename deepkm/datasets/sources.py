"""Where data sets come from: a name of the catalogue, scikit-learn, a random generator, or a user's own file."""

import pkgutil
from pathlib import Path

import numpy as np

from deepkm.datasets.arrays import Arrays, check_expected
from deepkm.datasets.checksums import check_raw_file
from deepkm.datasets.own import read_own
from deepkm.datasets.roles import own_options


def load_source(spec, paths=()):
    """Return the arrays of a data set.

    Parameters
    ----------
    spec : dict
        ``source``: "digits", "blobs", "file", or a name of the catalogue, then with a ``conversion`` as
        `deepkm.datasets.catalogue.conversion_of` gives; and the source's options. ``first``: how many samples to keep.
    paths : sequence of path
        The raw files, or the user's file.

    Returns
    -------
    Arrays

    Raises
    ------
    OSError, ValueError
        One line: got, expected, remedy.
    """
    if spec["source"] == "digits":
        return load_digits()
    if spec["source"] == "blobs":
        return make_blobs(spec)
    if spec["source"] == "file":
        arrays = read_own(*paths, **own_options(spec))
    else:
        arrays = convert(paths, name=spec["name"], **spec["conversion"])
    return arrays.head(spec["first"]) if "first" in spec else arrays


def convert(paths, *, name, converter, options, files, shape, class_counts, class_names):
    """Return a data set of the catalogue from its raw files, in the catalogue's order; see `load_source`."""
    paths = [Path(path) for path in paths]
    if [path.name for path in paths] != [file for file, _ in files]:
        raise ValueError(
            f"{name}: got the files {[path.name for path in paths]}, expected {[file for file, _ in files]}"
        )
    for path, (_, known) in zip(paths, files, strict=True):
        check_raw_file(path, known)
    arrays = pkgutil.resolve_name(converter)(paths, shape=shape, class_names=class_names, **options)
    check_expected(arrays, shape=shape, class_counts=class_counts, name=name)
    return arrays


def load_digits():
    """Return scikit-learn's 1797 handwritten digits of 8 x 8 pixels (UCI, test part)."""
    import sklearn.datasets  # noqa: PLC0415  a second's work, and other data sets need none of it

    digits = sklearn.datasets.load_digits()
    names = [str(digit) for digit in range(10)]
    return Arrays(digits.images.astype(np.uint8), digits.target.astype(np.int64), names)


def make_blobs(spec):
    """Return Gaussian blobs by ``n_samples``, ``n_features``, ``n_clusters``, ``spread`` (deviation) and ``seed``."""
    import sklearn.datasets  # noqa: PLC0415

    feature, target = sklearn.datasets.make_blobs(
        n_samples=spec["n_samples"],
        n_features=spec["n_features"],
        centers=spec["n_clusters"],
        cluster_std=spec["spread"],
        random_state=spec["seed"],
    )
    names = [f"blob {k}" for k in range(spec["n_clusters"])]
    return Arrays(feature.astype(np.float32), target.astype(np.int64), names)
