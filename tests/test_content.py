"""What runs again is decided by what files hold: not by their dates, nor by whether Snakemake has a record of them."""

import os
import shutil
import time

import numpy as np
import pytest
import yaml
from conftest import changed, planned, run_snakemake
from PIL import Image

from deepkm.__main__ import main as deepkm
from deepkm.datasets import contents as of_files
from deepkm.files import bring_to_now, read_hdf5, write_hdf5
from deepkm.study.contents import Contents
from deepkm.study.data import check_data, found_data
from deepkm.study.inventory import load_study
from deepkm.study.spec import dumps

STUDY = {
    "study": {"datasets": ["mine"], "methods": ["km", "ct"], "seeds": [0]},
    "training": {"pretraining_epochs": 1, "epochs": 2},
    "datasets": {"mine": {"path": "mine.npz", "n_clusters": 3, "scaling": "standard"}},
    "autoencoders": {"mlp": {"hidden_widths": [4]}},
    "seeds_per_job": 1,
    "snapshots": 2,
}
ALL = {"dataset": 1, "autoencoder": 1, "cluster": 2, "score": 1}
SCORES, RESULT = "results/scores.csv", "results/clusterings/ct/mine/seed0.h5"
AUTOENCODER = "results/autoencoders/mlp/mine/seed0.h5"
YEAR = 365 * 86400


def write_own(path, seed, offset=0.0):
    random = np.random.default_rng(seed)
    target = np.arange(30) % 3
    np.savez(path, feature=random.normal(size=(30, 4)) + 4 * target[:, None] + offset, target=target)


def date(path, seconds):
    """Date a file some seconds from now."""
    os.utime(path, (time.time() + seconds,) * 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study that has run up to its scores, and files to put in the place of others."""
    folder = tmp_path_factory.mktemp("made")
    write_own(folder / "mine.npz", 0)
    write_own(folder / "other.npz", 1, offset=1.0)
    date(folder / "other.npz", -YEAR)
    run_snakemake(folder, SCORES, study=STUDY)
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """A copy with dates and records."""
    copy = shutil.copytree(made, tmp_path / "study")
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def bare(folder):
    """A copy without Snakemake's records, in which each file is dated before those that it was made of."""
    shutil.rmtree(folder / ".snakemake")
    files = [path for path in folder.rglob("*") if path.is_file()]
    for i, path in enumerate(sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)):
        date(path, i - 1000)
    assert (folder / AUTOENCODER).stat().st_mtime > (folder / RESULT).stat().st_mtime
    return folder


def audit(capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit):
        deepkm(["audit", "--configfile", "study.yaml"])
    return capsys.readouterr().out


@pytest.mark.parametrize("put", [os.replace, shutil.copy2], ids=["mv", "cp -p"])
def test_ones_own_file_replaced_by_an_older_one(put, folder, capsys):
    put("other.npz", "mine.npz")
    assert planned(folder, STUDY, SCORES) == ALL
    assert "stale       data/mine.npz  (other files)" in audit(capsys)


def test_the_same_file_again(folder):
    shutil.copy("mine.npz", "copy.npz")
    os.replace("copy.npz", "mine.npz")
    date("mine.npz", YEAR)
    assert planned(folder, STUDY, SCORES) == {}


def test_files_dated_in_the_future_block_nothing(folder):
    for name in ("mine.npz", "data/mine.npz", "data/mine.meta.json", AUTOENCODER):
        date(name, YEAR)
    before = read_hdf5(RESULT)[0]["labels"]
    os.unlink(RESULT)
    run_snakemake(folder, RESULT, study=STUDY)
    np.testing.assert_array_equal(read_hdf5(RESULT)[0]["labels"], before)
    os.unlink("data/mine.npz")
    run_snakemake(folder, "data", study=STUDY)


def test_a_date_that_cannot_be_set(tmp_path, monkeypatch):
    path = tmp_path / "data.npz"
    path.touch()
    bring_to_now(path)
    date(path, YEAR)

    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    with pytest.raises(OSError, match=r"data\.npz: got a file dated .* in the future.* touch it, or correct the clock"):
        bring_to_now(path)


def test_a_copy_without_dates_and_records(bare):
    assert planned(bare, STUDY, SCORES) == {}
    everything = planned(bare, STUDY)
    assert not everything.keys() & {"download", "dataset", "autoencoder", "cluster", "score"}


def test_results_alone_in_a_new_folder(bare):
    shutil.rmtree("data")
    assert planned(bare, STUDY, SCORES) == {}
    more = {**STUDY, "study": {**STUDY["study"], "seeds": [0, 1]}}
    assert planned(bare, more, SCORES) == ALL  # of the new seed


def test_a_change_shows_without_records_too(bare):
    other = {**STUDY, "training": {"pretraining_epochs": 1, "epochs": 3}}
    assert planned(bare, other, SCORES) == {"cluster": 1, "score": 1}
    os.replace("other.npz", "mine.npz")
    assert planned(bare, STUDY, SCORES) == ALL
    shutil.rmtree("data")
    assert planned(bare, STUDY, SCORES) == ALL


def test_results_under_another_name(bare):
    shutil.move("results", "elsewhere")
    assert planned(bare, {**STUDY, "results_dir": "elsewhere"}, "elsewhere/scores.csv") == {}


def rewritten(path, **attributes):
    """Write a result again, with other attributes, under an old date."""
    arrays, found = read_hdf5(path)
    write_hdf5(path, arrays=arrays, attributes={**found, **attributes})
    date(path, -YEAR)


