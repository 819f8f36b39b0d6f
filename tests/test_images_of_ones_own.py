"""Folders of images as people really keep them: nothing of a picture, and no class, is lost in silence."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from own_files import classes_of, refused
from PIL import Image

from deepkm.datasets.images import image_files
from deepkm.datasets.own import read_own

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4), np.uint8)
COLOURS = np.random.default_rng(1).integers(0, 256, (6, 4, 3), np.uint8)


def put(path, image=PIXELS, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(path, **how)
    return path


def png(depth, kind):
    """Return a PNG of zeros, 4 x 4, of this depth and kind of colours (2: RGB, 4: grey and alpha, 6: RGBA)."""
    width = 4 * {0: 1, 2: 3, 4: 2, 6: 4}[kind] * depth // 8
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", 4, 4, depth, kind, 0, 0, 0),
        b"IDAT": zlib.compress(bytes(4 * (width + 1))),
    }
    parts[b"IEND"] = b""
    chunk = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts.items())
    return b"\x89PNG\r\n\x1a\n" + chunk


def tiff(depth):
    """Return a TIFF of zeros, 4 x 4, RGB."""
    data = bytes(16 * 3 * depth // 8)
    start = 8 + 2 + 9 * 12 + 4
    tags = [
        (256, 4),
        (257, 4),
        (258, start),
        (259, 1),
        (262, 2),
        (273, start + 6),
        (277, 3),
        (278, 4),
        (279, len(data)),
    ]
    entries = b"".join(
        struct.pack("<HHII", tag, 3 + (tag == 279), 3 if tag == 258 else 1, value) for tag, value in tags
    )
    return b"II*\0" + struct.pack("<IH", 8, 9) + entries + bytes(4) + struct.pack("<3H", *[depth] * 3) + data


def test_a_class_may_be_a_link_to_a_folder(tmp_path):
    put(tmp_path / "elsewhere" / "1.png")
    put(tmp_path / "photos" / "cat" / "1.png")
    put(tmp_path / "photos" / "cat" / "2.png")
    (tmp_path / "photos" / "dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "cat" / "3.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    assert classes_of(read_own(tmp_path / "photos")) == ["cat", "cat", "cat", "dog"]


def test_classes_that_look_the_same(tmp_path):
    for pair in (("cat", "cat "), ("caf\u00e9", "cafe\u0301")):
        folder = tmp_path / pair[0]
        for name in pair:
            put(folder / name / "1.png")
        if len(list(folder.iterdir())) == 2:  # some file systems take both for one
            refused(folder, "differ by blanks alone, or by how an accent is stored")


def test_a_class_without_images(tmp_path):
    put(tmp_path / "cat" / "1.png")
    put(tmp_path / "dog" / "1.png")
    (tmp_path / "owl").mkdir()
    refused(tmp_path, "owl: got an empty folder, expected images of a class")
    (tmp_path / "owl" / "notes.txt").write_text("none yet")
    assert read_own(tmp_path).class_names == ["cat", "dog"]


def test_links_in_a_circle_and_to_nothing(tmp_path):
    put(tmp_path / "cat" / "1.png")
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    refused(tmp_path, "again: got a link to a folder that it lies in")
    (tmp_path / "cat" / "again").unlink()
    (tmp_path / "dog").symlink_to(tmp_path / "gone")
    refused(tmp_path, "dog: got no file (a link to nothing")
    (tmp_path / "dog").unlink()
    os.mkfifo(tmp_path / "cat" / "2.png")
    refused(tmp_path, "2.png: got no file")
    with pytest.raises(ValueError, match=r"2\.png: got no file"):
        image_files(tmp_path)


def test_a_folder_that_cannot_be_read_is_not_left_out(tmp_path, monkeypatch):
    put(tmp_path / "cat" / "1.png")
    put(tmp_path / "dog" / "1.png")
    scandir = os.scandir

    def forbidden(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    refused(tmp_path, "dog: got a folder that cannot be read (Permission denied)")


@pytest.mark.parametrize("name", ["photo.heic", "drawing.eps", "scan.jp2", "photo.NEF", "moving.apng", "x.npy"])
def test_images_of_other_kinds_are_not_left_out(name, tmp_path):
    put(tmp_path / "cat" / "1.png")
    (tmp_path / "cat" / name).write_bytes(b"x")
    refused(tmp_path, f"{name}: got a kind of image that is not read")


@pytest.mark.parametrize("name", ["subject01.centerlight", "1", "1.png.bak", "1.dat"])
def test_an_image_whose_name_says_nothing_is_not_left_out(name, tmp_path):
    put(tmp_path / "cat" / "1.png")
    put(tmp_path / "dog" / name, format="GIF")
    refused(tmp_path, f"{name}: got an image whose name does not say so")


def test_other_files_and_hidden_ones_are_left_out(tmp_path):
    for name in ("cat/1.png", "dog/1.png", "cat/.2.png", ".git/3.png", "__MACOSX/._1.png"):
        put(tmp_path / name)
    (tmp_path / "cat" / "notes.txt").write_text("none")
    assert classes_of(read_own(tmp_path)) == ["cat", "dog"]


def test_parts_of_a_data_set_are_no_classes(tmp_path):
    for part in ("train", "test"):
        put(tmp_path / "split" / part / "cat" / "1.png")
    refused(tmp_path / "split", "'test', 'train'", "target_column: null")
    assert read_own(tmp_path / "split", target_column=None).target is None
    for name in ("cat", "dog"):
        put(tmp_path / "deep" / "images" / name / "1.png")
    refused(tmp_path / "deep", "'images'", "name the folder whose subfolders are the classes")
    assert classes_of(read_own(tmp_path / "deep" / "images")) == ["cat", "dog"]
    assert classes_of(read_own(tmp_path / "deep" / "images", drop_labels=["cat"])) == ["dog"]
    refused(tmp_path / "deep", "`header`", "remove it", header=True)
    refused(tmp_path / "deep", "image_size [0, 4]", "expected sizes in pixels", image_size=(0, 4))


@pytest.mark.parametrize(
    "names",
    [
        "seg_train seg_test",
        "train2017 val2017",
        "Train Test extra",
        "fold1 fold2 fold3",
        "images masks",
        "dev train",
        "test",
    ],
)
def test_parts_of_a_data_set_by_other_names(names, tmp_path):
    for name in names.split():
        put(tmp_path / name / "a" / "1.png")
    refused(tmp_path, "name the folder whose subfolders are the classes", "target_column: null")


def test_images_stand_as_their_camera_says(tmp_path):
    for orientation, turned in ((3, PIXELS[::-1, ::-1]), (6, np.rot90(PIXELS, -1)), (8, np.rot90(PIXELS))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        put(tmp_path / "1.png", exif=exif)
        np.testing.assert_array_equal(read_own(tmp_path).feature[0], turned)


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp", "png"])
def test_more_images_in_one_file(suffix, tmp_path):
    frames = [Image.fromarray(PIXELS + np.uint8(k)) for k in (0, 90)]
    put(tmp_path / f"1.{suffix}", frames[0], save_all=True, append_images=frames[1:])
    refused(tmp_path, f"1.{suffix}: got 2 images in one file", "save each as a file")
    put(tmp_path / f"1.{suffix}")
    assert len(read_own(tmp_path).feature) == 1


def test_the_image_of_a_camera_comes_before_its_thumbnails(tmp_path):
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (200, 10)]
    put(tmp_path / "1.jpg", frames[0], format="MPO", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(read_own(tmp_path).feature, 200, atol=2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"{kind}.png", png(16, kind)) for kind in (0, 2, 4, 6)),
        ("rgb.tif", tiff(16)),
        ("rgb.ppm", b"P6 4 4 65535\n" + bytes(96)),
        ("plain.ppm", b"P3 4 4 1023\n" + b"0 " * 48),
        ("grey.pgm", b"P5 4 4 65535\n" + bytes(32)),
    ],
)
def test_more_than_8_bits_are_not_cut(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path, f"{name}: got more than 8 bits per pixel and colour", "convert")


def test_8_bits_are_read(tmp_path):
    for name, content in (("0.png", png(8, 2)), ("1.tif", tiff(8)), ("2.ppm", b"P6 4 4 255\n" + bytes(48))):
        (tmp_path / name).write_bytes(content)
    assert read_own(tmp_path, grey=False).feature.tolist() == np.zeros((3, 4, 4, 3)).tolist()


def test_transparency_is_not_left_out(tmp_path):
    alpha = np.full((6, 4), 255, np.uint8)
    put(tmp_path / "1.png", np.dstack([COLOURS, alpha]))
    np.testing.assert_array_equal(read_own(tmp_path, grey=False).feature[0], COLOURS)
    alpha[2, 3] = 254
    put(tmp_path / "1.png", np.dstack([COLOURS, alpha]))
    refused(tmp_path, "1.png: got transparent pixels", "background")
    palette = Image.fromarray(COLOURS).quantize(8)
    palette.info["transparency"] = 0
    put(tmp_path / "1.png", palette, transparency=0)
    refused(tmp_path, "1.png: got transparent pixels")


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_modes_that_lose_nothing(mode, tmp_path):
    image = Image.fromarray(COLOURS).convert(mode)
    put(tmp_path / ("1.tif" if mode == "CMYK" else "1.png"), image)
    np.testing.assert_array_equal(read_own(tmp_path, grey=False).feature[0], np.asarray(image.convert("RGB")))


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("content", [EPS, b"", b"hello", b"\x89PNG\r\n\x1a\n", b"BM" + bytes(60), b"II*\0" + bytes(40)])
def test_content_decides_and_starts_no_other_program(content, tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", lambda *args, **kwargs: pytest.fail("another program was started"))
    (tmp_path / "x.png").write_bytes(content)
    refused(tmp_path, "x.png: is ")


def test_a_name_says_little(tmp_path):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "BMP")
    (tmp_path / "x.png").write_bytes(file.getvalue())
    np.testing.assert_array_equal(read_own(tmp_path).feature[0], PIXELS)


def test_truncated_images(tmp_path):
    for suffix in ("png", "jpg", "bmp", "tif", "gif", "webp"):
        path = put(tmp_path / f"1.{suffix}", np.resize(PIXELS, (40, 40)))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        refused(tmp_path, f"1.{suffix}: is a damaged image")
        path.unlink()
