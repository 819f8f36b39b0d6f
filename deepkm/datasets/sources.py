"""Where data sets come from, and the checks that each must pass. Every problem is one ValueError or OSError."""

import zipfile
from pathlib import Path

import numpy as np
import sklearn.datasets


def load_source(entry, path=None):
    """Return the raw arrays of a data set.

    Parameters
    ----------
    entry : dict
        The data set's config entry: ``source`` ("digits", "blobs" or "file") and its options.
    path : path-like, optional
        The file, for ``source: file``.

    Returns
    -------
    feature : ndarray of shape (N, F), (N, H, W) or (N, H, W, C)
    target : ndarray of shape (N,), int64, or None
        Classes numbered from 0.
    """
    if entry["source"] == "digits":
        return load_digits()
    if entry["source"] == "blobs":
        return make_blobs(entry)
    return read_npz(path)


def load_digits():
    """Return scikit-learn's 1797 handwritten digits of 8 x 8 pixels (UCI, test part)."""
    digits = sklearn.datasets.load_digits()
    return digits.images.astype(np.uint8), digits.target.astype(np.int64)


def make_blobs(entry):
    """Return Gaussian blobs by ``n_samples``, ``n_features``, ``n_clusters``, ``spread`` (deviation) and ``seed``."""
    feature, target = sklearn.datasets.make_blobs(
        n_samples=entry["n_samples"],
        n_features=entry["n_features"],
        centers=entry["n_clusters"],
        cluster_std=entry["spread"],
        random_state=entry["seed"],
    )
    return feature.astype(np.float32), target.astype(np.int64)


def read_npz(path):
    """Return (feature, target or None) of a user's file; nothing in it is ever unpickled.

    Raises
    ------
    FileNotFoundError, ValueError
        One line: got, expected, remedy.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{path}: no such file; give the data set's `path:` relative to where you call snakemake"
        )
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        archive = None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(
            f"{path}: got a file that is no .npz archive; make one with np.savez(path, feature=..., target=...)"
        )
    with archive:
        if "feature" not in archive.files:
            raise ValueError(
                f"{path}: got the arrays {', '.join(archive.files) or '(none)'}, expected one named 'feature' and, "
                "optionally, 'target'; save it with np.savez(path, feature=..., target=...)"
            )
        feature = _member(archive, "feature", path)
        target = _member(archive, "target", path) if "target" in archive.files else None
    check_feature(feature, path)
    return feature, None if target is None else encode_target(target, len(feature), path)


def check_feature(feature, path):
    """Raise a ValueError unless `feature` is a finite, real, non-empty array of 2 to 4 dimensions."""
    if feature.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: got feature of type {feature.dtype}, expected real numbers; convert it with .astype('float32')"
        )
    if not 2 <= feature.ndim <= 4 or 0 in feature.shape:
        raise ValueError(
            f"{path}: got feature of shape {feature.shape}, expected (N, F), (N, H, W) or (N, H, W, C) without empty "
            "axes; reshape it to one row per sample"
        )
    bad = ~np.isfinite(feature.reshape(len(feature), -1))
    if bad.any():
        raise ValueError(
            f"{path}: got {bad.sum()} NaN or infinite numbers in {bad.any(1).sum()} of {len(feature)} samples, "
            "expected finite ones; drop those samples or fill them in"
        )


def encode_target(target, n_samples, path):
    """Return the classes numbered 0, 1, ... in sorted order; raise a ValueError unless each sample has one label."""
    if target.shape != (n_samples,):
        raise ValueError(
            f"{path}: got target of shape {target.shape}, expected ({n_samples},); give one label per sample"
        )
    if target.dtype.kind not in "biufUS" or (target.dtype.kind == "f" and not np.isfinite(target).all()):
        raise ValueError(
            f"{path}: got target of type {target.dtype} or with NaN, expected one whole number or name per sample"
        )
    return np.unique(target, return_inverse=True)[1].astype(np.int64)


def check_clusters(n_samples, n_clusters, name):
    """Raise a ValueError when there are more clusters than samples."""
    if n_clusters > n_samples:
        raise ValueError(
            f"datasets.{name}: n_clusters={n_clusters} should be <= n_samples={n_samples}; lower n_clusters"
        )


def _member(archive, name, path):
    try:
        return archive[name]
    except ValueError as error:
        if "pickle" not in str(error).lower() and "object" not in str(error).lower():
            raise ValueError(f"{path}: {name} cannot be read ({error}); save the file again") from None
        raise ValueError(
            f"{path}: got {name} as an array of Python objects, expected numbers; such arrays are pickles and "
            "are never loaded: convert it with .astype before saving"
        ) from None
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"{path}: {name} is damaged ({error}); save the file again") from None
