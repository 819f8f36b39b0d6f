"""DeepCluster (Caron, Bojanowski, Joulin, Douze 2018), for small images."""

from dataclasses import dataclass
from typing import Literal

from deepkm.methods.base import AutoencoderKind, DeepClustering
from deepkm.networks.convnet import build_convnet, dropout_mask, head_loss, new_head, step_head
from deepkm.numerics.kmeans import kmeans
from deepkm.numerics.seeding import generator
from deepkm.numerics.whitening import agreement, cluster, draw_evenly, fit_whitening, whiten
from deepkm.training.run import Run
from deepkm.values import Fraction, NonNegative, NonNegativeInt, OptimizerName, Positive, PositiveInt


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
    n_components : int
        Principal components kept.
    dropout : float
        In [0, 1), before the last layer of f.
    views, view_limits : {"target", None}, dict
        t, by default within 0.07, 10 and 0.1. None: the images as they are.
    weight_decay : float
        Of SGD, for W too; W has no momentum.
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        f: the convolutional network of `deepkm.networks.convnet.ConvNet`, or an encoder, pretrained if pretraining
        epochs are given. "mlp" takes any data, where views are None; encoders have no dropout.

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
    optimizer: OptimizerName = "sgd"
    learning_rate: Positive = 0.05
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 1e-5
    n_pseudo_labels: PositiveInt = 100  # k
    n_components: PositiveInt = 64
    dropout: Fraction = 0.5
    views: Literal["target"] | None = "target"
    initial_centers: Literal["kmeans"] = "kmeans"
    autoencoder: AutoencoderKind | None = None
    n_latent: PositiveInt | None = 128
    pretraining_epochs: NonNegativeInt = 0
    convolutional = True
    reconstruction = "none"
    own_limits = {"shift": 0.07, "rotation": 10.0, "zoom": 0.1}  # noqa: RUF012  nobody changes it

    def start(self, x, *, seeds):
        if self.autoencoder:
            return super().start(x, seeds=seeds)
        network = build_convnet(seeds, n_features=x.shape[1], n_latent=self.n_latent or self.n_clusters)
        return Run(seeds, network.to(x))

    def optimizer_options(self):
        return {**super().optimizer_options(), "weight_decay": self.weight_decay}

    def init(self, z, run):
        """Nothing: the first clusters are found before the first epoch, like all others."""

    def before_epoch(self, z, run):
        """Whiten the features, and take pseudo-labels, a new head and the centers of the labels from them."""
        mean, projection = fit_whitening(z, self.n_components)
        features = whiten(z, mean, projection)
        n_pseudo_labels = min(self.n_pseudo_labels, z.shape[1])
        labels = cluster(features, n_pseudo_labels, [generator(s, "pseudo-labels", run.epoch) for s in run.seeds])
        head = new_head(run.seeds, z.shape[2], n_pseudo_labels, epoch=run.epoch).to(z)  # (S, D + 1, k)
        if run.epoch > 0:
            run.record(pseudo_label_nmi=agreement(run.state["pseudo_labels"], labels))
        run.state |= {"mean": mean, "projection": projection, "pseudo_labels": labels, "head": head}
        run.centers = kmeans(features, self.n_clusters, seeds=run.seeds, n_init=self.n_init, epoch=run.epoch)

    def order(self, n_samples, run):
        return draw_evenly(run.state["pseudo_labels"], [generator(s, "batches", run.epoch) for s in run.seeds])

    def loss(self, batch, run):
        batch.z = self._features(batch, run)  # (S, B, D)
        batch.label = run.state["pseudo_labels"].gather(1, batch.index)  # (S, B)
        return batch.log(clustering=head_loss(batch.z, run.state["head"], batch.label))

    def after_step(self, batch, run):
        """Take the head's step: the optimizer's would carry momentum from the last epoch's head."""
        rates = {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}
        step_head(run.state["head"], batch.z, batch.label, **rates)

    def embed(self, z, run):
        """Return the whitened features, (S, N, n_components or fewer)."""
        return whiten(z, run.state["mean"], run.state["projection"])

    def decode_centers(self, run):
        """Return None: no image belongs to whitened features."""

    def _features(self, batch, run):
        if self.autoencoder:
            return run.autoencoder.encode(batch.x)
        keep = dropout_mask(batch.x, self.dropout, seeds=run.seeds, step=batch.step, epoch=run.epoch)
        return run.autoencoder.encode(batch.x, keep=keep)
