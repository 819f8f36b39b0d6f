"""What a search tries: settings, values of an entry's parameters, of which one is chosen without classes.

Its seeds are none of the study's: what was chosen on a seed would be praised, not tested, by it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from math import prod
from typing import Any

from deepkm.study.parameters import fields_of
from deepkm.study.reading import check_known, read, shown
from deepkm.study.settings import check_names, check_together, nearer, of_dataset

Setting = dict[str, Any]

# Parameters that runs of one stack may differ in, by the classes whose equations take a number for each run.
SIDE_BY_SIDE = {
    "deepkm.methods.aec:AEC": ("clustering_weight",),
    "deepkm.methods.conv_dkm:ConvDKM": ("clustering_weight",),
    "deepkm.methods.ct:CT": ("alpha", "clustering_weight"),
    "deepkm.methods.dcn:DCN": ("clustering_weight",),
    "deepkm.methods.deep_power_kmeans:DeepPowerKMeans": ("clustering_weight", "decoder_decay"),
    "deepkm.methods.dkm:DKM": ("alpha", "clustering_weight"),
    "deepkm.methods.idec:IDEC": ("clustering_weight",),
    "deepkm.methods.soft_kmeans:SoftKMeans": ("alpha",),
}
# What a search may go by, and whether more is better.
CRITERIA = {
    "agreement": True,
    "silhouette_data": True,
    "davies_bouldin_data": False,
    "silhouette_code": True,
    "davies_bouldin_code": False,
    "objective": False,
}
# Parameters that leave a method's objective the same function: its values compare where nothing else differs.
NO_PART_OF_THE_OBJECTIVE = (
    "batch_size initial_centers learning_rate min_steps momentum n_init recluster reinit reset_draw reset_interval "
    "reset_keep steps epochs warm_start"
).split()
MOST_SETTINGS = 1000
RUNS_PER_JOB = 24


def settings_of(space: object, path: str) -> list[Setting]:
    """Return the settings that a search tries, in order.

    Parameters
    ----------
    space : dict of str to list, or list of dict
        A grid, of which all combinations are tried, or the settings themselves.
    path : str
        Where it stands, for messages.

    Raises
    ------
    ValueError
        One line, where it is neither, empty, or names a setting twice.

    Examples
    --------
    >>> settings_of({"alpha": [1, 3], "n_clusters": [10]}, "space")
    [{'alpha': 1, 'n_clusters': 10}, {'alpha': 3, 'n_clusters': 10}]
    """
    if isinstance(space, Mapping):
        for name, values in space.items():
            if not isinstance(values, list | tuple) or not len(values):
                raise ValueError(f"{path}.{name}: got {shown(values)}, expected a list of values, such as [0.1, 1, 10]")
        if prod(map(len, space.values())) > MOST_SETTINGS:
            raise ValueError(f"{path}: got a grid of more than {MOST_SETTINGS} settings; leave values out")
        settings = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
    elif isinstance(space, list | tuple) and all(isinstance(setting, Mapping) for setting in space):
        settings = [dict(setting) for setting in space]
    else:
        raise ValueError(
            f"{path}: got {shown(space)}, expected a grid, such as {{alpha: [1, 3]}}, or a list of settings, such as "
            "[{alpha: 1}, {alpha: 3}]"
        )
    if not settings or not settings[0]:
        raise ValueError(f"{path}: got nothing to try, expected values of a parameter, such as {{alpha: [1, 3]}}")
    if len(settings) > MOST_SETTINGS:
        raise ValueError(f"{path}: got more than {MOST_SETTINGS} settings; leave some out")
    for setting in settings:
        if setting.keys() != settings[0].keys():
            raise ValueError(
                f"{path}: got settings of {', '.join(settings[0])} and of {', '.join(setting) or 'nothing'}, expected "
                "all to name the same parameters; write each value out"
            )
    return settings


def check_distinct(settings: Sequence[Setting], path: str) -> None:
    """Raise a ValueError where a setting occurs twice."""
    texts = [json.dumps(setting, sort_keys=True, default=str) for setting in settings]
    if twice := [setting for setting, text in zip(settings, texts, strict=True) if texts.count(text) > 1]:
        raise ValueError(f"{path}: got {shown(twice[0])} twice; remove one of them")


def check_clusters(settings: Sequence[Setting], path: str) -> None:
    """Raise a ValueError over a K of 1: all seeds agree on it, whatever the data."""
    if any(setting.get("n_clusters") == 1 for setting in settings):
        raise ValueError(f"{path}: got 1, expected 2 or more: one cluster is no choice; leave it out")


def check_criterion(criterion: str, settings: Sequence[Setting], n_seeds: int, path: str) -> None:
    """Raise a ValueError where a criterion has no number, or numbers that do not compare between settings."""
    check_known(path, criterion, CRITERIA, what="criterion")
    if criterion == "agreement" and n_seeds < 2:
        raise ValueError(f"{path}: got agreement with one seed, expected two or more to agree; add search seeds")
    part = [name for name in settings[0] if name not in NO_PART_OF_THE_OBJECTIVE]
    if criterion == "objective" and part:
        raise ValueError(
            f"{path}: got objective, but {part[0]} changes what it measures, so that its values do not compare between "
            "settings; take agreement"
        )


def check_seeds(seeds: Sequence[int], of_tests: Sequence[int], path: str, tests: str) -> None:
    """Raise a ValueError where a search has no seeds, one twice, or one that the results are to be tested with."""
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"{path}: got {shown(list(seeds))}, expected seeds, each once; correct them")
    if shared := [seed for seed in seeds if seed in of_tests]:
        raise ValueError(
            f"{path}: got {shared[0]}, which is {tests}, expected others: what is chosen on a seed is not tested by "
            "it; replace it"
        )


def parts_of(settings: Sequence[Setting], estimator: str, *, n_seeds: int, runs_per_job: int) -> list[list[int]]:
    """Return the places of the settings that one stack of runs can hold, a list for each stack.

    Parameters
    ----------
    settings : list of dict
    estimator : str
        ``"module:class"``
    n_seeds : int
    runs_per_job : int
        At most, of settings times seeds; but one setting is never divided.

    Examples
    --------
    >>> grid = settings_of({"alpha": [1.0, 3.0], "n_clusters": [5, 10]}, "space")
    >>> parts_of(grid, "deepkm.methods.ct:CT", n_seeds=2, runs_per_job=24)
    [[0, 2], [1, 3]]
    """
    free = SIDE_BY_SIDE.get(estimator, ())
    together: dict[str, list[int]] = {}
    for place, setting in enumerate(settings):
        fixed = {name: value for name, value in setting.items() if name not in free}
        together.setdefault(json.dumps(fixed, sort_keys=True, default=str), []).append(place)
    size = max(1, runs_per_job // n_seeds)
    return [places[i : i + size] for places in together.values() for i in range(0, len(places), size)]


def with_setting(config: dict, dataset: str, method: str, setting: Setting) -> dict:
    """Return the configuration in which a method's entry has a setting on a data set; a K is the data set's own."""
    given = {name: value for name, value in setting.items() if name != "n_clusters"}
    entry, about = config["methods"][method], config["datasets"][dataset]
    known = entry.get("per_dataset", {})
    own = nearer(of_dataset(config, dataset, known)[1], given) if given else None
    entry = {**entry, "per_dataset": {**known, dataset: own}} if given else entry
    about = {**about, "n_clusters": setting.get("n_clusters", about["n_clusters"])}
    parts = {"methods": {**config["methods"], method: entry}, "datasets": {**config["datasets"], dataset: about}}
    return {**config, **parts}


def read_search(config: dict) -> dict:
    """Return the configuration with the values of its search read as their parameters' annotations mean them.

    Parameters
    ----------
    config : dict
        From `deepkm.study.settings.read_settings`.

    Raises
    ------
    ValueError
        One line: the path of the first wrong value, what was got, what was expected.
    """
    search = config.get("search")
    if search is None:
        return config
    check_seeds(search["seeds"], config["study"]["seeds"], "search.seeds", "one of study.seeds")
    search = {"criterion": "agreement", "runs_per_job": RUNS_PER_JOB, **search}
    if not search["methods"]:
        raise ValueError("search.methods: got {}, expected values to try, such as {dkm: {clustering_weight: [0.1, 1]}}")
    spaces = {}
    for method, space in search["methods"].items():
        path = f"search.methods.{method}"
        if method not in config["study"]["methods"]:
            raise ValueError(
                f"search.methods: got {shown(method)}, expected one of study.methods, whose values are to be chosen "
                f"({', '.join(config['study']['methods'])}); add it there"
            )
        spaces[method] = _read_space(config, method, space, path)
        check_criterion(search["criterion"], spaces[method], len(search["seeds"]), "search.criterion")
    return {**config, "search": {**search, "methods": spaces}}


def _read_space(config: dict, method: str, space: object, path: str) -> list[Setting]:
    """Return the settings of one method's entry, each with values that go together on all data sets."""
    fields = cache(fields_of)
    hints = {name: field.hint for name, field in fields(config["methods"][method]["estimator"]).items()}
    settings = settings_of(space, path)
    if "autoencoder" in settings[0]:
        raise ValueError(
            f"{path}.autoencoder: got a key of an entry; write an entry for each autoencoder, and search both"
        )
    if {"epochs", "steps"} <= settings[0].keys():
        raise ValueError(f"{path}: got both `epochs` and `steps`, which say how long it trains; remove one of them")
    hints.pop("autoencoder")
    check_names(path, settings[0].keys() - {"n_clusters"}, hints)
    settings = [
        {name: read(value, hints[name], f"{path}.{name}") for name, value in setting.items()} for setting in settings
    ]
    check_distinct(settings, path)
    check_clusters(settings, f"{path}.n_clusters")
    for dataset in config["study"]["datasets"]:
        for setting in settings:
            check_together(with_setting(config, dataset, method, setting), dataset, method, fields)
    return settings


def setting_text(setting: Setting) -> str:
    """Return a setting on one line.

    Examples
    --------
    >>> setting_text({"clustering_weight": 0.1, "alpha": 3.0, "reinit": True})
    'clustering_weight 0.1, alpha 3, reinit True'
    """
    texts = (f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in setting.items())
    return ", ".join(texts)


def trials_of(config: dict) -> Iterator[tuple[str, str, list[list[int]]]]:
    """Yield data set, method and parts (`parts_of`) of what a study's search trains."""
    search = config.get("search") or {"methods": {}}
    for method, settings in search["methods"].items():
        size = {"n_seeds": len(search["seeds"]), "runs_per_job": search["runs_per_job"]}
        parts = parts_of(settings, config["methods"][method]["estimator"], **size)
        for dataset in config["study"]["datasets"]:
            yield dataset, method, parts
