"""Which values a method's parameters take: what their annotations say, read by one check for studies and for `fit`."""

import operator
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypedDict, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np

# A bound is "> 0", "<= another_parameter" or "in [0, 1)". Beside them may stand when a parameter counts: "if views",
# "if optimizer == 'sgd'", "never".
Positive = Annotated[float, "> 0"]
Negative = Annotated[float, "< 0"]
AtLeastOne = Annotated[float, ">= 1"]
NonNegative = Annotated[float, ">= 0"]
Fraction = Annotated[float, "in [0, 1)"]
Share = Annotated[float, "in [0, 1]"]
PositiveInt = Annotated[int, "> 0"]
Unused = Annotated[int, "> 0", "never"]
NonNegativeInt = Annotated[int, ">= 0"]

OptimizerName = Literal["adam", "sgd"]
AutoencoderKind = Literal["mlp", "conv", "conv_sigmoid", "conv_dcec"]
InitialCenters = Literal["kmeans", "kmeans++", "data", "uniform", "unit", "normal", "spectral", "umap"]
# The controls whose clusters a method may start from, by that choice: their limits and packages hold for it too.
STARTS = {"spectral": "deepkm.methods.spectral:Spectral", "umap": "deepkm.methods.n2d:N2D"}


class Views(TypedDict, total=False):
    """Limits of random views of images, see `deepkm.networks.views.augment`; those left out are the method's."""

    shift: Fraction
    rotation: NonNegative
    zoom: Fraction


_SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
# Names of types, and what is of them: Python takes True for a number.
_TYPES = {
    NoneType: ("None", NoneType),
    bool: ("True or False", bool | np.bool_),
    int: ("an integer", Integral),
    float: ("a number", Real),
    str: ("text", str),
}


def expected(hint: Any, value: object, others: dict | None = None) -> str:
    """Return what an annotation asks for in place of a value, in words; empty where the value will do.

    Parameters
    ----------
    hint : annotation
        Of ``bool``, ``int``, ``float``, ``str``, ``None``, ``Literal``, ``tuple``, ``list``, a ``TypedDict``,
        ``Annotated`` with bounds, and unions of these. Anything will do for others, such as ``object``.
    value : object
    others : dict, optional
        The other parameters by name, for bounds that name one.

    Raises
    ------
    ValueError
        When a bound has none of the known forms.

    Examples
    --------
    >>> expected(Positive, -3), expected(Positive, 3)
    ('> 0', '')
    >>> expected(PositiveInt | None, "many")
    'an integer > 0 or None'
    >>> expected(Literal["adam", "sgd"], "adamw")
    "'adam' or 'sgd'"
    >>> expected(Annotated[int, "> start"], 3, {"start": 5})
    '> start=5'
    """
    texts = [_expected(kind, bounds, value, others or {}) for kind, bounds in alternatives(hint)]
    return "" if "" in texts else " or ".join(dict.fromkeys(texts))


def condition_of(hint: Any) -> tuple[str, str | None] | None:
    """Return when a parameter counts: beside which one, and beside which value of it; None: always.

    Without a name it is never. A value of None stands for any that is true. An entry of a study that gives a parameter
    in vain is refused. Estimators take it, as scikit-learn's do: several are often given the same keywords.

    Raises
    ------
    ValueError
        When a condition has none of the known forms.

    Examples
    --------
    >>> condition_of(Annotated[Fraction, "if optimizer == 'sgd'"]), condition_of(Annotated[Views | None, "if views"])
    (('optimizer', 'sgd'), ('views', None))
    >>> condition_of(Unused), condition_of(PositiveInt)
    (('', None), None)
    """
    for text in filter(_is_condition, getattr(hint, "__metadata__", ())):
        match = re.fullmatch(r"never|if (\w+)(?: == '(\w+)')?", text)
        if not match:
            raise ValueError(
                f'got the condition {text!r}, expected "if views" or "if optimizer == \'sgd\'", for example'
            )
        return match[1] or "", match[2]
    return None


def check_installed(package: str | None) -> None:
    """Raise a ValueError where a package that a method needs is not installed."""
    try:
        version(package or "numpy")
    except PackageNotFoundError:
        raise ValueError(f"needs {package}, which is not installed; pip install {package}") from None


def check_fields(method: Any, **known: int) -> None:
    """Raise a ValueError that names the first parameter of a method that is not what its annotation asks for."""
    values = {field.name: getattr(method, field.name) for field in fields(method)}
    hints = get_type_hints(type(method), include_extras=True)
    for name, value in values.items():
        if text := expected(hints[name], value, values | known):
            raise ValueError(f"{name}={value!r} should be {text}")


def check_start(initial_centers: str, n_samples: int, *, n_clusters: int) -> None:
    """Raise a ValueError where the control that a method starts from does not take its data, or lacks its package."""
    if control := STARTS.get(initial_centers):
        try:
            pkgutil.resolve_name(control)(n_clusters=n_clusters).check_samples(n_samples)
        except ValueError as error:
            raise ValueError(f"initial_centers={initial_centers!r}: {error}") from None


