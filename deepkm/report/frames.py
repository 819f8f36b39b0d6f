"""Reading the tables that stages write, and naming the rows of those of samples."""

import pandas as pd

from deepkm.files import regular

# Columns of names. A data set may be called NA, 1987 or 1e5, and a digest of a spec may look like a number.
NAMES = (
    "dataset method other best stage key stack seeds spec settings source_digest data device processor estimator "
    "scaling source table metric"
).split()


def read_frame(path):
    """Return a ``.csv`` of a stage: names are text whatever they look like, and only empty fields are missing.

    Parameters
    ----------
    path : path-like
    """
    return pd.read_csv(regular(path), dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=[""])


def name_rows(table, sample_ids):
    """Return a table of samples with their numbers first, ``sample`` from 0, and ``id`` where they have names.

    Parameters
    ----------
    table : DataFrame
    sample_ids : sequence of str
        Of each row; empty where samples have no names.
    """
    named = {"sample": range(len(table))} | ({"id": list(sample_ids)} if len(sample_ids) else {})
    return pd.concat([pd.DataFrame(named, index=table.index), table], axis="columns")