@pytest.mark.parametrize(
    ("path", "attributes", "jobs", "said"),
    [
        (RESULT, {"spec": {"method": "dkm"}}, {"cluster": 1, "score": 1}, f"stale       {RESULT}  (other dataset, "),
        (RESULT, {"inputs": {"data": "another"}}, {"cluster": 1, "score": 1}, f"stale       {RESULT}  (other data)"),
        (RESULT, {"diverged": [0]}, {"score": 1}, f"stale       {SCORES}  (other than what the results give)"),
        (
            AUTOENCODER,
            {"carried": {"weights": "others"}},
            {"cluster": 1, "score": 1},
            f"stale       {RESULT}  (other autoencoder)",
        ),
        (
            AUTOENCODER,
            {"spec": {"seeds": [1]}},
            {"autoencoder": 1, "cluster": 1, "score": 1},
            f"stale       {AUTOENCODER}  (other auto",
        ),
    ],
    ids=["method", "data", "numbers", "weights", "seed"],
)
def test_a_result_replaced_by_an_older_one(path, attributes, jobs, said, folder, capsys):
    rewritten(path, **attributes)
    assert planned(folder, STUDY, SCORES) == jobs
    assert said in audit(capsys)


def test_scores_edited_by_hand(folder, capsys):
    text = (folder / SCORES).read_text()
    (folder / SCORES).write_text(text.replace("mine,km,0,", "mine,km,0,1"))
    date(folder / SCORES, -YEAR)
    assert planned(folder, STUDY, SCORES) == {"score": 1}
    assert f"stale       {SCORES}  (other than" in audit(capsys)
    run_snakemake(folder, SCORES, study=STUDY)
    assert (folder / SCORES).read_text() == text


@pytest.mark.parametrize("name", ["mine.npz", "mine.meta.json"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_converted_file_cut_short(name, share, folder, capsys):
    path = folder / "data" / name
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    date(path, -YEAR)
    line = f"data/{name}: "
    with pytest.raises(OSError, match=line):
        check_data(load_study(["study.yaml"]))
    assert f"unreadable  data/mine.npz  ({line}" in audit(capsys)
    assert deepkm(["status", "--configfile", "study.yaml"]) == 0
    assert f"unreadable  data/mine.npz  ({line}" in capsys.readouterr().out


def test_snakemake_says_in_one_line_what_is_damaged(folder):
    (folder / "data" / "mine.npz").write_bytes(b"")
    done = run_snakemake(folder, study=STUDY, check=False)
    assert done.returncode == 1
    assert done.stdout.count("data/mine.npz: got an unreadable data set (No data left in file); delete it and run") == 1
    assert "Traceback" not in done.stdout


def test_a_converted_file_of_another_program(folder):
    shutil.copy("other.npz", "data/mine.npz")
    with pytest.raises(OSError, match=r"data/mine\.npz: got no spec, sha256, expected a data set of this version of"):
        check_data(load_study(["study.yaml"]))


def write_pictures(folder, brightness):
    for i, name in enumerate(("a/1.bmp", "a/2.bmp", "b/1.bmp", "b/2.bmp")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), brightness + i, np.uint8)).save(folder / name)


def test_pictures_replaced_by_older_ones_of_equal_size(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, brightness in (("pictures", 10), ("others", 200)):
        write_pictures(tmp_path / folder, brightness)
    entries = {"pictures": {"path": "pictures", "n_clusters": 2, "scaling": "unit"}}
    study = changed(study={"datasets": ["pictures"], "methods": ["km"]}, datasets=entries)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    spec = dumps(load_study(["study.yaml"]).dataset_spec("pictures"))
    command = ["dataset", "--spec", spec, "--input", "pictures", "--output", "data/pictures.npz"]
    assert deepkm([*command, "--meta", "data/pictures.meta.json"]) == 0
    assert found_data(load_study(["study.yaml"]))["pictures"].state == "done"
    about = os.stat("pictures/a/2.bmp")
    shutil.copy2("others/a/2.bmp", "pictures/a/2.bmp")
    os.utime("pictures/a/2.bmp", ns=(about.st_atime_ns, about.st_mtime_ns))
    assert os.stat("pictures/a/2.bmp").st_size == about.st_size
    data = found_data(load_study(["study.yaml"]))["pictures"]
    assert (data.state, data.remark) == ("stale", "other files")


def test_a_file_is_read_once(tmp_path, monkeypatch):
    read = []

    def sha256_of(path):
        read.append(path)
        return path.read_bytes().hex()

    monkeypatch.setattr(of_files, "sha256_of", sha256_of)
    monkeypatch.setattr(of_files, "_SETTLED_SECONDS", 0)
    path, notes = tmp_path / "mine.npz", tmp_path / "results" / "notes.h5"
    for content in (b"one", b"two"):
        (tmp_path / "new").write_bytes(content)
        os.utime(tmp_path / "new", (0, 0))
        os.replace(tmp_path / "new", path)
        time.sleep(0.05)
        for _ in range(3):
            assert Contents(notes).digest_of(path) == content.hex()
    assert len(read) == 2
    notes.write_bytes(notes.read_bytes()[:-1])  # damaged notes are none
    assert Contents(notes).digest_of(path) == b"two".hex()
    assert len(read) == 3


def test_a_file_that_just_changed_is_read_again(tmp_path):
    path, notes = tmp_path / "mine.npz", tmp_path / "notes.h5"
    path.write_bytes(b"one")
    first = Contents(notes).digest_of(path)
    path.write_bytes(b"two")  # within the same tick of the file system's clock, maybe
    assert Contents(notes).digest_of(path) != first
    assert not notes.exists()
