"""Arrangement: which images of a file of several axes are the frames of a movie."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from livetrack.errors import InputError
from livetrack.movies.selection import Selection

__all__ = ["Arrangement", "Axis", "Index", "arrange"]

Index: TypeAlias = tuple[int, ...]
"""Place of an image: one number for each axis of its file."""

_OPTIONS = {"P": ("positions", "position"), "C": ("channels", "channel")}


class Axis(NamedTuple):
    """One axis of the images in a file."""

    name: str
    """T (time), Z (depth), C (channel), P (position), or another name that the file has for it."""
    size: int


@dataclass(frozen=True)
class Arrangement:
    """The images of a movie."""

    fixed: dict[int, int]
    """By axis: the image that was chosen along it."""
    frames: tuple[tuple[int, int], ...]
    """Axis and size of those along which the frames are, the slowest first."""
    projected: tuple[int, int] | None
    """Axis and size of the one along which each frame is projected."""
    axes: int
    """Number of axes."""
    has_channels: bool
    """Whether a channel was chosen, so that none is left to choose in an image of colours."""
    notes: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Number of frames."""
        return math.prod(size for _, size in self.frames)

    def images_of(self, frame: int) -> list[Index]:
        """Return the places of the images of a frame: one, or all that are projected."""
        index = [self.fixed.get(axis, 0) for axis in range(self.axes)]
        for axis, size in reversed(self.frames):
            frame, index[axis] = divmod(frame, size)
        if self.projected is None:
            return [tuple(index)]
        axis, size = self.projected
        return [(*index[:axis], plane, *index[axis + 1 :]) for plane in range(size)]

    def first_images(self) -> list[Index]:
        """Return the place of the first image of every frame."""
        return [self.images_of(frame)[0] for frame in range(self.length)]


def arrange(path: Path, axes: tuple[Axis, ...], selection: Selection) -> Arrangement:
    """Return the images that are selected.

    Without an axis of times, the frames lie along the only other axis, such as that of a depth stack.

    Raises
    ------
    InputError
        Something is selected that the file does not have, or has to be selected.
    """
    names = _names(path, axes, selection)
    fixed: dict[int, int] = {}
    for name, (plural, option) in _OPTIONS.items():
        for axis in _along(names, name):
            if name == "C" and axes[axis].size == 1:  # of an image of colours, whose samples are chosen
                continue
            alone = sum(each.size > 1 for each in axes) == 1
            hint = "; if they are frames: --axes T" if alone else ""
            fixed[axis] = _choice(path, axes[axis].size, getattr(selection, option), plural, option, hint)
    has_channels = any(names[axis] == "C" for axis in fixed)
    arrangement = Arrangement(fixed, (), None, len(axes), has_channels)
    if selection.position and not _along(names, "P"):
        raise InputError(f"{path}: no position {selection.position}; it has a single one")
    for axis in _along(names, "Z"):
        arrangement = _with_z(path, arrangement, axis, axes[axis].size, selection.z)
    if selection.z not in (None, 0, "max", "mean") and not _along(names, "Z"):
        raise InputError(f"{path}: no plane {selection.z}; its images have no depth")
    taken = {*fixed, *arrangement.fixed, *(() if arrangement.projected is None else (arrangement.projected[0],))}
    rest = [axis for axis in range(len(axes)) if axis not in taken and axes[axis].size > 1]
    times = [axis for axis in rest if names[axis] == "T"]
    others = [axis for axis in rest if names[axis] != "T"]
    if others and (times or len(others) > 1):
        raise InputError(f"{path}: {_several(axes, names, rest)}")
    frames = tuple((axis, axes[axis].size) for axis in times or others)
    notes: tuple[str, ...] = ()
    if others:
        size, name = axes[others[0]].size, names[others[0]]
        kind = "planes of depth" if name == "Z" else f"images along {name}"
        choice = f"; --z 0 to {size - 1}, max or mean makes one image of them" if name == "Z" else ""
        notes = (f"its {size} {kind} are read as frames{choice}",)
    return replace(arrangement, frames=frames, notes=notes)


def _names(path: Path, axes: tuple[Axis, ...], selection: Selection) -> list[str]:
    """Return the names of the axes, with those that were selected instead of those of the file."""
    names = [axis.name for axis in axes]
    if not selection.axes:
        return names
    several = [place for place, axis in enumerate(axes) if axis.size > 1]
    if len(selection.axes) != len(several):
        found = " and ".join(f"{axes[place].size} along {names[place]}" for place in several) or "a single image"
        raise InputError(f"{path}: --axes {selection.axes}: give one letter for each axis of its images: {found}")
    for place, name in zip(several, selection.axes, strict=True):
        names[place] = name
    return names


def _along(names: list[str], name: str) -> list[int]:
    return [axis for axis, each in enumerate(names) if each == name]


def _choice(path: Path, size: int, chosen: int | None, plural: str, option: str, hint: str = "") -> int:
    if chosen is None and size == 1:
        return 0
    if chosen is None or chosen >= size:
        beyond = "" if chosen is None else f", not {chosen}"
        raise InputError(f"{path}: has {size} {plural}; choose one with --{option} 0 to {size - 1}{beyond}{hint}")
    return chosen


def _with_z(path: Path, arrangement: Arrangement, axis: int, size: int, z: int | str | None) -> Arrangement:
    if isinstance(z, str):
        return replace(arrangement, projected=(axis, size))
    if z is None:
        return arrangement
    return replace(arrangement, fixed={**arrangement.fixed, axis: _choice(path, size, z, "planes of depth", "z")})


def _several(axes: tuple[Axis, ...], names: list[str], rest: list[int]) -> str:
    found = " and ".join(f"{axes[axis].size} along {names[axis]}" for axis in rest)
    if any(names[axis] == "Z" for axis in rest) and len(rest) == 2:
        planes = max(axes[axis].size for axis in rest if names[axis] == "Z")
        return f"has {found}; choose a plane with --z 0 to {planes - 1}, or a projection with --z max or mean"
    return f"has {found}; name its axes with --axes, a letter each of T (frames), Z, C (channels) and P (positions)"
