"""Choose an estimator's parameters without true classes: `deepkm.tune`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from torch import Tensor
from tqdm import tqdm

from deepkm.estimators.estimator import Estimator
from deepkm.methods.base import DeepClustering
from deepkm.methods.side_by_side import train_settings, trial_arrays
from deepkm.numerics.metrics import scores
from deepkm.report.statistics.structure import compared_samples
from deepkm.report.statistics.trials import (
    LARGEST_SAMPLE,
    SCORE_COLUMNS,
    describe_trials,
    summarize_trials,
    value_of_peeking,
)
from deepkm.report.tables.layout import to_markdown
from deepkm.report.tables.search import describe_choice, search_tables
from deepkm.study.reading import check_known
from deepkm.study.search import (
    Setting,
    check_clusters,
    check_criterion,
    check_distinct,
    check_seeds,
    parts_of,
    settings_of,
)
from deepkm.training.run import Run

_DATA = "X"  # the name of the only data set, in tables


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What `deepkm.tune` found. Printed, it is a table, and the choice in words.

    Attributes
    ----------
    best_params_ : dict
        The chosen setting.
    best_estimator_ : estimator
        With these parameters, not fitted.
    settings_ : DataFrame
        A row per setting: its ``values``, how many of its runs failed, what needs no classes, whether it was
        ``chosen``.
    runs_ : DataFrame
        A row per run.
    peeking_ : DataFrame
        What the classes would have chosen, and its scores beside those of the chosen setting; empty without `y`.
    text_ : str
    """

    best_params_: Setting
    best_estimator_: Any
    settings_: pd.DataFrame
    runs_: pd.DataFrame
    peeking_: pd.DataFrame
    text_: str

    def __str__(self) -> str:
        return self.text_


def tune(
    estimator: Estimator,
    X: ArrayLike,
    space: Mapping[str, Sequence] | Sequence[Setting],
    y: ArrayLike | None = None,
    *,
    seeds: Sequence[int],
    criterion: str,
    runs_per_stack: int,
    verbose: bool,
) -> Tuning:
    """Do what `deepkm.tune` describes."""
    settings = settings_of(_plain(space), "space")
    methods = _methods(estimator, settings)
    seeds = _seeds(estimator, seeds)
    check_criterion(criterion, settings, len(seeds), "criterion")
    known = clone(estimator)
    x = known.check_data(X)
    for setting in settings:
        clone(estimator).set_params(**setting).check_takes(x, known.sample_shape_)
    target = None if y is None else _classes(y, len(x))
    own = type(methods[0])
    parts = parts_of(
        settings, f"{own.__module__}:{own.__name__}", n_seeds=len(seeds), runs_per_job=max(1, runs_per_stack)
    )
    runs, labels = _try(methods, x, seeds, parts=parts, settings=settings, verbose=verbose)
    choice = summarize_trials(runs, labels, criterion)  # no class is known to it
    place = int(choice.loc[choice["chosen"], "setting"].iloc[0])
    text, peeking = _compare(choice, labels, seeds, target)
    return Tuning(
        best_params_=settings[place],
        best_estimator_=clone(estimator).set_params(**settings[place]),
        settings_=choice.drop(columns=["dataset", "method"]),
        runs_=runs.drop(columns=["dataset", "method"]),
        peeking_=peeking,
        text_=text,
    )


def _plain(space: Any) -> Any:
    """Return a space with lists in place of arrays and ranges, and with Python's numbers."""
    if isinstance(space, Mapping):
        return {name: _values(values) for name, values in space.items()}
    if isinstance(space, list | tuple):
        return [_plain_setting(setting) for setting in space]
    return space


def _values(values: Any) -> Any:
    return [_number(value) for value in values] if isinstance(values, list | tuple | range | np.ndarray) else values


def _plain_setting(setting: Any) -> Any:
    return {name: _number(value) for name, value in setting.items()} if isinstance(setting, Mapping) else setting


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _methods(estimator: Any, settings: list[Setting]) -> list[DeepClustering]:
    """Return the method of each setting, its parameters checked."""
    if not isinstance(estimator, Estimator):
        got = f"the class {estimator.__name__}" if isinstance(estimator, type) else type(estimator).__name__
        raise ValueError(f"estimator: got {got}, expected one of deepkm's, such as deepkm.DKM(n_clusters=10)")
    known = {field.name: getattr(estimator, field.name) for field in fields(estimator._method)}
    if estimator.pretrained is not None or not isinstance(estimator.autoencoder, str | None):
        raise ValueError(
            "estimator: got one with a network of its own, expected one to pretrain; name a kind of autoencoder"
        )
    if estimator.n_init_runs != 1:
        raise ValueError(
            f"estimator: got n_init_runs={estimator.n_init_runs!r}, expected 1: each run is judged by itself, and "
            "`seeds` says how many there are; set it on best_estimator_"
        )
    for name in settings[0]:
        if name in ("random_state", "device"):
            raise ValueError(f"space: got {name}, expected parameters of the method; seeds are those of `seeds`")
        check_known("space", name, known, what="parameter")
    check_distinct(settings, "space")
    check_clusters(settings, "space.n_clusters")
    methods = [estimator._method(**{**known, **setting}) for setting in settings]
    for method in methods:
        try:
            method.check_parameters()
        except ValueError as error:
            raise ValueError(f"space: {error}") from None
    return methods


