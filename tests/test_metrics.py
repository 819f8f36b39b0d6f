import re
import shutil
from itertools import permutations

import numpy as np
import pytest
from conftest import ROOT, run_snakemake
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from deepkm.numerics.metrics import scores


def brute_force_accuracy(target, labels):
    """Try every one-to-one assignment of clusters to classes."""
    clusters, classes = sorted(set(labels)), sorted(set(target))
    classes += [None] * max(0, len(clusters) - len(classes))
    hits = [
        sum(match[clusters.index(found)] == true for found, true in zip(labels, target, strict=True))
        for match in permutations(classes, len(clusters))
    ]
    return max(hits) / len(target)


def test_a_thousand_random_labelings():
    random = np.random.default_rng(0)
    for _ in range(1000):
        n_samples, n_clusters, n_classes = random.integers([1, 1, 1], [40, 6, 6])
        target, labels = random.integers(n_classes, size=n_samples) * 3 - 4, random.integers(n_clusters, size=n_samples)
        measured = scores(target, labels)
        assert measured["acc"] == pytest.approx(brute_force_accuracy(target.tolist(), labels.tolist()), abs=1e-12)
        assert measured["nmi"] == pytest.approx(normalized_mutual_info_score(target, labels), abs=1e-12)
        assert measured["ari"] == pytest.approx(adjusted_rand_score(target, labels), abs=1e-12)
        assert measured["n_clusters_used"] == len(set(labels.tolist()))


def test_large_labelings_agree_with_scikit_learn():
    random = np.random.default_rng(1)
    target = random.integers(100, size=70_000)
    labels = np.where(random.random(70_000) < 0.5, target, random.integers(130, size=70_000))
    measured = scores(target, labels)
    assert measured["nmi"] == pytest.approx(normalized_mutual_info_score(target, labels), abs=1e-12)
    assert measured["ari"] == pytest.approx(adjusted_rand_score(target, labels), abs=1e-12)


def test_one_cluster_scores_the_largest_class():
    assert scores([0, 0, 0, 1], [7, 7, 7, 7]) == {"acc": 0.75, "nmi": 0.0, "ari": 0.0, "n_clusters_used": 1}


def test_no_labels():
    with pytest.raises(ValueError, match="got 2 labels for 3 targets"):
        scores([0, 1, 2], [0, 1])


def test_snakemake_expects_the_table_of_a_metric_added_by_one_line(tmp_path):
    for name in ("deepkm", "workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    path = tmp_path / "deepkm" / "numerics" / "metrics.py"
    path.write_text(path.read_text().replace("METRICS = {\n", 'METRICS = {\n    "zero": ("Zero", lambda table: 0),\n'))
    plan = run_snakemake(tmp_path, "-n", "tables").stdout
    output = re.search(r"rule tables:.*?output: (.*?)\n", plan, re.DOTALL)[1].split(", ")
    assert {f"results/tables/{metric}.{suffix}" for metric in ("zero", "acc") for suffix in ("csv", "md", "tex")} <= {
        *output
    }
