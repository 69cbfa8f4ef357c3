"""Findings of a check: what may spoil the tracking, measured, and what to do about it."""

from __future__ import annotations

import msgspec

__all__ = ["Finding"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was measured and may spoil the tracking."""

    kind: str
    """Name for programs, such as `saturated`."""
    text: str
    """What was measured, with its figures."""
    cure: str = ""
    """What to do: a setting, an option, or a change of the experiment."""
    figures: dict[str, float] = {}
    """The figures, by names with their units."""

    def __str__(self) -> str:
        return f"{self.text}; {self.cure}" if self.cure else self.text
