"""The network in PyTorch: a small U-Net of depthwise convolutions at stride 4 and 8."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from livetrack.localize.decode import BLOCK, MAPS

__all__ = ["COARSEST", "Mixer", "Network"]

COARSEST = 8
"""Coarsest stride: the sides of images are padded to a multiple of it, px."""

_CELLS = 4  # per block of pixels
_REACH = 5  # side of the depthwise kernels


class Network(nn.Module):
    """Maps normalised images (B, 1, H, W) to (B, 4 MAPS, H/4, W/4), see `livetrack.localize.decode`.

    H and W are multiples of `COARSEST`. Downsampling uses kernels of even size, so that a block is centred on its
    pixels and nothing shifts by half a pixel.
    """

    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        self.channels = channels
        fine, coarse = channels
        self.stem = nn.Conv2d(1, fine, 2 * BLOCK, stride=BLOCK, padding=BLOCK // 2)
        self.fine_in = nn.ModuleList(Mixer(fine) for _ in range(2))
        self.downsample = nn.Conv2d(fine, coarse, 2, stride=2)
        self.coarse = nn.ModuleList(Mixer(coarse) for _ in range(3))
        self.project = nn.Conv2d(coarse, fine, 1)
        self.fine_out = nn.ModuleList(Mixer(fine) for _ in range(1))
        self.head = nn.Conv2d(fine, _CELLS * MAPS, 1)
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(torch.zeros(_CELLS * MAPS))
        self.head.bias.data[:_CELLS] = -4.0  # most cells are empty

    def forward(self, image: Tensor) -> Tensor:
        """Return the output maps."""
        fine: Tensor = self.stem(image)
        for mixer in self.fine_in:
            fine = mixer(fine)
        coarse = torch.relu(self.downsample(fine))
        for mixer in self.coarse:
            coarse = mixer(coarse)
        fine = torch.relu(fine + functional.interpolate(self.project(coarse), scale_factor=2.0, mode="nearest"))
        for mixer in self.fine_out:
            fine = mixer(fine)
        maps: Tensor = self.head(fine)
        return maps


class Mixer(nn.Module):
    """Residual block of a depthwise and a pointwise convolution.

    It costs a tenth of two full 3x3 convolutions (Chollet, CVPR 2017).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, _REACH, padding=_REACH // 2, groups=channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        return torch.relu(maps + self.pointwise(self.depthwise(maps)))
