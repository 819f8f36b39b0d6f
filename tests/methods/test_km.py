import numpy as np
import torch
from sklearn.datasets import load_digits

from deepkm import KMeans
from deepkm.training.run import READ_OUT


def test_four_points_by_hand():
    model = KMeans(n_clusters=2, random_state=0).fit([[0.0], [2.0], [10.0], [14.0]])
    assert sorted(model.cluster_centers_.ravel().tolist()) == [1.0, 12.0]
    assert model.labels_[0] == model.labels_[1] != model.labels_[2] == model.labels_[3]


def test_the_loss_is_the_reconstruction():
    x = torch.rand(20, 5, dtype=torch.float64)
    model = KMeans(n_clusters=2, autoencoder="mlp", hidden_widths=(4,), epochs=2, pretraining_epochs=1)
    run = model.train_runs(x, seeds=[0])
    assert set(run.history) == {"loss", "reconstruction", *READ_OUT}
    np.testing.assert_array_equal(run.history["loss"], run.history["reconstruction"])


def test_fine_tuning_is_longer_training_and_a_fresh_k_means():
    x, _ = load_digits(return_X_y=True)
    x = torch.tensor(x[:300] / 16)
    common = {"n_clusters": 5, "autoencoder": "mlp", "hidden_widths": (16,), "pretraining_epochs": 2}
    long = KMeans(epochs=3, **common).train_runs(x, seeds=[1])
    z = long.encode(x)
    inertia = (z[0] - long.centers[0][long.history["labels"][-1][0].astype(int)]).square().sum()
    fits = [KMeans(n_clusters=5, random_state=seed).fit(z[0].numpy()) for seed in range(5)]
    best = min(np.square(z[0].numpy() - fit.cluster_centers_[fit.labels_]).sum() for fit in fits)
    assert inertia <= best * 1.02
