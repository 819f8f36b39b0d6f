"""The notebooks of docs run, and the outputs that they show are those of their own text."""

import re
from contextlib import redirect_stdout
from io import StringIO

import matplotlib
import nbformat
import pytest
from conftest import ROOT
from test_docs import anchors_of

NOTEBOOKS = sorted((ROOT / "docs" / "examples").glob("*.ipynb"))
NUMBER = re.compile(r"[-\d.]+")


def printed(cell):
    """Return the words that a cell prints, without numbers and blanks: another processor may round otherwise."""
    return words("".join(output["text"] for output in cell.outputs if output.output_type == "stream"))


def words(text):
    return NUMBER.sub("", text).split()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_prints_what_it_shows(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    matplotlib.use("agg")
    names = {"__name__": "__main__"}  # where a notebook's classes live
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))  # run whole, from top to bottom
    for cell in cells:
        with redirect_stdout(StringIO()) as output:
            exec(compile(cell.source, path.name, "exec"), names)
        assert words(output.getvalue()) == printed(cell)
        if re.fullmatch(r"\w+", name := cell.source.split("\n")[-1]):  # rows as published, which round alike anywhere
            assert cell.outputs[-1]["data"]["text/plain"] == names[name].to_string(), "make notebooks"
    matplotlib.pyplot.close("all")


def test_the_examples_are_those_that_the_pages_name():
    text = (ROOT / "README.md").read_text()
    assert {path.name for path in NOTEBOOKS} == set(re.findall(r"docs/examples/(\w+\.ipynb)", text))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_a_notebook_lead_somewhere(path):
    text = "".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#([^)\s]+))?\)", text)
    assert len(links) > 0
    for link, anchor in links:
        assert (path.parent / link).exists(), link
        assert not anchor or anchor in anchors_of(path.parent / link), f"{link}#{anchor}"
