"""DeepCluster (Caron, Bojanowski, Joulin, Douze 2018), for small images."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from deepkm.base import DeepClustering, Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt
from deepkm.centers import kmeans, nearest
from deepkm.convnet import augment, build_convnet, dropout_mask, head_logits, new_head, step_head
from deepkm.pseudo_labels import agreement, cluster, draw_evenly, fit_whitening, whiten
from deepkm.seeding import generator, uniform
from deepkm.training import Run


@dataclass(kw_only=True, eq=False, repr=False)
class DeepCluster(DeepClustering):
    """DeepCluster: a network learns to predict the clusters of its own features.

        y = k-means with k clusters of w(f(x_i)),   w: principal components, whitened, divided by their length
        L = mean_i -log softmax(W relu(f(t(x_i))) + b)[y_i],   t: a random shift, rotation and zoom

    After each epoch the clusters are found anew, from random samples; since their numbers mean nothing, W starts anew
    too. Samples are drawn evenly from the clusters. `labels_` are those of k-means with K clusters on these features.

    Parameters
    ----------
    n_pseudo_labels : int
        k, five to ten times the expected classes; no more than there are samples.
    n_components, kmeans_iterations : int
        Principal components kept, and Lloyd's iterations for the pseudo-labels.
    dropout : float
        In [0, 1), before the last layer of f.
    shift, rotation, zoom : float
        Of t at most: pixels, degrees, relative change of size.
    weight_decay : float
        Of SGD, for W too; W has no momentum.
    autoencoder : {None, "conv", "mlp"}
        f: the convolutional network of `deepkm.convnet.ConvNet`, or an encoder, pretrained if pretraining epochs are
        given. "mlp" takes any data, without t; encoders have no dropout.

    Other parameters are those of `DeepClustering`. `transform` returns w(f(x)), where `cluster_centers_` lie, and
    `history_["pseudo_label_nmi"]` the agreement of each epoch's pseudo-labels with those before.

    Notes
    -----
    Differs from the paper: a small network, grey images without Sobel filters, affine views in place of crops and
    flips; an empty cluster takes half of another one, cut at random. The paper reports no clustering into K classes.

    References
    ----------
    M. Caron et al. Deep clustering for unsupervised learning of visual features. ECCV 2018, eqs. 1-2.
    """

    epochs: NonNegativeInt = 50
    optimizer: str = "sgd"
    learning_rate: Positive = 0.05
    momentum: NonNegative = 0.9
    weight_decay: NonNegative = 1e-5
    n_pseudo_labels: PositiveInt = 100  # k
    n_components: PositiveInt = 64
    kmeans_iterations: PositiveInt = 20
    dropout: Fraction = 0.5
    shift: NonNegative = 2.0
    rotation: NonNegative = 10.0
    zoom: NonNegative = 0.1
    autoencoder: str | None = None
    n_latent: PositiveInt | None = 128
    pretraining_epochs: NonNegativeInt = 0

    def start(self, x, *, seeds):
        if self.autoencoder:
            return super().start(x, seeds=seeds)
        network = build_convnet(seeds, n_features=x.shape[1], n_latent=self.n_latent or self.n_clusters)
        return Run(seeds, network.to(x))

    def optimizer_options(self):
        return {**super().optimizer_options(), "weight_decay": self.weight_decay}

    def transform(self, X):
        """Return the whitened features of each sample of `X`, (n_samples, n_components or fewer)."""
        z = self._encode(X)
        return whiten(z, self._run.state["mean"], self._run.state["projection"])[0].numpy(force=True)

    def init(self, z, run):
        self._cluster(z, run, epoch=0)

    def before_epoch(self, z, run):
        if run.epoch > 0:
            before = run.state["pseudo_labels"]
            self._cluster(z, run, epoch=run.epoch)
            run.record(pseudo_label_nmi=agreement(before, run.state["pseudo_labels"]))

    def order(self, n_samples, run):
        labels = run.state["pseudo_labels"].cpu()
        randoms = [generator(seed, "batches", run.epoch) for seed in run.seeds]
        return torch.stack([draw_evenly(*pair) for pair in zip(labels, randoms, strict=True)])

    def loss(self, batch, run):
        batch.z = self._features(batch, run)  # (S, B, D): of a random view, unlike those of the samples themselves
        label = run.state["pseudo_labels"].gather(1, batch.index)  # (S, B)
        logits = head_logits(batch.z, run.state["head"])
        error = functional.cross_entropy(logits.flatten(0, 1), label.flatten(), reduction="none")  # (S * B,)
        return batch.log(clustering=error.view_as(label).mean(-1))  # (S,)

    def after_step(self, batch, run):
        """Take the head's step: the optimizer's would carry momentum from the last epoch's head."""
        label = run.state["pseudo_labels"].gather(1, batch.index)
        rates = {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}
        step_head(run.state["head"], batch.z, label, **rates)

    def assign(self, z, run):
        return nearest(whiten(z, run.state["mean"], run.state["projection"]), run.centers)

    def _features(self, batch, run):
        x, size = batch.x, batch.index.shape[1]
        if self.autoencoder != "mlp":
            draws = uniform(run.seeds, size, 4, stream=f"views {batch.step}", epoch=run.epoch)
            x = augment(x, 2 * draws.to(x) - 1, shift=self.shift, rotation=self.rotation, zoom=self.zoom)
        if self.autoencoder:
            return run.autoencoder.encode(x)
        keep = dropout_mask(run.seeds, size, self.dropout, stream=f"dropout {batch.step}", epoch=run.epoch)
        return run.autoencoder.encode(x, keep=keep.to(x))

    def _cluster(self, z, run, *, epoch):
        """Whiten the features, and take pseudo-labels, a new head and the centers of the labels from them."""
        mean, projection = fit_whitening(z, self.n_components)
        features = whiten(z, mean, projection)
        n_pseudo_labels = min(self.n_pseudo_labels, z.shape[1])
        randoms = [generator(seed, "pseudo-labels", epoch) for seed in run.seeds]
        labels = cluster(features, n_pseudo_labels, randoms, iterations=self.kmeans_iterations)
        head = new_head(run.seeds, z.shape[2], n_pseudo_labels, epoch=epoch).to(z)  # (S, D + 1, k)
        run.state |= {"mean": mean, "projection": projection, "pseudo_labels": labels, "head": head}
        run.centers = kmeans(features, self.n_clusters, seeds=run.seeds, n_init=self.n_init, epoch=epoch)
