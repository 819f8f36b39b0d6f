"""The features of a data set larger than memory, as training uses them: batches are read from the user's HDF5 file."""

import numpy as np
import torch

from deepkm.datasets.converted import read_converted
from deepkm.datasets.features import Scaler, stored_statistics
from deepkm.datasets.hdf5 import SOURCE, open_converted

ABOUT = (*SOURCE, *(f"feature_{name}" for name in ("low", "high", "mean", "deviation")))


class StreamedFeatures:
    """Features (N, F) in a file, with the few parts of a tensor's interface that training uses.

    ``x[index]`` reads the samples of a batch, (S, B, F) for `index` (S, B), and ``x.split(n)`` all of them in order,
    both scaled and on the job's device.

    Parameters
    ----------
    path : path-like
        A ``data/{dataset}.npz`` for which `is_streamed` holds.
    scaling : {"unit", "symmetric", "standard", "rows", "none"}
        As in `deepkm.datasets.features.scale`.
    device : str

    Attributes
    ----------
    ends : (float, float)
        Bounds of the scaled features.
    """

    dtype = torch.float32

    def __init__(self, path, scaling, device="cpu"):
        about = read_converted(path, *ABOUT)
        self._feature = open_converted(about, path)
        self._scaler = Scaler(stored_statistics(about), scaling).checked(path)
        self.ends = self._scaler.ends()
        self.device = torch.device(device)
        self.shape = (len(self._feature), int(np.prod(self._feature.shape[1:])))

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._finish(self._feature[index])
        rows, place = np.unique(index.cpu().numpy(), return_inverse=True)
        values = np.empty((len(rows), *self._feature.shape[1:]), self._feature.dtype)
        for i, row in enumerate(rows):  # faster than one selection of many rows
            self._feature.read_direct(values, np.s_[int(row)], np.s_[i])
        return self._finish(values)[torch.from_numpy(place.reshape(index.shape)).to(self.device)]

    def split(self, size):
        """Yield the samples in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def _finish(self, values):
        return torch.from_numpy(self._scaler(values.reshape(len(values), self.shape[1]))).to(self.device)


def is_streamed(path):
    """Tell whether the features of a converted data set stayed in the user's file."""
    return bool(read_converted(path, optional=["feature_file"]))
