"""Files that chance made: each is read rightly or refused in one line, never a traceback, a hang or silence."""

import faulthandler
import io

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from own_files import CASES, attempt, own
from PIL import Image

from deepkm.study.inventory import load_study

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
T = np.arange(30) % 3
COLOURS = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)


@pytest.fixture(autouse=True)
def ends_in_time():
    """End the tests where a library waits forever: nothing else can stop it there."""
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


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
