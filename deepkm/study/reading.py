"""What the values of a configuration mean, as text from the command line too, and one line on what is wrong."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

from deepkm.values import alternatives, expected, item_hints

# YAML's words. Text comes from the command line, where Snakemake reads no nested value.
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NULL = ("null", "~", "")
_EXACT = 2.0**53  # beyond it, floats are no counts
# What text may stand for besides text, tried in this order.
_ORDER = (NoneType, bool, int, float)


def read(value: object, hint: Any, path: str, others: dict | None = None) -> Any:
    """Return a value as its annotation means it, or raise a ValueError that names its path.

    Parameters
    ----------
    value : object
        Of YAML, or text.
    hint : annotation
        As `deepkm.values.expected` reads it.
    path : str
        Dotted, of the value's key.
    others : dict, optional
        Values beside it, which bounds may name.

    Examples
    --------
    >>> read("1e3", int, "seeds"), read("no", bool, "reinit"), read(3, float, "alpha"), read("null", int | None, "D")
    (1000, False, 3.0, None)
    >>> read(True, float, "alpha")
    Traceback (most recent call last):
    ValueError: alpha: got true, expected a number
    """
    found = meant(value, hint)
    if text := expected(hint, found, others):
        text = re.sub(r"\b(None|True|False)\b", lambda word: _yaml(word[0]), text)
        remedy = "; write it in quotes" if text.startswith("text") and not isinstance(value, str | list | dict) else ""
        raise ValueError(f"{path}: got {shown(value)}, expected {text}{remedy}")
    return found


def meant(value: object, hint: Any) -> Any:
    """Return what a value stands for where one of the types of `hint` says so, else the value."""
    kinds = [kind for kind, _ in alternatives(hint)]
    if isinstance(value, list | tuple):
        lists = [kind for kind in kinds if (get_origin(kind) or kind) in (list, tuple)]
        hints = next((item_hints(kind, len(value)) for kind in lists), None) or [object] * len(value)
        return [meant(item, hint) for item, hint in zip(value, hints, strict=True)]
    if isinstance(value, dict):
        known = {name: hint for kind in kinds if is_typeddict(kind) for name, hint in _items_of(kind).items()}
        return {name: meant(item, known.get(name, object)) for name, item in value.items()}
    kinds.sort(key=lambda kind: _ORDER.index(kind) if kind in _ORDER else len(_ORDER))
    return next((found for kind in kinds for found in _readings(value, kind)), value)


def shown(value: object) -> str:
    """Return a value as a message shows it: in YAML's words, and on one line.

    Examples
    --------
    >>> shown("no"), shown(False), shown([0] * 100)
    ("'no'", 'false', '[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,...')
    """
    text = _yaml(repr(value)) if isinstance(value, bool | None) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_known(path: str, name: str, known: Iterable[str], *, what: str) -> None:
    """Raise a ValueError that names the nearest of the `known` names unless `name` is one of them."""
    if name not in known:
        raise ValueError(f"{path}: got unknown {what} {name!r}, expected {suggested(name, known)}")


def suggested(name: str, known: Iterable[str]) -> str:
    """Return what a name may have been meant for, in words."""
    close = get_close_matches(str(name), known, n=1)
    return f"{close[0]!r}?" if close else f"one of {', '.join(sorted(known))}"


def _items_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _yaml(word: str) -> str:
    return {"None": "null", "True": "true", "False": "false"}[word]


def _readings(value: object, kind: Any) -> Iterator:
    """Yield what a value is as `kind`; nothing where it cannot be that."""
    text = value.strip() if isinstance(value, str) else None
    if kind is NoneType and (value is None or (text is not None and text.lower() in _NULL)):
        yield None
    elif kind is bool and text is not None and text.lower() in _WORDS:
        yield _WORDS[text.lower()]
    elif kind is int and (number := _number(value)) is not None:
        if isinstance(number, int) or (number.is_integer() and abs(number) <= _EXACT):
            yield int(number)
    elif kind is float and (number := _number(value)) is not None:
        with suppress(OverflowError):
            yield float(number)
    elif get_origin(kind) is Literal:
        yield from (choice for choice in get_args(kind) if text == str(choice))
    elif kind is object and text is not None:  # nobody says what it is: as YAML would
        yield from _readings(value, int)
        yield from _readings(value, float)
        yield from {"true": (True,), "false": (False,), "null": (None,)}.get(text, ())


def _number(value: object) -> int | float | None:
    """Return the number that a value is or that its text means, else None: True is none."""
    if isinstance(value, str) and re.search(r"\d", value):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
