"""Files as most people have them are read without a word: no refusal, no warning, nothing on the screen."""

import gzip
import io
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse
from own_files import classes_of
from PIL import Image

from deepkm.datasets.own import read_own

N = 30
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(N, 3)).round(3)
T = np.arange(N) % 3
NAMES = np.array(["cat", "dog", "owl"])[T]
FRAME = pd.DataFrame(X, columns=["width", "height", "depth"])
LABELLED = FRAME.assign(target=NAMES)
GREY, COLOURS = RANDOM.integers(0, 256, (8, 6), np.uint8), RANDOM.integers(0, 256, (8, 6, 3), np.uint8)


def csv(frame=LABELLED, **how):
    return frame.to_csv(index=False, **how).encode()


def parquet(frame=LABELLED, **how):
    return frame.to_parquet(None, **how)


def hdf5(**arrays):
    def write(file):
        with h5py.File(file, "w") as archive:
            for name, array in arrays.items():
                archive[name] = array

    return written(write)


def written(write, **options):
    file = io.BytesIO()
    write(file, **options)
    return file.getvalue()


def npz(**arrays):
    return written(np.savez, **arrays)


def mat(how="5", **arrays):
    return written(lambda file: scipy.io.savemat(file, arrays, format=how))


def image(pixels, kind="PNG", mode=None, **options):
    picture = Image.fromarray(pixels)
    return written(lambda file: (picture.convert(mode) if mode else picture).save(file, kind, **options))


def photos(name, content):
    return {f"{kind}/{k}{name}": content for kind in ("cat", "dog") for k in range(2)}


