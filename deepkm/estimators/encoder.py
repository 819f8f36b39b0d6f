"""A fitted estimator's way from samples to codes as a plain module, such as `torch.export` takes."""

import copy
from typing import Any, cast

from torch import Tensor, nn

from deepkm.methods.base import DeepClustering
from deepkm.networks.autoencoder import MLPAutoencoder
from deepkm.networks.modules import ModulePair
from deepkm.training.run import Run


class Encoder(nn.Module):
    """From samples (n, F), scaled as in training, to codes (n, D), by PyTorch's own operations alone.

    Parameters
    ----------
    method : DeepClustering
    run : Run
        Of S = 1.
    """

    def __init__(self, method: DeepClustering, run: Run):
        super().__init__()
        self._method, self._run = method, copy.copy(run)
        self.network = _alone(run.autoencoder)
        self.requires_grad_(False).eval()
        kept = type(method).embed is not DeepClustering.embed  # else the code is all that there is
        for name, tensor in (run.state if kept else {}).items():
            self.register_buffer(f"state_{name}", tensor.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return the codes, (n, D), of samples (n, F)."""
        run = copy.copy(self._run)
        run.state = {name.removeprefix("state_"): tensor for name, tensor in self._buffers.items()}
        return self._method.embed(self.network(x).unsqueeze(0), run)[0]


class _First(nn.Module):
    """The only network of a stack, on rows without the leading S."""

    def __init__(self, stack: nn.Module):
        super().__init__()
        self.stack = stack

    def forward(self, x: Tensor) -> Tensor:
        return cast(Any, self.stack).encode(x.unsqueeze(0))[0]


def _alone(autoencoder: nn.Module) -> nn.Module:
    """Return the encoder of a stack of one."""
    if isinstance(autoencoder, ModulePair):
        return autoencoder.only_encoder()
    if not isinstance(autoencoder, MLPAutoencoder):
        return _First(copy.deepcopy(autoencoder))
    layers: list[nn.Module] = []  # its own pass is one node with a gradient written by hand, which no export takes
    for stacked in autoencoder.encoder.children():
        _, n_in, n_out = stacked.weight.shape
        layer = nn.Linear(n_in, n_out, device=stacked.weight.device, dtype=stacked.weight.dtype)
        layer.load_state_dict({"weight": stacked.weight[0].mT, "bias": stacked.bias[0, 0]})
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
