"""What a job is to do, as one canonical JSON text: Snakemake reruns a job exactly when its text changes.

The types say what crosses from the workflow to the stages; `deepkm.study.plan.Study` makes them.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

# Stands after the title of a method that trains on random views of the images.
VIEWS_MARK = " ‡"
SAME_NUMBERS = {"source_digest", "pixels"}  # of a conversion's spec: what leaves a data set's numbers as they are


class DownloadSpec(TypedDict):
    """One raw file, and the checksum it must have, ``"sha256:..."``; None where none is known."""

    source: str
    file: str
    checksum: str | None


class ConversionSpec(TypedDict):
    """How a public data set is converted, and what must come out; ``files`` are [name, what it is known by]."""

    converter: str
    options: dict[str, Any]
    files: list[list]
    shape: list[int]
    class_counts: list[int] | int | None
    class_names: list[str] | None


class DatasetSpec(TypedDict):
    """A conversion. What is not required is asked for by the entry, under the names of its keys."""

    name: str
    source: str
    n_clusters: int
    source_digest: str
    conversion: NotRequired[ConversionSpec]
    files: NotRequired[str]  # a digest of what the user's file or folder holds
    # Of blobs
    n_samples: NotRequired[int]
    n_features: NotRequired[int]
    spread: NotRequired[float]
    seed: NotRequired[int]
    # Of a file of one's own
    pixels: NotRequired[list[int]]  # (H, W) or (H, W, C) of the public images whose place it takes
    first: NotRequired[int]
    stream: NotRequired[bool]
    image_size: NotRequired[list[int]]
    columnwise: NotRequired[bool]
    grey: NotRequired[bool]
    header: NotRequired[bool]
    feature_array: NotRequired[str]
    target_column: NotRequired[str | int | None]
    ignore_columns: NotRequired[list]
    drop_labels: NotRequired[list]


class FeaturesSpec(TypedDict):
    """The data set that a job trains on, as it is scaled there, or the share of it that its one seed draws."""

    name: str
    n_clusters: int
    scaling: str
    resample: NotRequired[float]


class AutoencoderSpec(TypedDict):
    """A pretraining of S = len(seeds) autoencoders."""

    autoencoder: str
    dataset: FeaturesSpec
    parameters: dict[str, Any]
    seeds: list[int]
    source_digest: str


class ClusterSpec(TypedDict):
    """S = len(seeds) runs of one method; snapshots are the epochs that it keeps, or as many others (`as_planned`)."""

    method: str
    dataset: FeaturesSpec
    estimator: str
    parameters: dict[str, Any]
    seeds: list[int]
    snapshots: list[int]
    source_digest: str


class SearchSpec(TypedDict):
    """Settings that one stack holds, each with its place in the search: S = len(settings) * len(seeds) runs.

    The parameters are those of the first setting.
    """

    method: str
    dataset: FeaturesSpec
    estimator: str
    parameters: dict[str, Any]
    settings: list[list]  # [place, values by name]
    seeds: list[int]
    source_digest: str


class ChooseSpec(TypedDict):
    """The choice of a setting; trials are [data set, method, number of parts]."""

    datasets: dict[str, str]  # titles by key
    methods: dict[str, str]
    features: dict[str, FeaturesSpec]
    trials: list[list]
    settings: dict[str, list[dict[str, Any]]]  # by method
    entries: dict[str, dict[str, Any]]  # what `chosen.yaml` holds if a setting is chosen: "{dataset} {method} {place}"
    criterion: str
    seeds: list[int]
    source_digest: str


class JobsSpec(TypedDict):
    """The results that a study is made of, in its order: data sets, [method, autoencoder or None], [stack, seeds].

    Seeds that draw samples of their own, of the data sets in `resampled`, share no stack.
    """

    datasets: list[str]
    methods: list[list[str | None]]
    stacks: list[list]
    resampled: NotRequired[list[str]]


class ScoreSpec(JobsSpec):
    """Scoring, and the tables of labels."""

    source_digest: str


class StatisticsSpec(TypedDict):
    """The tests between methods; contrasts are [method, other]. What is `beside` a data set counts as no other one."""

    datasets: list[str]
    beside: NotRequired[list[str]]
    methods: list[str]
    seeds: list[int]
    contrasts: list[list[str]]
    nemenyi: bool
    source_digest: str


class AboutSpec(TypedDict):
    """What a table says of a data set."""

    title: str
    n_clusters: int
    source: str
    licence: str


class DescribeSpec(TypedDict):
    """The data sets of a study."""

    datasets: list[AboutSpec]


class OriginSpec(TypedDict):
    """The source whose published figures a data set may be held against, and how it departs from it."""

    source: str
    departs: str


class ReportSpec(TypedDict):
    """What a stage shows: [key, title] of data sets and methods in order, and pairs of methods, [with, without]."""

    datasets: list[list[str]]
    methods: list[list[str]]
    ablations: list[list[str]]
    n_seeds: int
    origins: dict[str, OriginSpec]
    resampled: NotRequired[dict[str, list]]  # [share, the data set of all samples or ""]
    source_digest: str


class FiguresSpec(ReportSpec):
    """What figures show: beside a report, colours, data sets by key, methods with panels, and the jobs behind them."""

    colors: dict[str, str]
    features: dict[str, FeaturesSpec]
    panels: list[str]
    jobs: JobsSpec


class PageSpec(ReportSpec):
    """What the page shows: beside a report, colours, all seeds, and a digest of its design."""

    colors: dict[str, str]
    seeds: list[int]
    templates: str


def features_spec(config: Mapping[str, Any], dataset: str) -> FeaturesSpec:
    """Return what a job is told of the data set that it trains on."""
    entry = config["datasets"][dataset]
    about: FeaturesSpec = {"name": dataset, "n_clusters": entry["n_clusters"], "scaling": entry["scaling"]}
    if "resample" in entry:
        about["resample"] = entry["resample"]
    return about


def title_of_data(key: str, entry: Mapping[str, Any]) -> str:
    """Return the title of a data set, with the share of it that each seed draws."""
    title = entry.get("title", key)
    return f"{title} ({100 * entry['resample']:g} % per seed)" if "resample" in entry else title


def dumps(spec: object) -> str:
    """Return the canonical text of a spec."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))


def digest(spec: object) -> str:
    """Return a short digest of a spec, for file names."""
    return hashlib.sha256(dumps(spec).encode()).hexdigest()[:16]


def without_read_out(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a method but for when labels are read, which changes no answer."""
    return {name: value for name, value in parameters.items() if name != "read_out"}


def conversion_digest(spec: Mapping[str, Any]) -> str:
    """Return a digest of what decides the numbers of a data set: its spec but for the source digest, and for `pixels`.

    Another source mostly gives the same numbers. Where it does not, that shows once they are there.
    """
    return digest({key: value for key, value in spec.items() if key not in SAME_NUMBERS})


def differing(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted keys in which two specs differ.

    Examples
    --------
    >>> differing({"seeds": [0], "parameters": {"alpha": 1.0, "n": 2}}, {"seeds": [0], "parameters": {"alpha": 3.0}})
    ['parameters.alpha', 'parameters.n']
    """
    keys = []
    for key in sorted(first.keys() | second.keys()):
        a, b = first.get(key), second.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            keys += differing(a, b, f"{prefix}{key}.")
        elif a != b:
            keys.append(f"{prefix}{key}")
    return keys
