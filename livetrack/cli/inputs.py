"""Settings files and recordings that a command is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from livetrack.config import Config, load_config
from livetrack.errors import InputError, UsageError

__all__ = ["load_command_config", "recording_hints"]

_DEFAULT_FILE = Path("config.toml")
_MAX_LISTED = 3


def load_command_config(path: Path | None, overrides: Iterable[str]) -> tuple[Config, str]:
    """Return the settings of `path`, or of config.toml in this folder, or the defaults; and their name for messages.

    Raises
    ------
    UsageError
        The file is not a settings file, or a setting is wrong.
    """
    if path is None and _DEFAULT_FILE.exists():
        path = _DEFAULT_FILE
    if path is not None and path.suffix.lower() != ".toml" and path.exists():
        raise UsageError(f"{path}: not a settings file (.toml); to track a movie use `livetrack track`")
    config = load_config(path, overrides)
    if path is None:
        return config, f"defaults, {config.camera.driver} camera (no {_DEFAULT_FILE} in this folder)"
    return config, str(path)


@contextmanager
def recording_hints(path: Path) -> Iterator[None]:
    """Replace the error of a movie that cannot be read by a hint, if `path` is a recorded session or contains some.

    Raises
    ------
    InputError
        `path` is a recorded session, or a folder of sessions.
    """
    try:
        yield
    except InputError:
        if (path / "session.json").exists():
            raise InputError(f"{path} is a recorded session; use `livetrack track {path} -o tracks.csv`") from None
        if sessions := sorted(file.parent for file in path.glob("*/session.json")):
            newest = ", ".join(str(folder) for folder in sessions[-_MAX_LISTED:])
            count = "1 recording" if len(sessions) == 1 else f"{len(sessions)} recordings"
            raise InputError(f"{path} contains {count}; choose one: {newest}") from None
        raise
