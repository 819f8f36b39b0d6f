"""Conversions of genuine formats, made small: right arrays, or one clear error."""

import gzip
import hashlib
import io
import re
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from conftest import ROOT
from raw_formats import (
    conversion,
    idx_bytes,
    images,
    png_bytes,
    write_coil,
    write_faces,
    write_mnist,
    write_newsgroups,
    write_rcv1,
    write_usps,
    write_usps_all,
)
from sklearn.feature_extraction.text import TfidfVectorizer

from deepkm.datasets.archives import open_compressed, tar_members, zip_members
from deepkm.datasets.arrays import Arrays, check_expected
from deepkm.datasets.catalogue import load_catalogue
from deepkm.datasets.sources import convert as convert_source

TEN = np.arange(30) % 10
DOCS = (ROOT / "docs" / "DATASETS.md").read_text()


def convert(name, paths, **how):
    entry = conversion(name, **how)
    entry["files"] = [(path.name, None) for path in paths]
    return convert_source(paths, name=name, **entry)


def mnist(folder, **how):
    feature = images(30)
    paths = write_mnist(folder, feature, TEN, 20)
    return feature, paths, {"shape": [30, 8, 8], "class_counts": 3, "content_md5": [], **how}


def test_mnist_is_training_then_test_images(tmp_path):
    feature, paths, how = mnist(tmp_path)
    arrays = convert("mnist", paths, **how)
    np.testing.assert_array_equal(arrays.feature, feature)
    assert arrays.feature.dtype == np.uint8
    assert arrays.target.tolist() == TEN.tolist()
    assert arrays.image_shape == (8, 8)
    assert arrays.class_names == list("0123456789")


def test_mnist_is_checked_once_unpacked(tmp_path):
    feature, paths, how = mnist(tmp_path)
    parts = [feature[:20], TEN[:20], feature[20:], TEN[20:]]
    how["content_md5"] = [hashlib.md5(idx_bytes(part)).hexdigest() for part in parts]
    convert("mnist", paths, **how)
    how["content_md5"][2] = hashlib.md5(b"").hexdigest()
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte\.gz: got md5 \w+ once unpacked, expected"):
        convert("mnist", paths, **how)


def test_usps_is_stored_as_bytes(tmp_path):
    feature = images(30)
    feature[0] = 0
    feature[1] = 255
    paths = write_usps(tmp_path, feature, TEN, 20)
    arrays = convert("usps", paths, shape=[30, 8, 8], class_counts=3)
    np.testing.assert_array_equal(arrays.feature, feature)
    assert arrays.target.tolist() == TEN.tolist()


def test_faces_stand_upright(tmp_path):
    feature, person = images(12), np.repeat(np.arange(3), 4)
    paths = write_faces(tmp_path, feature, person)
    arrays = convert("cmu_pie", paths, shape=[12, 8, 8], class_counts=4)
    np.testing.assert_array_equal(arrays.feature, feature)
    assert arrays.feature.dtype == np.uint8
    assert arrays.target.tolist() == person.tolist()
    assert arrays.class_names == ["1", "2", "3"]


def test_usps_11000_counts_from_one(tmp_path):
    feature = images(30)
    arrays = convert("usps_11000", write_usps_all(tmp_path, feature), shape=[30, 8, 8], class_counts=3)
    np.testing.assert_array_equal(arrays.feature, feature)
    assert arrays.target[::3].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_a_class_that_copies_another_is_found(tmp_path):
    feature = images(30)
    feature[15:18] = feature[12:15]
    with pytest.raises(ValueError, match="got the same samples in classes 5 and 6, expected different ones"):
        convert("usps_11000", write_usps_all(tmp_path, feature), shape=[30, 8, 8], class_counts=3)


COIL = {"shape": [12, 8, 8], "class_counts": 4, "n_objects": 3, "views": [0, 20, 5]}


def test_coil_turns_grey_in_the_order_of_objects_and_views(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 8, 3), dtype=np.uint8)
    paths = write_coil(tmp_path / "coil-100.zip", pictures, step=5, folder="coil-100")
    arrays = convert("coil100", paths, **COIL)
    luma = pictures.reshape(12, 8, 8, 3) @ [0.299, 0.587, 0.114]
    assert np.abs(arrays.feature - luma).max() <= 1  # rounded
    assert arrays.feature.dtype == np.uint8
    assert arrays.target.tolist() == np.repeat(np.arange(3), 4).tolist()


