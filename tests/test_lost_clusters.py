"""What is told of clusters that a run has lost."""

import numpy as np

from benchmarks.lost_clusters import lost_clusters


def test_a_center_that_stays_behind_its_members_loses_them():
    z = np.array([[0.0], [1.0], [10.0], [12.0]])
    moved = np.array([[0.0], [1.0], [3.0], [5.0]])  # the two of cluster 1 go by -7, their center by -1
    arrays = {
        "snapshots/epoch": np.array([0, 1]),
        "snapshots/sample": np.array([0, 1, 2, 3]),
        "snapshots/codes": np.stack([z, moved])[None],
        "snapshots/centers": np.array([[[[0.5], [11.0]], [[0.5], [10.0]]]]),
        "history/labels": np.array([[[0, 0, 1, 1], [0, 0, 0, 0]]]),
    }
    expected = [[0, 1, 2, 0.0, 0.0, 2], [1, 1, 0, 1.0, 7.0, 2]]
    assert lost_clusters(arrays).to_numpy().tolist() == expected
    assert lost_clusters({**arrays, "history/labels": np.array([[[0, 0, 1, 1]] * 2])}).empty
