"""Which pairs of methods a study compares: those that were planned, and those that differ in one part alone."""

from collections.abc import Mapping, Sequence
from typing import Any

# The parts of methods whose effect is tested, and the parameters of a method without one.
PARTS: dict[str, dict[str, Any]] = {
    "re-initialised centers": {"reinit": False},
    "views": {"views": None, "view_limits": None, "pretraining_views": None},
    "a warm start": {"warm_start": "none"},
}
BASELINES = ("aekm_long", "aekm", "km")  # the fairest first: trained as long as the methods beside it
RIVALS = ["ct", "dkm"]
FEWEST_DATASETS = 8  # for Nemenyi's test


def find_ablations(identities: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Return pairs of methods that differ in one part alone, [with, without, part].

    Parameters
    ----------
    identities : dict of str to dict
        Of each method, in order: its ``estimator`` and parameters.
    """
    return [
        [method, other, part]
        for method, identity in identities.items()
        for other, compared in identities.items()
        for part, without in PARTS.items()
        if identity != compared == {**identity, **without}
    ]


def default_contrasts(identities: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Return the pairs that a study compares which names none, [method, other].

    They are each method that trains against the first of `BASELINES` in the study, `RIVALS`, and all ablations.
    """
    baseline = next((key for key in BASELINES if key in identities), None)
    trained = [key for key, found in identities.items() if found.get("steps") or found.get("epochs")]
    pairs = [[method, baseline] for method in trained if baseline not in (None, method)]
    pairs += [RIVALS] if set(RIVALS) <= identities.keys() else []
    pairs += [pair for *pair, _ in find_ablations(identities)]
    return [pair for i, pair in enumerate(pairs) if not any(set(pair) == set(other) for other in pairs[:i])]


def check_contrasts(contrasts: Sequence[Sequence[str]], methods: Sequence[str]) -> None:
    """Raise a ValueError unless each contrast is of two methods of the study, and no pair is named twice."""
    for i, pair in enumerate(contrasts):
        if absent := [key for key in pair if key not in methods]:
            raise ValueError(
                f"study.contrasts.{i}: got {absent[0]!r}, expected methods of the study; add it to study.methods, or "
                "leave the pair out"
            )
        if set(pair) in map(set, contrasts[:i]):
            raise ValueError(f"study.contrasts.{i}: got {pair} once more, expected each pair once; leave it out")


def check_nemenyi(asked: bool, datasets: Sequence[str]) -> None:
    """Raise a ValueError where Nemenyi's test is asked for and data sets are too few for it."""
    if asked and len(datasets) < FEWEST_DATASETS:
        raise ValueError(
            f"nemenyi: got true for {len(datasets)} data sets, expected at least {FEWEST_DATASETS}; leave it out"
        )
