"""What each method was run with, as the runs recorded it."""

import numpy as np
import pandas as pd

from deepkm.report.tables.layout import Cell, Table, number_cell
from deepkm.study.parameters import parameters_of

# What the parameters of every method are shown as, in order; all others follow by name.
COMMON_PARAMETERS = ("alpha", "clustering_weight", "pretraining_epochs", "epochs", "batch_size", "learning_rate")
# No choices of a method: they follow from its data set, its autoencoder or the seed, or change no answer.
_NOT_SHOWN = {"n_clusters", "n_latent", "autoencoder", "hidden_widths", "random_state", "device", "read_out"}


def select_parameters(parameters, *, datasets, methods):
    """Return what each method was run with on each data set: `COMMON_PARAMETERS`, and ``others`` as text.

    Parameters
    ----------
    parameters : DataFrame
        ``results/parameters.csv``.
    """
    base = parameters_of("deepkm.methods.base:DeepClustering")
    found = parameters.set_index(["dataset", "method"])
    rows = []
    for dataset in datasets:
        for key in ((dataset, method) for method in methods if (dataset, method) in found.index):
            values = found.loc[key].dropna().to_dict()
            common = {name: values.pop(name, np.nan) for name in COMMON_PARAMETERS}
            common["pretraining_epochs"] *= "autoencoder" in values
            if not common["epochs"]:
                common["learning_rate"] = np.nan
            if not (common["epochs"] or common["pretraining_epochs"]):
                common["batch_size"] = np.nan
            skipped = {*_NOT_SHOWN, "estimator", "scaling", *(name for name in values if "pretraining_" in name)}
            others = {name: value for name, value in values.items() if name not in skipped and value != base.get(name)}
            text = ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in others.items())
            rows.append({"dataset": dataset, "method": key[1], "scaling": values["scaling"], **common, "others": text})
    return pd.DataFrame(rows)


def parameter_table(summary, *, datasets, methods):
    """Return what each method was run with."""
    rows = [
        [
            Cell(datasets[row.dataset]),
            Cell(methods[row.method], method=row.method),
            *(number_cell(value, "g") for value in row[4:10]),
            Cell(row.scaling),
            Cell(row.others),
        ]
        for row in summary.itertuples()
    ]
    header = ["Data set", "Method", "α", "λ", "Pretraining epochs", "Epochs", "Batch size", "Learning rate", "Scaling"]
    notes = [
        "As the runs recorded them; α is the parameter alpha, λ is clustering_weight. Not listed: what methods share "
        "by default, and the autoencoder's widths."
    ]
    return Table("parameters", "Parameters", [*header, "Others"], rows, notes, align="llrrrrrrll")
