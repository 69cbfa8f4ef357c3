"""The settings of a command: the file it is given, config.toml here, or the defaults; and in words, which it was."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from livetrack.config import Config, load_config
from livetrack.errors import UsageError

__all__ = ["settings_of"]

_HERE = Path("config.toml")


def settings_of(path: Path | None, overrides: Iterable[str]) -> tuple[Config, str]:
    """Return the settings, and what they are called. Raises `UsageError`."""
    if path is None and _HERE.exists():
        path = _HERE
    if path is not None and path.suffix.lower() != ".toml" and path.exists():
        raise UsageError(f"{path}: no settings file, which ends in .toml; for a movie there is `livetrack track`")
    config = load_config(path, overrides)
    if path is None:
        return config, f"the defaults, with the {config.camera.driver} camera (no {_HERE} here)"
    return config, str(path)
