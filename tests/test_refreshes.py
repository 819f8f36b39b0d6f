"""What a study says of methods that encode all samples many times an epoch."""

import numpy as np
import pytest

from deepkm.study.inventory import load_study
from deepkm.study.refreshes import describe_refreshes


def lines(interval, dataset="mnist", methods=("km", "aekm_long", "dec", "idec", "dekm_mlp")):
    settings = [f"study={{datasets: [{dataset}], methods: [{', '.join(methods)}]}}"]
    if interval is not None:
        settings.append(f"methods={{dec: {{per_dataset: {{mnist: {{update_interval: {interval}}}}}}}}}")
    return [*describe_refreshes(load_study([], settings))]


@pytest.mark.parametrize("interval", [None, 28])  # 274 steps of 256 are an epoch
def test_published_lengths_are_worth_no_line(interval):
    assert lines(interval) == []


def test_a_line_says_how_often_and_what_would_do():
    assert lines(3) == [
        "dec on mnist: all 70000 samples are encoded 91 times an epoch, which grows with their square; with "
        "`update_interval: 28` it would be 10 times"
    ]


def test_of_data_that_nobody_has_seen_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = "datasets={mine: {path: my.npz, n_clusters: 3, scaling: unit}}"
    np.savez("my.npz", feature=np.zeros((300, 4)))
    assert [*describe_refreshes(load_study([], [entry, "study={datasets: [mine], methods: [dec]}"]))] == []


@pytest.mark.parametrize(("interval", "said"), [(99, False), (100, True)])  # epochs are counted from 0
def test_resets_that_never_come_are_said(interval, said):
    methods = f"methods={{ct: {{per_dataset: {{mnist: {{reset_interval: {interval}}}}}}}}}"
    study = load_study([], ["study={datasets: [mnist], methods: [ct, dkm]}", methods, "training={epochs: 100}"])
    line = "ct on mnist: training ends before `reset_interval` is over for the first time, so that nothing comes of it"
    assert [*describe_refreshes(study)] == [line] * said


@pytest.mark.parametrize(("interval", "said"), [(274 * 2, False), (274 * 2 + 1, True)])
def test_targets_that_are_never_renewed_are_said(interval, said):
    methods = f"methods={{dec: {{per_dataset: {{mnist: {{update_interval: {interval}}}}}}}}}"
    study = load_study([], ["study={datasets: [mnist], methods: [dec]}", methods, "training={epochs: 2}"])
    assert len([*describe_refreshes(study)]) == said