def test_coil_20_is_grey_already(tmp_path):
    pictures = images(12).reshape(3, 4, 8, 8)
    paths = write_coil(tmp_path / "coil-20-proc.zip", pictures, step=1, folder="coil-20-proc")
    arrays = convert("coil20", paths, **{**COIL, "views": [0, 4, 1]})
    np.testing.assert_array_equal(arrays.feature, pictures.reshape(12, 8, 8))


@pytest.mark.parametrize(
    ("more", "step", "message"),
    [
        ([], 7, "missing (object, view): [(1, 5), (1, 10), (1, 15)], surplus: [(1, 7)"),
        ([("coil-100/obj9__0.png", png_bytes(images(1)[0]))], 5, "got 13 images, expected 12"),
        ([("coil-100/obj3__20.png", png_bytes(images(1, size=9)[0]))], 5, "got 9 x 9 pixels, expected 8 x 8"),
        ([("coil-100/obj3__20.png", b"\x89PNG\r\n\x1a\n")], 5, "is no image or a dangerously large one"),
        ([("coil-100/obj3__20.png", png_bytes(images(1)[0])[:-30])], 5, "is a damaged image"),
        (
            [("../obj3__20.png", png_bytes(images(1)[0]))],
            5,
            "got a file named '../obj3__20.png', expected names inside",
        ),
    ],
)
def test_an_archive_of_other_images_is_refused(more, step, message, tmp_path):
    pictures = images(12).reshape(3, 4, 8, 8)
    paths = write_coil(tmp_path / "coil-100.zip", pictures, step=step, folder="coil-100", more=more)
    with pytest.raises(ValueError, match=re.escape(message)):
        convert("coil100", paths, **COIL)


def reuters(folder, *, row=True, first=0, dense=True):
    x = scipy.sparse.random(30, 12, density=0.3, format="csc", random_state=0)
    y = TEN[:, None] % 4 + first
    paths = [folder / "reuters10k.mat"]
    scipy.io.savemat(paths[0], {"X": x.toarray() if dense else x, "Y": y.T if row else y}, do_compression=True)
    return x.toarray(), paths, {"shape": [30, 12], "class_counts": None}


@pytest.mark.parametrize("form", [{}, {"row": False, "first": 1}, {"dense": False}])
def test_reuters_10k_is_taken_as_it_is(form, tmp_path):
    x, paths, how = reuters(tmp_path, **form)
    arrays = convert("reuters10k", paths, **how)
    np.testing.assert_array_equal(arrays.feature, x.astype(np.float32))
    assert arrays.feature.dtype == np.float32
    assert arrays.target.tolist() == (TEN % 4).tolist()
    assert arrays.class_names == ["0", "1", "2", "3"]
    assert arrays.image_shape == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Y": np.arange(29)}, "expected Y of shape (30, 1) or (1, 30); the file is another version"),
        ({"Y": np.full((30, 1), 0.5)}, "got numbers that are no bytes"),
        ({"Y": np.arange(30) % 3}, "reuters10k: got 3 classes, expected 4; the file is another version"),
        ({"Y": np.arange(30) % 5}, "reuters10k: got 5 classes, expected 4; the file is another version"),
        ({"X": np.full((30, 12), np.nan)}, "got 360 NaN or infinite numbers in 30 of 30 samples"),
        ({"X": np.full((30, 12), 1e39)}, "got 360 NaN or infinite numbers in 30 of 30 samples"),
    ],
)
def test_other_reuters_are_refused(change, message, tmp_path):
    _, paths, how = reuters(tmp_path)
    found = {name: array for name, array in scipy.io.loadmat(paths[0]).items() if name in "XY"}
    scipy.io.savemat(paths[0], found | change)
    with pytest.raises(ValueError, match=re.escape(message)):
        convert("reuters10k", paths, **how)


