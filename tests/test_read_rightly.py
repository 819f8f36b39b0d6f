"""Files that chance saved: what is read is what was saved, or nothing is read."""

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from own_files import CASES, attempt, chance, own
from PIL import Image

T = np.arange(30) % 3
COLOURS = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)


def labels_by(random, n):
    """Return labels as text, and whether they are classes without doubt."""
    names = chance(random, ["a", "b"], ["NA", "null", "None"], ["001", "01", "1"], ["10", "9", "2"], ["-1", "0", "1"])
    return np.array(names)[random.permutation(np.arange(n) % len(names))]


def feature_by(random, n):
    kind = random.integers(5)
    if kind == 0:
        return random.integers(0, 2, n).astype(bool)
    if kind == 1:
        return random.integers(-(2**40), 2**40, n)
    if kind == 2:
        return random.permutation(n) + 5  # could be an index
    return random.normal(size=n) * 10.0 ** random.integers(-9, 9)


def test_tables_are_read_rightly_or_not_at_all(tmp_path):
    """Chance draws how a table is saved; what is read is what was saved."""
    n_read = 0
    for case in range(CASES):
        random = np.random.default_rng(case)
        n = int(random.integers(5, 40))
        columns = {f"c{k}": feature_by(random, n) for k in range(random.integers(1, 5))}
        labels = labels_by(random, n) if random.integers(4) else None
        frame = pd.DataFrame(columns)
        if labels is not None:
            name = chance(random, "target", "target", "target", "Target", " target", "label", "class", "y")
            frame.insert(int(random.integers(len(columns) + 1)), name, labels)
        if random.integers(4) == 0:
            frame.insert(0, chance(random, "id", "Unnamed: 0", "index", "nr"), np.arange(n))
        frame = frame.sample(frac=1, random_state=case) if random.integers(2) else frame
        parquet = random.integers(4) == 0
        path = tmp_path / ("x.parquet" if parquet else "x.csv")
        if parquet:
            frame.to_parquet(path, index=chance(random, True, False, None))
        else:
            text = frame.to_csv(
                sep=chance(random, ",", ";", "\t"),
                index=bool(random.integers(4) == 0),
                header=bool(random.integers(5)),
                quoting=chance(random, 0, 1, 2),
                decimal=chance(random, ".", ".", ".", ","),
                lineterminator=chance(random, "\n", "\r\n"),
            )
            path.write_bytes(text.encode(chance(random, "utf-8", "utf-8-sig", "utf-16")))
        found = attempt(own, path)
        if found is not None:
            n_read += 1
            expected = np.column_stack([frame[key] for key in columns])
            np.testing.assert_array_equal(found.feature, expected, err_msg=f"case {case}")
            if labels is not None:
                names = [found.class_names[code] for code in found.target]
                assert names == frame[name].tolist(), f"case {case}"
            else:
                assert found.target is None
    assert n_read > CASES / 6  # caution alone would be no reader


TYPES = "<f4 >f8 <f2 longdouble bool i1 >i4 <u8 <c8 U2 S3 V4 f4,i4".split()
SHAPES = [(24, 5), (24, 4, 3), (24, 4, 3, 3), (24, 3, 4, 4), (24, 4, 3, 1), (24,), (), (24, 0), (2, 2, 2, 3, 3)]


@pytest.mark.parametrize("suffix", ["npz", "h5", "mat"])
def test_arrays_are_read_rightly_or_not_at_all(suffix, tmp_path):
    n_read = 0
    for case in range(CASES):
        random = np.random.default_rng([case, len(suffix)])
        shape, kind = chance(random, *SHAPES[:3], *SHAPES), chance(random, *TYPES[:8], *TYPES)
        feature = np.zeros(shape, kind)
        if feature.dtype.kind in "biuf":
            feature = np.asarray(random.integers(0, 100, shape)).astype(kind, order=chance(random, "C", "F"))
        labels = chance(
            random, None, np.arange(24) % 3, random.normal(size=24), np.arange(24) % 4 - 1, np.eye(3)[T[:24]]
        )
        name, other = chance(random, ("feature", "target"), ("X", "y"), ("feature", "labels"), ("data", "kind"))
        arrays = {name: feature} | ({} if labels is None else {other: labels})
        path = tmp_path / f"x.{suffix}"
        try:
            if suffix == "npz":
                np.savez(path, **arrays)
            elif suffix == "mat":
                scipy.io.savemat(path, arrays)
            else:
                with h5py.File(path, "w") as file:
                    for key, array in arrays.items():
                        file[key] = array
        except (TypeError, ValueError):
            continue  # not to be saved
        found = attempt(own, path)
        if found is not None:
            n_read += 1
            np.testing.assert_array_equal(found.feature, np.atleast_2d(feature), err_msg=f"case {case}")
            assert (None if labels is None else labels.tolist()) == (None if labels is None else found.target.tolist())
    assert n_read > CASES / 10


def test_images_are_read_rightly_or_not_at_all(tmp_path):
    n_read = 0
    for case in range(CASES):
        random = np.random.default_rng(case)
        mode = chance(random, "1", "L", "L", "RGB", "RGB", "RGBA", "LA", "P", "I;16", "I", "CMYK")
        image = Image.fromarray(COLOURS).convert("I" if mode == "I;16" else mode)
        image = image.convert("I;16") if mode == "I;16" else image
        kind, folder = chance(random, "PNG", "BMP", "TIFF", "PPM"), tmp_path / f"{case}"
        turn, more = (
            chance(random, 1, 1, 3, 6),
            chance(random, {}, {}, {"save_all": True, "append_images": [image.rotate(180)]}),
        )
        exif, name = Image.Exif(), chance(random, "x.png", "x.jpg", "x.tif")
        exif[0x0112] = turn
        folder.mkdir()
        try:
            image.save(folder / name, kind, exif=exif, **more)
        except (OSError, ValueError, KeyError):
            continue  # not to be saved
        found = attempt(own, folder)
        if found is not None:
            n_read += 1
            turned = turn if kind in ("PNG", "TIFF") else 1
            pixels = np.asarray(image.convert("L"))
            expected = np.rot90(pixels, {1: 0, 3: 2, 6: -1}[turned])
            np.testing.assert_array_equal(found.feature[0], expected, err_msg=f"case {case}")
            assert not more or kind in ("BMP", "PPM")
    assert n_read > CASES / 10
