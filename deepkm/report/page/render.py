"""The page: one HTML file that needs no other, and that nothing in it can make call out.

Templates, style sheet and script lie in `templates/`. Everything that comes from a study is escaped; beyond that, the
page's own policy lets a browser run no other script than the page's, and load nothing.
"""

import base64
import hashlib
import inspect
import io
import re
import textwrap
from functools import cache
from importlib.resources import files

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

import deepkm
from deepkm.report.page.formulas import to_mathml

SCALE = 0.6  # CSS pixels of a figure to each of its PNG, which has 200 to the inch
COLORS = 128  # of a figure on the page, in an octree: a median cut of as many would turn the hue of 22 methods' marks
QUALITY = 40  # of a figure with images of samples, whose hues mean little
PICTURE_HEIGHT = 48  # of samples, in CSS pixels
ELSEWHERE = ("Parameters are those of", "Other parameters are those of")  # paragraphs for readers of the source
TEMPLATES = files("deepkm.report.page") / "templates"


def render(**content):
    """Return the page.

    Parameters
    ----------
    **content
        What `templates/page.html` shows, under the names that it uses.
    """
    css, script = _read("page.css"), _read("page.js")
    policy = f"default-src 'none'; img-src data:; style-src {_hash(css)}; script-src {_hash(script)}"
    own = {"css": css, "script": script, "policy": policy, "version": deepkm.__version__}
    return _environment().get_template("page.html").render(**own, **content)


def embed(png, *, pictures=False):
    """Return how to show a figure: as WebP of few colours, or, where it shows pictures, as photographs are.

    Returns
    -------
    dict
        ``source``, a data URI that holds it; ``width`` and ``height`` in CSS pixels: letters are as large as in notes.
    """
    with Image.open(png) as image:
        width, height = (round(SCALE * size) for size in image.size)
        full = image.convert("RGB")
    flat = full.quantize(COLORS, method=Image.Quantize.FASTOCTREE).convert("RGB")
    files = [_webp(flat, lossless=True), *([_webp(full, quality=QUALITY)] if pictures else [])]
    file = min(files, key=lambda file: len(file.getvalue()))
    return {"source": _data_uri(file, "webp"), "width": width, "height": height}


def _webp(image, **options):
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return file


def _data_uri(file, kind):
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def read_docstring(text):
    """Return what a method's docstring says of it, in parts.

    Parameters
    ----------
    text : str
        A numpydoc docstring.

    Returns
    -------
    dict
        ``text``: paragraphs ``{"text", "formula"}`` of its beginning and its notes, equations as MathML; ``reference``:
        text.

    Examples
    --------
    >>> read_docstring("k-means.\\n\\n    x = '?'\\n\\nReferences\\n----------\\nA. B. C.\\n1999.")
    {'text': [{'text': 'k-means.', 'formula': False}, {'text': "x = '?'", 'formula': True}],
     'reference': 'A. B. C. 1999.'}
    """
    start, *rest = re.split(r"^(\w[\w ]*)\n-+\n", inspect.cleandoc(text), flags=re.MULTILINE)
    parts = dict(zip(rest[::2], rest[1::2], strict=True))
    paragraphs = re.split(r"\n\s*\n(?! )|\n\n(?= )", f"{start}\n\n{parts.get('Notes', '')}")
    shown = [_paragraph(text) for text in paragraphs if text.strip() and not text.startswith(ELSEWHERE)]
    return {"text": shown, "reference": " ".join(parts.get("References", "").split())}


def _paragraph(text):
    if not text.startswith(" "):
        return {"text": " ".join(text.split()), "formula": False}
    typed = textwrap.dedent(text).strip()
    return {"text": to_mathml(typed) or typed, "formula": True}


def prose(text):
    """Return a text in which what stands between two backticks is a name of a program's.

    Examples
    --------
    >>> print(prose("`min_steps` < 5, and one ` more"))
    <code>min_steps</code> &lt; 5, and one ` more
    """
    parts = re.split(r"``?([^`]+)``?", text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts))


def picture(samples, shape):
    """Return how to show samples as images beside each other, as `embed` does; None where they are no images.

    Parameters
    ----------
    samples : ndarray of shape (M, ...)
    shape : tuple of int
        (height, width) or (height, width, channels); empty for no images.
    """
    if len(shape) < 2 or (len(shape) == 3 and shape[2] not in (1, 3)):
        return None
    values = np.nan_to_num(np.asarray(samples, float)).reshape(len(samples), *shape[:2], -1)
    low = values.min(axis=(1, 2, 3), keepdims=True)
    high = values.max(axis=(1, 2, 3), keepdims=True)
    grey = np.round(255 * (values - low) / np.where(high > low, high - low, 1)).astype(np.uint8)
    gap = max(1, shape[1] // 12)
    apart = np.pad(grey, [(0, 0), (0, 0), (0, gap), (0, 0)], constant_values=255)
    strip = np.concatenate(apart, axis=1)[:, :-gap]
    file = io.BytesIO()
    Image.fromarray(strip.squeeze(2) if strip.shape[2] == 1 else strip).save(file, "PNG", optimize=True)
    scale = PICTURE_HEIGHT / shape[0]
    return {"source": _data_uri(file, "png"), "width": round(scale * strip.shape[1]), "height": PICTURE_HEIGHT}


@cache
def _environment():
    environment = Environment(
        loader=PackageLoader("deepkm.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    return environment


def _read(name):
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
