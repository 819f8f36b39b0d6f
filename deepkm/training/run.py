"""The state of S runs that train side by side."""

import numpy as np
import torch

from deepkm.networks.autoencoder import encode_all
from deepkm.numerics.seeding import uniform

READ_OUT = ("labels", "label_epochs")  # in the history of a run: what is noted per read-out, not per epoch


class Run:
    """The state of S runs: all that a checkpoint must hold.

    Parameters
    ----------
    seeds : sequence of int
        S seeds; whatever run s draws comes from `deepkm.numerics.seeding.generator(seeds[s], stream, epoch)`.
    autoencoder : Module
        S stacked autoencoders with `encode` and `decode`.

    Attributes
    ----------
    epoch : int
        Epochs trained; -1 before `train` has initialised the run.
    state : dict of str to Tensor
        What the method keeps, each with a leading S. Tensors that require a gradient are trained. A method with a
        stopping rule keeps ``"stopped"``, (S,) bool.
    history : dict of str to list of ndarray
        Per epoch: mean losses, (S,). Per read-out: ``"labels"``, (S, N), and ``"label_epochs"``, (S,), the epoch after
        which they were read.
    optimizer : deepkm.training.optimizers.Optimizer or None
        Made at the first epoch, or before by `DeepClustering.carry_over`.
    x : Tensor of shape (N, F)
        The data, while `train` runs: for hooks that must encode all of them anew.
    z : Tensor of shape (S, N, D) or None
        Their code, while the caller looks at a run whose labels were just read.
    draws : dict of str to Tensor
        Numbers drawn for an epoch (`draw`), (S, N, m), of which a step picks the rows ``batch.index``. No part of a
        checkpoint.
    snapshots : dict of str to list of ndarray
        What `deepkm.training.snapshots` keeps.
    ends : dict of str to list of ndarray
        What `deepkm.training.ends` keeps.
    diverged : ndarray of shape (S,), bool
        Which runs hold numbers that are none, as training last looked (`look_for_divergence`).
    models, doubts : list
        What other libraries fitted, by run, which is no part of a checkpoint, and lines that people should read of it.
        Training never reads them.
    seconds, cpu_seconds : float
        Time trained so far, and that of processors, added up by the caller over interruptions.
    """

    def __init__(self, seeds, autoencoder):
        self.seeds = tuple(int(seed) for seed in seeds)
        self.autoencoder = autoencoder
        self.epoch = -1
        self.state = {}
        self.history = {}
        self.optimizer = None
        self.x = None
        self.z = None
        self.draws = {}
        self.snapshots = {}
        self.ends = {}
        self.models, self.doubts = [], []
        self.diverged = np.zeros(len(self.seeds), dtype=bool)
        self.seconds = self.cpu_seconds = 0.0
        self._stopped = None, []  # what `stopped` read, and what it found

    @property
    def centers(self):
        """The cluster centers, (S, K, D)."""
        return self.state["centers"]

    @centers.setter
    def centers(self, value):
        if "centers" in self.state:  # in place: the optimizer holds this tensor
            self.state["centers"].detach().copy_(value)
        else:
            self.state["centers"] = value

    def stopped(self):
        """Return the places in the stack of the runs that met their method's stopping rule; [] without a rule."""
        flags = self.state.get("stopped")
        if flags is not self._stopped[0]:  # asked in each step, where reading a tensor would have a GPU wait
            self._stopped = flags, flags.nonzero().flatten().tolist()
        return self._stopped[1]

    def stop(self, runs):
        """Stop those of the stack for which `runs`, (S,) bool, is true."""
        self.state["stopped"] = self.state["stopped"] | runs  # a new tensor, which `stopped` will read

    def draw(self, name, size, *, stream=None):
        """Draw m = `size` numbers uniform in [0, 1) for each sample: ``draws[name]``, (S, N, m).

        The `stream` has the same name unless another is given. For ``start_epoch``: a draw within a step that is
        recorded would happen once, and be replayed ever after.
        """
        drawn = uniform(self.seeds, len(self.x), size, stream=stream or name, epoch=self.epoch)
        self.draws[name] = drawn.to(self.x.dtype).to(self.x.device)

    def parameters(self):
        """Return all trained tensors by name."""
        named = {f"autoencoder.{name}": tensor for name, tensor in self.autoencoder.named_parameters()}
        return named | {name: tensor for name, tensor in sorted(self.state.items()) if tensor.requires_grad}

    def tensors(self):
        """Return all that is trained or kept by a method, by name."""
        return self.parameters() | self.state

    def encode(self, x):
        """Return the code of the whole data set, (S, N, D)."""
        return encode_all(self.autoencoder, x, n_runs=len(self.seeds))

    @torch.no_grad()
    def look_for_divergence(self, z=None):
        """Note in `diverged` which runs hold numbers that are none, or too large to be squared.

        Looked at are their weights and centers, the code z (S, N, D), and the loss of the last epoch.
        """
        tensors = {**self.parameters(), "centers": self.state.get("centers"), "code": z}
        flat = (tensor.reshape(len(self.seeds), -1) for tensor in tensors.values() if tensor is not None)
        total = sum(torch.linalg.vector_norm(tensor, dim=1) for tensor in flat)  # no number, if one of them is none
        loss = self.history["loss"][-1] if "loss" in self.history else 0.0
        self.diverged = ~np.isfinite(total.numpy(force=True) + loss)

    def record(self, **values):
        """Append one epoch's values, each an (S, ...) tensor, to the history."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value.detach().cpu().numpy())
