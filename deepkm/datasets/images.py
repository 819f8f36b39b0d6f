"""Images: decoding one, and a folder of one's own."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from deepkm.datasets.arrays import Arrays

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}


def decode(content, name, *, size=None, resize=None, grey=True, formats=None):
    """Return one image as uint8, (H, W) or (H, W, 3).

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
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=formats) as image:
                problem = _problem(image, size)
                if problem is None:
                    pixels = image.convert("L" if grey else "RGB")
                    return np.asarray(pixels if resize is None else pixels.resize(resize[::-1], Image.Resampling.BOX))
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        problem = f"is no image or a dangerously large one ({type(error).__name__})"
    except (OSError, SyntaxError, ValueError) as error:
        problem = f"is a damaged image ({error})"
    raise ValueError(f"{name}: {problem}")


def _problem(image, size):
    """Return what is wrong with an image's form, or None; its pixels are not decoded yet."""
    if size is not None and image.size != tuple(size)[::-1]:
        return f"got {image.size[1]} x {image.size[0]} pixels, expected {size[0]} x {size[1]}"
    if image.mode.startswith(("I", "F")):
        return "got more than 8 bits per pixel, expected 8; convert the images first"
    return None


def image_files(folder):
    """Return the images in a folder and its subfolders, sorted by path; hidden ones are left out."""
    folder = Path(folder)
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_folder(folder, *, image_size=None, grey=True):
    """Return a folder of images. Its subfolders are the classes; without subfolders there are no labels.

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
    names = [path.relative_to(folder).parts[0] if path.parent != folder else None for path in files]
    if None in names and any(names):
        raise ValueError(
            f"{folder}: got images both beside and inside subfolders, expected one subfolder per class, or none"
        )
    images = [decode(path.read_bytes(), path, resize=image_size, grey=grey) for path in files]
    for path, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"{path}: got {image.shape[0]} x {image.shape[1]} pixels, expected {images[0].shape[0]} x "
                f"{images[0].shape[1]} as in {files[0].name}; name an image_size: [height, width] to scale all to it"
            )
    feature = np.stack(images)
    if names[0] is None:
        return Arrays(feature)
    classes, target = np.unique(names, return_inverse=True)
    return Arrays(feature, target.astype(np.int64), classes.tolist())
