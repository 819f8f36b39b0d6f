"""A small study whose jobs are done in this process, and what its readers should say of wrong files."""

import os
import shutil
from argparse import Namespace
from pathlib import Path

import yaml

from deepkm.__main__ import main as deepkm
from deepkm.stages import autoencoder, cluster, figures, score
from deepkm.study.inventory import load_study
from deepkm.study.spec import dumps

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
        command = ["dataset", "--spec", dumps(self.study.dataset_spec("blobs")), "--output", str(self.data)]
        command += ["--meta", str(self.data.with_suffix(".meta.json")), "--scaling", self.study.scaling_of("blobs")]
        assert deepkm(command) == 0

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
        output = [Path(f"results/{name}.csv") for name in ("scores", "epochs", "jobs", "parameters")]
        spec = self.study.score_spec()
        score.main(Namespace(spec=spec, data=[self.data], results=Path("results"), output=output))

    def draw(self):
        tables = [Path(f"{name}.csv") for name in ("scores", "epochs", "jobs", "parameters", "friedman", "nemenyi")]
        for path in tables:
            path.write_text("dataset\n")  # results are looked at first
        how = {"results": Path("results"), "output": Path("figures"), "checksums": None}
        figures.main(Namespace(spec=self.study.figures_spec(), tables=tables, data=[self.data], **how))

    def audit(self, capsys):
        """Return what the audit lists, and how it ends."""
        capsys.readouterr()
        try:
            code = deepkm(["audit", "--configfile", "study.yaml"])
        except SystemExit as end:
            code = end.code
        return capsys.readouterr().out, code


def make_done(folder):
    """Return a folder in which all is done."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        study = Folder()
        study.convert()
        for seed in (0, 1):
            study.make("autoencoder", seed)
            study.make("cluster", seed)
    finally:
        os.chdir(before)
    return folder


def copy_done(made, folder, monkeypatch):
    """Return a copy of it, in which the test works."""
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return Folder()


def assert_one_line(caught, path):
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "delete it and run" in message
    assert "\n" not in message
