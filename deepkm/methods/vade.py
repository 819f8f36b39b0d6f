"""Variational deep embedding (Jiang, Zheng, Tan, Tang, Zhou 2017)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from deepkm.methods.base import DeepClustering
from deepkm.methods.control import new_mixture
from deepkm.networks.autoencoder import reconstruction_error
from deepkm.numerics.memory import CHUNK_NUMEL
from deepkm.values import AutoencoderKind, NonNegativeInt, Positive, PositiveInt, Unused

# Logarithms of variances stay within this distance of 0: none of them vanishes on duplicates.
LARGEST = 10.0


@dataclass(kw_only=True, eq=False, repr=False)
class VaDE(DeepClustering):
    """Variational deep embedding: a variational autoencoder whose prior is a mixture of K Gaussians.

        L = mean_i ||x_hat_i - x_i||^2 + sum_k gamma_ik KL(N(m_i, v_i) || N(mu_k, s_k)) + KL(gamma_i || pi)

    The encoder gives the mean m_i, which is the code, and a second head on its last hidden layer the variances v_i.
    x_hat is decoded from a draw z_i of N(m_i, v_i), and gamma_ik is the posterior of cluster k given z_i. Variances are
    diagonal. Labels are the likeliest clusters of the code m_i itself.

    Parameters
    ----------
    mixture_n_init : int
        Restarts of the mixture that is fitted to the pretrained code: mu, s, and with it v.

    Other parameters are those of `DeepClustering`.

    Notes
    -----
    Differs from the paper: the squared error for all data, where it takes the cross-entropy for images; weights of the
    mixture start evenly, pass a softmax, and variances are logarithms. Its implementation multiplies the density by
    pi^D and adds 1e-10 to it, which makes all posteriors equal unless variances are far below 1. The head of v starts
    at a tenth of the mixture's median variance, since the noise of v = 1 drowns a narrow code, and the learning rate is
    a twentieth of the published one, which takes a pretrained code apart in its first epoch: both chosen by the loss
    and the clusters in use.

    References
    ----------
    Z. Jiang, Y. Zheng, H. Tan, B. Tang, H. Zhou. Variational deep embedding: an unsupervised and generative approach to
    clustering. IJCAI 2017, eqs. 7-17.
    """

    epochs: NonNegativeInt = 150
    learning_rate: Positive = 1e-4
    initial_centers: Literal["kmeans"] = "kmeans"
    mixture_n_init: PositiveInt = 10
    n_init: Unused = 10
    autoencoder: AutoencoderKind = "mlp"
    recordable = True
    takes_modules = False  # it reads the encoder's last hidden layer

    def init(self, z, run):
        found = [self._mixture(*pair) for pair in zip(z, run.seeds, strict=True)]
        run.centers = torch.stack([torch.from_numpy(one.means_) for one in found]).to(z).requires_grad_()
        variances = torch.stack([torch.from_numpy(one.covariances_) for one in found]).to(z)  # (S, K, D)
        hidden = run.autoencoder.hidden(run.x[:1].expand(len(z), -1, -1)).shape[-1]
        widths = variances.flatten(1).median(1).values.view(-1, 1, 1)
        trained = {
            "mixture_logits": z.new_zeros(len(z), self.n_clusters),
            "log_variances": variances.log(),
            "head_weight": z.new_zeros(len(z), hidden, z.shape[2]),
            "head_bias": (0.1 * widths).log().expand(-1, 1, z.shape[2]).clone(),
        }
        run.state |= {name: tensor.requires_grad_() for name, tensor in trained.items()}

    def start_epoch(self, run):
        run.draw("noise", run.centers.shape[2], stream="vade noise")

    def loss(self, batch, run):
        hidden = run.autoencoder.hidden(batch.seen)  # (S, B, H)
        mean = run.autoencoder.to_code(hidden)
        log_variance = torch.baddbmm(run.state["head_bias"], hidden, run.state["head_weight"])
        log_variance = log_variance.clamp(-LARGEST, LARGEST)
        runs = torch.arange(len(mean), device=mean.device).unsqueeze(1)
        drawn = run.draws["noise"][runs, batch.index].clamp(1e-7, 1 - 1e-7)
        z = mean + (log_variance / 2).exp() * torch.special.ndtri(drawn)
        batch.x_hat = run.autoencoder.decode(z)
        batch.log(reconstruction=reconstruction_error(batch.x, batch.x_hat))
        clustering = divergence(mean, log_variance, self._log_posterior(z, run), run).mean(-1)
        return batch.logged["reconstruction"] + batch.log(clustering=clustering)

    def assign(self, z, run):
        parts = z.split(max(1, CHUNK_NUMEL // run.centers.numel()), dim=1)  # K D numbers are held for each sample
        return torch.cat([self._log_posterior(part, run).argmax(-1) for part in parts], 1)

    def membership(self, z, index, run):
        return self._log_posterior(z, run).exp()

    def _log_posterior(self, z, run):
        """Return log gamma, (S, N, K), of codes z (S, N, D)."""
        log_variances = run.state["log_variances"].clamp(-LARGEST, LARGEST).unsqueeze(1)  # (S, 1, K, D)
        square = (z.unsqueeze(2) - run.centers.unsqueeze(1)).square() / log_variances.exp()
        density = -(math.log(2 * math.pi) + log_variances + square).sum(-1) / 2
        return (run.state["mixture_logits"].log_softmax(-1).unsqueeze(1) + density).log_softmax(-1)

    def _mixture(self, z, seed):
        if not z.isfinite().all():  # a run that diverged must not stop the runs beside it
            z = torch.zeros_like(z) + torch.arange(len(z), device=z.device).unsqueeze(1)
        mixture = new_mixture(self.n_clusters, seed, covariance="diag", max_iterations=200)
        return mixture.set_params(n_init=self.mixture_n_init).fit(z.double().numpy(force=True))


def divergence(mean, log_variance, log_posterior, run):
    """Return sum_k gamma_k KL(N(m, v) || N(mu_k, s_k)) + KL(gamma || pi) of each sample, (S, B), all terms >= 0."""
    log_variances = run.state["log_variances"].clamp(-LARGEST, LARGEST).unsqueeze(1)  # (S, 1, K, D)
    mean, log_variance = mean.unsqueeze(2), log_variance.unsqueeze(2)  # (S, B, 1, D)
    apart = (mean - run.centers.unsqueeze(1)).square() / log_variances.exp()
    gaussians = ((log_variance - log_variances).expm1() - (log_variance - log_variances) + apart).sum(-1) / 2
    posterior = log_posterior.exp()  # (S, B, K)
    log_weights = run.state["mixture_logits"].log_softmax(-1).unsqueeze(1)
    return (posterior * (gaussians + log_posterior - log_weights)).sum(-1)
