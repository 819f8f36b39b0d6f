"""Files of arrays as people really make them: .npz, .npy, .h5, .mat; and their labels."""

import io
import os
import struct
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from own_files import classes_of, refused

from deepkm.datasets.own import read_own

X = np.random.default_rng(0).normal(size=(24, 6)).round(3)
T = np.arange(24) % 3
IMAGES = np.random.default_rng(1).integers(0, 256, (24, 3, 2), np.uint8)


def save(path, **arrays):
    """Write arrays in the format that the name says."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


def newest_mat(path, **arrays):
    """Write what MATLAB 7.3 writes: HDF5 with the axes in reverse behind 512 bytes of its own."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, (array, kind) in arrays.items():
            file.create_dataset(name, data=np.asarray(array).T)
            file[name].attrs["MATLAB_class"] = np.bytes_(kind)
        file.create_group("#refs#")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


@pytest.fixture(params=[".npz", ".h5", ".mat"])
def place(request, tmp_path):
    return tmp_path / f"my{request.param}"


@pytest.mark.parametrize(("feature", "target"), [("feature", "target"), ("fea", "gnd"), ("X", "Y"), ("X", "y")])
def test_arrays_are_known_by_their_names(place, feature, target):
    labels = T[:, None] if place.suffix == ".mat" else T
    arrays = read_own(save(place, **{feature: X, target: labels, "notes": np.zeros(3)}))
    np.testing.assert_array_equal(arrays.feature, X)
    assert arrays.target.tolist() == T.tolist()
    assert read_own(save(place, **{feature: X})).target is None


def test_other_names_are_decided_by_the_entry(place):
    save(place, pixels=X, kinds=T)
    refused(place, "got the arrays", "pixels", "kinds", "`feature_array:`", "`target_column:`")
    arrays = read_own(place, feature_array="pixels", target_column="kinds")
    np.testing.assert_array_equal(arrays.feature, X)
    assert arrays.target.tolist() == T.tolist()
    assert read_own(place, feature_array="pixels").target is None
    refused(place, "expected one named 'pixel'", feature_array="pixel")
    refused(place, "expected one named 'kind'", feature_array="pixels", target_column="kind")


def test_what_could_be_labels_is_not_left_out_in_silence(place):
    save(place, feature=X, labels=T)
    refused(place, "labels could be the labels", "`target_column:`", "null")
    assert read_own(place, target_column="labels").target.tolist() == T.tolist()
    assert read_own(place, target_column=None).target is None
    assert read_own(save(place, feature=X, target=T, labels=T)).class_names == ["0", "1", "2"]
    assert read_own(save(place, feature=X, target=T), target_column=None).target is None


def test_several_arrays_of_usual_names(place):
    refused(save(place, fea=X, X=X, gnd=T), "fea", "X", "`feature_array:`")
    assert read_own(place, feature_array="X", target_column="gnd").target.tolist() == T.tolist()
    refused(save(place, X=X, Y=T, y=T), "Y, y could be the labels")
    assert read_own(save(place, feature=X, target=T, X=T)).target.tolist() == T.tolist()  # ours


def test_one_array_without_a_name(tmp_path):
    np.savez(tmp_path / "my.npz", X)
    refused(tmp_path / "my.npz", "arr_0", "`feature_array:`")
    assert read_own(tmp_path / "my.npz", feature_array="arr_0").feature.shape == X.shape


@pytest.mark.parametrize("kind", ["<f4", ">f8", ">i2", "<f2", "longdouble", "bool", "<u8"])
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_types_and_orders_of_bytes(kind, suffix, tmp_path):
    feature = np.asfortranarray(np.abs(X * 10).astype(kind))
    np.save(tmp_path / "my.npy", feature)
    np.savez(tmp_path / "my.npz", feature=feature)
    found = read_own(tmp_path / f"my{suffix}").feature
    assert found.tolist() == feature.tolist()
    assert found.dtype.isnative
    assert found.dtype.itemsize <= 8


