"""The equations of docstrings, which are written as one types them, as MathML.

The notation is that of the methods here: ``r_k`` and ``d_ik`` have subscripts, ``r_s(i)`` that of sample i's cluster,
``x_hat_i`` a hat; ``^`` raises a word, a number or what stands in parentheses; ``sum_i``, ``mean_i`` and ``min_k`` are
operators over what is below them; Greek letters are spelt out; other words are words.
"""

import re
from itertools import groupby

from markupsafe import Markup

_NAMES = "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
GREEK = dict(zip(_NAMES.split(), "αβγδεζηθκλμνξπρστφχψω", strict=True))
OPENING, CLOSING = {*"([{"}, {*")]}"}
OVER = {"sum": "∑", "prod": "∏", "mean": "mean", "min": "min", "max": "max"}
FUNCTIONS = {"log", "exp", "softmax", "clip", "relu", "tanh", "diag", "KL", "inf"}
SIGNS = {"<-": "←", "<=": "≤", ">=": "≥", "!=": "≠", "||": "‖", "...": "…", "-": "−", "*": "⋅", ".": "⋅"}
_TOKEN = re.compile(
    r"(?P<word>`[^`]+`|[A-Za-z]+(?:-[a-z]{3,})+|d(?=[A-Zd]_)|[A-Za-z]+)(?P<index>\d*)"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<sign><-|<=|>=|!=|\|\||\.\.\.|[-+*/.,:=<>()\[\]{}|])|(?P<space>\s+)"
)
_SUB, _SUP = re.compile(r"_(hat\b|hat(?=_)|s\(i\)|\{[^{}]+\}|[A-Za-z0-9]+)"), re.compile(r"\^(-?\w+|-?)")


def to_mathml(text):
    """Return the lines of an equation in HTML, formulas as MathML; None where they are in no notation known here.

    Examples
    --------
    >>> print(to_mathml("d_i^2"))
    <span><math display="block"><msup><msub><mi>d</mi><mrow><mi>i</mi></mrow></msub><mn>2</mn></msup></math></span>
    >>> to_mathml("x = '?'") is None
    True
    """
    if ">>>" in text:
        return None
    parts = [part for line in text.splitlines() for part in re.split(r"(?<=[,;])\s{2,}", line.strip()) if part]
    try:
        return Markup("\n").join(Markup("<span>{}</span>").format(_line(part.rstrip(",;"))) for part in parts)
    except ValueError:
        return None


def _line(text):
    """Return formulas and the words between them, which may go on in another line."""
    groups = groupby(_elements(text), key=lambda element: element.startswith("<mtext>"))
    return Markup(" ").join(
        Markup("{}").format(Markup("").join(found).striptags())
        if words
        else Markup('<math display="block">{}</math>').format(Markup("").join(found))
        for words, found in groups
    )


def _elements(text):
    """Return what stands beside each other, parentheses with all that is in them as one."""
    found, depth = [], 0
    for element in _pieces(text):
        name = element.striptags()
        if depth:
            found[-1] += element
        else:
            found.append(element)
        depth += (name in OPENING) - (name in CLOSING and depth > 0)
    return found


def _row(text):
    """Return what stands beside each other as one."""
    return Markup("").join(_pieces(text))


def _pieces(text):
    """Yield the elements of a text; raise a ValueError on anything else than the notation."""
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            raise ValueError(text[place:])
        made, place = _element(match, text, match.end())
        if made:
            yield made


def _element(match, text, place):
    """Return one element with what is below and above it, and where the text goes on."""
    if match["space"]:
        return Markup(""), place
    if match["sign"]:
        base, over = Markup('<mo stretchy="false">{}</mo>').format(SIGNS.get(match["sign"], match["sign"])), False
    elif match["number"]:
        base, over = Markup("<mn>{}</mn>").format(match["number"]), False
    else:
        over = match["word"] in OVER and text.startswith("_", place)
        base = _word(match["word"], text[place:], over=over)
    if match["index"]:
        base = Markup("<msub>{}<mn>{}</mn></msub>").format(base, match["index"])
    return _with_scripts(base, text, place, over=over)


def _word(word, after, *, over):
    if over:
        return Markup("<mo>{}</mo>").format(OVER[word])
    following = re.match(r" ([a-z]{2,})\b(?![_(])", after)
    prose = following and following[1] not in {*GREEK, *OVER, *FUNCTIONS}  # as in "a fresh draw"
    if word in GREEK or word in FUNCTIONS or (len(word) == 1 and not prose):
        return Markup("<mi>{}</mi>").format(GREEK.get(word, word))
    if re.match(r"[_(^]", after):
        return Markup("<mi>{}</mi>").format(word)
    return Markup("<mtext>\u00a0{}\u00a0</mtext>").format(word.strip("`"))


def _with_scripts(base, text, place, *, over):
    while match := _SUB.match(text, place):
        place, name = match.end(), match[1].strip("{}")
        if name == "hat":
            base = Markup('<mover accent="true">{}<mo>^</mo></mover>').format(base)
        else:
            base = Markup("<m{0}>{1}<mrow>{2}</mrow></m{0}>").format("under" if over else "sub", base, _letters(name))
    if text.startswith("^(", place):
        end = _closing(text, place + 1)
        return Markup("<msup>{}<mrow>{}</mrow></msup>").format(base, _row(text[place + 2 : end])), end + 1
    if match := _SUP.match(text, place):
        raised = _row(match[1])
        place, form = match.end(), "<msup>{}{}</msup>" if raised.count("<m") == 1 else "<msup>{}<mrow>{}</mrow></msup>"
        base = Markup(form).format(base, raised)
    return base, place


def _letters(name):
    """Return a subscript: letters are indices of their own."""
    if "_" in name or "(" in name:
        return _row(name)
    kinds = [("mn" if part.isdigit() else "mi", part) for part in ([name] if name in GREEK else name)]
    return Markup("").join(Markup("<{0}>{1}</{0}>").format(kind, GREEK.get(part, part)) for kind, part in kinds)


def _closing(text, start):
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place
    raise ValueError(text[start:])
