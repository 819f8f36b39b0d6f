"""docs/PERFORMANCE.md shows what was measured, and no sentence claims more than the worse processor gives."""

import pkgutil
import re

import pandas as pd
import pytest
from conftest import ROOT

from benchmarks import measure
from benchmarks.__main__ import PAGE, fill
from deepkm.networks.products import RULE, by_rule
from docs.results import DOCUMENTS

TABLES = {path.stem: pd.read_csv(path) for path in measure.FOLDER.glob("*.csv")}
CLAIM = r"<!-- holds: performance/(\w+) (.+?) (>=|<=) ([\d.]+)(?: where (.+?))? -->"
FIGURE = r"\d (times|s|ms|minutes|seconds|CPU (s|seconds|minutes)|MiB|MB|GiB|GB|%)\b|(?<!\.)\b\d+\.\d+\b(?!\.)"
MAKERS = {"Intel(R)": "GenuineIntel", "AMD": "AuthenticAMD"}


def claims():
    """Yield what sentences claim of measured rows: document, paragraph, table, column, sign, bound, which rows."""
    for path in DOCUMENTS:
        for paragraph in re.split(r"\n\s*\n|\n(?=[-|] )", path.read_text(encoding="utf-8")):
            found = re.findall(CLAIM, paragraph)
            assert len(found) == paragraph.count("<!-- holds: performance"), f"{path.name}: a claim that cannot be read"
            yield from ((path.name, paragraph, *claim) for claim in found)


def worst(table, column, sign, rows):
    """Return the value of a column that says least of a claim, over all processors."""
    measured = TABLES[table]
    for name, values in (part.split(" = ") for part in rows.split("; ") if part):
        measured = measured[measured[name].astype(str).isin(values.split("|"))]
    values = measured[column].dropna()
    assert len(values), "no such rows"
    return values.min() if sign == ">=" else values.max()


@pytest.mark.parametrize("claim", list(claims()), ids=lambda claim: " ".join(claim[:1] + claim[2:]))
def test_a_sentence_claims_no_more_than_the_worse_processor_gives(claim):
    _, paragraph, table, column, sign, bound, rows = claim
    value = worst(table, column, sign, rows)
    assert value >= float(bound) if sign == ">=" else value <= float(bound)
    assert re.search(rf"(?<![\d.]){re.escape(bound)}(?![\d])", re.sub(r"<!--.*?-->", "", paragraph)), "not its number"


def test_the_page_shows_the_rows_that_were_measured():
    assert fill(PAGE.read_text(encoding="utf-8")) == PAGE.read_text(encoding="utf-8"), "python -m benchmarks --page"


def test_each_figure_of_the_page_names_processor_day_and_command():
    text = re.sub(r"<!-- table: .*?<!-- end -->", "", PAGE.read_text(encoding="utf-8"), flags=re.S)
    for paragraph in re.split(r"\n\s*\n|\n(?=- )", text):
        if re.search(FIGURE, re.sub(r"^    .*$|`[^`]*`", "", paragraph, flags=re.M)):
            named = re.search(r"AMD EPYC|Intel Xeon", paragraph) and re.search(r"20\d\d-\d\d-\d\d", paragraph)
            assert "<!-- holds:" in paragraph or (named and "`python -m" in paragraph), paragraph
    for table in TABLES.values():
        assert table[["processor", "versions", "date", "command"]].notna().all(axis=None)
        assert not table["command"].str.contains("/").any()


def test_the_rule_takes_the_faster_product_for_each_network():
    rows = TABLES["products"][TABLES["products"]["product"] == "all"]
    makers = [MAKERS[name.split()[0]] for name in rows["processor"]]
    assert set(makers) == {of for of, *_ in RULE}
    for maker, ratio in zip(makers, rows["oneDNN / MKL"], strict=True):
        chosen = by_rule(maker, {flag for of, flag, _ in RULE if of == maker})
        assert (ratio if chosen == "onednn" else 1 / ratio) < 1.05


def test_rows_of_other_processors_stay(tmp_path, monkeypatch, capsys):
    def write(processor, *rows):
        monkeypatch.setattr(measure, "processor", lambda: processor)
        rows = [{"data": data, "ratio": ratio, "doubt": f"{ratio}" if ratio > 4 else None} for data, ratio in rows]
        measure.write_rows("speed", rows, folder=tmp_path)
        return pd.read_csv(tmp_path / "speed.csv")[["processor", "data", "ratio"]].to_numpy().tolist()

    write("A", ("a", 1.5), ("b", 2.5))
    assert write("B", ("a", 3.5)) == [["A", "a", 1.5], ["A", "b", 2.5], ["B", "a", 3.5]]
    assert write("A", ("b", 4.5)) == [["A", "a", 1.5], ["B", "a", 3.5], ["A", "b", 4.5]]
    text = fill("<!-- table: speed -->\nold\n<!-- end -->\n<!-- table: other -->\n<!-- end -->", tmp_path)
    assert re.findall(r"\*\*(\w)\*\*|\| (\w) +\| (\d)\.50|(Not .*)", text) == [
        ("A", "", "", ""), ("", "a", "1", ""), ("", "b", "4", ""), ("B", "", "", ""), ("", "a", "3", ""),
        ("", "", "", "Not measured yet."),
    ]  # fmt: skip


def test_what_grows_faster_than_n_log_n_is_told_with_its_bound():
    steep = "AgglomerativeClustering SpectralClustering TSNE silhouette_score pairwise_distances linear_sum_assignment"
    call = re.compile(rf"\b({'|'.join([*steep.split(), 'eigh'])})\(")
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "deepkm").rglob("*.py") if call.search(path.read_text())}
    section = PAGE.read_text(encoding="utf-8").partition("### What grows faster")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert found <= set(re.findall(r"`(deepkm/[\w/]+\.py)`", section))
    bounds = [(row, name) for row in rows for name in re.findall(r"`(deepkm\.[\w.]+:[\w.]+)`", row)]
    assert len(bounds) == 6
    assert [name for row, name in bounds if f"{pkgutil.resolve_name(name):,}" not in row] == []