def test_numbers_that_only_long_floats_tell_apart(tmp_path):
    feature = np.longdouble(1) + T[:, None] * np.finfo(np.longdouble).eps
    if np.finfo(np.longdouble).eps < np.finfo(np.float64).eps:  # not so everywhere
        refused(save(tmp_path / "my.npz", feature=feature), "float64 rounds off", "subtract")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"feature": np.float64(3)}, ["got feature of shape ()"]),
        ({"feature": np.zeros(4, [("a", "f4"), ("b", "i4")])}, ["got feature of type [('a'"]),
        ({"feature": np.zeros((4, 2), "M8[s]")}, ["got feature of type datetime64"]),
        ({"feature": X.astype(np.complex64)}, ["got feature of type complex64"]),
        ({"feature": np.zeros((2, 2, 2, 2, 2))}, ["got feature of shape (2, 2, 2, 2, 2)"]),
        ({"feature": X, "target": np.eye(3)[T]}, ["target of shape (24, 3)", "target.argmax(1)"]),
        ({"feature": X, "target": T[:, None]}, ["target of shape (24, 1), expected (24,)"]),
        ({"feature": X, "target": np.float64(1)}, ["target of shape ()"]),
        ({"feature": X, "target": X[:, 0]}, ["target with numbers such as", "target_column: null"]),
        ({"feature": X, "target": (T + 0.5).astype(np.float16)}, ["target with numbers such as 0.5"]),
        ({"feature": X, "target": T * 1j}, ["target of type complex128"]),
        ({"feature": X, "target": T.astype("M8[s]")}, ["target of type datetime64"]),
        ({"feature": X, "target": np.array([b"\xff"] * 24)}, ["no UTF-8 text"]),
        ({"feature": X, "target": np.where(T, np.inf, 0)}, ["16 NaN or infinite numbers"]),
        ({"feature": X, "target": np.arange(24)}, ["24 different labels of 24 samples", "target_column: null"]),
        ({"feature": X, "target": np.array([f"n{i}" for i in range(24)])}, ["24 different labels of 24 samples"]),
        ({"feature": X, "image_shape": [-3, -2]}, ["image_shape [-3, -2]"]),
        ({"feature": X, "image_shape": [0, 6]}, ["image_shape [0, 6]"]),
        ({"feature": X, "image_shape": [2.5, 2.4]}, ["image_shape [2.5, 2.4]"]),
        ({"feature": X, "image_shape": [6]}, ["image_shape (6,)"]),
        ({"feature": X, "image_shape": [3, 1, 2]}, ["image_shape (3, 1, 2)", "1, 3 or 4 colours"]),
        ({"feature": np.zeros((5, 3, 8, 8))}, ["(5, 3, 8, 8)", "x.transpose(0, 2, 3, 1) puts colours last"]),
        ({"feature": np.zeros((5, 1, 8, 8))}, ["(5, 1, 8, 8)", "x.transpose(0, 2, 3, 1)"]),
        ({"feature": np.zeros((5, 3, 8, 4))}, ["(5, 3, 8, 4)", "x.transpose(0, 2, 3, 1)"]),
        ({"feature": np.zeros((5, 8, 8, 2))}, ["(5, 8, 8, 2)", "reshape it to (N, F)"]),
    ],
)
def test_arrays_that_are_no_data_set(arrays, words, tmp_path):
    refused(save(tmp_path / "my.npz", **arrays), *words)


def test_images_keep_their_shape(tmp_path):
    for shape, image in (((9, 3), (9, 3)), ((9, 3, 1), (9, 3)), ((9, 4, 3), (9, 4, 3)), ((9, 4, 4), (9, 4, 4))):
        path = save(tmp_path / "my.npz", feature=np.zeros((5, *shape)))
        assert read_own(path).image_shape == image
        assert read_own(path, image_size=shape[:2]).image_shape == image
        refused(path, "image_size [3, 9] for images of 9 x ", "not scaled", image_size=(3, 9))
    path = save(tmp_path / "my.npz", feature=np.zeros((5, 27)), image_shape=[9, 3])
    assert read_own(path, image_size=[9, 3]).image_shape == (9, 3)
    refused(path, "image_size [3, 9], but the file says (9, 3)", image_size=(3, 9))