def check_at_most(n_samples: int, most: int | None) -> None:
    """Raise a ValueError where there are more samples than a method can take; None: it takes any number."""
    if most and n_samples > most:
        raise ValueError(f"n_samples={n_samples} should be <= {most}, beyond which time or memory grow too fast")


def alternatives(hint: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield the types that a union allows, each with its bounds.

    Examples
    --------
    >>> list(alternatives(PositiveInt | None))
    [(<class 'int'>, ('> 0',)), (<class 'NoneType'>, ())]
    """
    own: list = []
    if get_origin(hint) is Annotated:
        hint, *own = get_args(hint)
    yield from _parts(hint, tuple(bound for bound in own if isinstance(bound, str) and not _is_condition(bound)))


def _parts(hint: Any, bounds: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    if get_origin(hint) is Annotated:  # within a union, where no condition may stand
        inner, *own = get_args(hint)
        yield from _parts(inner, (*bounds, *(bound for bound in own if isinstance(bound, str))))
    elif get_origin(hint) in (Union, UnionType):
        for option in get_args(hint):
            yield from _parts(option, bounds)
    else:
        yield NoneType if hint is None else hint, bounds


def _is_condition(text: object) -> bool:
    return isinstance(text, str) and (text == "never" or text.startswith("if "))


def item_hints(kind: Any, n_items: int) -> list | None:
    """Return the annotation of each of the items that a list or tuple has; None where it has another length."""
    hints = get_args(kind) or (object, ...)
    if hints[1:] == (...,) or get_origin(kind) is list:
        return [hints[0]] * n_items
    return list(hints) if len(hints) == n_items else None


def _expected(kind: Any, bounds: tuple[str, ...], value: Any, others: dict) -> str:
    """Return the same for one type of a union."""
    if get_origin(kind) is Literal:
        return "" if any(_same(value, choice) for choice in get_args(kind)) else _choice(get_args(kind))
    if (get_origin(kind) or kind) in (tuple, list):
        return _expected_list(kind, value)
    if is_typeddict(kind):
        return _expected_dict(kind, value)
    if kind not in _TYPES:
        return ""
    name, types = _TYPES[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
        return " ".join([name, " and ".join(bounds)]).rstrip() if kind in (int, float) else name
    return _expected_number(kind, bounds, value, others) if kind in (int, float) else ""


def _expected_number(kind: type, bounds: tuple[str, ...], value: Any, others: dict) -> str:
    if kind is float and not _is_finite(value):
        return f"a finite number {' and '.join(bounds)}".rstrip()
    if kind is int and not -(2**63) <= value < 2**63:
        return "an integer of 64 bits"
    return " and ".join(filter(None, (_failed(bound, value, others) for bound in bounds)))


def _is_finite(value: Any) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def _expected_list(kind: Any, value: object) -> str:
    if not isinstance(value, list | tuple):
        return "a list"
    hints = item_hints(kind, len(value))
    if hints is None:
        return f"a list of {len(get_args(kind))}"
    texts = [expected(hint, item) for hint, item in zip(hints, value, strict=True)]
    return next((f"a list, each {text}" for text in texts if text), "")


def _expected_dict(kind: Any, value: object) -> str:
    hints = get_type_hints(kind, include_extras=True)
    if not isinstance(value, dict) or value.keys() - hints.keys():
        return f"keys of {{{', '.join(hints)}}}"
    texts = {name: expected(hints[name], item) for name, item in value.items()}
    return next((f"{name} {text}" for name, text in texts.items() if text), "")


def _failed(bound: str, value: Any, others: dict) -> str:
    """Return a bound in words where a number does not keep it, else nothing."""
    if interval := re.fullmatch(r"in ([\[(])(\S+), (\S+)([\])])", bound):
        opens, low, high, closes = interval.groups()
        above = _SIGNS[">=" if opens == "[" else ">"](value, float(low))
        return "" if above and _SIGNS["<=" if closes == "]" else "<"](value, float(high)) else bound
    comparison = re.fullmatch(r"([<>]=?) (\S+)", bound)
    if not comparison:
        raise ValueError(f"got the bound {bound!r}, expected '> 0', '<= another_parameter' or 'in [0, 1)', for example")
    sign, limit = comparison.groups()
    if limit.isidentifier():
        limit, bound = others.get(limit), f"{bound}={others.get(limit)!r}"
        if expected(float, limit):
            return ""  # it is missing or has a fault of its own
    return "" if _SIGNS[sign](value, float(limit)) else bound


def _same(value: object, choice: object) -> bool:
    return isinstance(value, type(choice)) and isinstance(value, bool) == isinstance(choice, bool) and value == choice


def _choice(values: tuple) -> str:
    *first, last = map(repr, values)
    return f"{', '.join(first)} or {last}" if first else last
