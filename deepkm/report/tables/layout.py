"""A table as people read it, in Markdown and in LaTeX; the page makes HTML of the same cells."""

from dataclasses import dataclass, field

import jinja2
import pandas as pd
from tabulate import tabulate

from deepkm.study.spec import VIEWS_MARK


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table.

    Attributes
    ----------
    text : str
        Plain text, never markup.
    value : float or None
        What to sort by.
    bold, marked : bool
        The best of its kind; not significantly worse than the best.
    method : str
        The key of the method that it names; titles may be equal.
    """

    text: str
    value: float | None = None
    bold: bool = False
    marked: bool = False
    method: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells below a header of plain text.

    Attributes
    ----------
    name : str
        Of its files.
    title : str
    header : list of str
    rows : list of list of Cell
    notes : list of str
        Sentences that say what the numbers are.
    align : str
        "l" or "r" for each column; "r" where it is shorter than the header.
    """

    name: str
    title: str
    header: list
    rows: list
    notes: list = field(default_factory=list)
    align: str = "l"

    @property
    def columns(self):
        """The alignment of all columns."""
        return self.align.ljust(len(self.header), "r")


MARK = "†"
NOTHING = "-"
LONGEST = 40  # rows that fit on a printed page; longer tables are broken over pages
_MARKDOWN = {character: f"\\{character}" for character in "\\`*_[]~$|"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # after \\, [ and * would be read as its arguments
    "*": "{*}",
    "±": r"$\pm$",
    "−": r"$-$",
    "α": r"$\alpha$",
    "λ": r"$\lambda$",
    "–": "--",
    MARK: r"$^\dagger$",
    VIEWS_MARK.strip(): r"$^\ddagger$",
}
_TABULAR = jinja2.Environment(
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<<",
    variable_end_string=">>",
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
).from_string(
    r"""<% if is_long %>
% \usepackage{booktabs,longtable}
\begin{longtable}{<< columns >>}
  \caption{<< caption >>}
  \label{tab:<< name >>} \\
<% else %>
% \usepackage{booktabs}
\begin{table}
  \centering
  \caption{<< caption >>}
  \label{tab:<< name >>}
  \begin{tabular}{<< columns >>}
<% endif %>
    \toprule
    << header >> \\
    \midrule
<% if is_long %>
    \endfirsthead
    \toprule
    << header >> \\
    \midrule
    \endhead
<% endif %>
<% for row in rows %>
    << row >> \\
<% endfor %>
    \bottomrule
<% if is_long %>
\end{longtable}
<% else %>
  \end{tabular}
\end{table}
<% endif %>
"""
)


def number_cell(value, form=None):
    """Return a cell that sorts by its value: in a format, or with at most four significant digits.

    Examples
    --------
    >>> [number_cell(value).text for value in (0.81234567, 1234567.0, 3, 0.0001, float("nan"), True, "relu")]
    ['0.8123', '1234567', '3', '0.0001', '-', 'True', 'relu']
    >>> number_cell(-1.25, "+z.1f").text
    '−1.2'
    """
    if pd.isna(value):
        return Cell(NOTHING)
    if isinstance(value, (str, bool)):
        return Cell(str(value))
    form = form or ("d" if float(value).is_integer() else ".4g")
    return Cell(format(int(value) if form == "d" else value, form).replace("-", "−"), float(value))


def interval_cell(low, high):
    """Return a cell that sorts by the lower end of an interval of differences; NaN: there is none."""
    return Cell(NOTHING) if pd.isna(low) else Cell(f"{low:+z.1f} to {high:+z.1f}".replace("-", "−"), float(low))


def spread(mean, std, runs=""):
    """Return mean ± standard deviation; without a deviation the runs, where they are given as text.

    Examples
    --------
    >>> spread(72.5, 2.1), spread(72.5, float("nan"), "71.0 / 74.0"), spread(72.5, float("nan"))
    ('72.5 ± 2.1', '71.0 / 74.0', '72.5')
    """
    return runs or (f"{mean:z.1f}" if pd.isna(std) else f"{mean:z.1f} ± {std:.1f}")


def spread_cell(mean, std, runs=""):
    """Return a cell of `spread` that sorts by the mean; NaN: there are no runs."""
    return Cell(NOTHING) if pd.isna(mean) else Cell(spread(mean, std, runs), float(mean))


def to_markdown(table):
    """Return the table in Markdown, its notes below."""
    rows = [[_markdown_cell(cell) for cell in row] for row in table.rows]
    align = [{"l": "left", "r": "right"}[side] for side in table.columns]
    header = [escape_markdown(text) for text in table.header]
    text = tabulate(rows, header, tablefmt="pipe", disable_numparse=True, colalign=align if rows else None)
    notes = "\n\n".join(escape_markdown(note) for note in table.notes)
    return f"{text}\n\n{notes}\n" if notes else f"{text}\n"


def to_latex(table):
    """Return the table in LaTeX, for the packages booktabs and, where it is long, longtable."""
    return _TABULAR.render(
        name=table.name,
        is_long=len(table.rows) > LONGEST,
        caption=" ".join(escape_latex(text) for text in (f"{table.title}.", *table.notes)),
        columns=table.columns,
        header=" & ".join(escape_latex(text) for text in table.header),
        rows=[" & ".join(map(_latex_cell, row)) for row in table.rows],
    )


def escape_markdown(text):
    """Keep text from being read as Markdown or HTML.

    Examples
    --------
    >>> print(escape_markdown("<b> a_b | 5 $"))
    &lt;b&gt; a\\_b \\| 5 \\$
    """
    return _escape(text, _MARKDOWN)


def escape_latex(text):
    """Keep text from being read as LaTeX.

    Examples
    --------
    >>> print(escape_latex("50% of a_b & $x$"))
    50\\% of a\\_b \\& \\$x\\$
    """
    return _escape(text, _LATEX)


def _escape(text, replacements):
    return " ".join(str(text).translate(str.maketrans(replacements)).split())


def _markdown_cell(cell):
    text = escape_markdown(cell.text)
    return f"**{text}**" if cell.bold else f"{text} {MARK}" if cell.marked else text


def _latex_cell(cell):
    text = escape_latex(cell.text)
    return rf"\textbf{{{text}}}" if cell.bold else rf"{text}$^\dagger$" if cell.marked else text