@pytest.mark.parametrize(
    ("labels", "dropped"),
    [
        ([-1, 0, 1, 2], "-1"),
        ([-1.0, 0.0, 5.0], "-1"),
        ([-1, 0, 1], "-1"),
        ([-999, 1, 2], "-999"),
        (["-1", "0", "1"], "-1"),
        (np.array([0, 1, 255], np.uint8), "255"),
        (np.array([0, 1, 2**64 - 1], np.uint64), str(2**64 - 1)),
        (["0", "1", "nan"], "nan"),
        (["a", "b", "nan"], "nan"),
        (["a", "b", "<NA>"], "<NA>"),
        (["1", "2", "NA"], "NA"),
        (["1", "2", "None"], "None"),
        (["a", "b", ""], ""),
        (["a", "b", "Unknown"], "Unknown"),
        (["a", "b", "unlabelled"], "unlabelled"),
        (["a", "b", "999"], "999"),
        (["a", "b", "-1"], "-1"),
        (["a", "b", "-"], "-"),
        (["0", "1", "noise"], "noise"),
        (["0", "1", "inf"], "inf"),
        ([0, 1, 2, 999], "999"),
        ([1, 2, 3, 99], "99"),
        ([*range(6), 255], "255"),
    ],
)
def test_a_label_that_may_be_none_is_decided_by_the_entry(labels, dropped, tmp_path):
    labels = np.resize(labels, 24)
    path, kept = save(tmp_path / "my.npz", feature=X, target=labels), labels.astype(str) != dropped
    kept = kept & (labels.astype(str) != f"{dropped}.0")
    refused(path, repr(dropped), f"`drop_labels: [{dropped!r}]`")
    arrays = read_own(path, drop_labels=[dropped])
    np.testing.assert_array_equal(arrays.feature, X[kept])
    assert classes_of(arrays) == [str(label).removesuffix(".0") for label in labels[kept]]
    if dropped:
        assert len(read_own(path, drop_labels=[]).class_names) == len(arrays.class_names) + 1
    refused(path, "got no label 'other'", drop_labels=["other"])
    refused(path, "which are all there are", drop_labels=[*arrays.class_names, dropped])


def test_several_labels_below_zero(tmp_path):
    path = save(tmp_path / "my.npz", feature=X, target=np.resize([-2, -1, 0, 1], 24))  # as HDBSCAN writes them
    refused(path, "got 12 samples", "`drop_labels: ['-2', '-1']`")
    assert read_own(path, drop_labels=[-2, -1]).class_names == ["0", "1"]


@pytest.mark.parametrize(
    "labels",
    [
        *([-1, 1], [-2, -1], [0, 255], [0, 1], [3, 7], ["NA", "null", "None", "x"], ["-1", "a"], [False, True]),
        *([0, 1, 2, 9], [1, 2, 3, 4, 5, 7], [0, 10, 1000], [2019, 2020, 2021], [0, 999]),
        *(["+", "-"], ["1", "2", "10+"], ["0", "1", "a", "b"], ["cat", "noise", "other"], ["none", "rust"]),
    ],
)
def test_labels_that_are_classes_in_silence(labels, tmp_path, capsys):
    path = save(tmp_path / "my.npz", feature=X, target=np.resize(labels, 24))
    assert classes_of(read_own(path)) == [str(label) for label in np.resize(labels, 24)]
    assert not capsys.readouterr().out


def test_rows_that_are_images_column_by_column(place):
    standing = IMAGES.transpose(0, 2, 1).reshape(24, 6)  # as MATLAB's image(:)'
    save(place, fea=standing, gnd=T[None] if place.suffix == ".mat" else T)
    arrays = read_own(place, image_size=[3, 2], columnwise=True)
    np.testing.assert_array_equal(arrays.feature, IMAGES)
    assert arrays.image_shape == (3, 2)
    refused(place, "`columnwise`", "`image_size: [height, width]`", columnwise=True)


def test_a_matlab_file_of_any_version(tmp_path):
    for how in ({"format": "4"}, {"format": "5"}, {"do_compression": True}):
        scipy.io.savemat(tmp_path / "my.mat", {"fea": X, "gnd": T[:, None]}, **how)
        np.testing.assert_array_equal(read_own(tmp_path / "my.mat").feature, X)
    path = newest_mat(tmp_path / "my.mat", fea=(X, "double"), gnd=(T[:, None], "double"))
    arrays = read_own(path)
    np.testing.assert_array_equal(arrays.feature, X)
    assert arrays.target.tolist() == T.tolist()
    scipy.io.savemat(tmp_path / "my.mat", {"fea": scipy.sparse.csc_array(X), "gnd": T})
    np.testing.assert_array_equal(read_own(tmp_path / "my.mat").feature, X)