def rcv1(folder):
    random = np.random.default_rng(0)
    vectors = [scipy.sparse.random(8, 20, density=0.5, format="csr", random_state=i) for i in range(5)]
    stories = [random.permutation(np.arange(8)) + 100 * (i + 1) for i in range(5)]
    rows = [random.permutation(40)[:14], np.array([39, 0])]
    rows[0] = rows[0][~np.isin(rows[0], rows[1])]
    every, x = np.concatenate(stories), scipy.sparse.vstack(vectors).tocsr()
    names = ["CCAT", "ECAT", "GCAT", "MCAT"]
    topics = [(names[story % 4], story) for story in sorted(every)] + [("C15", story) for story in every]
    order = np.concatenate(rows)
    paths = write_rcv1(folder, vectors, stories, topics, rows)
    how = {"shape": [len(order), 6], "class_counts": None, "n_features": 20}
    return paths, how, x[order].toarray(), every[order] % 4, (vectors, stories, topics, rows)


def test_rcv1_keeps_the_weightiest_terms_of_the_listed_stories(tmp_path):
    paths, how, x, target, _ = rcv1(tmp_path)
    arrays = convert("rcv1", paths, **how)
    terms = np.sort(np.argsort(-x.sum(0))[:6])
    np.testing.assert_allclose(arrays.feature, x[:, terms], rtol=1e-6)
    assert arrays.target.tolist() == target.tolist()
    assert arrays.class_names == ["CCAT", "ECAT", "GCAT", "MCAT"]


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        (lambda topics: [*topics, ("ECAT", topics[0][1]), ("MCAT", topics[0][1])], "got two topics for story"),
        (lambda topics: topics[5:], "got no topic for story"),
    ],
)
def test_each_story_has_one_topic(topic, message, tmp_path):
    *_, (vectors, stories, topics, _) = rcv1(tmp_path)
    rows = [np.arange(39), np.array([39])]
    paths = write_rcv1(tmp_path, vectors, stories, topic(topics), rows)
    with pytest.raises(ValueError, match=message):
        convert("rcv1", paths, shape=[40, 6], class_counts=None, n_features=20)


POSTS = {
    f"20news-bydate-{part}/{group}/{number}": f"From: someone\nSubject: {group}\n\n{text} caf\xe9"
    for part, numbers in (("test", (9, 10)), ("train", (2, 1)))
    for group, text in (("sci.space", "the moon and the orbit"), ("rec.autos", "the car and its engine"))
    for number in numbers
}


def test_newsgroups_are_the_tf_idf_of_whole_posts(tmp_path):
    paths = write_newsgroups(tmp_path / "20news-bydate.tar.gz", POSTS)
    arrays = convert("20news", paths, shape=[8, 5], class_counts=[4, 4])
    texts = [POSTS[f"20news-bydate-{name}"] for name in ("train/rec.autos/1", "train/rec.autos/2", "train/sci.space/1")]
    assert arrays.class_names == ["rec.autos", "sci.space"]
    assert arrays.target.tolist() == [0, 0, 1, 1] * 2
    order = [f"20news-bydate-{part}/{group}/{n}" for part, ns in (("train", (1, 2)), ("test", (9, 10)))
             for group in ("rec.autos", "sci.space") for n in ns]  # fmt: skip
    assert [POSTS[name] for name in order[:3]] == texts
    expected = TfidfVectorizer(max_features=5).fit_transform([POSTS[name] for name in order]).toarray()
    np.testing.assert_allclose(arrays.feature, expected, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(arrays.feature, axis=1), 1, rtol=1e-6)
    assert arrays.image_shape == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../../etc/passwd", "got a file named '../../etc/passwd', expected names inside the archive; do not trust"),
        ("/etc/passwd", "got a file named '/etc/passwd'"),
        ("20news-bydate-train/readme", "got a file '20news-bydate-train/readme', expected 20news-bydate-train/class"),
    ],
)
def test_an_archive_with_other_names_is_refused(name, message, tmp_path):
    paths = write_newsgroups(tmp_path / "20news-bydate.tar.gz", {**POSTS, name: "x"})
    with pytest.raises(ValueError, match=re.escape(message)):
        convert("20news", paths, shape=[8, 5], class_counts=[4, 4])


