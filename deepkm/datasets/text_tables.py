"""Text tables: what separates their columns, and whether their first line holds names. The values stay text."""

import csv
import re

import numpy as np
import pyarrow as pa
import pyarrow.csv

from deepkm.datasets.roles import is_label_like
from deepkm.datasets.unreadable import printable, reading

_SAMPLE_BYTES = 2**20
_BLOCK_BYTES = 2**26  # in which a line must fit
_SAMPLE_LINES = 20
# Numbers as people write them, and words that stand for one: such a field is a value and no name.
_VALUE = re.compile(
    r"[-+]?(\d+([.,]\d*)*|[.,]\d+)([eE][-+]?\d+)?|NA|N/A|<NA>|NULL|null|None|\?|"
    r"[-+]?(inf|Inf|INF|nan|NaN|NAN)|true|false|True|False|TRUE|FALSE"
)


def read_text(path, options):
    """Return the names of a text table's columns, and each column as text, a pyarrow.ChunkedArray.

    Fields are separated by commas, semicolons or tabs: by what gives each line equally many. UTF-8, or UTF-16 with its
    mark; .gz and the like are unpacked.

    Raises
    ------
    ValueError
        Where it is no table, or its first line could be a sample as well as names.
    """
    with reading(path, "the table"), pa.input_stream(str(path)) as file:
        start = file.read(_SAMPLE_BYTES)
        if len(re.findall(b"[\r\n]", start[:-1])) < 2:  # thousands of long names
            start += file.read(_BLOCK_BYTES - len(start))
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    lines = start.decode(encoding, errors="replace")
    if "\0" in lines:
        raise ValueError(f"{path}: got no text, expected lines of fields; save the table as .csv in UTF-8")
    delimiter, width = _delimiter(lines, cut=len(start) >= _SAMPLE_BYTES)
    columns = _read(path, delimiter, width, encoding.removesuffix("-sig"))
    first = [column[0].as_py().strip() for column in columns]
    _check_separated(columns, path)
    if options.header is False:
        return [str(place + 1) for place in range(len(first))], columns
    if options.header is None and _is_doubtful(first, options):
        raise ValueError(
            f"{path}: got a first line of {printable(', '.join(first), 120)}: names, or a sample? `header: true` says "
            "that they are names, `header: false` that there are none; columns are then called 1, 2, ..."
        )
    comment = [first[0]] if re.match("#.", first[0]) and options.header is None else []
    if bad := [name for name in first if "\n" in name or "\r" in name] + comment:
        raise ValueError(
            f"{path}: got {bad[0][:40]!r} as the name of a column; take comments out of the file, or say `header: true`"
        )
    return first, [column.slice(1) for column in columns]


def _check_separated(columns, path):
    """Raise a ValueError where a single column is most likely several, separated by something else."""
    name, value = (part.as_py().strip() for part in (columns[0][0], columns[0][min(1, len(columns[0]) - 1)]))
    if len(columns) == 1 and re.search(r"[\s|:]", name) and not _VALUE.fullmatch(value):
        raise ValueError(
            f"{path}: got one column {name[:80]!r}, expected several, separated by commas, semicolons or tabs; save "
            "the table that way"
        )


def _delimiter(text, *, cut):
    """Return what separates the fields of a text, and how many there are in the first line."""
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line]
    lines = lines[: max(1, min(_SAMPLE_LINES, len(lines) - cut))]
    best = (",", 1)
    for delimiter in "\t;,":
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)] or [1]
        except csv.Error:  # a field of more than 100,000 letters
            continue
        if widths[0] > 1 and len(set(widths)) == 1:
            return delimiter, widths[0]
        best = max(best, (delimiter, widths[0]), key=lambda found: found[1])
    return best


def _read(path, delimiter, width, encoding):
    """Return all columns as text, the first line included."""
    with reading(path, "the table", "give all lines equally many fields, and save it as UTF-8"):
        table = pa.csv.read_csv(
            str(path),
            read_options=pa.csv.ReadOptions(
                autogenerate_column_names=True, use_threads=False, encoding=encoding, block_size=_BLOCK_BYTES
            ),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types={f"f{i}": pa.string() for i in range(width)}),
        )
        return [column.cast(pa.string()) for column in table.columns]


def _is_doubtful(first, options):
    """Tell whether a first line may be a sample. Columns numbered by a program are fine: 0, 1, 2, target."""
    values = [field for field in first if _VALUE.fullmatch(field)]
    if not values:
        return False
    others = [field for field in first if not _VALUE.fullmatch(field)]
    said = {str(name) for name in [options.target_column, *(options.ignore_columns or [])]}
    numbered = any(values == [str(i) for i in np.arange(len(values)) + start] for start in (0, 1))
    return not (numbered and (first[0] == "" or any(is_label_like(field) or field in said for field in others)))
