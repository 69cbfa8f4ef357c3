"""What a target of the fuzzing is."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple, Protocol

__all__ = ["Input", "Target"]


class Input(NamedTuple):
    """An input before it is changed."""

    name: str
    """File name, relative to the folder in which the target reads it; its suffix matters."""
    data: bytes
    places: tuple[int, ...] = ()
    """Where numbers are."""
    order: str = "<"
    """Of their bytes."""


class Target(Protocol):
    """Something that livetrack reads."""

    watched: tuple[str, ...]
    """Parts of the names of the source files whose lines are counted as reached."""

    def inputs(self, folder: Path) -> list[Input]:
        """Return valid inputs; `folder` is empty, and may be used for other files that they need."""
        ...

    def change(self, one: Input, rng: random.Random) -> bytes:
        """Return the input, damaged."""
        ...

    def read(self, folder: Path, name: str) -> str:
        """Read the file and return what came of it in a word; raise `LivetrackError` for what is refused.

        Raises AssertionError where the result is wrong, for example short without a word.
        """
        ...
