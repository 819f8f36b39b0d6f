"""Rows of raw numbers: their lengths, and whether they look like counts or tf-idf."""

from dataclasses import dataclass

import numpy as np

MOSTLY = 0.9  # of the numbers of text are zero, at least: of tf-idf 97 %, of the pixels of digits 80 %


@dataclass(kw_only=True)
class Rows:
    """What there is to say of rows (N, F), noted while they pass: `noted`.

    Attributes
    ----------
    n_numbers, n_zero, n_negative : int
        All numbers, and those of them that are zero or less.
    n_empty : int
        Rows of zeros alone, which have no length to be divided by.
    shortest, longest : float
        Euclidean length of the other rows.
    """

    n_numbers: int = 0
    n_zero: int = 0
    n_negative: int = 0
    n_empty: int = 0
    shortest: float = np.inf
    longest: float = 0.0

    def noted(self, parts):
        """Pass on parts (n, F)."""
        for x in parts:
            with np.errstate(invalid="ignore", over="ignore"):  # of numbers that are refused later
                lengths = length_of(x.astype(np.float64))
            kept = lengths[lengths > 0]
            self.n_numbers += x.size
            self.n_zero += x.size - np.count_nonzero(x)
            self.n_negative += np.count_nonzero(x < 0)
            self.n_empty += len(lengths) - len(kept)
            self.shortest = min(self.shortest, kept.min(initial=np.inf))
            self.longest = max(self.longest, kept.max(initial=0.0))
            yield x

    @property
    def like_text(self):
        """Whether they look like counts or tf-idf: mostly zeros, nothing below, and of different lengths."""
        sparse = not self.n_negative and self.n_zero >= MOSTLY * self.n_numbers
        return bool(sparse and self.longest > (1 + 1e-4) * self.shortest)


def length_of(x):
    """Return the Euclidean length of each row of x (n, F), float64."""
    largest = or_one(np.abs(x).max(1))
    return largest * np.linalg.norm(x / largest[:, None], axis=1)  # squares of x may leave the range of numbers


def of_length_one(x):
    """Return x (n, F), float64, with each row divided by its length; rows of zeros stay so."""
    x = x / or_one(np.abs(x).max(1))[:, None]
    return x / or_one(np.linalg.norm(x, axis=1))[:, None]


def or_one(numbers):
    """Return numbers to divide by: 1 where they are not above 0."""
    return np.where(numbers > 0, numbers, 1.0)
