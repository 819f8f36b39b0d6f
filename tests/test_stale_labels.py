"""What a buffer of past batches holds."""

import numpy as np
import pytest

from benchmarks.stale_labels import buffered_labels, compare, every_epoch

N = 4000
STILL = np.tile(np.arange(N) % 50, (6, 1))  # six epochs of the same labels


def test_a_buffer_of_settled_labels_is_right_as_long_as_numbers_mean_the_same():
    rng = np.random.default_rng(0)
    assert (buffered_labels(STILL, rng, renumbered=False) == STILL[-1]).all()
    written = buffered_labels(STILL, rng, renumbered=True)
    kept = max((written[STILL[-1] == 0] == number).mean() for number in range(50))
    assert abs(kept - (1 - 1 / np.e)) < 0.1  # of 80 samples, those written in the last epoch


def test_a_buffer_holds_what_each_epoch_wrote_last():
    labels = np.arange(6)[:, None] * np.ones(N, int)  # the epoch
    shares = np.bincount(buffered_labels(labels, np.random.default_rng(0), renumbered=False), minlength=6) / N
    np.testing.assert_allclose(shares[[5, 4]], [1 - 1 / np.e, (1 - 1 / np.e) / np.e], atol=0.03)


def test_labels_of_some_epochs_are_no_buffer():
    arrays = {"history/labels": np.zeros((1, 3, 5)), "history/loss": np.zeros((1, 2))}
    assert every_epoch(arrays).shape == (1, 3, 5)
    with pytest.raises(ValueError, match=r"got labels of 2 epochs of 7, expected those of all; set read_out: all"):
        every_epoch({**arrays, "history/loss": np.zeros((1, 7))})


def test_scores_of_a_renumbered_buffer_fall_and_others_do_not():
    table = compare(STILL, STILL[-1])
    assert table.loc[["last labels", "buffer"]].to_numpy().min() == 100
    assert table.loc["buffer, renumbered", "acc"] < 80