# Of each: the file's name, its content (of a folder: that of each image), and what its entry says.
TABLES = {
    "csv": ("x.csv", csv()),
    "tabs": ("x.tsv", csv(sep="\t")),
    "tabs in csv": ("x.csv", csv(sep="\t")),
    "semicolons": ("x.csv", csv(sep=";")),
    "a mark in front": ("x.csv", csv(encoding="utf-8-sig")),
    "Excel's Unicode text": ("x.csv", csv(sep="\t").decode().encode("utf-16")),
    "ends of Windows": ("x.csv", csv(lineterminator="\r\n")),
    "ends of old Macs": ("x.csv", csv(lineterminator="\r")),
    "quoted": ("x.csv", csv(quoting=1)),
    "compressed": ("x.csv.gz", gzip.compress(csv())),
    "without a last end of line": ("x.csv", csv().rstrip()),
    "numbers in scientific notation": ("x.csv", csv(float_format="%.3e")),
    "names of columns in other letters": ("x.csv", csv(LABELLED.rename(columns={"width": "größe", "height": "高さ"}))),
    "labels first": ("x.csv", csv(LABELLED[["target", "width", "height", "depth"]])),
    "labels in capitals": ("x.csv", csv(LABELLED.rename(columns={"target": "TARGET"}))),
    "numbers as labels": ("x.csv", csv(FRAME.assign(target=T + 1))),
    "labels as floats": ("x.csv", csv(FRAME.assign(target=T.astype(float)))),
    "named labels": ("x.csv", csv(FRAME.assign(kind=NAMES)), {"target_column": "kind"}),
    "no labels": ("x.csv", csv(FRAME)),
    "one feature": ("x.csv", csv(LABELLED[["width", "target"]])),
    "a constant": ("x.csv", csv(LABELLED.assign(depth=14.62))),
    "bytes": ("x.csv", csv(pd.DataFrame(RANDOM.integers(0, 256, (N, 9))).assign(target=T))),
    "zeros and ones": ("x.csv", csv(pd.DataFrame(RANDOM.integers(0, 2, (N, 9))).add_prefix("has_"))),
    "answers from 1 to 3": ("x.csv", csv(pd.DataFrame(RANDOM.integers(1, 4, (N, 9))).add_prefix("question_"))),
    "truths among floats": ("x.csv", csv(LABELLED.assign(depth=RANDOM.random(N) < 0.5))),
    "a flag among floats": ("x.csv", csv(FRAME.assign(depth=RANDOM.integers(0, 2, N)))),
    "a count among floats": ("x.csv", csv(LABELLED.assign(depth=RANDOM.poisson(4, N)))),
    "even time stamps": ("x.csv", csv(FRAME.assign(depth=1.7e9 + 60 * np.arange(N)))),
    "numbered columns": ("x.csv", csv(pd.DataFrame(X).assign(target=T))),
    "duplicated rows": ("x.csv", csv(pd.concat([LABELLED] * 2))),
    "parquet": ("x.parquet", parquet()),
    "parquet of a shuffled frame": ("x.parquet", parquet(LABELLED.sample(frac=1, random_state=0), index=False)),
    "parquet of categories": ("x.parquet", parquet(LABELLED.astype({"target": "category"}))),
    "parquet of other types": ("x.parquet", parquet(LABELLED.convert_dtypes(dtype_backend="pyarrow"))),
    "parquet of halves": ("x.parquet", parquet(LABELLED.astype({"width": "float16"}))),
    "parquet, uncompressed": ("x.parquet", parquet(compression=None)),
}
ARRAYS = {
    "npz": ("x.npz", npz(feature=X, target=T)),
    "npz without labels": ("x.npz", npz(feature=X)),
    "npz, compressed": ("x.npz", written(np.savez_compressed, feature=X, target=T)),
    "npz of X and y": ("x.npz", npz(X=X, y=T)),
    "npz beside other arrays": ("x.npz", npz(feature=X, target=T, weights=np.ones(N), about=np.array("mine"))),
    "npz of another order": ("x.npz", npz(feature=np.asfortranarray(X.astype(">f4")), target=T.astype(">i2"))),
    "npz of names": ("x.npz", npz(feature=X, target=NAMES)),
    "npz of two signs": ("x.npz", npz(feature=X, target=2 * (T > 0) - 1)),
    "npz of images": ("x.npz", npz(feature=RANDOM.integers(0, 256, (N, 4, 4), np.uint8), target=T)),
    "npz of colours": ("x.npz", npz(feature=RANDOM.integers(0, 256, (N, 4, 4, 3), np.uint8), target=T)),
    "npz of truths": ("x.npz", npz(feature=X > 0, target=T)),
    "npz of halves": ("x.npz", npz(feature=X.astype(np.float16), target=T.astype(np.float16))),
    "npz of large integers": ("x.npz", npz(feature=np.uint64(2**63) + RANDOM.integers(0, 2**40, (N, 3)).astype("u8"))),
    "npz of long floats": ("x.npz", npz(feature=X.astype(np.longdouble))),
    "npz of zeros with a sign": ("x.npz", npz(feature=np.where(X > 0, X, -0.0))),
    "npz of all 256 classes": ("x.npz", npz(feature=np.zeros((768, 2)), target=np.arange(768).astype(np.uint8))),
    "npy": ("x.npy", written(lambda file: np.save(file, X))),
    "h5": ("x.h5", hdf5(feature=X, target=T)),
    "hdf5 of text": ("x.hdf5", hdf5(feature=X, target=NAMES.astype("S"))),
    "h5 in groups": ("x.h5", hdf5(**{"obsm/pca": X, "obs/id": T}), {"feature_array": "obsm/pca"}),
    "h5 of X and y": ("x.h5", hdf5(X=X.astype(np.float16), y=T.astype(np.uint8))),
    "mat": ("x.mat", mat(fea=X, gnd=T[:, None] + 1)),
    "mat 4": ("x.mat", mat("4", fea=X, gnd=T[:, None] + 1)),
    "mat of a row of labels": ("x.mat", mat(X=X, Y=T)),
    "mat, sparse": ("x.mat", mat(fea=scipy.sparse.csc_array(np.maximum(X, 0)), gnd=T)),
    "mat without labels": ("x.mat", mat(feature=X, notes="mine")),
}
IMAGES = {
    "grey png": ("photos", photos(".png", image(GREY))),
    "coloured png": ("photos", photos(".PNG", image(COLOURS)), {"grey": False}),
    "jpeg": ("photos", photos(".jpg", image(COLOURS, "JPEG"))),
    "jpeg of print": ("photos", photos(".jpg", image(COLOURS, "JPEG", "CMYK"))),
    "gif": ("photos", photos(".gif", image(COLOURS, "GIF", "P"))),
    "tiff": ("photos", photos(".tif", image(COLOURS, "TIFF", compression="tiff_lzw"))),
    "bmp": ("photos", photos(".bmp", image(GREY, "BMP"))),
    "webp": ("photos", photos(".webp", image(COLOURS, "WEBP"))),
    "pgm": ("photos", photos(".pgm", image(GREY, "PPM"))),
    "black and white": ("photos", photos(".png", image(GREY, mode="1"))),
    "a palette": ("photos", photos(".png", image(COLOURS, mode="P"))),
    "opaque alpha": ("photos", photos(".png", image(COLOURS, mode="RGBA"))),
    "other files beside": (
        "photos",
        photos(".png", image(GREY)) | {"README.md": b"#", "cat/.DS_Store": b"", "a.csv": b"1"},
    ),
    "deeper folders": ("photos", {f"{kind}/{k}/1.png": image(GREY) for kind in ("cat", "dog") for k in "ab"}),
    "a class called train": ("photos", {f"{kind}/1.png": image(GREY) for kind in ("car", "train", "tram")}),
    "no classes": ("photos", {f"{k}.png": image(GREY) for k in range(3)}),
    "sizes that differ": (
        "photos",
        {"cat/1.png": image(GREY), "dog/1.png": image(GREY[:4])},
        {"image_size": (4, 4)},
    ),
}