def test_an_archive_with_a_link_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(ValueError, match="got 'link', expected files and folders alone"):
        list(tar_members(tmp_path / "a.tar.gz", limit=100_000))


def test_a_sparse_file_in_an_archive_is_refused(tmp_path):
    """Its holes are no bytes of the archive: a few kilobytes could fill the memory with zeros."""
    member = tarfile.TarInfo("holes")
    member.type, member.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"%011o\0" % 2**33
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(bytes(header) + bytes(512 + 1024)))
    with pytest.raises(ValueError, match="got 'holes', expected files and folders alone"):
        list(tar_members(tmp_path / "a.tar.gz", limit=100_000))


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_gets_one_line_however_it_is_packed(kind, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("a.png", np.random.default_rng(0).bytes(200))
    content = path.read_bytes()
    assert len(list(zip_members(path, limit=1000))) == 1
    n_refused = 0
    for i in range(len(content)):
        path.write_bytes(content[:i] + bytes([content[i] ^ 64]) + content[i + 1 :])
        try:
            list(zip_members(path, limit=1000))
        except ValueError as error:
            n_refused += 1
            assert str(error).startswith(str(path))
            assert "\n" not in str(error)
    assert n_refused > 200


def test_a_bomb_does_not_go_off(tmp_path):
    bomb = gzip.compress(bytes(50_000_000))  # 50 kB
    (tmp_path / "bomb.gz").write_bytes(bomb)
    with (
        pytest.raises(ValueError, match=r"bomb\.gz: unpacks to more than 1,000,000 bytes"),
        open_compressed(tmp_path / "bomb.gz", limit=1_000_000) as stream,
    ):
        stream.read()
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("zeros")
        member.size = 50_000_000
        archive.addfile(member, io.BytesIO(bytes(50_000_000)))
    with pytest.raises(ValueError, match=r"bomb\.tar\.gz: unpacks to more than"):
        list(tar_members(tmp_path / "bomb.tar.gz", limit=1_000_000))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(50_000_000))
    with pytest.raises(ValueError, match=r"bomb\.zip: unpacks to more than"):
        list(zip_members(tmp_path / "bomb.zip", limit=1_000_000))


def test_a_bomb_in_place_of_mnist(tmp_path):
    _, paths, how = mnist(tmp_path)
    paths[0].write_bytes(gzip.compress(bytes(200_000_000)))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz: unpacks to more than 134,217,728 bytes"):
        convert("mnist", paths, **how)


def damaged(content):
    middle = len(content) // 2
    return [content[:middle], b"", b"hello", content[: middle - 20] + bytes(40) + content[middle + 20 :]]


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("name", ["mnist", "usps", "cmu_pie", "usps_11000", "coil20", "rcv1", "reuters10k", "20news"])
def test_damaged_files_get_one_line(name, kind, tmp_path):
    feature, pictures = images(30), images(12).reshape(3, 4, 8, 8)
    paths, how = {
        "mnist": lambda: mnist(tmp_path)[1:],
        "usps": lambda: (write_usps(tmp_path, feature, TEN, 20), {"shape": [30, 8, 8], "class_counts": 3}),
        "cmu_pie": lambda: (write_faces(tmp_path, feature, TEN), {"shape": [30, 8, 8], "class_counts": 3}),
        "usps_11000": lambda: (write_usps_all(tmp_path, feature), {"shape": [30, 8, 8], "class_counts": 3}),
        "coil20": lambda: (write_coil(tmp_path / "coil-20-proc.zip", pictures, step=5, folder="c"), COIL),
        "rcv1": lambda: rcv1(tmp_path)[:2],
        "reuters10k": lambda: reuters(tmp_path)[1:],
        "20news": lambda: (
            write_newsgroups(tmp_path / "20news-bydate.tar.gz", POSTS),
            {"shape": [8, 5], "class_counts": [4, 4]},
        ),
    }[name]()
    convert(name, paths, **how)
    paths[0].write_bytes(damaged(paths[0].read_bytes())[kind])
    with pytest.raises(ValueError, match=re.escape(str(paths[0]))) as caught:
        convert(name, paths, **how)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((3, 3))}, "got x (3, 3), expected fea of shape (30, 64)"),
        ({"fea": np.zeros((30, 9)), "gnd": np.ones((30, 1))}, "got fea (30, 9), gnd (30, 1), expected fea of shape"),
        ({"fea": np.full((30, 64), 0.5), "gnd": np.ones((30, 1))}, "got numbers that are no bytes"),
        ({"fea": np.full((30, 64), 256), "gnd": np.ones((30, 1))}, "got numbers that are no bytes"),
        ({"fea": np.zeros((30, 64)), "gnd": np.zeros((30, 1))}, "got persons numbered from 0, expected from 1"),
        ({"fea": np.array([["a"] * 64] * 30, object), "gnd": np.ones((30, 1))}, "expected fea of shape (30, 64)"),
    ],
)
def test_a_matlab_file_with_other_arrays(arrays, message, tmp_path):
    scipy.io.savemat(tmp_path / "PIE_pose27.mat", arrays)
    with pytest.raises(ValueError, match=re.escape(message)):
        convert("cmu_pie", [tmp_path / "PIE_pose27.mat"], shape=[30, 8, 8], class_counts=3)


