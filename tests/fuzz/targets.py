"""All targets by name."""

from __future__ import annotations

from .target import Target
from .tiff import TiffTarget

__all__ = ["TARGETS"]

TARGETS: dict[str, type[Target]] = {"tiff": TiffTarget}
