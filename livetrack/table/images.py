"""The images that a table belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Images"]


@dataclass(frozen=True)
class Images:
    """What tables need of the images that were tracked."""

    path: Path | None = None
    """The file, for programs that open it with the table."""
    width: int = 0
    """px of the whole image."""
    height: int = 0
    pixel_size_um: float | None = None
    """µm per px; None if it is unknown, or changes."""
    interval_s: float | None = None
    """Usual time between frames; None if it is unknown."""
    first: int = 0
    """Number of the first image in the file."""
    count: int = 0
    """Images from the first to the last, as far as known."""
    origin: tuple[int, int] = (0, 0)
    """x, y in the whole image of the first pixel that was tracked."""
