"""What a result is of is checked by whoever reads it: one of another job under a name gets one line."""

import shutil
from argparse import Namespace
from pathlib import Path

import pytest
from conftest import assert_same
from done_study import Folder, assert_one_line, copy_done, make_done

from deepkm.files import check_hdf5, read_hdf5, write_hdf5
from deepkm.jobs.finishing import checkpoint_path
from deepkm.stages import autoencoder, cluster, compare, score

READERS = pytest.mark.parametrize("read", [Folder.score, Folder.draw], ids=["score", "figures"])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_done(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    return copy_done(made, tmp_path / "study", monkeypatch)


@READERS
def test_a_result_under_another_name(read, folder):
    first, second = (folder.job("cluster", seed).output for seed in (0, 1))
    second.write_bytes(first.read_bytes())
    with pytest.raises(
        OSError, match=r"got a result of method ct, dataset blobs, seeds \[0\], expected one of"
    ) as caught:
        read(folder)
    assert_one_line(caught, second)
    assert "expected one of method ct, dataset blobs, seeds [1]; delete it and run again" in str(caught.value)


@READERS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "dkm"}, "got a result of method dkm, dataset blobs"),
        ({"dataset": {"name": "digits"}}, "got a result of method ct, dataset digits"),
        ({"seeds": [0, 1]}, r"seeds \[0, 1\], expected one of method ct, dataset blobs, seeds \[0\]"),
        ({"method": None, "autoencoder": "mlp"}, "got a result of method None"),
    ],
    ids=["method", "dataset", "seeds", "stage"],
)
def test_a_result_of_something_else(change, message, read, folder):
    path = folder.job("cluster").output
    arrays, attributes = read_hdf5(path)
    write_hdf5(path, arrays=arrays, attributes={**attributes, "spec": {**attributes["spec"], **change}})
    with pytest.raises(OSError, match=message) as caught:
        read(folder)
    assert_one_line(caught, path)


@READERS
def test_a_result_of_other_data(read, folder):
    path = folder.job("cluster").output
    arrays, attributes = read_hdf5(path)
    write_hdf5(path, arrays=arrays, attributes={**attributes, "inputs": {"data": "another"}})
    with pytest.raises(OSError, match=r"got a result of other data than blobs\.npz holds now") as caught:
        read(folder)
    assert_one_line(caught, path)


@READERS
def test_a_checkpoint_in_the_place_of_a_result(read, folder):
    path = folder.job("cluster").output
    arrays, attributes = read_hdf5(path)
    del attributes["provenance"]
    write_hdf5(path, arrays=arrays, attributes=attributes)
    with pytest.raises(OSError, match="got no finished result") as caught:
        read(folder)
    assert_one_line(caught, path)


def test_comparing_a_result_under_another_name(folder):
    folder.score()
    first, second = (folder.job("cluster", seed).output for seed in (0, 1))
    second.write_bytes(first.read_bytes())
    with pytest.raises(OSError, match="stack seed0, expected one of method ct, dataset blobs, stack seed1") as caught:
        compare.main(Namespace(first=Path("results"), second=Path("results"), output=[]))
    assert_one_line(caught, second)


def test_scores_without_the_data(folder):
    folder.data.unlink()
    path = folder.job("cluster").output
    with pytest.raises(OSError, match=f"{path}: the data set is missing; run `snakemake data` again"):
        score.write_scores([path], [], data=[], output=[], jobs=folder.study.training_jobs())


def test_an_autoencoder_of_something_else(folder):
    args = folder.job("cluster")
    [path] = args.autoencoder
    arrays, attributes = read_hdf5(path)
    spec = attributes["spec"]
    others = {
        "seeds": {"spec": {**spec, "seeds": [1]}},
        "dataset": {"spec": {**spec, "dataset": {**spec["dataset"], "name": "digits"}}},
        "n_latent": {"spec": {**spec, "parameters": {**spec["parameters"], "n_latent": 9}}},
        "data": {"inputs": {"data": "another"}},
    }
    for what, other in others.items():
        write_hdf5(path, arrays=arrays, attributes={**attributes, **other})
        with pytest.raises(OSError, match=f"got an autoencoder of other {what} than this job's") as caught:
            cluster.main(args)
        assert_one_line(caught, path)
    path.write_bytes(args.output.read_bytes())
    with pytest.raises(OSError, match="got no autoencoder"):
        cluster.main(args)


def test_a_cache_entry_of_something_else(folder, monkeypatch, capsys):
    monkeypatch.setenv("DEEPKM_CACHE", "cache")
    for seed in (0, 1):
        args = folder.job("autoencoder", seed)
        checkpoint_path(args).unlink(missing_ok=True)
        autoencoder.main(args)
    whole = read_hdf5(args.output)[0]
    capsys.readouterr()
    first, second = sorted(Path("cache").rglob("*.h5"), key=lambda path: check_hdf5(path)["spec"]["seeds"])
    shutil.copy(first, second.with_suffix(".tmp"))
    second.with_suffix(".tmp").replace(second)
    checkpoint_path(args).unlink(missing_ok=True)
    autoencoder.main(args)
    assert capsys.readouterr().out.count(f"trained anew: {second} is of something else") == 1
    assert_same(read_hdf5(args.output)[0], whole)
    assert check_hdf5(second)["spec"]["seeds"] == [1]
