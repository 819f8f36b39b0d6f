"""Two folders of results compared, from what lies in them alone."""

import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import run_stage
from scipy import stats

from deepkm.__main__ import main
from deepkm.files import read_hdf5, write_hdf5

SEEDS = range(8)


def write_results(folder, *, methods, seeds=SEEDS, alpha=3.0, versions="2.13.0", shift=0.0):
    """Write results of two methods' runs as a study leaves them: files per seed and scores.csv."""
    rows = []
    for method in methods:
        for seed in seeds:
            parameters = {"epochs": 3, **({"alpha": alpha} if method == "ct" else {})}
            spec = {"method": method, "dataset": {"name": "blobs", "scaling": "unit"}, "parameters": parameters}
            spec |= {"seeds": [seed], "source_digest": f"of {method}", "estimator": "x:Y"}
            provenance = {"versions": {"torch": versions}, "device": "CPU", "seconds": 1.0}
            write_hdf5(
                folder / "clusterings" / method / "blobs" / f"seed{seed}.h5",
                arrays={"labels": np.zeros((1, 20), np.int32)},
                attributes={"spec": spec, "provenance": provenance},
            )
            score = 0.5 + 0.01 * seed + (shift * (1 + 0.1 * seed) if method == "ct" else 0)
            rows.append(("blobs", method, seed, score, score / 2, score / 3))
    pd.DataFrame(rows, columns="dataset method seed acc nmi ari".split()).to_csv(folder / "scores.csv", index=False)
    return folder


def compare(*arguments):
    """Run the stage within this process; return its exit status."""
    return main(["compare", *map(str, arguments)])


@pytest.fixture
def first(tmp_path):
    return write_results(tmp_path / "results-a", methods=["km", "ct", "dkm"])


def test_what_was_changed_and_what_it_did(first, tmp_path, capsys):
    second = write_results(
        tmp_path / "results-b", methods=["km", "ct", "dec"], alpha=2.0, versions="2.14.0", shift=0.02
    )
    output = [tmp_path / "compared.csv", tmp_path / "compared.md"]
    assert compare(first, second, "--output", *output) == 0
    text = capsys.readouterr().out
    assert f"Only in {first}:\n\n- dkm on blobs: seeds 0, 1, 2, 3, 4, 5, 6, 7" in text
    assert f"Only in {second}:\n\n- dec on blobs: seeds 0" in text
    changed = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| parameters.")]
    assert [[cell.strip() for cell in row] for row in changed] == [
        ["parameters.alpha", "3.0", "2.0", "ct", "blobs", "all"]
    ]
    assert "| versions.torch | 2.13.0 | 2.14.0 | ct, km | blobs | all |".split() in [
        x.split() for x in text.splitlines()
    ]
    assert "digest" not in text.partition("What was changed")[2].partition("What it did")[0]
    assert text.rstrip() == output[1].read_text().rstrip()
    numbers = pd.read_csv(output[0], keep_default_na=False, na_values=[""]).set_index(["method", "metric"])
    assert len(numbers) == 2 * 3
    rise = 100 * 0.02 * (1 + 0.1 * np.array(SEEDS))
    row = numbers.loc[("ct", "acc")]
    assert row["mean_difference"] == pytest.approx(rise.mean())
    assert row["p"] == pytest.approx(stats.wilcoxon(rise).pvalue)
    assert row["p_holm"] == pytest.approx(2 * row["p"])  # two methods, of which k-means did not change
    assert row["verdict"] == "better"
    assert row["low"] < rise.mean() < row["high"]
    assert numbers.loc[("km", "acc"), ["mean_difference", "p", "reason"]].tolist() == [0, 1, "equal in 8 seeds"]


def test_seeds_of_one_folder_only_do_not_count(first, tmp_path, capsys):
    second = write_results(tmp_path / "results-b", methods=["km", "ct"], seeds=[1, 2, 99], shift=0.1)
    assert compare(first, second, "--output", tmp_path / "numbers.csv") == 0
    text = capsys.readouterr().out
    assert "- ct on blobs: seeds 0, 3, 4, 5, 6, 7" in text
    assert "- ct on blobs: seed 99" in text
    numbers = pd.read_csv(tmp_path / "numbers.csv").set_index(["method", "metric"])
    row = numbers.loc[("ct", "acc")]
    assert row["n"] == 2
    assert row["mean_difference"] == pytest.approx(10 * np.mean([1.1, 1.2]))
    assert (row["verdict"], row["reason"]) == ("cannot conclude", "2 seeds: the smallest possible p is 0.5")


def test_a_folder_and_its_copy(first, tmp_path, capsys):
    assert compare(first, shutil.copytree(first, tmp_path / "copy")) == 0
    text = capsys.readouterr().out
    assert "Nothing was changed" in text
    assert "Only in" not in text
    assert text.count("equal in 8 seeds") == 9


