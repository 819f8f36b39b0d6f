"""Titles and paths as people write them: they pass through Snakemake, a shell and each stage as what they are."""

import html
import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, changed, environment, run_snakemake, run_stage, shell

from deepkm.study.plan import Study
from deepkm.study.spec import dumps

TITLES = {
    "km": "{word} $L_{2}$ <results> \"q\" 'p' | \\frac ~^%_# 😀",
    "aekm": "Same",
    "dkm": "Same",
}
OWN = "-dash & 'x' $HOME.npz"
RESULTS = '-res ults\' "$HOME" é;'
STUDY = changed(
    study={"datasets": ["mine"], "methods": list(TITLES), "seeds": [0]},
    methods={key: {"title": title} for key, title in TITLES.items()},
    datasets={"mine": {"path": OWN, "n_clusters": 3, "scaling": "none", "title": "{dataset} $x$"}},
    results_dir=RESULTS,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a study in which each name is hard to pass on."""
    folder = tmp_path_factory.mktemp("names") / "it's a $HOME `f` é"
    folder.mkdir()
    feature = np.random.default_rng(0).normal(size=(60, 4)) + 5 * (np.arange(60) % 3)[:, None]
    np.savez(folder / OWN, feature=feature, target=np.arange(60) % 3)
    run_snakemake(folder, study=STUDY)
    return folder


def test_nothing_is_made_elsewhere_or_again(folder):
    assert {path.name for path in folder.iterdir()} == {OWN, RESULTS, "data", "study.yaml", ".snakemake"}
    assert "Nothing to be done" in run_snakemake(folder, "-n", study=STUDY).stdout


def test_titles_are_shown_as_they_are(folder):
    assert pd.read_csv(folder / RESULTS / "tables" / "acc.csv")["method"].tolist() == list(TITLES)
    page = (folder / RESULTS / "report.html").read_text()
    for title in (*TITLES.values(), "{dataset} $x$"):
        assert html.escape(title, quote=False) in page.replace("&#34;", '"').replace("&#39;", "'")


def test_methods_of_equal_title_have_links_of_their_own(folder):
    page = (folder / RESULTS / "report.html").read_text()
    found = re.findall(r'<a href="#(method-\w+)">Same<', page)
    assert set(found) == {"method-aekm", "method-dkm"}
    assert min(map(found.count, set(found))) > 1


def test_the_study_is_looked_after(folder):
    assert run_stage("audit", "--configfile", "study.yaml", folder=folder).stdout == "5 done\n"
    assert run_stage("status", "--configfile", "study.yaml", folder=folder).stdout == "4 of 4 training jobs done\n"
    run_snakemake(folder, "partial", "clean_checkpoints", "describe", study=STUDY)
    assert (folder / RESULTS / "partial" / "report.html").exists()
    assert (folder / RESULTS / "datasets" / "samples.png").exists()


def test_commands_of_the_page_work(folder):
    page = (folder / RESULTS / "report.html").read_text()
    commands = [html.unescape(command) for command in re.findall("<code>(snakemake [^<]*)</code>", page)]
    [command] = [command for command in commands if "clusterings/dkm" in command]
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command), "-n", "--quiet", "host"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"cluster +1\n", done.stdout + done.stderr)


def test_a_text_longer_than_an_argument_may_be(tmp_path):
    title = "long " * 40_000
    study = changed(methods={"km": {"title": title}})
    run_snakemake(tmp_path, "results/study.json", study=study)
    assert json.loads((tmp_path / "results" / "study.json").read_text())["methods"]["km"]["title"] == title
    spec = {
        "name": "long",
        "source": "blobs",
        "n_samples": 9,
        "n_features": 2,
        "n_clusters": 3,
        "spread": 1.0,
        "seed": 0,
    }
    command = f"python -m deepkm dataset --spec - <<< {shlex.quote(dumps({**spec, 'title': title}))}"
    (tmp_path / "job.sh").write_text(f"{command} --output long.npz --meta long.meta.json")
    done = shell(tmp_path, f"PYTHONPATH={shlex.quote(str(ROOT))} bash job.sh")
    assert (tmp_path / "long.npz").exists(), done.stderr


@pytest.mark.parametrize("key", ["results_dir", "data_dir"])
@pytest.mark.parametrize("name", ["a{b}", "{dataset}", "<results>", "a<b", "}"])
def test_patterns_are_refused_as_folders(config, key, name):
    with pytest.raises(ValueError, match=f"^{key}: got '.*', expected a path without braces"):
        Study({**config, key: name})


@pytest.mark.parametrize("key", ["results_dir", "data_dir"])
@pytest.mark.parametrize(
    "name", ["$HOME", "$HOME/results", "s3://mine/results", "http://x.org", "a\nb", "a\tb", "\x07"]
)
def test_what_others_take_for_more_than_a_name_is_refused(config, key, name):
    with pytest.raises(ValueError, match=f"^{key}: got '.*', expected the path of a file or folder"):
        Study({**config, key: name})


@pytest.mark.parametrize("title", ["", " ", "a\0b", "\x1b[31mred", "\ud800"])
def test_titles_can_be_seen(config, title):
    for kind in ("datasets", "methods"):
        key = next(iter(config[kind]))
        entries = {**config[kind], key: {**config[kind][key], "title": title}}
        with pytest.raises(ValueError, match=f"^{kind}.{key}.title: got .* expected text that can be seen"):
            Study({**config, kind: entries})


@pytest.mark.parametrize("key", ["mine\n", "x" * 81, "a-b", "", "ä"])
def test_keys_are_parts_of_file_names(config, key):
    for kind in ("datasets", "methods"):
        entries = {**config[kind], key: next(iter(config[kind].values()))}
        with pytest.raises(ValueError, match=f"^{kind}: got '.*, expected text of the form"):
            Study({**config, kind: entries})


def test_patterns_are_refused_as_a_path(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("{dataset}.npz", "mine{2}.npz"):
        (tmp_path / name).touch()
        config["datasets"]["digits"] = {"path": name, "n_clusters": 3, "scaling": "none"}
        with pytest.raises(ValueError, match=r"^datasets.digits.path: got .* expected a path without braces"):
            Study(config)


def test_a_home_is_a_home(config, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my.npz").touch()
    config["datasets"]["digits"] = {"path": "~/my.npz", "n_clusters": 3, "scaling": "none"}
    study = Study({**config, "results_dir": "~/results", "data_dir": "~", "data_mirror": "~/mirror"})
    assert study.folders == {"results": f"{tmp_path}/results", "data": str(tmp_path)}
    assert study.dataset_files("digits") == [f"{tmp_path}/my.npz"]
    assert study.mirror == f"{tmp_path}/mirror"
    with pytest.raises(ValueError, match=r"^results_dir: got '~nobody_here/x', expected the home folder of a user"):
        Study({**config, "results_dir": "~nobody_here/x"})


def test_equal_paths_look_equal(config):
    assert Study({**config, "results_dir": "./a//b/", "data_dir": "c/."}).folders == {"results": "a/b", "data": "c"}


def test_snakemake_says_it_in_one_line(tmp_path):
    done = run_snakemake(tmp_path, "-n", study=changed(results_dir="{dataset}"), check=False)
    assert done.returncode == 1
    assert done.stdout.count("config: results_dir: got '{dataset}' with '{', expected a path without braces") == 1
    assert "Traceback" not in done.stdout
