"""Files that chance made: each is read rightly or refused in one line, never a traceback, a hang or silence."""

import faulthandler
import io
import time

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from PIL import Image

from deepkm.datasets.own import read_own
from deepkm.study.inventory import load_study

CASES = 200
SECONDS = 5  # of CPU, for any one file of a few kilobytes
X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
T = np.arange(30) % 3
COLOURS = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)


@pytest.fixture(autouse=True)
def ends_in_time():
    """End the tests where a library waits forever: nothing else can stop it there."""
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def attempt(read, path):
    """Return what `read` makes of a file, or None where it refuses it; everything else fails."""
    started = time.process_time()
    try:
        found = read(path)
    except (ValueError, OSError) as error:
        found, line = None, str(error)
        assert len(line.splitlines()) == 1, line
        assert line.isprintable()
    assert time.process_time() - started < SECONDS
    if found is not None and read is read_own:
        assert np.isfinite(found.feature).all()
        assert found.target is None or found.target.shape == (len(found.feature),)
    return found


def own(path):
    """Read a user's file; what is refused names it."""
    try:
        return read_own(path)
    except (ValueError, OSError) as error:
        assert str(path) in str(error)
        raise


def damaged(content, random):
    """Return bytes with one to four faults: bits flipped, bytes lost, repeated or overwritten, the end cut off."""
    content = bytearray(content)
    for _ in range(random.integers(1, 5)):
        place, length = int(random.integers(len(content) + 1)), int(random.integers(1, 40))
        kind = random.integers(6)
        if kind == 0 and place < len(content):
            content[place] ^= 1 << int(random.integers(8))
        elif kind == 1:
            content[place : place + 1] = random.bytes(1)
        elif kind == 2:
            del content[place:]
        elif kind == 3:
            content[place : place + length] = bytes(length)
        elif kind == 4:
            content[place : place + 8] = b"\xff" * 8
        else:
            start = int(random.integers(len(content) + 1))
            content[place:place] = content[start : start + length]
    return bytes(content)


def written(write, **options):
    """Return the bytes that `write(file, **options)` writes."""
    file = io.BytesIO()
    write(file, **options)
    return file.getvalue()


def hdf5_bytes(target=T, libver=None, **options):
    def write(file):
        with h5py.File(file, "w", libver=libver) as archive:
            archive.create_dataset("feature", data=X, **options)
            archive["target"] = target

    return written(write)


def image_bytes(kind, mode="RGB", **options):
    return written(lambda file: Image.fromarray(COLOURS).convert(mode).save(file, kind, **options))


FRAME = pd.DataFrame(X, columns=list("abcd")).assign(target=np.array(["u", "v", "w"])[T])
MATLAB = {"fea": X, "gnd": T[:, None], "notes": {"a": 1}}
IMAGE_KINDS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP", "ppm": "PPM"}
SOUND = {
    "npz": [
        ("npz", lambda: written(np.savez, feature=X, target=T)),
        ("npz", lambda: written(np.savez_compressed, feature=X, target=T)),
        ("npy", lambda: written(np.save, arr=X)),
    ],
    "h5": [
        ("h5", hdf5_bytes),
        ("h5", lambda: hdf5_bytes(chunks=(7, 4), compression="gzip")),
        ("h5", lambda: hdf5_bytes(libver="latest", chunks=(7, 4), shuffle=True, fletcher32=True)),
        ("hdf5", lambda: hdf5_bytes(np.array([b"a", b"b", b"c"])[T])),
    ],
    "mat": [
        ("mat", lambda: written(scipy.io.savemat, mdict=MATLAB)),
        ("mat", lambda: written(scipy.io.savemat, mdict=MATLAB, do_compression=True)),
    ],
    "csv": [
        ("csv", lambda: FRAME.to_csv(index=False).encode()),
        ("tsv", lambda: FRAME.to_csv(sep="\t").encode()),
        ("csv", lambda: FRAME.to_csv(index=False, sep=";").encode("utf-16")),
    ],
    "parquet": [("parquet", lambda: written(FRAME.to_parquet))],
    "images": [(suffix, lambda kind=kind: image_bytes(kind)) for suffix, kind in IMAGE_KINDS.items()],
}


@pytest.mark.parametrize("reader", SOUND)
def test_damaged_files(reader, tmp_path):
    sound = [(suffix, make()) for suffix, make in SOUND[reader]]
    n_read = 0
    for case in range(CASES):
        random = np.random.default_rng([case, len(reader)])
        suffix, content = sound[case % len(sound)]
        folder = tmp_path / f"{case}"
        folder.mkdir()
        path = folder / f"x.{suffix}"
        path.write_bytes(damaged(content, random))
        found = attempt(own, folder if reader == "images" else path)
        n_read += found is not None
        if suffix == "npz" and found is not None:  # zip keeps a checksum of each array
            np.testing.assert_array_equal(found.feature, X)
            assert found.target.tolist() == T.tolist()
    assert n_read < CASES


WORDS = (
    "null NA true 1e5 2026-01-31 0x1f 1:30 <<:~*a *a &b ? -~ :~ { } [ ] ' | .nan .inf ~ # % --- !!set !!python/name:a.b"
)
STUDY = b"""study:
  datasets: [digits, mine]
  methods: [km, dkm]
  seeds: [0, 1]
training: {pretraining_epochs: 2, epochs: 3}
datasets:
  mine: {path: study.yaml, n_clusters: 3, scaling: unit, target_column: null, drop_labels: [-1]}
  blobs: {n_samples: 120, n_features: 4, n_clusters: 3}
autoencoders:
  mlp: &a {hidden_widths: [8]}
methods:
  dkm: {alpha: 1e3, per_dataset: {digits: {alpha: 2.0}}}
seeds_per_job: 1
"""


def test_damaged_configurations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study.yaml"
    words = [word.replace("~", " ").encode() for word in WORDS.split()] + [b"\t", b"\xff", b"\0", "\u2028".encode()]
    for case in range(CASES):
        random = np.random.default_rng(case)
        content = bytearray(STUDY)
        for _ in range(random.integers(1, 4)):
            place = int(random.integers(len(content)))
            content[place : place + int(random.integers(8))] = words[random.integers(len(words))]
        path.write_bytes(damaged(content, random) if case % 4 == 0 else content)
        attempt(lambda path: load_study([path]), path)


def test_configurations_of_endless_aliases(tmp_path):
    path = tmp_path / "study.yaml"
    laughs = [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 10)]
    for content in ("a: &a [*a]", "a: &a {b: *a}", "\n".join(["a0: &a0 [x]", *laughs]), "[" * 3000):
        path.write_text(content)
        assert attempt(lambda path: load_study([path]), path) is None


def chance(random, *choices):
    return choices[random.integers(len(choices))]


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