def test_source_data_and_missing_values_are_seen(first, tmp_path, capsys):
    second = shutil.copytree(first, tmp_path / "b")
    for path in second.glob("clusterings/ct/blobs/*.h5"):
        arrays, attributes = read_hdf5(path)
        attributes["spec"]["source_digest"], attributes["spec"]["dataset"]["scaling"] = "another", "none"
        write_hdf5(path, arrays=arrays, attributes=attributes)
    scores = pd.read_csv(second / "scores.csv").assign(acc=np.nan)
    scores.to_csv(second / "scores.csv", index=False)
    assert compare(first, second) == 0
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines()]
    assert r"| source\_digest | of ct | another | ct | blobs | all |".split() in lines
    assert "| dataset.scaling | unit | none | ct | blobs | all |".split() in lines
    assert text.count("cannot conclude (no seed has both)") == 3  # ACC of each method
    assert compare(second, second) == 0
    assert capsys.readouterr().out.count("cannot conclude (no labels)") == 3


def test_other_data_of_the_same_name_are_seen(first, tmp_path, capsys):
    second = shutil.copytree(first, tmp_path / "b")
    for folder, digest in ((first, "a" * 64), (second, "b" * 64)):
        for path in folder.glob("clusterings/ct/blobs/*.h5"):
            arrays, attributes = read_hdf5(path)
            write_hdf5(path, arrays=arrays, attributes=attributes | {"inputs": {"data": digest}})
    assert compare(first, second) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert f"| dataset.features | {'a' * 12} | {'b' * 12} | ct | blobs | all |".split() in lines
    note = {"files": {}, "data": {"blobs": "c" * 64}}
    write_hdf5(first / ".scores.h5", arrays={}, attributes=note)
    assert compare(first, second) == 0
    assert "dataset.description" not in capsys.readouterr().out  # of the other nothing is noted
    write_hdf5(second / ".scores.h5", arrays={}, attributes=note | {"data": {"blobs": "d" * 64}})
    assert compare(first, second) == 0  # as where classes were changed
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert f"| dataset.description | {'c' * 12} | {'d' * 12} | ct, dkm, km | blobs | all |".split() in lines


def test_a_job_of_other_settings_is_seen_whichever_seed_it_has(first, tmp_path, capsys):
    second = shutil.copytree(first, tmp_path / "b")
    for seed in (3, 5):
        path = second / "clusterings" / "ct" / "blobs" / f"seed{seed}.h5"
        arrays, attributes = read_hdf5(path)
        attributes["spec"]["parameters"]["alpha"] = 9.0
        write_hdf5(path, arrays=arrays, attributes=attributes)
    assert compare(first, second) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert "| parameters.alpha | 3.0 | 9.0 | ct | blobs | 3, 5 |".split() in lines
    others = write_results(tmp_path / "c", methods=["ct"], seeds=[50, 51], alpha=1.0)
    assert compare(first, others) == 0  # no seed in common
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert "| parameters.alpha | 3.0 | 1.0 | ct | blobs | all |".split() in lines


def test_edited_scores_are_refused(first, tmp_path, capsys):
    digest = hashlib.sha256((first / "scores.csv").read_bytes()).hexdigest()
    write_hdf5(first / ".scores.h5", arrays={}, attributes={"files": {"scores.csv": digest}})
    assert compare(first, first) == 0
    scores = pd.read_csv(first / "scores.csv").assign(nmi=0.99)
    scores.to_csv(first / "scores.csv", index=False)
    assert compare(first, first) == 2
    assert "scores.csv: got other contents than were noted" in capsys.readouterr().err


def test_nothing_in_common(first, tmp_path, capsys):
    second = write_results(tmp_path / "b", methods=["dec"])
    assert compare(first, second) == 0
    assert "there are no numbers to compare" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (shutil.rmtree, "expected a folder of results"),
        (lambda folder: shutil.rmtree(folder / "clusterings"), "expected a folder of results"),
        (lambda folder: (folder / "scores.csv").unlink(), "without scores.csv, expected a finished study"),
        (lambda folder: (folder / "scores.csv").write_text("a,b\n1,2\n"), "got no columns acc, ari, dataset"),
        (lambda folder: (folder / "clusterings/ct/blobs/seed3.h5").write_bytes(b"x"), "unreadable HDF5 file"),
    ],
    ids=["no folder", "empty folder", "no scores", "another table", "a damaged file"],
)
def test_bad_input_gives_one_line(first, tmp_path, capsys, break_it, message):
    second = shutil.copytree(first, tmp_path / "b")
    break_it(second)
    assert compare(first, second) == 2
    error = capsys.readouterr().err
    assert message in error
    assert str(second) in error
    assert error.count("\n") == 1


def test_unknown_formats_are_refused_before_any_work(first, tmp_path, capsys):
    assert compare(first, first, "--output", tmp_path / "x.docx") == 2
    assert "expected a name that ends in .md or .csv" in capsys.readouterr().err


def test_the_command_line(first):
    assert "Nothing was changed" in run_stage("compare", first, first).stdout
