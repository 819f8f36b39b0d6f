"""One line for whatever a library raises over a file: the one place where all kinds of errors are caught."""

from contextlib import contextmanager

import yaml


@contextmanager
def reading(path, what="the file", remedy="save it again"):
    """Turn every error of the block into one ValueError that names the file.

    A parser of a damaged file can raise anything, so anything is caught; the block calls the parser and nothing else.

    Parameters
    ----------
    path : path-like
    what : str
        What is read: the subject of the line.
    remedy : str

    Examples
    --------
    >>> with reading("my.npz", "feature"):
    ...     [][0]
    Traceback (most recent call last):
    ValueError: my.npz: feature cannot be read (IndexError: list index out of range); save it again
    """
    try:
        yield
    except MemoryError:
        raise ValueError(
            f"{path}: {what} does not fit into memory; save it as HDF5, which is read in pieces (docs/DATASETS.md)"
        ) from None
    except Exception as error:
        raise ValueError(f"{path}: {what} cannot be read ({one_line(error)}); {remedy}") from None


def one_line(error, length=200):
    """Return the type and text of an error in one printable line."""
    return printable(" ".join(f"{type(error).__name__}: {error}".split()), length)


def printable(text, length=200):
    """Return text of a file as a message can hold it: without control characters, and cut."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= length else f"{text[:length]} ..."


def as_yaml(names):
    """Return names as a list that an entry can hold.

    Examples
    --------
    >>> print(as_yaml(["id", "Unnamed: 0", "#", "no"]))
    [id, 'Unnamed: 0', '#', 'no']
    """
    return yaml.safe_dump(
        [printable(name) for name in names], default_flow_style=True, width=10**6, allow_unicode=True
    ).strip()


def check_regular(path):
    """Raise unless `path` is a file or a folder: a pipe or a device would be waited for.

    Raises
    ------
    FileNotFoundError, ValueError
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no such file; give the data set's `path:` relative to where you call snakemake"
        )
    if not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path}: got a pipe, socket or device, expected a file or a folder; save its content first")
