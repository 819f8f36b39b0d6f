"""A user's HDF5 file holds its own numbers, all of them, or is refused."""

import h5py
import numpy as np
import pytest
from own_files import refused

from deepkm.datasets.hdf5 import array_names, open_hdf5
from deepkm.datasets.large import scan
from deepkm.datasets.own import read_own

X = np.random.default_rng(0).normal(size=(24, 6)).round(3)
T = np.arange(24) % 3


def write_hdf5(path, fill):
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def virtual(file):
    layout = h5py.VirtualLayout((24, 6), "f8")
    layout[:] = h5py.VirtualSource("gone.h5", "x", (24, 6))
    file.create_virtual_dataset("feature", layout)


def raw_storage(file):
    file.create_dataset("feature", (10, 4), "u1", external=[("/etc/passwd", 0, 40)])


def never_written(file):
    file.create_dataset("feature", (10**9, 10), "f4")


def never_written_chunks(file):
    file.create_dataset("feature", (10**9, 10), "f4", chunks=(1000, 10))


def half_written(file):
    file.create_dataset("feature", (24, 6), "f4", chunks=(4, 6))[:9] = X[:9]


def unknown_filter(file):
    file["x"] = X
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((24, 6))
    plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())  # Zstandard
    space = h5py.h5s.create_simple((24, 6))
    h5py.h5d.create(file.id, b"feature", h5py.h5t.NATIVE_DOUBLE, space, plan).write(h5py.h5s.ALL, h5py.h5s.ALL, X)


def links(**places):
    def fill(file):
        file["x"] = X
        for name, place in places.items():
            file[name] = place

    return fill


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (virtual, ["feature is put together from other files"]),
        (raw_storage, ["feature lies in another file", "/etc/passwd"]),
        (links(feature=h5py.ExternalLink("other.h5", "/x")), ["got a link to another file as feature"]),
        (links(feature=h5py.SoftLink("/out/x"), out=h5py.ExternalLink("other.h5", "/")), ["a link to another file"]),
        (links(feature=h5py.SoftLink("/gone")), ["got a link that leads nowhere as feature"]),
        (links(feature=h5py.SoftLink("/a"), a=h5py.SoftLink("/feature")), ["got links in a circle as feature"]),
        (links(feature=h5py.SoftLink("x"), target=h5py.SoftLink("/gone")), ["a link that leads nowhere as target"]),
        (lambda file: file.create_group("feature"), ["got a group as feature"]),
        (never_written, ["feature was never written in full: got 0 of"]),
        (never_written_chunks, ["feature was never written in full: got 0 of 1000000 chunks"]),
        (half_written, ["got 3 of 6 chunks"]),
        (unknown_filter, ["a filter that is not here (number 32015)"]),
        (lambda file: file.create_dataset("feature", data=h5py.Empty("f8")), ["feature of shape None"]),
        (lambda file: file.create_dataset("feature", data=np.zeros((4, 2), "V3")), ["feature of type |V3"]),
        (lambda file: file.create_dataset("feature", data=np.zeros(4, [("a", "f4")])), ["feature of type [('a'"]),
        (lambda file: file.create_dataset("feature", data=["a", "b"]), ["feature of type object"]),
    ],
)
def test_hdf5_holds_its_own_numbers_or_is_refused(fill, words, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = X
    refused(write_hdf5(tmp_path / "my.h5", fill), *words)


def test_links_within_a_file_are_followed(tmp_path):
    def fill(file):
        file["deep/x"], file["deep/er/t"] = X, T
        file["deep/link"] = h5py.SoftLink("./er/t")
        file["feature"], file["target"] = h5py.SoftLink("/deep/x"), h5py.SoftLink("deep/link")

    arrays = read_own(write_hdf5(tmp_path / "my.h5", fill))
    np.testing.assert_array_equal(arrays.feature, X)
    assert arrays.target.tolist() == T.tolist()


def test_arrays_in_groups_are_named_by_their_path(tmp_path):
    def fill(file):
        file["obsm/pca"], file["obs/label"], file["obs/up"] = X, T, file["/"]

    path = write_hdf5(tmp_path / "my.h5", fill)
    refused(path, "obs/label, obsm/pca, expected one named 'feature'")
    refused(path, "obs/label could be the labels", feature_array="obsm/pca")
    arrays = read_own(path, feature_array="obsm/pca", target_column="obs/label")
    np.testing.assert_array_equal(arrays.feature, X)
    assert arrays.target.tolist() == T.tolist()
    refused(path, "expected one named 'obsm/gone'", feature_array="obsm/gone")


ABOUT = {
    "class_names": ["cat", "dog", "owl"],
    "image_shape": [3, 2],
    "feature_names": [*"abcdef"],
    "sample_ids": [f"photo {i}" for i in range(24)],
}


def test_what_our_own_files_hold_is_read_from_hdf5_too(tmp_path):
    path = write_hdf5(tmp_path / "my.h5", lambda file: file.update({"feature": X, "target": T, **ABOUT}))
    np.savez(tmp_path / "my.npz", feature=X, target=T, **ABOUT)
    arrays, streamed = read_own(path), scan(path)[0]
    for name, values in ABOUT.items():
        assert list(getattr(arrays, name)) == list(getattr(read_own(tmp_path / "my.npz"), name)) == values
        assert streamed[name].tolist() == values
    for name, wrong in (("image_shape", [4, 2]), ("sample_ids", ["one", "two"])):
        other = write_hdf5(
            tmp_path / "wrong.h5", lambda file, of=(name, wrong): file.update({"feature": X, of[0]: of[1]})
        )
        for read in (read_own, scan):
            with pytest.raises(ValueError, match=f"got {name} "):
                read(other)
    with pytest.raises(ValueError, match=r"got image_size \[2, 3\], but the file says \(3, 2\)"):
        scan(path, image_size=[2, 3])


def test_not_all_names_of_a_huge_file_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr("deepkm.datasets.hdf5._MOST_NAMES", 5)
    path = write_hdf5(tmp_path / "my.h5", lambda file: [file.create_dataset(f"a/{k}", data=X) for k in range(9)])
    with open_hdf5(path) as file:
        assert len(array_names(file, path)) == 6


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (np.array([b"\xff"] * 24), ["target cannot be read", "UTF-8"]),
        (np.zeros(24, [("a", "i4")]), ["target of type [('a'"]),
        (h5py.Empty("i4"), ["target of"]),
        (np.int64(3), ["target of shape ()"]),
    ],
)
def test_odd_labels_in_hdf5(target, words, tmp_path):
    def fill(file):
        file["feature"], file["target"] = X, target

    refused(write_hdf5(tmp_path / "my.h5", fill), *words)


def test_references_and_ragged_rows_are_no_labels(tmp_path):
    def references(file):
        file["feature"] = X
        file.create_dataset("target", data=np.array([file["feature"].ref] * 24, h5py.ref_dtype))

    def ragged(file):
        file["feature"] = X
        file.create_dataset("target", (24,), h5py.vlen_dtype(np.int32))
        file["target"][0] = np.arange(3)

    for fill in (references, ragged):
        refused(write_hdf5(tmp_path / "my.h5", fill), "target of type object")
