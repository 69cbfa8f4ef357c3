"""A linker's state on disk: NumPy's archive of plain arrays, with the figures as JSON."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError, UsageError, reason
from livetrack.linking.tracks import TRACK

__all__ = ["read", "write"]

_VERSION = 1
_FIGURES = {"version": int, "settings": dict, "hurried": int, "next_id": int, "clock": dict}


def write(
    path: str | Path, figures: dict[str, Any], alive: npt.NDArray[np.void], sums: npt.NDArray[np.float64]
) -> None:
    """Write the figures, the living trajectories and what was learnt of their motion.

    The file is written beside the old one and then put in its place: it is never half of each.
    """
    path = Path(path)
    beside = path.with_name(f"{path.name}.new")
    text = json.dumps({"version": _VERSION, **figures})
    try:
        with beside.open("wb") as file:
            np.savez(file, figures=np.array(text), alive=alive, sums=sums)
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {reason(error)}") from None


def read(path: str | Path) -> tuple[dict[str, Any], npt.NDArray[np.void], npt.NDArray[np.float64]]:
    """Return what `write` wrote: figures, trajectories, what was learnt. Raises `InputError`."""
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            figures = json.loads(str(archive["figures"]))
            alive, sums = archive["alive"], archive["sums"]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}") from None
    except (ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile):
        raise InputError(f"{path}: not the state of a linker") from None
    if not isinstance(figures, dict) or any(not isinstance(figures.get(key), kind) for key, kind in _FIGURES.items()):
        raise InputError(f"{path}: not the state of a linker")
    if figures["version"] != _VERSION or alive.dtype != TRACK or alive.ndim != 1 or sums.shape != (9,):
        raise InputError(f"{path}: the state of a linker of another livetrack: begin a new one")
    return figures, alive, sums
