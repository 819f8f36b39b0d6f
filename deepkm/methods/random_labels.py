"""Random labels: what no clustering at all scores."""

from dataclasses import dataclass

import torch

from deepkm.methods.control import Control, Found
from deepkm.numerics.seeding import generator
from deepkm.values import Unused


@dataclass(kw_only=True, eq=False, repr=False)
class RandomLabels(Control):
    """Labels drawn uniformly, whatever the data are: the floor of every metric.

    Its accuracy is a little above 1/K, since clusters are matched to classes afterwards. Any number of samples; there
    is no `predict`.

    Parameters are those of `deepkm.methods.control.Control`.
    """

    n_init: Unused = 10
    labels_new_samples = False

    def cluster(self, z, seed):
        draws = torch.randint(self.n_clusters, (len(z),), generator=generator(seed, "random labels"))
        return Found(draws.numpy())
