"""What tests of a user's own files share: one line of refusal, and who is in which class."""

import re

import pytest

from deepkm.datasets.own import read_own


def refused(path, *words, named=None, **options):
    """Assert that a file is refused with one line that names it (or `named`) and holds all words."""
    with pytest.raises((ValueError, OSError), match=re.escape(str(named or path))) as caught:
        read_own(path, **options)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    for word in words:
        assert word in line, line


def classes_of(arrays):
    """Return the name of each sample's class."""
    return [arrays.class_names[code] for code in arrays.target]
