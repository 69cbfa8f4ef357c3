"""A recording taken for a movie: what to type instead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from livetrack.errors import InputError

__all__ = ["recordings_told"]

_SHOWN = 3


@contextmanager
def recordings_told(path: Path) -> Iterator[None]:
    """Where `path` cannot be read as a movie, but is a recorded session or holds some, say so as an `InputError`."""
    try:
        yield
    except InputError:
        if (path / "session.json").exists():
            raise InputError(f"{path}: a recorded session: `livetrack track {path} -o tracks.csv`") from None
        if sessions := sorted(file.parent for file in path.glob("*/session.json")):
            newest = ", ".join(str(folder) for folder in sessions[-_SHOWN:])
            raise InputError(f"{path}: holds {len(sessions)} recordings; name one of them: {newest}") from None
        raise