def _seeds(estimator: Estimator, seeds: Any) -> list[int]:
    """Return the seeds of the search, none of them the estimator's own."""
    if isinstance(seeds, str) or not isinstance(seeds, Sequence | np.ndarray):
        raise ValueError(f"seeds: got {seeds!r}, expected a list of integers, such as [1, 2, 3]")
    wrong = [seed for seed in seeds if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0]
    if wrong:
        raise ValueError(f"seeds: got {wrong[0]!r}, expected integers of 0 or more")
    own = estimator.random_state
    of_tests = [int(own)] if isinstance(own, int | np.integer) else []
    check_seeds([int(seed) for seed in seeds], of_tests, "seeds", "the estimator's random_state")
    return [int(seed) for seed in seeds]


def _classes(y: ArrayLike, n_samples: int) -> np.ndarray:
    """Return classes as integers."""
    target = np.asarray(y)
    if target.shape != (n_samples,):
        raise ValueError(f"y: got the shape {target.shape}, expected a class for each of {n_samples} samples")
    given = np.asarray(y, object)
    if missing := pd.isna(given).sum():
        raise ValueError(f"y: got {missing} samples without a class, expected one for each; leave them out of X, too")
    kinds = sorted({"text" if isinstance(value, str) else "numbers" for value in given})
    if len(kinds) > 1:
        raise ValueError("y: got numbers and text as classes, expected one of them")
    return np.unique(target, return_inverse=True)[1]


def _try(
    methods: list[DeepClustering],
    x: Tensor,
    seeds: list[int],
    *,
    parts: list[list[int]],
    settings: list[Setting],
    verbose: bool,
) -> tuple[pd.DataFrame, dict]:
    """Return a row for each run, and the labels of each setting's runs."""
    rows: list[dict] = []
    labels: dict[tuple[str, str, int], list[np.ndarray]] = {}
    compared, name = compared_samples(x.numpy(force=True), LARGEST_SAMPLE), type(methods[0]).__name__
    epochs = [methods[places[0]].in_epochs(len(x)).epochs for places in parts]
    with tqdm(total=sum(epochs), unit="epoch", disable=not verbose) as bar:

        def follow(runs: Iterator[Run]) -> Iterator[Run]:
            for run in runs:
                bar.update(run.epoch > 0)
                yield run

        for places in parts:
            arrays = trial_arrays(*train_settings([methods[p] for p in places], x, seeds=seeds, follow=follow))
            about = {"n_clusters": methods[places[0]].n_clusters, "compared": compared}
            found = describe_trials(arrays, [(place, settings[place]) for place in places], seeds, **about)
            for row, label in zip(found, arrays["labels"], strict=True):
                rows.append({"dataset": _DATA, "method": name, **row})
                labels.setdefault((_DATA, name, row["setting"]), []).append(label)
    return pd.DataFrame(rows), labels


def _compare(
    choice: pd.DataFrame, labels: dict, seeds: list[int], target: np.ndarray | None
) -> tuple[str, pd.DataFrame]:
    """Return in words what was chosen, and beside it what the classes would have chosen, where they are given."""
    scored = [
        {**dict(zip(("dataset", "method", "setting"), place, strict=True)), "seed": seed, **scores(target, label)}
        for place, of in labels.items()
        for seed, label in zip(seeds, of, strict=True)
    ]
    frame = pd.DataFrame(scored, columns=SCORE_COLUMNS)
    peeking = value_of_peeking(choice, frame)
    titles = {"datasets": {_DATA: _DATA}, "methods": {name: name for name in choice["method"].unique()}}
    [table] = search_tables(choice, frame, peeking, **titles)
    said = "\n".join(describe_choice(choice, peeking, **titles))
    return f"{to_markdown(table)}\n{said}", peeking.drop(columns=["dataset", "method"])
