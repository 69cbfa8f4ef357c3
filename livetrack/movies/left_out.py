"""Which images in a folder are none of its frames."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

__all__ = ["images_that_are_no_frames", "listed"]

_OWN = re.compile(r".-check\.png$", re.IGNORECASE)
_SMALL = re.compile(r"(^|[_\-. ])(thumb|thumbnail|preview)s?([_\-. ]|\d*\.)", re.IGNORECASE)
_MAX_LISTED = 3


def images_that_are_no_frames(files: Sequence[Path]) -> list[Path]:
    """Return annotated images written by livetrack, and thumbnails, among images; none if there is nothing else.

    A thumbnail has such a name and at most half the size of the others.
    """
    own = [file for file in files if _OWN.search(file.name)]
    small = [file for file in files if _SMALL.search(file.name) and file not in own]
    others = [file.stat().st_size for file in files if file not in own and file not in small] if small else []
    if others:
        small = [file for file in small if file.stat().st_size <= median(others) / 2]
    found = own + (small if others else [])
    return found if len(found) < len(files) else []


def listed(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - _MAX_LISTED} more" if len(every) > _MAX_LISTED else ""
    return ", ".join(every[:_MAX_LISTED]) + more
