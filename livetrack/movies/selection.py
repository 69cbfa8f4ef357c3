"""Selection: which part of a movie is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from livetrack.errors import InputError

__all__ = ["EVERYTHING", "FrameRange", "Projection", "Region", "Selection"]

Projection: TypeAlias = Literal["max", "mean"]
"""Of all planes of a depth stack: their maximum or their mean, pixel by pixel."""


class FrameRange(NamedTuple):
    """Frame numbers, as in a slice: from `start` to before `stop`, every `step`-th."""

    start: int = 0
    stop: int | None = None
    """None: to the end."""
    step: int = 1

    def __str__(self) -> str:
        stop = "" if self.stop is None else str(self.stop)
        return f"{self.start}:{stop}" + (f":{self.step}" if self.step != 1 else "")


class Region(NamedTuple):
    """Rectangle of every image, px."""

    x: int
    """First column."""
    y: int
    """First row."""
    width: int
    height: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


@dataclass(frozen=True)
class Selection:
    """What is read of a movie; the default is all of it.

    Raises
    ------
    InputError
        A number is out of bounds.
    """

    channel: int | None = None
    """From 0; None: the only one, or colours converted to grey."""
    position: int | None = None
    """Field of view, from 0; None: the only one."""
    z: int | Projection | None = None
    """Plane of a depth stack, from 0, or a projection of all; None: the only one."""
    axes: str = ""
    """What the axes of the images are, in the order of the file, where it names them otherwise: one letter each, of T
    (frames), Z, C (channels) and P (positions). Several axes of frames follow each other."""
    frames: FrameRange | None = None
    """None: all."""
    region: Region | None = None
    """None: whole images."""

    def __post_init__(self) -> None:
        for name in ("channel", "position", "z"):
            value = getattr(self, name)
            if isinstance(value, int) and value < 0:
                raise InputError(f"--{name} {value}: the first is 0")
        if isinstance(self.z, str) and self.z not in ("max", "mean"):
            raise InputError(f"--z {self.z}: choose a number from 0, max or mean")
        if set(self.axes) - set("TZCP"):
            raise InputError(f"--axes {self.axes}: use the letters T (frames), Z, C (channels) and P (positions)")
        start, stop, step = self.frames or FrameRange()
        if start < 0 or step < 1 or (stop is not None and stop <= start):
            raise InputError(f"--frames {self.frames}: contains no frames; use FROM:TO or FROM:TO:STEP, counted from 0")
        if self.region is not None and (min(self.region) < 0 or not self.region.width * self.region.height):
            raise InputError(f"--region {self.region}: use X,Y,WIDTH,HEIGHT in px, of at least one pixel")

    @property
    def options(self) -> str:
        """As options of the command line, such as `--channel 1 --z max`; empty for all of the movie."""
        values = {name: getattr(self, name) for name in ("channel", "position", "z", "axes", "frames", "region")}
        return " ".join(f"--{name} {value}" for name, value in values.items() if value not in (None, ""))

    def refuse(self, path: Path, kind: str, names: Iterable[str]) -> None:
        """Raise `InputError` for a choice among `names` that a movie of this `kind` cannot honour."""
        for name in names:
            if getattr(self, name) not in (None, ""):
                raise InputError(f"{path}: {kind} offers no --{name}; leave it out")


EVERYTHING = Selection()
