"""One row of the table of targets."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

__all__ = ["Figure", "TargetResult", "at_least", "at_most", "format_figure", "not_measured"]

Figure: TypeAlias = float | str | None


class TargetResult(Struct, frozen=True, kw_only=True):
    """A target, the figures measured for it, and whether it is met."""

    name: str
    definition: str
    """What was measured and how: images, gate, unknowns, definition of SNR."""
    n: int
    """Number of particles, frames or runs."""
    figures: dict[str, Figure]
    target: str
    met: bool | None
    """None if it was not measured; `definition` then names what is missing."""
    details: dict[str, Figure] = {}
    """Further figures, which the table of targets leaves out."""


def not_measured(name: str, target: str, *, needs: str) -> TargetResult:
    """Return the result of a target that needs an input that was not given."""
    return TargetResult(name=name, definition=f"needs {needs}", n=0, figures={}, target=target, met=None)


def at_most(value: float | None, limit: float) -> bool:
    """Return whether there is a value and it does not exceed the limit."""
    return value is not None and value <= limit


def at_least(value: float | None, limit: float) -> bool:
    """Return whether there is a value and it reaches the limit."""
    return value is not None and value >= limit


def format_figure(value: Figure) -> str:
    """Return a number with three significant digits, without decimals from 100 on; text unchanged."""
    if value is None or isinstance(value, str):
        return value or "none"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
