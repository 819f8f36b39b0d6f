"""Any pair of PyTorch modules as an autoencoder: S copies of it side by side, each called on its own."""

import copy
from itertools import chain

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.parameter import is_lazy


def is_pair(value):
    """Tell whether a value is a pair of modules, encoder and decoder."""
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(one, nn.Module) for one in value)


class ModulePair(nn.Module):
    """S copies of an encoder and a decoder, which start with the weights that these have.

    They are in training mode while gradients are taken, and in evaluation mode else. Batches of one sample are trained
    on in evaluation mode, since batch normalisation knows no variance of one.

    Parameters
    ----------
    encoder, decoder : torch.nn.Module
        From rows (B, F) to codes (B, D) and back; codes and rows may have other shapes of as many numbers.
    n_runs, n_features : int
        S and F.

    Attributes
    ----------
    n_latent : int
        D.
    widest : int
        Numbers of a sample in the widest output of any of their modules.

    Raises
    ------
    ValueError
        One line, when they do not take such rows and give them back.
    """

    recordable = False  # a GPU replays operations alone, and a user's module may do more

    def __init__(self, encoder, decoder, *, n_runs, n_features):
        super().__init__()
        self.encoder, self.decoder = copy.deepcopy((encoder, decoder))  # at once: they may share weights
        self.n_latent, self.widest = _probe(self.encoder, self.decoder, n_features)
        _replace(self, lambda tensor: tensor.detach().expand(n_runs, *tensor.shape).clone())

    def encode(self, x):
        """Return the code, (S, B, D), of x, (S, B, F)."""
        return _call(self.encoder, x)

    def decode(self, z):
        """Return the reconstruction, (S, B, F), of z, (S, B, D)."""
        return _call(self.decoder, z)

    def only_encoder(self):
        """Return the encoder of the first copy as a module like the one that was given."""
        encoder = copy.deepcopy(self.encoder).eval()
        _replace(encoder, lambda tensor: tensor.detach()[0].clone())
        return encoder


def _call(module, x):
    module.train(torch.is_grad_enabled() and x.shape[1] > 1)
    tensors = dict(chain(module.named_parameters(remove_duplicate=False), module.named_buffers(remove_duplicate=False)))
    of_runs = ({name: tensor[s] for name, tensor in tensors.items()} for s in range(len(x)))
    return torch.stack([functional_call(module, own, (part,)).flatten(1) for own, part in zip(of_runs, x, strict=True)])


def _replace(module, change):
    """Put what `change` makes of it in the place of each parameter and buffer; those that are shared stay so."""
    changed = {}
    for part in module.modules():
        for named in (part._parameters, part._buffers):
            for name, tensor in named.items():
                if tensor is None:
                    continue
                if id(tensor) not in changed:
                    new = change(tensor)
                    trained = isinstance(tensor, nn.Parameter)
                    new = nn.Parameter(new, requires_grad=tensor.requires_grad) if trained else new
                    changed[id(tensor)] = tensor, new  # the first keeps its id from being taken again
                named[name] = changed[id(tensor)][1]


@torch.no_grad()
def _probe(encoder, decoder, n_features):
    """Return D and the widest output, in numbers of a sample, after one pass of two samples."""
    sizes = []

    def note(module, inputs, output):
        if isinstance(output, torch.Tensor):
            sizes.append(output.numel() // 2)

    if any(map(is_lazy, chain(encoder.parameters(), decoder.parameters()))):
        raise ValueError("autoencoder: got a lazy module, expected its sizes; call it once before")
    modules = [*encoder.modules(), *decoder.modules()]
    hooks = [module.register_forward_hook(note) for module in modules]
    like = next(chain(encoder.parameters(), decoder.parameters()), torch.zeros(()))
    decoder.to(like.dtype)
    code = _pass(encoder, like.new_zeros(2, n_features), "encoder")
    rows = _pass(decoder, code, "decoder")
    for hook in hooks:
        hook.remove()
    if rows.shape[1] != n_features:
        raise ValueError(
            f"autoencoder: the decoder gives {rows.shape[1]} numbers to a sample, expected {n_features}, as many as X "
            "has; change its last layer"
        )
    return code.shape[1], max(sizes)


def _pass(module, x, name):
    try:
        out = module.eval()(x)
        if len(out) == len(x) and out.is_floating_point():
            return out.flatten(1)
        reason = f"it gives {out.dtype} of shape {tuple(out.shape)}"
    except Exception as error:  # in a module of somebody's own
        reason = " ".join(f"{error}".split())[:150] or repr(error)
    raise ValueError(
        f"autoencoder: the {name} takes no rows of {x.shape[1]} numbers ({reason}); it should go from (n, F) to codes "
        "(n, D), the decoder back; torch.nn.Unflatten makes images of rows"
    ) from None
