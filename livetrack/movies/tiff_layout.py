"""Layout: the images of a TIFF file and their axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from livetrack.errors import InputError
from livetrack.movies.arrangement import Axis
from livetrack.movies.assembly import Numbers
from livetrack.movies.tiff_planes import Planes

__all__ = ["Layout", "check_sides"]


class Layout(NamedTuple):
    """The images of a file, or of several that belong together."""

    axes: tuple[Axis, ...]
    order: Numbers
    """Numbers of the images at each place of the axes; `ABSENT` where there is none."""
    planes: Planes
    missing: Callable[[], str]
    """Returns what is missing behind the last frame; empty if nothing is."""
    is_counted: bool = True
    """Whether the file has a number of images that can be relied on."""
    absence: str = ""
    """Why images are absent, for what is clear at once."""
    notes: tuple[str, ...] = ()
    pages: Any = None
    """The page of each image, by its number; None if they have no pages of their own."""
    series: int = 0
    """Number of the series that is read, as the file counts them."""
    own_position: int | None = None
    """The only position of which images are in the file itself, where it belongs to several with others."""


def check_sides(axes: str, shape: tuple[int, ...]) -> None:
    """Raise `InputError` for images that are lines or points."""
    if min(size for axis, size in zip(axes, shape, strict=True) if axis in "YX") < 2:
        raise InputError("its images are only one pixel wide or high")
