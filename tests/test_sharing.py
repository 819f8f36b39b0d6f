"""What studies share: whatever differs in seed, data, parameters or code never meets, and nothing is made twice."""

from argparse import Namespace
from contextlib import ExitStack

import numpy as np
import pytest
import yaml
from conftest import ROOT, assert_same, changed, run_snakemake, started_snakemake, wait_for

from deepkm.files import read_hdf5, sole_writer
from deepkm.stages import autoencoder
from deepkm.study.data import check_data
from deepkm.study.inventory import load_study
from deepkm.study.plan import Study


@pytest.fixture
def pretrain(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPKM_CACHE", str(tmp_path / "cache"))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config |= {"study": {"datasets": ["blobs", "digits"], "methods": ["aekm"], "seeds": [0, 1]}, "seeds_per_job": 1}
    config["autoencoders"]["mlp"]["hidden_widths"] = [8]
    study = Study(config)

    def call(folder, *, dataset="blobs", seed=0, data=0, **parameters):
        feature = np.random.default_rng(data).normal(size=(60, 4)).astype(np.float32)
        np.savez(tmp_path / f"{data}.npz", feature=feature)
        spec = study.autoencoder_spec(dataset, "mlp", f"seed{seed}")
        spec["parameters"] |= {"pretraining_epochs": 1, **parameters}
        output = tmp_path / folder / f"{dataset}-{seed}-{data}-{len(parameters)}.h5"
        options = {"device": "cpu", "threads": 1, "checkpoint_seconds": 60.0}
        autoencoder.main(Namespace(spec=spec, data=tmp_path / f"{data}.npz", output=output, **options))
        return read_hdf5(output)[0]

    return call


CASES = [
    {},
    {"seed": 1},
    {"data": 1},  # other numbers under the same name
    {"dataset": "digits"},
    {"dataset": "digits", "seed": 1},
    {"pretraining_learning_rate": 0.01},
]


def test_no_two_seeds_data_sets_or_parameters_collide(pretrain, tmp_path, capsys):
    first = [pretrain("first", **case) for case in CASES]
    assert "taken from" not in capsys.readouterr().out
    assert len(list((tmp_path / "cache").rglob("*.h5"))) == len(CASES)
    second = [pretrain("second", **case) for case in CASES]
    assert capsys.readouterr().out.count("taken from") == len(CASES)
    for made, taken in zip(first, second, strict=True):
        assert_same(made, taken)
    weights = [made["autoencoder/encoder.0.weight"] for made in first[:3]]
    assert len({weight.tobytes() for weight in weights}) == 3


def test_a_damaged_shared_file_is_made_anew(pretrain, tmp_path, capsys):
    made = pretrain("first")
    [path] = (tmp_path / "cache").rglob("*.h5")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:200])
    assert_same(pretrain("second"), made)
    assert "trained anew" in capsys.readouterr().out
    assert_same(read_hdf5(path)[0], made)


def dataset_logs(*folders):
    return [log.read_text() for folder in folders for log in folder.glob("results/logs/dataset/blobs.log")]


def test_two_studies_convert_into_one_folder_only_once(tmp_path):
    shared, folders = tmp_path / "shared", [tmp_path / "first", tmp_path / "second"]
    with ExitStack() as held, ExitStack() as running:
        held.enter_context(sole_writer(shared / ".blobs.npz.lock"))
        for folder in folders:
            folder.mkdir()
            running.enter_context(started_snakemake(folder, "data", study=changed(data_dir=str(shared))))
        wait_for(lambda: "".join(dataset_logs(*folders)).count("waiting for another process") == 2)
        held.close()  # now both want to convert at once
        wait_for(lambda: all("Done in " in (folder / "snakemake.txt").read_text() for folder in folders))
    first, second = sorted(log.splitlines()[-1] for log in dataset_logs(*folders))
    assert (first, second) == (
        f"{shared}/blobs.npz was made by the process waited for",
        "blobs: 120 samples of shape (4,), 3 classes",
    )
    assert sorted(path.name for path in shared.iterdir()) == ["blobs.meta.json", "blobs.npz"]


def test_a_shared_folder_never_gives_the_data_of_another_study(tmp_path, monkeypatch):
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", feature=np.random.default_rng(ord(name)).normal(size=(60, 4)))
    shared, own = tmp_path / "shared", tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(own)

    def study(blobs=(), **mine):
        entries = {"blobs": {"n_samples": 120, **dict(blobs)}}
        entries["mine"] = {"path": str(tmp_path / "a.npz"), "n_clusters": 3, "scaling": "none", **mine}
        parts = {"datasets": list(entries)}
        return changed(data_dir=str(shared), datasets=entries, study=parts)

    def check(study):
        (own / "study.yaml").write_text(yaml.safe_dump(study))
        check_data(load_study(["study.yaml"]))

    run_snakemake(own, "data", study=study())
    before = {path: path.read_bytes() for path in shared.iterdir()}
    done = run_snakemake(own, "data", study=study(first=30), check=False)  # even by the study that made them
    assert done.returncode == 1
    assert done.stdout.count("converted for another study from other data or options (first); rename the data set") == 1
    assert {path: path.read_bytes() for path in shared.iterdir()} == before
    for wrong, key in [({"path": str(tmp_path / "b.npz")}, "files"), ({"blobs": {"n_samples": 90}}, "n_samples")]:
        with pytest.raises(ValueError, match=rf"\({key}\)"):
            check(study(**wrong))
    check(study(n_clusters=2, title="Mine", scaling="unit"))  # the same numbers
