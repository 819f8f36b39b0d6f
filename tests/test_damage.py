"""Files that changed by themselves: whatever bit flips, a job starts again or there is one line."""

import json
from contextlib import nullcontext
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import assert_same, run_snakemake
from done_study import STUDY, assert_one_line, copy_done, make_done

from deepkm.__main__ import main as deepkm
from deepkm.datasets.converted import read_converted
from deepkm.files import check_hdf5, read_attributes, read_hdf5
from deepkm.jobs import resuming
from deepkm.jobs.finishing import checkpoint_path
from deepkm.stages import autoencoder, cluster, dataset
from deepkm.study.data import check_data
from deepkm.study.spec import dumps

FLIPS = 125  # of each kind of file


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_done(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    return copy_done(made, tmp_path / "study", monkeypatch)


def flips(content, kind):
    """Yield copies of some bytes in which one bit is another; always the same ones."""
    for bit in np.random.default_rng(len(kind)).integers(8 * len(content), size=FLIPS):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << (bit % 8)
        yield bytes(flipped)


def test_a_checkpoint(folder, monkeypatch, capsys):
    args = folder.job("cluster", checkpoint_seconds=0)
    path, whole = checkpoint_path(args), read_hdf5(args.output)[0]
    path.unlink()

    def stop(*_):
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(cluster, "finish", stop)
        with pytest.raises(InterruptedError):
            cluster.main(args)
    content = path.read_bytes()
    for damaged in (content, *flips(content, "checkpoint")):
        path.write_bytes(damaged)
        args.output.unlink(missing_ok=True)
        cluster.main(args)
        log = capsys.readouterr().out
        if damaged == content:
            assert f"going on from epoch 2, saved at its time ({path})" in log
        else:
            assert log.count(f"starting again: {path}: got an unreadable HDF5 file") == 1
        assert_same(read_hdf5(args.output)[0], whole)


def test_a_finished_result_in_the_place_of_its_checkpoint(folder, capsys):
    args = folder.job("cluster")
    path, whole = checkpoint_path(args), read_hdf5(args.output)[0]
    content = path.read_bytes()
    for damaged in list(flips(content, "finished"))[:10]:
        path.write_bytes(damaged)
        args.output.unlink()
        cluster.main(args)
        assert "starting again" in capsys.readouterr().out
        assert_same(read_hdf5(args.output)[0], whole)


def test_a_pretrained_autoencoder(folder):
    args = folder.job("cluster", 1)
    [path] = args.autoencoder
    for damaged in flips(path.read_bytes(), "autoencoder"):
        path.write_bytes(damaged)
        with pytest.raises(OSError, match="unreadable HDF5 file") as caught:
            cluster.main(args)
        assert_one_line(caught, path)


def test_a_cache_entry(folder, monkeypatch, capsys):
    monkeypatch.setenv("DEEPKM_CACHE", "cache")
    args = folder.job("autoencoder")
    whole = read_hdf5(args.output)[0]
    checkpoint_path(args).unlink(missing_ok=True)
    autoencoder.main(args)
    [path] = Path("cache").rglob("*.h5")
    for damaged in flips(path.read_bytes(), "cache"):
        path.unlink()
        path.write_bytes(damaged)
        checkpoint_path(args).unlink(missing_ok=True)
        autoencoder.main(args)
        assert capsys.readouterr().out.count(f"trained anew: {path}: got an unreadable HDF5 file") == 1
        assert_same(read_hdf5(args.output)[0], whole)
        assert_same(read_hdf5(path)[0], whole)


def test_a_result(folder, capsys):
    path = folder.job("cluster").output
    for i, damaged in enumerate(flips(path.read_bytes(), "result")):
        path.write_bytes(damaged)
        with pytest.raises(OSError, match="unreadable HDF5 file") as caught:
            folder.score()
        assert_one_line(caught, path)
        if i < 5:
            listed, code = folder.audit(capsys)
            assert f"unreadable  {path}" in listed
            assert code == 1


def test_attributes_read_alone_are_whole(folder):
    path = folder.job("cluster").output
    attributes = read_attributes(path)
    for damaged in flips(path.read_bytes(), "attributes"):
        path.write_bytes(damaged)
        try:
            assert read_attributes(path) == attributes
        except OSError as error:
            assert "unreadable HDF5 file" in str(error)


def test_a_converted_data_set(folder, capsys):
    args = folder.job("cluster")
    content, whole = folder.data.read_bytes(), read_converted(folder.data, "feature", "target")
    shortened = [content[:n] for n in (0, 1, 100, len(content) // 2, len(content) - 1, len(content) - 90)]
    for damaged in (*shortened, *flips(content, "data")):
        folder.data.write_bytes(damaged)
        try:
            assert_same(read_converted(folder.data, "feature", "target"), whole)  # a bit of the word before the digest
            continue
        except OSError as error:
            assert str(error).startswith(f"{folder.data}: got an unreadable data set")
        for stage in (cluster.main, lambda _: folder.score()):
            with pytest.raises(OSError, match="unreadable data set") as caught:
                stage(args)
            assert_one_line(caught, folder.data)
    listed, code = folder.audit(capsys)
    assert f"unreadable  {folder.data}" in listed
    assert code == 1
    folder.convert()
    assert folder.data.read_bytes() == content
    assert folder.audit(capsys) == ("5 done\n", 0)


@pytest.mark.parametrize("text", ["", "{}", '{"shape": [40'])
def test_the_description_of_a_data_set(text, folder, capsys):
    meta = folder.data.with_suffix(".meta.json")
    meta.write_text(text)
    listed, code = folder.audit(capsys)
    assert f"unreadable  {folder.data}  ({meta}: is not what was written with blobs.npz; delete it and run `" in listed
    assert code == 1
    meta.unlink()
    assert f"missing     {folder.data}  (without blobs.meta.json)" in folder.audit(capsys)[0]


def test_snakemake_finds_damaged_data(folder):
    """It looks at times, and at the description: without a look at the data there would be nothing to be done."""
    check_data(folder.study)
    meta = folder.data.with_suffix(".meta.json")
    text = meta.read_bytes()
    meta.write_bytes(text[:-9])
    with pytest.raises(OSError, match=r"blobs\.meta\.json: is not what was written with blobs\.npz; delete"):
        check_data(folder.study)
    meta.write_bytes(text)
    folder.data.write_bytes(folder.data.read_bytes()[:-99])
    done = run_snakemake(Path.cwd(), "data", study=STUDY, check=False)
    assert done.returncode == 1
    assert done.stdout.count("data/blobs.npz: got an unreadable data set") == 1
    assert "Traceback" not in done.stdout
    folder.data.unlink()
    check_data(folder.study)  # it will be converted anew


def test_scores_that_were_edited_or_deleted(folder, capsys):
    folder.score()
    assert folder.audit(capsys) == ("5 done\n", 0)
    scores = Path("results/scores.csv")
    content = scores.read_bytes()
    scores.write_bytes(content.replace(b"0.", b"0.9", 1))
    folder.job("cluster").output.unlink()  # scores are looked at whatever else is missing
    assert "stale       results/scores.csv" in folder.audit(capsys)[0]
    folder.make("cluster")
    folder.score()
    scores.unlink()
    assert "missing     results/scores.csv" in folder.audit(capsys)[0]


def test_labels_that_were_changed(folder, capsys):
    path = folder.job("cluster").output
    assert folder.audit(capsys) == ("5 done\n", 0)
    with h5py.File(path, "r+") as file:
        file["labels"][...] = 0
    listed, code = folder.audit(capsys)
    assert f"unreadable  {path}  ({path}: got an unreadable HDF5 file (damaged, not what was written); " in listed
    assert code == 1


@pytest.mark.parametrize("share", [0, 0.1, 0.9, 0.999])
def test_a_file_cut_short(share, folder, capsys):
    path = folder.job("cluster").output
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert f"unreadable  {path}" in folder.audit(capsys)[0]


def test_a_file_of_another_version(folder, capsys):
    """Without a digest nobody knows what is in it."""
    args = folder.job("cluster")
    with h5py.File(args.output, "w") as file:
        file["labels"] = np.zeros((1, 40))
        file.attrs["spec"] = dumps(args.spec)
    with pytest.raises(
        OSError, match=r"seed0\.h5: got an unreadable HDF5 file \(made by another version of DeepKM\); del"
    ):
        folder.score()
    assert "made by another version of DeepKM" in folder.audit(capsys)[0]


@pytest.mark.parametrize("stage", ["autoencoder", "cluster"])
def test_a_job_that_waited_for_a_damaged_result(stage, folder, monkeypatch, capsys):
    args, whole = folder.job(stage), folder.data.read_bytes()
    monkeypatch.setattr(resuming, "sole_writer", lambda _: nullcontext(True))
    monkeypatch.setattr(dataset, "sole_writer", lambda _: nullcontext(True))
    for share, said in ((1, True), (0.5, False)):
        for path in (args.output, folder.data):
            path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        checkpoint_path(args).unlink(missing_ok=True)
        folder.convert()
        folder.make(stage)
        assert capsys.readouterr().out.count("was made by the process waited for") == 2 * said
        assert "provenance" in check_hdf5(args.output)
        assert folder.data.read_bytes() == whole


def test_the_command_line_prints_one_line(folder, capsys):
    path = folder.job("cluster").output
    path.write_bytes(path.read_bytes()[:-1])
    spec = json.dumps(folder.study.score_spec())
    assert (
        deepkm(["score", "--spec", spec, "--data", "data/blobs.npz", "--results", "results", "--output", "a.csv"]) == 2
    )
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(path) in error