def test_further_arrays_of_a_matlab_file_are_not_read(tmp_path):
    paths = write_faces(tmp_path, images(30), TEN, isTest=np.ones((30, 1)), notes={"a": 1})
    assert len(convert("cmu_pie", paths, shape=[30, 8, 8], class_counts=3).feature) == 30


@pytest.mark.parametrize(
    ("shape", "counts", "message"),
    [
        ([31, 8, 8], 3, "mnist: got 30 x 8 x 8 numbers, expected 31 x 8 x 8; the file is another version"),
        ([30, 8, 8], 4, "mnist: got 3 samples of class 0 and 10 classes, expected 4 and 10"),
        ([30, 8, 8], [3] * 9 + [4], "mnist: got 3 samples of class 9 and 10 classes, expected 4 and 10"),
    ],
)
def test_a_surprise_in_shape_or_counts_stops(shape, counts, message, tmp_path):
    _, paths, how = mnist(tmp_path)
    with pytest.raises(ValueError, match=re.escape(message)):
        convert("mnist", paths, **{**how, "shape": shape, "class_counts": counts})


def test_a_missing_class_stops():
    arrays = Arrays(images(4), np.array([0, 0, 2, 2]), ["a", "b", "c"])
    with pytest.raises(ValueError, match="got 2 classes, expected 3"):
        check_expected(arrays, shape=(4, 8, 8), class_counts=None, name="x")


def test_the_wrong_checksum_or_file_stops(tmp_path):
    _, paths, how = mnist(tmp_path)
    entry = conversion("mnist", **how)
    files = [(path.name, f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}") for path in paths]
    convert_source(paths, name="mnist", files=files, **entry)
    with pytest.raises(ValueError, match="mnist: got the files"):
        convert_source(paths[:3], name="mnist", files=files, **entry)
    files[3] = (paths[3].name, f"md5:{hashlib.md5(b'').hexdigest()}")
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz: got md5 \w+, expected \w+; delete it and"):
        convert_source(paths, name="mnist", files=files, **entry)


def test_the_catalogue_is_complete_and_documented():
    for name, entry in load_catalogue().items():
        counts = entry["class_counts"]
        if isinstance(counts, list):
            assert sum(counts) == entry["shape"][0], name
        elif counts is not None:
            assert entry["shape"][0] % counts == 0, name
        for file, about in entry["files"].items():
            assert about["urls"] or name == "cmu_pie", (name, file)
            assert all(url.startswith("https://") or about["checksum"] for url in about["urls"])
            assert about["max_bytes"] <= 2**30
            assert about["checksum"] is None or re.fullmatch(r"md5:\w{32}|sha256:\w{64}", about["checksum"])
        size = f"{entry['shape'][0]} x {np.prod(entry['shape'][1:])} |"
        row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{name}`"))
        assert size in row
        assert row.endswith(f"| {entry['licence']} |")
        assert f"- `{name}`: {entry['citation']}" in DOCS
