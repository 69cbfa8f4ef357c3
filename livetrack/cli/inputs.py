"""The settings of a command: the file it is given, config.toml here, or the defaults; and in words, which it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from livetrack.config import Config, load_config
from livetrack.errors import InputError, UsageError

__all__ = ["load_command_config", "recording_hints"]

_HERE = Path("config.toml")


def load_command_config(path: Path | None, overrides: Iterable[str]) -> tuple[Config, str]:
    """Return the settings, and what they are called. Raises `UsageError`."""
    if path is None and _HERE.exists():
        path = _HERE
    if path is not None and path.suffix.lower() != ".toml" and path.exists():
        raise UsageError(f"{path}: no settings file, which ends in .toml; for a movie there is `livetrack track`")
    config = load_config(path, overrides)
    if path is None:
        return config, f"the defaults, with the {config.camera.driver} camera (no {_HERE} here)"
    return config, str(path)


_SHOWN = 3


@contextmanager
def recording_hints(path: Path) -> Iterator[None]:
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
