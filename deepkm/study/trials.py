"""What a search trains, and what chooses: the specs of its jobs; `study` is a `deepkm.study.plan.Study`."""

from typing import Any

from deepkm.study.search import Setting, trials_of, with_setting
from deepkm.study.settings import method_parameters
from deepkm.study.shapes import check_shapes, shape_of
from deepkm.study.spec import ChooseSpec, SearchSpec, features_spec

OTHER_CLUSTERS = "-k"  # between the key of an autoencoder and a K that is not the data set's own; no key has a dash


def search_spec(study: Any, *, dataset: str, method: str, part: str) -> SearchSpec:
    """Return the spec of a job that tries settings side by side."""
    places = _parts(study, dataset, method)[int(part.removeprefix("part"))]
    settings = study.config["search"]["methods"][method]
    config = with_setting(study.config, dataset, method, settings[places[0]])
    estimator = config["methods"][method]["estimator"]
    return {
        "method": method,
        "dataset": features_spec(config, dataset),
        "estimator": estimator,
        "parameters": method_parameters(config, dataset, method, study.fields_of(estimator)),
        "settings": [[place, settings[place]] for place in places],
        "seeds": study.config["search"]["seeds"],
        "source_digest": study.method_digest(method, "deepkm.methods.side_by_side"),
    }


def choose_spec(study: Any) -> ChooseSpec:
    """Return the spec of the choice."""
    if not study.config.get("search"):
        raise ValueError("search: got none, expected what to try; add `search:` to a --configfile")
    trials = list(trials_of(study.config))
    search = study.config["search"]
    return {
        "datasets": {key: study.config["datasets"][key].get("title", key) for key in study.datasets},
        "methods": {key: study.config["methods"][key].get("title", key) for key in search["methods"]},
        "features": {key: features_spec(study.config, key) for key in study.datasets},
        "trials": [[dataset, method, len(parts)] for dataset, method, parts in trials],
        "settings": search["methods"],
        "entries": {
            f"{dataset} {method} {place}": _entry(study.config, dataset, method, setting)
            for dataset, method, _ in trials
            for place, setting in enumerate(search["methods"][method])
        },
        "criterion": search["criterion"],
        "seeds": search["seeds"],
        "source_digest": study.source_digest("deepkm.stages.choose"),
    }


def check_trials(study: Any) -> None:
    """Raise a ValueError for a setting that a data set cannot be clustered with, as far as its shape is known."""
    if study.config.get("search") and study.resampled:
        raise ValueError(
            f"search: got the data set {next(iter(study.resampled))} with `resample`, expected those whose seeds share "
            "all samples; leave one of the two out of the study"
        )
    for dataset, method, parts in trials_of(study.config):
        for places in parts:
            setting = study.config["search"]["methods"][method][places[0]]
            config = with_setting(study.config, dataset, method, setting)
            one = {**config, "study": {**config["study"], "datasets": [dataset], "methods": [method]}}
            check_shapes(one, study.conversion_of)
            n_samples = shape_of(one, dataset, study.conversion_of)[0]
            n_clusters = config["datasets"][dataset]["n_clusters"]
            if n_samples and n_clusters > n_samples:
                raise ValueError(
                    f"search.methods.{method}.n_clusters: got {n_clusters}, expected at most the {n_samples} samples "
                    f"of {dataset}; lower it"
                )


def trial_places(study: Any) -> list[dict[str, str]]:
    """Return the wildcards of each job of a study's search."""
    found = trials_of(study.config)
    return [
        {"dataset": dataset, "method": method, "part": f"part{number}"}
        for dataset, method, parts in found
        for number in range(len(parts))
    ]


def trial_autoencoder(study: Any, *, dataset: str, method: str, part: str) -> dict[str, str] | None:
    """Return the wildcards of the autoencoder that a job of the search builds on; None: on none."""
    key = study.autoencoder_of(method)
    if key is None:
        return None
    n_clusters = search_spec(study, dataset=dataset, method=method, part=part)["dataset"]["n_clusters"]
    other = n_clusters != study.config["datasets"][dataset]["n_clusters"]
    [stack] = study.search_stack
    return {"autoencoder": f"{key}{OTHER_CLUSTERS}{n_clusters}" if other else key, "dataset": dataset, "stack": stack}


def with_clusters(config: dict, dataset: str, autoencoder: str) -> tuple[str, dict]:
    """Return the key of an autoencoder, as a file's name has it, and the configuration with the K named there.

    Examples
    --------
    >>> with_clusters({"datasets": {"mine": {"n_clusters": 3}}}, "mine", "mlp-k5")
    ('mlp', {'datasets': {'mine': {'n_clusters': 5}}})
    """
    key, _, n_clusters = autoencoder.partition(OTHER_CLUSTERS)
    if not n_clusters:
        return key, config
    about = {**config["datasets"][dataset], "n_clusters": int(n_clusters)}
    return key, {**config, "datasets": {**config["datasets"], dataset: about}}


def _parts(study: Any, dataset: str, method: str) -> list[list[int]]:
    return next(parts for *place, parts in trials_of(study.config) if place == [dataset, method])


def _entry(config: dict, dataset: str, method: str, setting: Setting) -> dict:
    """Return what a configuration file must say for a method to have a setting on a data set."""
    chosen = with_setting(config, dataset, method, setting)
    parts: dict = {}
    own = chosen["methods"][method].get("per_dataset", {}).get(dataset)
    if setting.keys() - {"n_clusters"}:
        parts["methods"] = {method: {"per_dataset": {dataset: own}}}
    if "n_clusters" in setting:
        parts["datasets"] = {dataset: {"n_clusters": setting["n_clusters"]}}
    return parts
