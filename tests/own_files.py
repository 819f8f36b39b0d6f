"""What tests of a user's own files share: one line of refusal, who is in which class, what chance makes."""

import re
import time

import numpy as np
import pytest

from deepkm.datasets.own import read_own

CASES = 200
SECONDS = 5  # of CPU, for any one file of a few kilobytes


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


def attempt(read, path):
    """Return what `read` makes of a file, or None where it refuses it; everything else fails."""
    started = time.process_time()
    try:
        found = read(path)
    except (ValueError, OSError) as error:
        found, line = None, str(error)
        assert len(line.splitlines()) == 1, line
        assert line.isprintable()
    assert time.process_time() - started < SECONDS
    if found is not None and read is own:
        assert np.isfinite(found.feature).all()
        assert found.target is None or found.target.shape == (len(found.feature),)
    return found


def own(path):
    """Read a user's file; what is refused names it."""
    try:
        return read_own(path)
    except (ValueError, OSError) as error:
        assert str(path) in str(error)
        raise


def chance(random, *choices):
    return choices[random.integers(len(choices))]
