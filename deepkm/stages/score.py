"""Score all results of a study against the true classes: the only stage that reads them."""

from pathlib import Path

import numpy as np
import pandas as pd

from deepkm.datasets.converted import digest_of, read_converted
from deepkm.files import read_attributes
from deepkm.jobs.finishing import confirm
from deepkm.numerics.metrics import scores
from deepkm.report.statistics.ends import describe_ends
from deepkm.study.inventory import result_files
from deepkm.study.results import check_place, read_result
from deepkm.study.scored import note_scores
from deepkm.study.spec import ScoreSpec, digest, without_read_out
from deepkm.training.lengths import snapshot_epochs

# Arrays of a result that scores are taken from; models, which may be large, stay where they are.
MEASURED = ("labels", "centers", "history/", "ends/", "samples")


def add_arguments(parser):
    parser.add_argument("--data", nargs="+", required=True, type=Path, help="data/{dataset}.npz of each data set")
    parser.add_argument("--results", required=True, type=Path, help="the folder of results; the spec says which")
    parser.add_argument("--output", nargs="+", required=True, type=Path, help="{scores,epochs,jobs,parameters}.csv")


def main(args):
    spec: ScoreSpec = args.spec
    clusterings, autoencoders = result_files(args.results, spec)
    write_scores(clusterings, autoencoders, data=args.data, output=args.output, jobs=spec)
    note_scores(spec, output=args.output, results=[*clusterings, *autoencoders], data=args.data)
    confirm([*clusterings, *autoencoders])


def write_scores(clusterings, autoencoders, *, data, output, jobs):
    """Write the tables that everything else is made from.

    Parameters
    ----------
    clusterings, autoencoders : list of path
        Result files of the training stages.
    data : list of path
        ``{dataset}.npz`` of each data set.
    output : list of path
        ``scores.csv`` (a row per run), ``epochs.csv`` (a row per run and epoch, without scores where no labels were
        read), ``jobs.csv`` (a row per training job) and ``parameters.csv`` (a row per data set and method), in any
        folder.
    jobs : dict
        From `deepkm.study.plan.Study.training_jobs`.

    Raises
    ------
    OSError
        One line, when a file is damaged, or a result is not of what its name says or of other data.
    """
    targets = {path.stem: _target(path) for path in data}
    digests = {path.stem: digest_of(path) for path in data}
    final, curves, trained = [], [], []
    parameters: dict[tuple[str, str], dict] = {}
    for path in autoencoders:
        attributes = read_attributes(path)
        check_place(path, attributes, stage="autoencoder", jobs=jobs)
        trained.append(_job(path, attributes, epochs=_lengths(attributes)["pretraining_epochs"]))
    for path in clusterings:
        expected = {"stage": "cluster", "jobs": jobs, "data": digests.get(path.parent.name)}
        arrays, attributes = read_result(path, MEASURED, **expected)
        spec = attributes["spec"]
        if spec["dataset"]["name"] not in targets:
            raise OSError(f"{path}: the data set is missing; run `snakemake data` again")
        scored, rows = _score_file(arrays, attributes, targets[spec["dataset"]["name"]])
        final += scored
        curves.append(pd.DataFrame(rows))  # half the memory of its rows
        trained.append(_job(path, attributes, epochs=max(row["epochs"] for row in scored)))
        parameters.setdefault((spec["dataset"]["name"], spec["method"]), _parameters(attributes))
    tables = {name: pd.DataFrame(rows) for name, rows in {"scores": final, "jobs": trained}.items()}
    tables |= {"epochs": pd.concat(curves, ignore_index=True), "parameters": pd.DataFrame(parameters.values())}
    for path in output:
        path.parent.mkdir(parents=True, exist_ok=True)
        tables[path.stem].to_csv(path, index=False)
    print(f"scored {len(final)} runs of {len(targets)} data sets")


def _score_file(arrays, attributes, target):
    """Return a row per run of one file, and a row per run and epoch."""
    spec, final, curves = attributes["spec"], [], []
    if target is not None and "samples" in arrays:  # one seed has them to itself
        target = target[arrays["samples"][0]]
    for s, seed in enumerate(spec["seeds"]):
        key = {"dataset": spec["dataset"]["name"], "method": spec["method"], "seed": seed}
        rows = [{**key, **row} for row in _epochs(arrays, s, target)]
        curves += rows
        made, share = attributes["provenance"], 1 / len(spec["seeds"])
        cost = {"epochs": _epochs_trained(arrays, s, rows), "seconds": made["seconds"] * share}
        cost["device_seconds"] = _device_seconds(made) * share
        finite = np.isfinite([rows[-1].get("loss", 0.0), *np.ravel(arrays["centers"][s])]).all()
        diverged = not finite or seed in attributes.get("diverged", [])
        measured = {**scores(target, arrays["labels"][s]), "n_clusters": spec["dataset"]["n_clusters"]}
        final.append({**key, **measured, **cost, "diverged": diverged, **describe_ends(arrays, s)})
    return final, curves


