"""What the page says of a search."""

from deepkm.report.figures.search import GROUP
from deepkm.report.statistics.trials import value_of_peeking
from deepkm.report.tables.search import search_tables

TEXT = (
    "Values of parameters, tried on seeds that no other number of this page comes from, and chosen without the true "
    "classes. Where classes are known, the last columns say what each setting came to, and the notes what a choice by "
    "classes would have gained on the same seeds: so much of a published figure may be the peeking."
)


def search_parts(results):
    """Return the text, tables and figures of the section; no tables where there was no search.

    Parameters
    ----------
    results : deepkm.report.page.content.StudyResults
    """
    titles = {"datasets": results.datasets, "methods": results.methods}
    choice, peeked = results.choice, results.peeked
    tables = search_tables(choice, peeked, value_of_peeking(choice, peeked), **titles) if len(choice) else []
    return {"text": TEXT, "tables": tables, "figures": [f for f in results.figures if f["group"] == GROUP]}
