"""Random views of square grey images."""

import torch
from torch.nn import functional

from deepkm.networks.images import image_side

# Where nobody gives others: those published for handwritten digits and clothes.
LIMITS = {"shift": 0.1, "rotation": 10.0, "zoom": 0.0}


def augment(x, draws, *, shift, rotation, zoom):
    """Return each image as another one of its class may look: shifted, turned and zoomed.

    Parameters
    ----------
    x : Tensor of shape (S, B, F)
        Square grey images.
    draws : Tensor of shape (S, B, 4)
        Uniform in [-1, 1): for angle, scale, and shifts along x and y.
    shift, rotation, zoom : float
        The largest shift as a share of the side, angle in degrees, and relative change of scale. No flips: they would
        change digits.

    Returns
    -------
    Tensor of shape (S, B, F)
        Pixels moved in from outside repeat the border, which is right for any scaling.

    References
    ----------
    X. Guo, E. Zhu, X. Liu, J. Yin. Deep embedded clustering with data augmentation. ACML 2018.
    """
    side = image_side(x.shape[-1])
    angle, scale, *shifts = draws.flatten(0, 1).unbind(-1)  # each (S * B,)
    angle, scale = torch.deg2rad(rotation * angle), 1 + zoom * scale
    right, down = (2 * shift * part for part in shifts)  # the grid spans [-1, 1]
    cos, sin = angle.cos() / scale, angle.sin() / scale
    theta = torch.stack([cos, -sin, right, sin, cos, down], dim=-1).view(-1, 2, 3)
    images = x.reshape(-1, 1, side, side)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False).view_as(x)
