"""The workflow as people call it: a real tiny study, and what reruns when."""

import html
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY_STUDY, assert_same, changed, environment, planned, run_snakemake, run_stage, shell

from deepkm import CT, load
from deepkm.datasets.converted import read_converted
from deepkm.datasets.features import load_features
from deepkm.files import read_hdf5, sole_writer

METHODS = TINY_STUDY["study"]["methods"]
REPORT = {"labels": 1, "score": 1, "statistics": 1, "tables": 1, "figures": 1, "report": 1}
ASKED = {**REPORT, "record": 1}  # where the study asks for something else


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A copy of the checkout in which the tiny study has run."""
    folder = tmp_path_factory.mktemp("built") / "checkout"
    folder.mkdir()
    for name in ("deepkm", "workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / "printed.txt").write_text(run_snakemake(folder).stdout)
    return folder


@pytest.fixture
def checkout(built, tmp_path):
    """A copy of `built` that a test may change."""
    return shutil.copytree(built, tmp_path / "checkout", symlinks=True)


def results(folder):
    """Return all arrays of all result files, by file and name."""
    found = {}
    for path in sorted(folder.glob("results/*/*/blobs/*.h5")):
        for name, array in read_hdf5(path)[0].items():
            found[str(path.relative_to(folder)), name] = array
    return found


def test_what_a_study_leaves(built):
    scores = pd.read_csv(built / "results" / "scores.csv")
    assert list(scores.columns[:6]) == ["dataset", "method", "seed", "acc", "nmi", "ari"]
    assert len(scores) == len(METHODS) * 2
    assert (scores.loc[scores["method"] == "km", "acc"] == 1).all()  # far blobs
    epochs = pd.read_csv(built / "results" / "epochs.csv")
    last = epochs.sort_values("epoch").groupby(["method", "seed"])["acc"].last()
    assert last.to_dict() == scores.set_index(["method", "seed"])["acc"].to_dict()
    for metric in ("acc", "nmi", "ari"):
        assert "Each run, 2 seeds" in (built / "results" / "tables" / f"{metric}.md").read_text()
        table = pd.read_csv(built / "results" / "tables" / f"{metric}.csv").set_index("method")
        mean = 100 * scores[scores["method"] == "ct"][metric].mean()
        assert table.loc["ct", "mean"] == pytest.approx(mean, abs=1e-3)
    assert not list(built.rglob("*.checkpoint"))
    assert not list(built.rglob("*.tmp"))
    for stage in ("dataset/blobs", "cluster/ct/blobs/seed0", *REPORT):
        assert (built / "results" / "logs" / f"{stage}.log").exists()
        assert (built / "results" / "benchmarks" / f"{stage}.jsonl").exists()


def test_what_is_said_while_it_runs(built):
    head = (built / "printed.txt").read_text().splitlines()[1:]  # the first line comes before Snakemake reads ours
    assert head[0] == "18 jobs to do"
    assert re.fullmatch(r"(no GPU here|gpu=0): training on the CPU, 2 jobs at a time", head[1])
    assert head[2] == "how far they are: python -m deepkm status --configfile study.yaml --watch"
    assert re.fullmatch(r"Done in .*; all on one page: results/report.html", head[-1])
    jobs = head[4:-1]
    assert len(jobs) == 18 + 12  # whose beginning is told: the data set, ten that train, the figures
    ended = [re.fullmatch(r"(.*): [\d.]+ (?:s|min), job (\d+) of 18(, .* left)?", line) for line in jobs]
    assert [int(found[2]) for found in ended if found] == [*range(1, 19)]
    assert {found[1] for found in ended if found and found[3]} >= {"scores", "figures"}
    assert {"CT, no re-init on Blobs, seed 1: begins", "figures: begins"} <= set(jobs)


def test_figures_and_what_is_said_of_them(built):
    folder = built / "results" / "figures"
    index = json.loads((folder / "figures.json").read_text())
    names = "differences ablation scores_over_epochs losses cost tsne memberships contingency".split()
    assert [figure["stem"] for figure in index] == [f"blobs_{name}" for name in names]
    files = {f"{figure['stem']}.{suffix}" for figure in index for suffix in ("png", "svg", "pdf")}
    assert {path.name for path in folder.glob("[!.]*")} == {*files, "figures.json"}
    for figure in index:
        assert {"group", "title", "caption", "alt", "datasets", "methods"} < figure.keys()
        assert "Look" in figure["caption"]
        assert not re.search(r"nan|None|[{}]", figure["caption"] + figure["alt"])


def test_the_page_shows_the_study_and_commands_that_work(built):
    text = (built / "results" / "report.html").read_text()
    scores = pd.read_csv(built / "results" / "scores.csv")
    mean = 100 * scores.loc[scores["method"] == "ct", "acc"].mean()
    runs = " / ".join(f"{100 * value:.1f}" for value in scores.loc[scores["method"] == "ct", "acc"])
    assert re.search(rf"CT</a></th>\s*<td[^>]*>(<strong>)?({runs}|{mean:.1f}, 1 run)", text)
    assert "8 of 8, in 10 training jobs" in text
    assert "Few steps" in text
    commands = [html.unescape(command) for command in re.findall("<code>(snakemake [^<]*)</code>", text)]
    options = "--configfile study.yaml"
    assert {f"snakemake {target} {options}" for target in ("tables", "figures", "report")} <= set(commands)
    assert f"snakemake results/clusterings/ct/blobs/seed0.h5 --force {options}" in commands
    words = shlex.split(next(command for command in commands if "ct/blobs" in command))[1:]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "-n", "--quiet", "host"],
        cwd=built,
        env=environment(built),
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"cluster +1\n", done.stdout + done.stderr)


def test_the_page_is_made_again_when_its_design_changes(checkout):
    edit(checkout / "deepkm" / "report" / "page" / "templates" / "page.css", "--ground: #fff", "--ground: #eee")
    assert planned(checkout) == {"report": 1}


def test_snakemakes_own_report(built, tmp_path):
    run_snakemake(built, "--report", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']?(https?:)?//", text)
    for shown in (
        "blobs_losses.png",
        "results/scores.csv",
        "results/tables/acc.csv",
        "Everything of the study on one page",
        "Means over seeds;",
    ):
        assert shown in text


def test_results_hold_raw_answers_and_who_made_them(built):
    arrays, attributes = read_hdf5(built / "results" / "clusterings" / "ct" / "blobs" / "seed1.h5")
    assert arrays["labels"].shape == (1, 120)
    assert arrays["centers"].shape == (1, 3, 3)
    assert arrays["history/labels"].shape == (1, 4, 120)
    assert arrays["history/loss"].shape == arrays["history/clustering"].shape == (1, 3)
    assert attributes["spec"]["seeds"] == [1]
    assert attributes["spec"]["parameters"]["epochs"] == 3
    assert attributes["provenance"]["device"].startswith("CPU")
    assert {"torch", "numpy", "deepkm"} <= set(attributes["provenance"]["versions"])


def test_results_hold_snapshots(built):
    arrays, attributes = read_hdf5(built / "results" / "clusterings" / "ct" / "blobs" / "seed1.h5")
    assert attributes["spec"]["snapshots"] == arrays["snapshots/epoch"].tolist() == [0, 1, 2, 3]
    codes, centers = (arrays[f"snapshots/{name}"][0] for name in ("codes", "centers"))
    assert codes.shape == (4, 120, 3)
    nearest = ((codes[:, :, None] - centers[:, None]) ** 2).sum(-1).argmin(-1)  # (E, M)
    np.testing.assert_array_equal(nearest, arrays["history/labels"][0][:, arrays["snapshots/sample"]])


def test_methods_share_their_autoencoder(built):
    shared, _ = read_hdf5(built / "results" / "clusterings" / "dkm" / "blobs" / "seed0.h5")
    other, _ = read_hdf5(built / "results" / "clusterings" / "ct" / "blobs" / "seed0.h5")
    np.testing.assert_array_equal(shared["history/labels"][:, 0], other["history/labels"][:, 0])


def test_labels_and_models_can_be_taken_away(built):
    table = pd.read_csv(built / "results" / "labels" / "blobs.csv")
    assert list(table) == ["sample", *(f"{method}_seed{seed}" for method in METHODS for seed in (0, 1))]
    raw = read_converted(built / "data" / "blobs.npz", "feature")["feature"]
    for seed in (0, 1):
        model = load(built / "results" / "clusterings" / "ct" / "blobs" / f"seed{seed}.h5")
        np.testing.assert_array_equal(model.predict(raw), table[f"ct_seed{seed}"])


def test_a_second_call_has_nothing_to_do(built):
    assert planned(built) == {}
    assert "Nothing to be done" in run_snakemake(built, "data", "tables", "figures", "report", "-n").stdout


def test_the_pipeline_gives_what_the_estimator_gives(built):
    x = load_features(built / "data" / "blobs.npz", "standard")
    spec = read_hdf5(built / "results" / "clusterings" / "ct" / "blobs" / "seed1.h5")[1]["spec"]
    labels = CT(**spec["parameters"], random_state=1, device="cpu").fit(x).labels_
    np.testing.assert_array_equal(labels, results(built)["results/clusterings/ct/blobs/seed1.h5", "labels"][0])


@pytest.mark.parametrize(
    ("study", "jobs"),
    [
        (changed(methods={"dkm": {"alpha": 10.0}}), {"cluster": 2, **ASKED}),
        (changed(methods={"dkm": {"alpha": 1000}}), {}),  # the value it has
        (changed(methods={"dkm": {"alpha": 1.0, "clustering_weight": 1000.0}}), {"cluster": 2, **ASKED}),  # swapped
        (changed(methods={"dkm": {"title": "Another"}}), {"tables": 1, "figures": 1, "report": 1, "record": 1}),
        (changed(methods={"dkm_reinit": {"alpha": 10.0}}), {}),  # not in the study
        (changed(study={"seeds": [0, 1, 2]}), {"autoencoder": 1, "cluster": 4, **ASKED}),
        (changed(study={"seeds": [0]}), ASKED),
        (
            changed(study={"datasets": ["blobs", "digits"]}),
            {"dataset": 1, "autoencoder": 2, "cluster": 8, **ASKED},
        ),
        (changed(study={"methods": [*METHODS, "aekm_long"]}), {"cluster": 2, **ASKED}),
        (changed(study={"methods": METHODS[:-1]}), ASKED),
        (changed(training={"epochs": 4}), {"cluster": 6, **ASKED}),
        (changed(training={"pretraining_epochs": 3}), {"autoencoder": 2, "cluster": 6, **ASKED}),
        (changed(autoencoders={"mlp": {"hidden_widths": [9]}}), {"autoencoder": 2, "cluster": 6, **ASKED}),
        (changed(seeds_per_job=2), {"autoencoder": 1, "cluster": 4, **ASKED}),
        (changed(keep_models={"methods": []}), {}),
        (dict(reversed(TINY_STUDY.items())), {}),
    ],
    ids=[
        "one parameter",
        "an equal value",
        "swapped values",
        "a title",
        "a method outside the study",
        "a seed added",
        "a seed removed",
        "a data set added",
        "a method added",
        "a method removed",
        "epochs",
        "pretraining",
        "autoencoder",
        "seeds per job",
        "kept models",
        "reordered",
    ],
)
def test_a_change_of_the_study_reruns_what_it_must(built, study, jobs):
    assert planned(built, study) == jobs


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "jobs"),
    [
        ("methods/ct.py", "# lambda", "# the weight", {}),
        ("methods/ct.py", '"""Centering loss:', '"""Another text:', {}),
        ("methods/ct.py", ".mean((-2, -1))", ".mean((-1, -2)) * 2", {"cluster": 4, **REPORT}),
        ("numerics/centers.py", "smallest=1e-12", "smallest=1e-11", {"cluster": 8, **REPORT}),
        (
            "training/loop.py",
            "import numpy as np",
            "import numpy as np\n\nADDED = 1",
            {"autoencoder": 2, "cluster": 8, **REPORT},
        ),
        ("networks/layers.py", "sqrt(6 /", "sqrt(5 /", {"autoencoder": 2, "cluster": 8, **REPORT}),
        ("numerics/metrics.py", "return float(table[", "return 1.0 * float(table[", REPORT),
        ("report/figures/style.py", '"font.size": 8', '"font.size": 9', {"figures": 1, "report": 1}),
        ("stages/cluster.py", "check_samples(len(x)", "check_samples(int(len(x))", {}),
    ],
    ids=["comment", "docstring", "equation", "centers", "training", "autoencoder", "metric", "figure", "plumbing"],
)
def test_a_change_of_the_code_reruns_what_it_must(checkout, file, old, new, jobs):
    edit(checkout / "deepkm" / file, old, new)
    assert planned(checkout) == jobs


def test_the_code_of_a_conversion(checkout):
    edit(checkout / "deepkm" / "datasets" / "sources.py", "import numpy as np", "import numpy as np\n\nADDED = 1")
    assert planned(checkout)["dataset"] == 1
    run_snakemake(checkout, "data")
    assert planned(checkout) == {}  # the same numbers


def test_a_data_set_removed(checkout):
    two = changed(study={"datasets": ["blobs", "digits"], "methods": ["km"], "seeds": [0]})
    run_snakemake(checkout, "tables", study=two)
    assert planned(checkout, changed(study={"methods": ["km"], "seeds": [0]})) == ASKED


def test_the_text_of_a_rule_reruns_nothing(checkout):
    for path in (checkout / "workflow" / "rules").glob("*.smk"):
        path.write_text(path.read_text().replace("python -m deepkm", "python  -m  deepkm"))
    assert planned(checkout) == {}


def test_a_fresh_clone_with_copied_results(built, tmp_path):
    shutil.copytree(built, tmp_path / "clone", copy_function=shutil.copyfile)  # every file is new
    assert planned(tmp_path / "clone") == {}


def test_results_without_snakemakes_records_are_audited(built, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns(".snakemake"))
    assert planned(folder) == {}
    other = changed(methods={"dkm": {"alpha": 10.0}})
    assert planned(folder, other) == {"cluster": 2, **REPORT}
    assert audit(folder, TINY_STUDY) == (0, [], "11 done")
    code, lines, summary = audit(folder, other)
    assert (code, summary) == (1, "9 done, 2 stale")
    assert [line.split()[2:] for line in lines] == [["(other", "parameters.alpha)"]] * 2


def test_an_audit_sees_other_data(built, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns(".snakemake"))
    other = changed(datasets={"blobs": {**TINY_STUDY["datasets"]["blobs"], "n_samples": 130}})
    code, lines, summary = audit(folder, other)
    assert (code, summary) == (1, "10 done, 1 stale")
    assert lines[0].split() == ["stale", "data/blobs.npz", "(other", "n_samples)"]
    for path in (folder / "data").glob("blobs.*"):
        path.unlink()
    run_snakemake(folder, "data", study=other)
    code, lines, summary = audit(folder, other)
    assert (code, summary) == (1, "1 done, 10 stale")
    assert all("(other data)" in line for line in lines)


def audit(folder, study):
    """Return the exit code of an audit, its lines and its last line."""
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    done = run_stage("audit", "--configfile", "study.yaml", check=False, folder=folder)
    *lines, summary = done.stdout.splitlines()
    return done.returncode, lines, summary


def test_audit_status_partial_tables_and_pruning(built, tmp_path):
    folder = shutil.copytree(built, tmp_path / "copy", symlinks=True)
    clusterings = folder / "results" / "clusterings"
    (clusterings / "ct" / "blobs" / "seed1.h5").unlink()
    (clusterings / "km" / "blobs" / "seed0.h5").write_bytes(b"damaged")
    (clusterings / "old").mkdir()
    shutil.copy(clusterings / "ct" / "blobs" / "seed0.h5", clusterings / "old" / "seed0.h5")
    useless = clusterings / "ct" / "blobs" / ".seed0.0123456789abcdef.checkpoint"
    useless.write_bytes(b"of other parameters")
    code, lines, summary = audit(folder, TINY_STUDY)
    assert (code, summary) == (1, "9 done, 1 unreadable, 1 missing, 2 foreign")
    assert sorted(line.split()[0] for line in lines) == ["foreign", "foreign", "missing", "unreadable"]
    done = run_stage("status", "--configfile", "study.yaml", folder=folder)
    assert done.stdout.splitlines()[0] == "8 of 10 training jobs done, 1 unreadable, 1 missing"
    being_written = [useless.with_name(name) for name in (".seed0.ab.checkpoint.tmp", "seed0.h5.tmp")]
    for path in being_written:
        path.touch()
    with sole_writer(useless.with_name(".seed0.ab.lock")):
        run_snakemake(folder, "partial", "clean_checkpoints")
    assert not useless.exists()
    assert all(path.exists() for path in being_written)
    run_snakemake(folder, "clean_checkpoints")
    assert not any(path.exists() for path in being_written)
    table = (folder / "results" / "partial" / "tables" / "acc.md").read_text()
    assert re.search(r"\| CT +\| .*\(1/2\)", table)
    assert re.search(r"\| DKM +\| .*\(2/2\)", table)
    page = (folder / "results" / "partial" / "report.html").read_text()
    assert "Seeds are missing for k-means on Blobs (1/2), CT on Blobs (1/2)." in page
    assert "results/clusterings/old/seed0.h5" in page


def test_touched_files_and_fresh_copies_rerun_nothing(checkout):
    later = time.time() + 100
    for path in [*checkout.rglob("*.py"), *checkout.rglob("*.npz"), *checkout.glob("results/autoencoders/*/*/*")]:
        os.utime(path, (later, later))
    assert planned(checkout) == {}


def test_neither_cores_nor_order_change_a_number(built, tmp_path):
    study = changed(study={"methods": ["ct", "km"], "seeds": [1, 0]})
    run_snakemake(tmp_path, "--cores", "1", "--until", "score", study=study)
    found, expected = results(tmp_path), results(built)
    assert_same(found, {key: expected[key] for key in found})
    columns = ["dataset", "method", "seed", "acc", "nmi", "ari"]
    first, second = (pd.read_csv(folder / "results" / "scores.csv")[columns] for folder in (built, tmp_path))
    pd.testing.assert_frame_equal(second, first.merge(second[columns[:3]], how="right"))


def test_stacked_seeds_end_to_end(checkout):
    run_snakemake(checkout, "--until", "score", study=changed(seeds_per_job=2))
    scores = pd.read_csv(checkout / "results" / "scores.csv")
    assert len(scores) == len(METHODS) * 2
    single = results(checkout)["results/clusterings/ct/blobs/seed1.h5", "labels"][0]
    stacked = results(checkout)["results/clusterings/ct/blobs/seed0x2.h5", "labels"][1]
    assert (single == stacked).mean() > 0.99  # float32: equal but for rounding


def test_the_readme_adds_a_method(tmp_path):
    readme = (ROOT / "README.md").read_text()
    code = re.search(r"```python\n# my_method.py\n(.*?)```", readme, re.DOTALL)[1]
    (tmp_path / "my_method.py").write_text(code)
    entry = yaml.safe_load(re.search(r"```yaml\n(methods:\n  hard:.*?)```", readme, re.DOTALL)[1])
    entry["study"]["seeds"] = [0]
    run_snakemake(tmp_path, "tables", "results/study.json", study=changed(**entry))
    scores = pd.read_csv(tmp_path / "results" / "scores.csv")
    assert scores["method"].tolist() == ["aekm", "dkm", "hard"]
    text = code.replace("distance.amin(-1)", "2 * distance.amin(-1)")
    (tmp_path / "my_method.py").write_text(text)
    assert planned(tmp_path, changed(**entry)) == {"cluster": 1, **REPORT}


def test_a_method_beside_the_file_of_a_study_fails_and_is_mended(tmp_path):
    """Jobs find it; commands named after the failure work; the same command goes on."""
    mine = tmp_path / "st udies"
    mine.mkdir()
    code = "from deepkm.methods.ct import CT\n\n\nclass Broken(CT):\n    def loss(self, batch, run):\n        {}\n"
    (mine / "of_mine.py").write_text(code.format("raise ValueError('this method fails')"))
    entry = {"estimator": "of_mine:Broken", "autoencoder": "mlp"}
    study = changed(study={"methods": ["km", "broken"], "seeds": [0]}, methods={"broken": entry})
    (mine / "mine.yaml").write_text(yaml.safe_dump(study))
    command = f"snakemake -s {ROOT}/Snakefile --configfile 'st udies/mine.yaml' --resources gpu=0 --keep-going tables"
    failed = shell(tmp_path, command)
    assert failed.returncode == 1
    assert "deepkm: error: this method fails" in failed.stderr
    partial, status = re.search("So far: (snakemake partial .*); how far: (.*)", failed.stderr).groups()
    assert "--configfile 'st udies/mine.yaml'" in partial
    assert "1 of 2 clustering jobs are done" in shell(tmp_path, partial).stdout
    assert shell(tmp_path, status).stdout.startswith("2 of 3 training jobs done, 1 missing")
    (mine / "of_mine.py").write_text(code.format("return super().loss(batch, run)"))
    assert shell(tmp_path, command).returncode == 0
    assert shell(tmp_path, status).stdout == "3 of 3 training jobs done\n"


def test_what_the_study_asks_for_is_noted(built, checkout):
    noted = json.loads((built / "results" / "study.json").read_text())
    assert noted["study"] == {**TINY_STUDY["study"], "contrasts": None}
    assert noted["methods"]["dkm"]["title"] == "DKM"
    run_snakemake(checkout, "report", "tables", study=changed(methods={"dkm": {"title": "Another"}}))
    assert json.loads((checkout / "results" / "study.json").read_text())["methods"]["dkm"]["title"] == "Another"
    (checkout / "results" / "study.json").unlink()
    assert planned(checkout, changed(methods={"dkm": {"title": "Another"}})) == {}


def test_a_key_that_occurs_twice_is_seen(tmp_path):
    (tmp_path / "twice.yaml").write_text("study: {seeds: [0]}\nstudy: {methods: [km]}\n")
    done = shell(tmp_path, f"snakemake -s {ROOT}/Snakefile -n --configfile twice.yaml")
    assert done.returncode == 1
    assert "twice.yaml, line 2: got the key 'study' a second time" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_file_and_line_of_a_mistake_in_config_yaml(checkout):
    """Snakemake by itself says that there is one."""
    text = (checkout / "config.yaml").read_text()
    (checkout / "config.yaml").write_text(f"{text}\n\tpanels: [km]\n")
    done = shell(checkout, "snakemake -n")
    assert done.returncode == 1
    line = f"config.yaml, line {text.count(chr(10)) + 2}: found character '\\t'"
    assert line in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_configuration_of_which_the_stages_know_nothing_is_refused(tmp_path):
    (tmp_path / "whole.yaml").write_text("study: {seeds: [0]}\n")
    command = f"snakemake -s {ROOT}/Snakefile -n --configfile whole.yaml --replace-workflow-config"
    done = shell(tmp_path, command)
    assert done.returncode == 1
    assert "got --replace-workflow-config, expected files that are laid over config.yaml" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_results_hold_no_pickles(built):
    for path in built.rglob("*.h5"):
        with h5py.File(path) as file:
            assert not any(item.dtype.kind == "O" for item in file.values() if isinstance(item, h5py.Dataset))


def test_lint():
    command = [sys.executable, "-m", "snakemake", "--lint", "-s", ROOT / "Snakefile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
