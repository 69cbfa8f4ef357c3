"""What of a recording's files is not as it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Damage", "Report", "ignore"]


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a file that readers leave out: torn by a kill or a power cut, overwritten, or altered."""

    file: str
    """Name of the file."""
    offset: int
    """Where the part begins in the file, bytes."""
    size: int
    """Its size, bytes."""
    lost: int | None
    """Pages of a TIFF file, or rows of a table, that are lost with it; None if unknown."""
    what: str

    def __str__(self) -> str:
        return f"{self.file}: bytes {self.offset} to {self.offset + self.size}: {self.what}"


Report = Callable[[Damage], None]
"""Receives each damage that a reader comes across."""


def ignore(_: Damage) -> None:
    """Receive a damage, and do nothing."""
