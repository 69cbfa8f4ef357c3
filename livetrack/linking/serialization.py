"""The state of a linker on disk: a NumPy archive with the scalars as JSON."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError, UsageError, reason
from livetrack.limits import LINKER_BYTES, FileTooLargeError
from livetrack.linking.records import TRACK
from livetrack.whole_file import replacing

__all__ = ["read", "write"]

_VERSION = 1
_SCALARS = {"version": int, "settings": dict, "hurried": int, "next_id": int, "clock": dict}


_UNREADABLE = (
    ValueError, KeyError, EOFError, AttributeError, TypeError, NotImplementedError, RecursionError, MemoryError,
    SyntaxError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""What NumPy and zipfile raise for damaged files."""


def write(
    path: str | Path, scalars: dict[str, Any], alive: npt.NDArray[np.void], sums: npt.NDArray[np.float64]
) -> None:
    """Write the scalars, the active tracks and the sums of `MotionStatistics`. Raises `UsageError`.

    An existing file is replaced at once, so that the file is complete whenever it is read.
    """
    text = json.dumps({"version": _VERSION, **scalars})
    try:
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, figures=np.array(text), alive=alive, sums=sums)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {reason(error)}") from None


def read(path: str | Path) -> tuple[dict[str, Any], npt.NDArray[np.void], npt.NDArray[np.float64]]:
    """Return what `write` wrote: scalars, tracks, sums. Raises `InputError`."""
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            unpacked = sum(member.file_size for member in archive.zip.infolist())
            if unpacked > LINKER_BYTES:
                raise FileTooLargeError(f"it unpacks to {unpacked:,} bytes, and the limit is {LINKER_BYTES:,}")
            scalars = json.loads(str(archive["figures"]))
            alive, sums = archive["alive"], archive["sums"]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}") from None
    except _UNREADABLE:
        raise InputError(f"{path}: not the state of a linker") from None
    if not isinstance(scalars, dict) or any(not isinstance(scalars.get(key), kind) for key, kind in _SCALARS.items()):
        raise InputError(f"{path}: not the state of a linker")
    if scalars["version"] != _VERSION or alive.dtype != TRACK or alive.ndim != 1 or sums.shape != (9,):
        raise InputError(f"{path}: written by an incompatible version of livetrack; save a new one")
    return scalars, alive, sums
