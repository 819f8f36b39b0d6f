"""The page: one HTML file that needs no other, and that nothing in it can make call out.

Templates, style sheet and script lie in `templates/`. Everything that comes from a study is escaped; beyond that, the
page's own policy lets a browser run no other script than the page's, and load nothing.
"""

import base64
import hashlib
import inspect
import re
import struct
import textwrap
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

import deepkm

SCALE = 0.7  # CSS pixels of a figure to each of its PNG, which has 200 to the inch
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


def embed(png, svg):
    """Return how to show a figure that exists as PNG and SVG: the smaller file, as an address that holds it.

    A large scatter is smaller as PNG, curves as SVG.

    Returns
    -------
    dict
        ``source``, a data URI; ``width`` and ``height`` in CSS pixels: letters as large as those of the text.
    """
    width, height = (round(SCALE * size) for size in struct.unpack(">II", png.read_bytes()[16:24]))
    smaller = min((png, svg), key=lambda path: path.stat().st_size)
    kind = {".png": "png", ".svg": "svg+xml"}[smaller.suffix]
    content = base64.b64encode(smaller.read_bytes()).decode()
    return {"source": f"data:image/{kind};base64,{content}", "width": width, "height": height}


def read_docstring(text):
    """Return what a method's docstring says of it, in parts.

    Parameters
    ----------
    text : str
        A numpydoc docstring.

    Returns
    -------
    dict
        ``text``: paragraphs ``{"text", "formula"}`` of its beginning and its notes; ``reference``: text.

    Examples
    --------
    >>> read_docstring("k-means.\\n\\n    min sum d\\n\\nReferences\\n----------\\nA. B. C.\\n1999.")
    {'text': [{'text': 'k-means.', 'formula': False}, {'text': 'min sum d', 'formula': True}],
     'reference': 'A. B. C. 1999.'}
    """
    start, *rest = re.split(r"^(\w[\w ]*)\n-+\n", inspect.cleandoc(text), flags=re.MULTILINE)
    parts = dict(zip(rest[::2], rest[1::2], strict=True))
    paragraphs = re.split(r"\n\s*\n(?! )|\n\n(?= )", f"{start}\n\n{parts.get('Notes', '')}")
    shown = [_paragraph(paragraph) for paragraph in paragraphs if paragraph.strip()]
    return {"text": shown, "reference": " ".join(parts.get("References", "").split())}


def _paragraph(text):
    formula = text.startswith(" ")
    return {"text": textwrap.dedent(text).strip() if formula else " ".join(text.split()), "formula": formula}


@cache
def _environment():
    return Environment(
        loader=PackageLoader("deepkm.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _read(name):
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
