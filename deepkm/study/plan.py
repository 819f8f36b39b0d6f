"""The jobs of a study, each with its spec: what it is to do.

A spec holds every knob that shapes the result, after defaults, in plain types, and a digest of its source.
"""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from deepkm.datasets.catalogue import conversion_of, load_catalogue, raw_file_of
from deepkm.study import paths, trials
from deepkm.study import spec as specs
from deepkm.study.about import about_data, origin_of
from deepkm.study.config import check_config
from deepkm.study.contents import Contents
from deepkm.study.contrasts import default_contrasts, find_ablations
from deepkm.study.options import check_size
from deepkm.study.panels import default_panels
from deepkm.study.parameters import fields_of
from deepkm.study.paths import check_file, stack_name
from deepkm.study.resampled import beside, drawn_by, find_resampled
from deepkm.study.settings import autoencoder_parameters, method_parameters, sees_views
from deepkm.study.shapes import check_shapes
from deepkm.study.source_code import files_digest, source_digest
from deepkm.study.spec import features_spec
from deepkm.training.lengths import snapshot_epochs

TEMPLATES = Path(__file__).parents[1] / "report" / "page" / "templates"  # of the page


class Study:
    """The jobs that a configuration asks for.

    Parameters
    ----------
    config : dict
        The merged configuration; see config.yaml.

    Attributes
    ----------
    datasets, methods : list of str
    seeds : list of int
    folders : dict of str to str
        ``results`` and ``data``, as `deepkm.study.paths.path_of` takes them.
    content_of, source_digest, fields_of : callable
        Return the digest of what a file or folder holds, by its path, that of modules, and the parameters of a class;
        read at most once.
    stacks, search_stack : dict of str to list of int
        Seeds that one job trains, by the stack's name; those of the search, if there is one.
    resampled : dict
        From `deepkm.study.resampled.find_resampled`.

    Raises
    ------
    ValueError
        When the configuration is wrong.
    """

    def __init__(self, config: dict) -> None:
        self.config = paths.with_plain_paths(check_config(check_size(config)))
        # Read once, not once per job.
        self.source_digest, self.fields_of = cache(source_digest), cache(fields_of)
        self._parameters_of = cache(self._read_parameters)
        self.folders = {"results": self.config["results_dir"], "data": self.config["data_dir"]}
        self.content_of = cache(Contents(paths.path_of(paths.CONTENTS, **self.folders)).digest_of)
        self.datasets = list(self.config["study"]["datasets"])
        self.methods = list(self.config["study"]["methods"])
        self.seeds, size = list(self.config["study"]["seeds"]), self.config["seeds_per_job"]
        blocks = [self.seeds[i : i + size] for i in range(0, len(self.seeds), size)]
        self.stacks = {stack_name(block): block for block in blocks}
        searched = (self.config.get("search") or {}).get("seeds", [])
        self.search_stack = {stack_name(searched): searched} if searched else {}
        self.resampled = find_resampled(self.config)
        for key in self.datasets:
            check_file(key, self.config["datasets"][key].get("path"), self.data_file(key))
        for method in self.methods:
            self.method_digest(method)  # what cannot be read is said now, not after the pretraining
        absent = [path.name for path in map(self.data_file, self.datasets) if not path.exists()]
        paths.check_folders(**self.folders, absent=absent)
        check_shapes(self.config, self.conversion_of)
        trials.check_trials(self)

    def data_file(self, dataset: str) -> Path:
        """Return the path of a converted data set."""
        return paths.path_of(paths.DATASET, **self.folders, dataset=dataset)

    def conversion_of(self, dataset: str) -> tuple[Path, specs.DatasetSpec]:
        """Return the path of a converted data set, and the spec of its conversion."""
        return self.data_file(dataset), self.dataset_spec(dataset)

    def dataset_files(self, dataset: str) -> list[str]:
        """Return the user's file or folder behind a data set, or its raw files, or an empty list."""
        entry = self.config["datasets"][dataset]
        if "path" in entry:
            return [entry["path"]]
        source = entry["source"]
        files = load_catalogue().get(source, {"files": ()})["files"]
        return [str(paths.path_of(paths.RAW_FILE, **self.folders, source=source, file=file)) for file in files]

    @property
    def record(self) -> str:
        """The text of ``results/study.json``, a file that `--configfile` takes."""
        return json.dumps(self.config, indent=1, sort_keys=True)

    @property
    def mirror(self) -> str:
        """The folder or URL that downloads try first; empty without one. No part of a spec."""
        return os.path.expanduser(self.config.get("data_mirror") or "")

    def download_spec(self, source: str, file: str) -> specs.DownloadSpec:
        """Return the spec of a download: what must arrive, not where it comes from."""
        return {"source": source, "file": file, "checksum": load_catalogue()[source]["files"][file]["checksum"]}

    def autoencoder_of(self, method: str) -> str | None:
        """Return the key of the autoencoder that a method builds on, or None."""
        return self.config["methods"][method].get("autoencoder")

    def seeds_of(self, stack: str) -> list[int]:
        """Return the seeds of a stack, one of the study's or its search's; none of others."""
        alone = {stack_name([seed]): [seed] for seed in self.seeds}
        return {**alone, **self.stacks, **self.search_stack}.get(stack, [])

    def stacks_of(self, dataset: str) -> dict[str, list[int]]:
        """Return the seeds of each stack of a data set: of one that each seed draws a share of, one seed each."""
        return paths.stacks_of(self.training_jobs(), dataset)

    def autoencoder_below(self, stage: str, **wildcards: str) -> dict[str, str] | None:
        """Return the wildcards of the pretrained autoencoder that a job builds on, or None."""
        if stage == "search":
            return trials.trial_autoencoder(self, **wildcards)
        key = self.autoencoder_of(wildcards["method"]) if stage == "cluster" else None
        return {"autoencoder": key, "dataset": wildcards["dataset"], "stack": wildcards["stack"]} if key else None

    def scaling_of(self, dataset: str) -> str:
        """Return how a data set's features are scaled."""
        return self.config["datasets"][dataset]["scaling"]

    def dataset_spec(self, dataset: str) -> specs.DatasetSpec:
        """Return the spec of a conversion. The path is no part of it: its content is what counts."""
        entry = self.config["datasets"][dataset]
        source, path = entry.get("source", "file"), entry.get("path")
        options = {key: entry[key] for key in entry.keys() - {"title", "scaling", "path", "source", "resample"}}
        modules = ["deepkm.datasets.sources", "deepkm.stages.dataset"]
        if path:
            options["files"] = self.content_of(path)
        if path and not (source in load_catalogue() and raw_file_of(source, path)):
            if source in load_catalogue() and len(pixels := load_catalogue()[source]["shape"][1:]) > 1:
                options["pixels"] = pixels
            source = "file"
        elif source in load_catalogue():
            options["conversion"] = conversion_of(source, checked=not path)
            modules.append(options["conversion"]["converter"].partition(":")[0])
        spec = {"name": dataset, "source": source, **options, "source_digest": self.source_digest(*modules)}
        return cast(specs.DatasetSpec, spec)

    def describe_spec(self) -> specs.DescribeSpec:
        """Return what a table says of the study's data sets."""
        return {"datasets": [about_data(self.config["datasets"][key], key) for key in self.datasets]}

    def autoencoder_spec(self, dataset: str, autoencoder: str, stack: str) -> specs.AutoencoderSpec:
        """Return the spec of a pretraining, shared by all methods that name this autoencoder."""
        key, config = trials.with_clusters(self.config, dataset, autoencoder)
        drawn = drawn_by(config, dataset)
        return {
            "autoencoder": autoencoder,
            "dataset": features_spec(config, dataset),
            "parameters": autoencoder_parameters(config, dataset, key),
            "seeds": self.seeds_of(stack),
            "source_digest": self.source_digest("deepkm.training.loop", "deepkm.datasets.features", *drawn),
        }

    def cluster_spec(self, dataset: str, method: str, stack: str) -> specs.ClusterSpec:
        """Return the spec of a clustering: S = len(seeds) runs of one method."""
        entry = self.config["methods"][method]
        parameters = self._parameters(dataset, method)
        return {
            "method": method,
            "dataset": features_spec(self.config, dataset),
            "estimator": entry["estimator"],
            "parameters": parameters,
            "seeds": self.stacks_of(dataset)[stack],
            "snapshots": snapshot_epochs(self.config["snapshots"], parameters["steps"] or parameters["epochs"]),
            "source_digest": self.method_digest(method, *drawn_by(self.config, dataset)),
        }

    search_spec, choose_spec = trials.search_spec, trials.choose_spec

    def spec_of(self, rule: str, **wildcards: str) -> Mapping[str, Any]:
        """Return the spec of a job of any rule."""
        shown = {"tables": lambda: self.report_spec("tables"), "report": self.page_spec}
        return (shown.get(rule) or getattr(self, f"{rule}_spec"))(**wildcards)

    def record_spec(self) -> str:
        """Return what decides whether the study is another one: equal values written otherwise give the same."""
        stacks = [(dataset, next(iter(self.stacks_of(dataset)))) for dataset in self.datasets]
        made = [self.cluster_spec(dataset, method, stack) for dataset, stack in stacks for method in self.methods]
        parts = [self.figures_spec(), self.statistics_spec(), *map(self.dataset_spec, self.datasets), *made]
        return specs.digest([{key: value for key, value in part.items() if key != "source_digest"} for part in parts])

    def training_jobs(self) -> specs.JobsSpec:
        """Return which results the study is made of: data sets, methods with their autoencoders, seeds by stack."""
        methods = [[method, self.autoencoder_of(method)] for method in self.methods]
        jobs: specs.JobsSpec = {
            "datasets": self.datasets,
            "methods": methods,
            "stacks": list(map(list, self.stacks.items())),
        }
        return {**jobs, "resampled": list(self.resampled)} if self.resampled else jobs

    def score_spec(self) -> specs.ScoreSpec:
        """Return the spec of scoring: it depends on its input files and on the metrics alone."""
        digest = self.source_digest("deepkm.numerics.metrics", "deepkm.stages.score")
        return {**self.training_jobs(), "source_digest": digest}

    def labels_spec(self) -> specs.ScoreSpec:
        """Return the spec of the tables of labels."""
        return {**self.training_jobs(), "source_digest": self.source_digest("deepkm.stages.labels")}

    def statistics_spec(self) -> specs.StatisticsSpec:
        """Return the spec of the tests between methods, in the study's order; titles do not matter."""
        spec: specs.StatisticsSpec = {
            "datasets": self.datasets,
            "methods": self.methods,
            "seeds": self.seeds,
            "contrasts": self.contrasts(),
            "nemenyi": self.config["nemenyi"],
            "source_digest": self.source_digest("deepkm.stages.statistics"),
        }
        others = beside(self.resampled)
        return {**spec, "beside": others} if others else spec

    def report_spec(self, stage: str) -> specs.ReportSpec:
        """Return the spec of a stage that shows results: what is shown, in which order, under which names."""
        spec: specs.ReportSpec = {
            "datasets": [[key, specs.title_of_data(key, self.config["datasets"][key])] for key in self.datasets],
            "methods": [[key, self._title(key)] for key in self.methods],
            "ablations": self.ablations(),
            "n_seeds": len(self.seeds),
            "origins": {key: origin_of(self.config["datasets"][key]) for key in self.datasets},
            "source_digest": self.source_digest(f"deepkm.stages.{stage}"),
        }
        return {**spec, "resampled": self.resampled} if self.resampled else spec

    def figures_spec(self) -> specs.FiguresSpec:
        """Return the spec of the figures: beside what is shown, what is read and how the data were scaled."""
        about = {key: features_spec(self.config, key) for key in self.datasets}
        named = self.config["panels"]
        return {
            **self.report_spec("figures"),
            "colors": self._colors(),
            "features": about,
            "panels": default_panels(self.methods, self.config["methods"]) if named is None else named,
            "jobs": self.training_jobs(),
        }

    def page_spec(self) -> specs.PageSpec:
        """Return the spec of the page: beside what is shown, how many seeds there should be, and the page's design."""
        design = files_digest(TEMPLATES)
        return {**self.report_spec("report"), "colors": self._colors(), "seeds": self.seeds, "templates": design}

    def ablations(self) -> list[list[str]]:
        """Return pairs of methods that differ in one part alone, [with, without, part]."""
        return find_ablations({method: self._identity(method) for method in self.methods})

    def contrasts(self) -> list[list[str]]:
        """Return the pairs of methods that are compared as planned: those that the study names, else the usual ones."""
        named = self.config["study"].get("contrasts")
        identities = {method: self._identity(method) for method in self.methods}
        return default_contrasts(identities) if named is None else named

    def method_digest(self, method: str, *others: str) -> str:
        """Return the source digest of what clusters by a method, and of other modules."""
        modules = ("deepkm.datasets.features", *(f"deepkm.training.{part}" for part in ("loop", "snapshots", "ends")))
        return self.source_digest(self.config["methods"][method]["estimator"], *modules, *others)

    def _identity(self, method: str) -> dict[str, Any]:
        estimator = self.config["methods"][method]["estimator"]
        return {"estimator": estimator, **specs.without_read_out(self._parameters(self.datasets[0], method))}

    def _title(self, method: str) -> str:
        title = self.config["methods"][method].get("title", method)
        return title + specs.VIEWS_MARK * sees_views(self._parameters(self.datasets[0], method))

    def _colors(self) -> dict[str, str]:
        entries = {method: self.config["methods"][method] for method in self.methods}
        return {method: entry["color"] for method, entry in entries.items() if "color" in entry}

    def _parameters(self, dataset: str, method: str) -> dict[str, Any]:
        return dict(self._parameters_of(dataset, method))

    def _read_parameters(self, dataset: str, method: str) -> dict[str, Any]:
        fields = self.fields_of(self.config["methods"][method]["estimator"])
        return method_parameters(self.config, dataset, method, fields)
