"""Images: decoding one, and a folder of one's own."""

import io
import os
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from deepkm.datasets.arrays import Arrays
from deepkm.datasets.labels import encode_target, listed
from deepkm.datasets.unreadable import one_line, printable

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm"}
# Whatever a file is called: Pillow would hand PostScript to another program.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
# Images that nothing here reads: to leave them out in silence would be another data set.
_UNREAD = {
    *(".apng", ".avif", ".bpg", ".dcm", ".dib", ".djvu", ".eps", ".exr", ".fits", ".hdr", ".heic", ".heif", ".icns"),
    *(".ico", ".jp2", ".j2k", ".jxl", ".jxr", ".npy", ".pam", ".pcx", ".pfm", ".pnm", ".psd", ".sgi", ".svg", ".svgz"),
    *(
        ".tga",
        ".xbm",
        ".xcf",
        ".xpm",
        ".arw",
        ".cr2",
        ".cr3",
        ".dng",
        ".nef",
        ".orf",
        ".raf",
        ".raw",
        ".rw2",
    ),  # cameras
}
# Folders of these names are parts of a data set and no classes: train, seg_test, val2017, fold1.
_PARTS = {
    *("train", "training", "test", "testing", "val", "valid", "validation", "dev", "unlabeled", "fold", "split"),
    *("images", "masks", "annotations"),
}


def decode(content, name, *, size=None, resize=None, grey=True, formats=FORMATS):
    """Return one image as uint8, (H, W) or (H, W, 3), turned as its camera says.

    Parameters
    ----------
    content : bytes
    name : str
        For messages.
    size : (int, int), optional
        The height and width that it must have; checked before it is decoded.
    resize : (int, int), optional
        The height and width to scale it to.
    grey : bool
        Turn colours into their luma.
    formats : sequence of str, optional
        The formats to allow, as Pillow names them.

    Raises
    ------
    ValueError
        Where it is damaged, or would lose something: further frames, transparency, more than 8 bits.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that have no part in the pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=formats) as image:
                problem = _problem(image, size)
                if problem is None:
                    pixels = ImageOps.exif_transpose(image).convert("L" if grey else "RGB")
                    return np.asarray(pixels if resize is None else pixels.resize(resize[::-1], Image.Resampling.BOX))
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        problem = f"is no image or a dangerously large one ({type(error).__name__})"
    except MemoryError:
        problem = "is too large for memory"
    except Exception as error:  # a decoder of damaged bytes can raise anything
        problem = f"is a damaged image ({one_line(error)})"
    raise ValueError(f"{name}: {problem}")


def _problem(image, size):
    """Return what is wrong with an image's form, or None; where there is no transparency, its pixels stay undecoded."""
    if size is not None and image.size != tuple(size)[::-1]:
        return f"got {image.size[1]} x {image.size[0]} pixels, expected {size[0]} x {size[1]}"
    if image.mode.startswith(("I", "F")) or _is_deep(image):
        return "got more than 8 bits per pixel and colour, expected 8; convert the images first"
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:  # a camera's MPO: the image, then its thumbnails
        return f"got {image.n_frames} images in one file, expected one; save each as a file"
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        return "got transparent pixels, expected none; put the image on a background first"
    return None


def _is_deep(image):
    """Tell whether Pillow would cut 16 bits per colour to 8: the mode hides it, the decoder's arguments do not."""
    arguments = [part for tile in image.tile for part in np.ravel(np.array(tile.args, object))]
    return any((isinstance(part, str) and ";16" in part) for part in arguments) or (
        image.format == "PPM" and any(isinstance(part, int) and part > 255 for part in arguments)
    )


def image_files(folder):
    """Return the images in a folder and its subfolders, sorted by path; hidden ones are left out.

    Links are followed: a class may be a link to a folder.

    Raises
    ------
    ValueError
        Where folders lie in a circle, or something with the name of an image is none that can be read.
    """
    folder, found = Path(folder), []
    for here, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        place = Path(here)
        if place.is_symlink() and any(place.samefile(parent) for parent in _parents(place, folder)):
            raise ValueError(f"{place}: got a link to a folder that it lies in, expected none; remove it")
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [place / name for name in files if not name.startswith(".")]
    for path in found:
        if not path.exists() or (path.suffix.lower() in SUFFIXES and not path.is_file()):
            raise ValueError(f"{path}: got no file (a link to nothing, a pipe, a device), expected one; remove it")
        kind = path.suffix.lower()
        if kind in _UNREAD or (kind not in SUFFIXES and _is_image(path)):
            what = "a kind of image that is not read" if kind in _UNREAD else "an image whose name does not say so"
            raise ValueError(f"{path}: got {what}; save it as .png or .jpg, or remove it")
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES)


def _is_image(path):
    """Tell by its content whether a file is an image that could be read under another name."""
    if not path.is_file():
        return False
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except Exception:  # a decoder of any bytes can raise anything
        return False


def _refuse(error):
    raise ValueError(f"{error.filename}: got a folder that cannot be read ({error.strerror}); change its permissions")


def _parents(place, folder):
    while place != folder:
        place = place.parent
        yield place


def read_folder(folder, options):
    """Return a folder of images. Its subfolders are the classes; without subfolders there are no labels.

    Parameters
    ----------
    folder : path-like
    options : deepkm.datasets.roles.Options

    Raises
    ------
    ValueError
        One line: got, expected, remedy.
    """
    folder = Path(folder)
    files = image_files(folder)
    if not files:
        raise ValueError(
            f"{folder}: got no images, expected some ({' '.join(sorted(SUFFIXES))}), one subfolder per class"
        )
    names = None if options.target_column is None else _class_names(files, folder)
    codes, classes = (None, []) if names is None else encode_target(names, len(files), folder, options.drop_labels)
    if codes is not None:
        files = [path for path, code in zip(files, codes, strict=True) if code >= 0]
        codes = codes[codes >= 0]
    ids = [printable(path.relative_to(folder).as_posix(), 1000) for path in files]
    return Arrays(_read_images(files, options), codes, classes, sample_ids=ids)


def _class_names(files, folder):
    """Return the class of each image, or None without subfolders."""
    places = [path.relative_to(folder).parts[:-1] for path in files]
    if not any(places):
        return None
    if not all(places):
        raise ValueError(
            f"{folder}: got images both beside and inside subfolders, expected one subfolder per class, or none"
        )
    names = sorted({place[0] for place in places})
    parts = [name for name in names if not _PARTS.isdisjoint(re.findall("[a-z]+", name.lower()))]
    if len(parts) >= min(2, len(names)) or (len(names) == 1 and len(set(places)) > 1):
        raise ValueError(
            f"{folder}: got the subfolders {listed(names)}, expected one per class; name the folder whose subfolders "
            "are the classes, or set `target_column: null` where there are no labels"
        )
    if empty := [path for path in sorted(folder.iterdir()) if path.is_dir() and not any(path.iterdir())]:
        raise ValueError(f"{empty[0]}: got an empty folder, expected images of a class; fill or remove it")
    return np.array([place[0] for place in places])


def _read_images(files, options):
    size = options.image_size and tuple(options.image_size)
    images = [decode(path.read_bytes(), path, resize=size, grey=options.grey) for path in files]
    for path, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"{path}: got {image.shape[0]} x {image.shape[1]} pixels, expected {images[0].shape[0]} x "
                f"{images[0].shape[1]} as in {files[0].name}; name an image_size: [height, width] to scale all to it"
            )
    return np.stack(images)