@pytest.mark.parametrize(
    "case", [*TABLES.values(), *ARRAYS.values(), *IMAGES.values()], ids=[*TABLES, *ARRAYS, *IMAGES]
)
def test_ordinary_files_pass_without_a_word(case, tmp_path, capfd):
    name, content, *said = case
    path = tmp_path / name
    for file, part in content.items() if isinstance(content, dict) else [(".", content)]:
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_bytes(part)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_own(path, n_clusters=3, **(said[0] if said else {}))
    assert np.isfinite(found.feature).all()
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("case", [case for name, case in TABLES.items() if case[1] == csv() or "pandas" in name])
def test_the_same_table_is_read_the_same(case, tmp_path):
    (tmp_path / case[0]).write_bytes(case[1])
    found = read_own(tmp_path / case[0])
    np.testing.assert_array_equal(found.feature, X)
    assert classes_of(found) == NAMES.tolist()


@pytest.mark.parametrize("header", [True, False])
def test_lines_longer_than_the_sample(header, tmp_path, monkeypatch):
    """As of thousands of genes: all columns are found."""
    monkeypatch.setattr("deepkm.datasets.text_tables._SAMPLE_BYTES", 50)
    wide = pd.DataFrame(np.arange(90).reshape(3, 30) * 1000 + 0.5).add_prefix("gene_")
    wide.assign(kind=["001", "01", "1"]).to_csv(tmp_path / "x.csv", index=False, header=header)
    found = read_own(tmp_path / "x.csv", header=header, target_column="kind" if header else 31)
    np.testing.assert_array_equal(found.feature, wide)
    assert found.class_names == ["001", "01", "1"]


def test_a_line_longer_than_a_block_of_a_megabyte(tmp_path):
    wide = pd.DataFrame(np.arange(90).reshape(3, 30) * 0.5).add_prefix("a_long_name_" * 4000)
    wide.to_csv(tmp_path / "x.csv", index=False)
    np.testing.assert_array_equal(read_own(tmp_path / "x.csv").feature, wide)
