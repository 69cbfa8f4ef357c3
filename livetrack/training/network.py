"""The network in PyTorch: a small U-Net at stride 2, 4 and 8."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from livetrack.localize.decode import MAPS, STRIDE

__all__ = ["COARSEST", "UNet"]

COARSEST = 8
"""Images are padded to a multiple of this, px."""


class UNet(nn.Module):
    """(B, 1, H, W) normalised images to (B, 6, H/2, W/2) maps; H and W are multiples of `COARSEST`.

    The halvings use kernels of even size, so that a cell's centre is the centre of its pixels and nothing is
    shifted by half a pixel.
    """

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.stem = nn.Conv2d(1, fine, 6, stride=STRIDE, padding=2)
        self.halve = nn.Conv2d(fine, middle, 2, stride=2)
        self.middle_in = Residual(middle)
        self.quarter = nn.Conv2d(middle, coarse, 2, stride=2)
        self.coarse = Residual(coarse)
        self.widen = nn.ConvTranspose2d(coarse, middle, 2, stride=2)
        self.middle_out = nn.Conv2d(middle, middle, 3, padding=1)
        self.widen_again = nn.ConvTranspose2d(middle, fine, 2, stride=2)
        self.fine_out = nn.Conv2d(fine, fine, 3, padding=1)
        self.head = nn.Conv2d(fine, MAPS, 1)
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(torch.tensor([-4.0] + [0.0] * (MAPS - 1)))  # most cells are empty

    def forward(self, image: Tensor) -> Tensor:
        """Return the maps."""
        fine = torch.relu(self.stem(image))
        middle = self.middle_in(torch.relu(self.halve(fine)))
        coarse = self.coarse(torch.relu(self.quarter(middle)))
        middle = torch.relu(self.middle_out(torch.relu(self.widen(coarse) + middle)))
        fine = torch.relu(self.fine_out(torch.relu(self.widen_again(middle) + fine)))
        maps: Tensor = self.head(fine)
        return maps


class Residual(nn.Module):
    """Two 3x3 convolutions beside a straight path."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return as many maps of the same size."""
        return torch.relu(maps + self.second(torch.relu(self.first(maps))))
