"""One line of the table of targets."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Line"]


class Line(Struct, frozen=True, kw_only=True):
    """A target, what was measured, and whether it is met."""

    name: str
    definition: str
    """Gate, nuisances, definition of SNR: what the figures are of."""
    n: int
    """Particles, frames or runs that the figures rest on."""
    figures: dict[str, float | str | None]
    target: str
    met: bool | None
    """None where it was not measured; the definition says what it takes."""