def _job(path, attributes, *, epochs):
    """Return what is known of one training job: a stack of seeds, clustered or pretrained."""
    spec, made = attributes["spec"], attributes["provenance"]
    stage = "cluster" if "method" in spec else "autoencoder"
    return {
        "stage": stage,
        "key": spec["method" if stage == "cluster" else "autoencoder"],
        "dataset": spec["dataset"]["name"],
        "stack": path.stem,
        "seeds": " ".join(map(str, spec["seeds"])),
        "epochs": epochs,  # of the longest of its runs
        "n_diverged": len(attributes.get("diverged", [])),
        "device_seconds": _device_seconds(made),
        **{name: made.get(name) for name in _KNOWN},
        **made.get("versions", {}),
        "source_digest": spec.get("source_digest"),
        "spec": digest(spec),
        "settings": digest(settings_of(spec, on_cpu=_is_on_cpu(made))),
        "data": attributes.get("inputs", {}).get("data"),
    }


_KNOWN = "seconds cpu_seconds device processor products threads jobs_per_gpu peak_memory_bytes finished".split()


def settings_of(spec, *, on_cpu):
    """Return what decides the answers of a job, whatever its seeds, source, read-outs and snapshots.

    What decides nothing stands as in the first published rows: `snapshots`, and `precision` on a CPU and where a GPU
    takes the float32 that a CPU does.
    """
    settings = {name: value for name, value in spec.items() if name not in ("seeds", "source_digest")}
    parameters = without_read_out(spec["parameters"])
    if "snapshots" in settings:
        settings["snapshots"] = snapshot_epochs(6, parameters.get("steps") or parameters.get("epochs", 0))
    if "precision" in parameters:
        full = on_cpu or parameters["precision"] == "float32"
        parameters["precision"] = "tf32" if full else f"{parameters['precision']} on a GPU"
    return {**settings, "parameters": parameters}


def _is_on_cpu(made):
    return made.get("device", "CPU").startswith("CPU")


def _device_seconds(made):
    """Return what a job took of its device: CPU seconds, or a GPU's time, which it has for itself."""
    return made.get("cpu_seconds", made["seconds"]) if _is_on_cpu(made) else made["seconds"]


def _lengths(attributes):
    """Return how many epochs a job trained: of its parameters, which may count in steps, it made so many."""
    return attributes["spec"]["parameters"] | attributes.get("lengths", {})


def _parameters(attributes):
    """Return what one method ran with on one data set, after defaults."""
    spec = attributes["spec"]
    values = {
        name: " ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in _lengths(attributes).items()
    }
    key = {"dataset": spec["dataset"]["name"], "method": spec["method"], "estimator": spec["estimator"]}
    return {**key, "scaling": spec["dataset"]["scaling"], **values}


def _target(path):
    return read_converted(path, optional=["target"]).get("target")


def _epochs_trained(arrays, s, rows):
    """Return how many epochs run s, with these rows, trained: up to its stopping rule, where its method has one."""
    if "history/stopped" in arrays and arrays["history/stopped"][s].any():
        return int(arrays["history/stopped"][s].argmax()) + 1
    return rows[-1]["epoch"]


def _epochs(arrays, s, target):
    """Yield one row per epoch of run s; epoch 0 is the state before training and has no losses."""
    losses = {name.removeprefix("history/"): array[s] for name, array in arrays.items() if name.startswith("history/")}
    labels = losses.pop("labels")  # (R, N), of R read-outs
    read_after = losses.pop("label_epochs", np.arange(len(labels)))  # older files: after all epochs
    read = dict(zip(read_after.tolist(), labels, strict=True))
    for epoch in range(read_after[-1] + 1):
        found = scores(target, read[epoch]) if epoch in read else {}
        yield {"epoch": epoch, **found, **{k: v[epoch - 1] for k, v in losses.items() if epoch}}
