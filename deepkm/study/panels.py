"""Which methods of a study get figures of single runs, where it names none."""

from collections.abc import Mapping, Sequence
from typing import Any

USUAL = ("aekm_long", "dcn", "idec", "dkm", "ct")
MOST_PANELS = 5


def default_panels(methods: Sequence[str], entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the methods of a user's own, then those of `USUAL`: `MOST_PANELS` at most.

    Parameters
    ----------
    methods : list of str
        Of the study.
    entries : dict of str to dict
        Of all methods: each names its ``estimator``.
    """
    own = [method for method in methods if not entries[method]["estimator"].startswith("deepkm.")]
    return [*own, *(method for method in methods if method in USUAL and method not in own)][:MOST_PANELS]
