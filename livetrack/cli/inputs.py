"""Settings files and recordings that a command is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from livetrack.config import Config, load_config
from livetrack.errors import InputError, UsageError

__all__ = ["load_command_config", "recording_hints", "require_folder"]

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
    """Name the recorded sessions in `path` in the error of a movie that cannot be read, if there are some.

    Raises
    ------
    InputError
        `path` is a folder of sessions.
    """
    try:
        yield
    except InputError:
        if text := _sessions_in(path):
            raise InputError(text) from None
        raise


def require_folder(path: Path) -> None:
    """Raise `InputError` if `path` is not a folder that may be a recorded session; name the sessions in it, if any."""
    from livetrack.record.inventory import is_session

    if not path.is_dir():
        raise InputError(f"{path}: {'give the folder of a session' if path.exists() else 'there is no such folder'}")
    if not is_session(path) and (text := _sessions_in(path)):
        raise InputError(text)


def _sessions_in(path: Path) -> str:
    """Return which recordings are in a folder of recordings; empty if none are."""
    from livetrack.record.inventory import sessions_in

    sessions = sessions_in(path)
    newest = ", ".join(str(folder) for folder in sessions[-_MAX_LISTED:])
    count = "1 recording" if len(sessions) == 1 else f"{len(sessions)} recordings"
    return f"{path} contains {count}; choose one: {newest}" if sessions else ""
