"""Power k-means (Xu & Lange 2019)."""

from dataclasses import dataclass
from typing import Annotated

import torch

from deepkm.methods.base import DeepClustering
from deepkm.numerics.centers import expanded_distances, log_power_mean
from deepkm.values import AtLeastOne, AutoencoderKind, InitialCenters, Negative, NonNegativeInt, PositiveInt

# Stop once the labels have not changed for this many iterations and the exponent is at most that.
UNCHANGED_ITERATIONS = 5
HARD_EXPONENT = -50.0


@dataclass(kw_only=True, eq=False, repr=False)
class PowerKMeans(DeepClustering):
    """Power k-means: k-means reached through a sequence of smoother objectives.

        f_s(R) = sum_i M_s(d_i1, ..., d_iK),   M_s(d) = ((1/K) sum_k d_k^s)^(1/s),   d_ik = ||z_i - r_k||^2

    M_s is concave for s <= 1, so that its tangent majorises it; the minimum of the tangent is a weighted mean:

        w_ik = dM_s/dd_ik = (1/K) (d_ik / M_s(d_i))^(s - 1),   r_k <- sum_i w_ik z_i / sum_i w_ik

    s falls with each iteration, which lowers M_s too, so that f never rises; as s goes to -inf, f becomes the k-means
    objective. All in float64 and in logarithms: no exponent overflows. The state ``objective``, (S, max_iterations),
    holds f of each iteration, then NaN.

    Parameters
    ----------
    exponent : float
        s of the first iteration. Too near 0 for many features, whose distances are alike, it merges the centers.
    exponent_growth : float
        s is multiplied by it after each iteration.
    exponent_floor : float
        s does not fall below it.
    max_iterations : int
        Most iterations. They end earlier when s <= -50 and the labels have not changed in five of them.
    autoencoder : {"mlp", "conv", "conv_sigmoid", "conv_dcec", None}
        None: z = x.
    epochs : int
        Further epochs of reconstruction before the code is clustered.

    Other parameters are those of `DeepClustering`.

    Notes
    -----
    Differs from the paper: it leaves the schedule and the end open, the ones here are ours. The start is one draw of
    k-means++, the one that k-means with the same seed starts from first.

    References
    ----------
    J. Xu, K. Lange. Power k-means clustering. ICML 2019, Algorithm 1.
    """

    initial_centers: InitialCenters = "kmeans++"
    autoencoder: AutoencoderKind | None = None
    epochs: NonNegativeInt = 0
    needs_code = False  # but that of the end
    exponent: Negative = -3.0  # s_0
    exponent_growth: AtLeastOne = 1.05  # eta
    exponent_floor: Annotated[float, "<= exponent"] = -1000.0  # s only falls
    max_iterations: PositiveInt = 300

    def init(self, z, run):
        super().init(z, run)
        runs = [self._minimise(*pair) for pair in zip(z.double(), run.centers.double(), strict=True)]
        run.centers = torch.stack([centers for centers, _ in runs]).to(z)
        run.state["objective"] = torch.stack([objective for _, objective in runs])

    def before_epoch(self, z, run):
        if run.epoch == self.epochs > 0:  # the final code
            self.init(z, run)

    def _minimise(self, z, centers):
        """Return the centers (K, D) reached for one run's code (N, D), and f of each iteration (max_iterations,)."""
        objective = z.new_full((self.max_iterations,), float("nan"))
        exponent, label, unchanged = self.exponent, z.new_zeros(0, dtype=torch.long), 0
        for iteration in range(self.max_iterations):
            distance = expanded_distances(z, centers)  # (N, K)
            log_mean = log_power_mean(distance, exponent)  # (N,)
            objective[iteration] = log_mean.exp().sum()
            previous, label = label, distance.argmin(1)
            unchanged = unchanged + 1 if torch.equal(label, previous) else 0
            if unchanged >= UNCHANGED_ITERATIONS and exponent <= HARD_EXPONENT:
                break
            log_distance = distance.clamp_min(torch.finfo(z.dtype).tiny).log()
            log_weight = (exponent - 1) * (log_distance - log_mean.unsqueeze(1))
            centers = torch.softmax(log_weight, dim=0).T @ z
            exponent = max(exponent * self.exponent_growth, self.exponent_floor)
        return centers, objective
