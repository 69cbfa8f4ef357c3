"""The folder of a recording: made with its `session.json`, and read, whole or cut short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from livetrack.camera import Frame
from livetrack.errors import InputError, UsageError, reason
from livetrack.record.pages import page_files, read_pages
from livetrack.record.streams import RECEIVED, TRACKED, TRAJECTORIES, read_stream

__all__ = ["Session", "make_session_folder", "read_session", "write_session_info"]


@dataclass(frozen=True, slots=True)
class Session:
    """A recording on disk."""

    folder: Path
    info: dict[str, Any]
    """What `session.json` says: `settings`, `started`, and, when it was closed, `ended` and the counts."""

    @property
    def closed(self) -> bool:
        """False when the process was killed: the last second may be missing."""
        return "ended" in self.info

    @property
    def frames_written(self) -> int | None:
        """How many frames there are with pixels; None when it was never closed."""
        return self.info.get("frames_written")

    @property
    def problem(self) -> str:
        """Why frames may be missing at the end; empty when the recording is whole."""
        return str(self.info.get("problem", "")) if self.closed else "it was never closed: its end may be missing"

    def frames(self) -> Iterator[Frame]:
        """Yield the frames whose pixels were written, in order."""
        for path in page_files(self.folder):
            yield from read_pages(path)

    def received(self) -> Any:
        """Return the pyarrow Table of all delivered frames: numbers, times, geometry, file and page."""
        return read_stream(self.folder / "frames.arrow", RECEIVED)

    def tracked(self) -> Any:
        """Return the pyarrow Table of all tracked frames: number, time, and how many particles."""
        return read_stream(self.folder / "tracked.arrow", TRACKED)

    def trajectories(self) -> Any:
        """Return the pyarrow Table of all particles; each field's metadata holds its unit."""
        return read_stream(self.folder / "trajectories.arrow", TRAJECTORIES)


def read_session(folder: str | Path) -> Session:
    """Open the recording in `folder`.

    Raises
    ------
    InputError
        The folder is missing or holds no recording.
    """
    folder = Path(folder)
    path = folder / "session.json"
    try:
        info = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise InputError(f"{folder}: no recording: there is no session.json in it") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    return Session(folder, info)


def make_session_folder(parent: Path, started: datetime) -> Path:
    """Make and return a folder named by the time, `_2`, `_3`, ... behind it when that is taken.

    Raises
    ------
    UsageError
        It cannot be made.
    """
    name = started.strftime("%Y-%m-%d_%H-%M-%S")
    try:
        str(parent).encode()  # `session.json` names it
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            folder = parent / (name if number == 1 else f"{name}_{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
        raise OSError("a thousand recordings began there within this second")
    except OSError as error:
        what = reason(error)
        raise UsageError(f"{parent}: cannot hold a recording: {what}; choose another folder") from None
    except UnicodeEncodeError:
        raise UsageError(f"{str(parent)!a}: cannot hold a recording: its name is no text in UTF-8") from None


def write_session_info(folder: Path, info: dict[str, Any]) -> None:
    """Write `session.json`, whole or not at all.

    Raises
    ------
    UsageError
        The folder cannot be written to.
    """
    path = folder / "session.json"
    new = path.with_suffix(".json.new")
    try:
        new.write_bytes(msgspec.json.format(msgspec.json.encode(info, enc_hook=str), indent=2))
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise UsageError(f"{folder}: cannot be written to: {reason(error)}") from None
