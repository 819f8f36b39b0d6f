"""Files that changed by themselves: whatever bit flips, a job starts again or there is one line."""

import json
import shutil
from argparse import Namespace
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from conftest import assert_same

from deepkm.__main__ import main as deepkm
from deepkm.datasets.converted import read_converted
from deepkm.files import check_hdf5, read_attributes, read_hdf5, write_hdf5
from deepkm.jobs.finishing import checkpoint_path
from deepkm.stages import audit, autoencoder, cluster, dataset, score
from deepkm.study.inventory import load_study
from deepkm.study.spec import dumps

FLIPS = 125  # of each kind of file
STUDY = {
    "study": {"datasets": ["blobs"], "methods": ["ct"], "seeds": [0, 1]},
    "training": {"pretraining_epochs": 1, "epochs": 3},
    "datasets": {"blobs": {"n_samples": 40, "n_features": 4, "n_clusters": 3}},
    "autoencoders": {"mlp": {"hidden_widths": [4]}},
    "seeds_per_job": 1,
    "snapshots": 2,
}


class Folder:
    """A study's folder whose jobs are done in this process."""

    def __init__(self):
        Path("study.yaml").write_text(yaml.safe_dump(STUDY))
        self.study = load_study(["study.yaml"])
        self.data = Path("data/blobs.npz")

    def convert(self):
        spec = self.study.dataset_spec("blobs")
        dataset.main(Namespace(spec=spec, input=[], output=self.data, meta=self.data.with_suffix(".meta.json")))

    def job(self, stage, seed=0, **options):
        name = {"autoencoder": "mlp", "cluster": "ct"}[stage]
        spec = getattr(self.study, f"{stage}_spec")("blobs", name, f"seed{seed}")
        output = Path("results", {"autoencoder": "autoencoders", "cluster": "clusterings"}[stage], name)
        output = output / "blobs" / f"seed{seed}.h5"
        options = {"device": "cpu", "threads": 1, "checkpoint_seconds": 60.0, **options}
        if stage == "cluster":
            options["autoencoder"] = [Path(f"results/autoencoders/mlp/blobs/seed{seed}.h5")]
        return Namespace(spec=spec, data=self.data, output=output, **options)

    def make(self, stage, seed=0, **options):
        args = self.job(stage, seed, **options)
        {"autoencoder": autoencoder, "cluster": cluster}[stage].main(args)
        return args.output

    def score(self):
        output = [Path(f"results/{name}.csv") for name in ("scores", "epochs", "runs", "parameters")]
        spec = self.study.score_spec()
        score.main(Namespace(spec=spec, data=[self.data], results=Path("results"), output=output))

    def audit(self, capsys):
        """Return what the audit lists, and how it ends."""
        capsys.readouterr()
        try:
            audit.main(Namespace(configfile=["study.yaml"]))
        except SystemExit as end:
            return capsys.readouterr().out, end.code
        return capsys.readouterr().out, 0


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study = Folder()
        study.convert()
        for seed in (0, 1):
            study.make("autoencoder", seed)
            study.make("cluster", seed)
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """A copy of a study that is done."""
    shutil.copytree(made, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return Folder()


def flips(content, kind):
    """Yield copies of some bytes in which one bit is another; always the same ones."""
    for bit in np.random.default_rng(len(kind)).integers(8 * len(content), size=FLIPS):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << (bit % 8)
        yield bytes(flipped)


def assert_one_line(caught, path):
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "delete it and run" in message
    assert "\n" not in message


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


@pytest.mark.parametrize("text", [None, "", "{}", '{"shape": [40'])
def test_the_description_of_a_data_set(text, folder, capsys):
    meta = folder.data.with_suffix(".meta.json")
    meta.unlink() if text is None else meta.write_text(text)
    listed, code = folder.audit(capsys)
    assert f"{meta} is not what was written with it; delete it and run `snakemake data` again" in listed
    assert code == 1


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


def test_a_result_under_another_name(folder):
    first, second = (folder.job("cluster", seed).output for seed in (0, 1))
    other = first.read_bytes()
    second.write_bytes(other)
    with pytest.raises(
        OSError, match=r"got a result of method ct, dataset blobs, seeds \[0\], expected one of"
    ) as caught:
        folder.score()
    assert_one_line(caught, second)
    assert f"expected one of method ct, dataset blobs, seeds [1]; {'delete it and run again'}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "dkm"}, "got a result of method dkm, dataset blobs"),
        ({"dataset": {"name": "digits"}}, "got a result of method ct, dataset digits"),
        ({"seeds": [0, 1]}, r"seeds \[0, 1\], expected one of method ct, dataset blobs, seeds \[0\]"),
        ({"method": None, "autoencoder": "mlp"}, "got a result of method None"),
    ],
)
def test_a_result_of_something_else(change, message, folder):
    path = folder.job("cluster").output
    arrays, attributes = read_hdf5(path)
    write_hdf5(path, arrays=arrays, attributes={**attributes, "spec": {**attributes["spec"], **change}})
    with pytest.raises(OSError, match=message) as caught:
        folder.score()
    assert_one_line(caught, path)


def test_a_result_of_other_data(folder):
    path = folder.job("cluster").output
    arrays, attributes = read_hdf5(path)
    write_hdf5(path, arrays=arrays, attributes={**attributes, "inputs": {"data": "another"}})
    with pytest.raises(OSError, match=r"got a result of other data than data/blobs\.npz holds now") as caught:
        folder.score()
    assert_one_line(caught, path)


def test_a_checkpoint_in_the_place_of_a_result(folder):
    path = folder.job("cluster").output
    arrays, attributes = read_hdf5(path)
    del attributes["provenance"]
    write_hdf5(path, arrays=arrays, attributes=attributes)
    with pytest.raises(OSError, match="got no finished result") as caught:
        folder.score()
    assert_one_line(caught, path)


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