def test_what_matlab_stores_besides_numbers(tmp_path):
    path = tmp_path / "my.mat"
    scipy.io.savemat(path, {"fea": X, "gnd": np.array([["a"], ["b"]] * 12, object)})
    refused(path, "gnd as a cell array")
    scipy.io.savemat(path, {"fea": {"a": 1}})
    refused(path, "fea as a struct array")
    refused(newest_mat(path, fea=(X, "double"), gnd=(T, "char")), "gnd as a char array")
    scipy.io.savemat(path, {"X": np.zeros((3, 2, 24)), "y": T})
    refused(path, "features of shape (3, 2, 24) and 24 labels", "permute()")
    scipy.io.savemat(path, {"X": scipy.sparse.csc_array((10**5, 10**6))})
    refused(path, "sparse array of shape (100000, 1000000)")


def test_an_element_that_would_end_scipy(tmp_path):
    path = save(tmp_path / "my.mat", fea=X.astype(np.float32), gnd=T)
    content = path.read_bytes()
    place = content.index(struct.pack("<II", 7, 4 * X.size))  # single precision, so many bytes
    for kind in (0, 8, 99):
        path.write_bytes(content[:place] + struct.pack("<I", kind) + content[place + 4 :])
        refused(path, f"an element of unknown type {kind}")


def zip_with(path, *, flags=0, method=None):
    """Change the first member's flags or compression in both of its headers."""
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.index(signature) + place
        old = struct.unpack_from("<HH", content, start)
        struct.pack_into("<HH", content, start, old[0] | flags, old[1] if method is None else method)
    path.write_bytes(content)
    return path


def test_archives_that_zip_cannot_read(tmp_path):
    refused(zip_with(save(tmp_path / "my.npz", feature=X), flags=1), "the archive cannot be read", "encrypted")
    refused(zip_with(save(tmp_path / "my.npz", feature=X), method=97), "the archive cannot be read", "compression")
    with zipfile.ZipFile(tmp_path / "my.npz", "w") as archive:
        archive.writestr("feature.npy", b"hello")
    refused(tmp_path / "my.npz", "feature as a file that is no array")
    content = save(tmp_path / "my.npz", feature=X, target=T).read_bytes()
    place = content.rindex(b"target.npy")  # in the list at the end: the labels would be called otherwise
    (tmp_path / "my.npz").write_bytes(content[:place] + b"t" * 6 + content[place + 6 :])
    refused(tmp_path / "my.npz", "the archive cannot be read")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)})
    for name in ("my.npz", "my.npy"):
        with zipfile.ZipFile(tmp_path / "my.npz", "w") as archive:
            archive.writestr("feature.npy", header.getvalue())
        (tmp_path / "my.npy").write_bytes(header.getvalue())
        refused(tmp_path / name)
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "my.npz", "w") as archive:
        warnings.simplefilter("ignore")
        for array in (X, 2 * X):
            file = io.BytesIO()
            np.save(file, array)
            archive.writestr("feature.npy", file.getvalue())
    refused(tmp_path / "my.npz", "a name that occurs twice")
    with open(tmp_path / "my.npy", "wb") as file:
        np.save(file, X)
        np.save(file, T)
    refused(tmp_path / "my.npy", "more than one array", "np.savez")
    (tmp_path / "my.npy").write_bytes(b"hello")
    refused(tmp_path / "my.npy", "no .npy array")


def test_pipes_and_devices_are_not_waited_for(tmp_path):
    for suffix in (".npz", ".csv", ".h5", ".mat", ""):
        os.mkfifo(tmp_path / f"my{suffix}")
        refused(tmp_path / f"my{suffix}", "got a pipe, socket or device")
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    refused(tmp_path / "zero.npy", "got a pipe, socket or device")
    (tmp_path / "gone.npz").symlink_to("nothing")
    refused(tmp_path / "gone.npz", "no such file")
