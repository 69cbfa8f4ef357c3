"""One line of the table of targets, and how its parts read."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["MET", "Line", "number"]

MET = {True: "yes", False: "**no**", None: "not measured"}
"""What a line's `met` reads as."""


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


def number(value: float | str | None) -> str:
    """Return a figure in three digits, or whole from 100 on; words as they are."""
    if value is None or isinstance(value, str):
        return value or "none"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
