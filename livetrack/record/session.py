"""Folder of a recording: created with its `session.json`, and read, complete or truncated."""

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
from livetrack.limits import SESSION_INFO_BYTES, read_bytes_up_to
from livetrack.record.damage import Damage, Report, ignore
from livetrack.record.event_log import read_events
from livetrack.record.pages import page_files, read_pages
from livetrack.record.stream_reader import read_stream
from livetrack.record.streams import RECEIVED, TRACKED, TRAJECTORIES
from livetrack.whole_file import write_whole

__all__ = ["Session", "make_session_folder", "read_info", "read_session", "write_session_info"]

_NOT_CLOSED = "it was not closed; its end may be missing; `livetrack recover` completes it"


class _Known(msgspec.Struct):
    """Types of what is used of `session.json`."""

    ended: str | None = None
    problem: str | None = None
    frames_offered: int = 0
    frames_written: int = 0
    frames_dropped: int = 0
    frames_listed_lost: int = 0
    tracked_frames_offered: int = 0
    tracked_frames_written: int = 0
    tracked_frames_dropped: int = 0
    tracked_frames_torn: int = 0
    rows_lost: int = 0


_COUNTS = (
    "frames_offered", "frames_written", "frames_dropped",
    "tracked_frames_offered", "tracked_frames_written", "tracked_frames_dropped",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    """Recording on disk, as `read_session` returns it."""

    folder: Path
    info: dict[str, Any]
    """Contents of `session.json`: `settings`, `started` and, if the recording was closed, `ended` and the counts."""

    @property
    def closed(self) -> bool:
        """False if the process was killed; the last second may be missing."""
        return "ended" in self.info

    @property
    def frames_written(self) -> int | None:
        """Number of frames with pixels; None if the recording was not closed."""
        return self.info.get("frames_written")

    @property
    def problem(self) -> str:
        """Why frames may be missing at the end; empty if the recording is complete."""
        return str(self.info.get("problem", "")) if self.closed else _NOT_CLOSED

    def discrepancies(self) -> list[str]:
        """Return where the counts in `session.json` and the files differ, one line each; empty if they agree.

        Raises `InputError` if `session.json` has no counts, as in a recording that was not closed.
        """
        if not self.closed:
            raise InputError(f"{self.folder}: {self.problem}")
        if missing := [name for name in _COUNTS if name not in self.info]:
            raise InputError(f"{self.folder}: its session.json lacks {', '.join(missing)}")
        info, received, tracked = self.info, self.received(), self.tracked()
        rows = self.trajectories().num_rows
        readable = {frame.index for frame in self.frames()}
        listed = set(received["frame"].filter(received["page"].is_valid()).to_pylist())
        written = info["frames_written"]
        equal = {
            "frames written or dropped, and frames offered": (written + info["frames_dropped"], info["frames_offered"]),
            "frames written, and frames in the TIFF files": (written, len(readable)),
            "frames in frames.arrow that are in no TIFF file, and none": (
                len(listed - readable), info.get("frames_listed_lost", 0)
            ),
            "tracked frames written or dropped, and those offered": (
                info["tracked_frames_written"] + info["tracked_frames_dropped"], info["tracked_frames_offered"]
            ),
            "tracked frames written, and rows of tracked.arrow": (
                info["tracked_frames_written"] + info.get("tracked_frames_torn", 0), tracked.num_rows
            ),
            "particles in tracked.arrow, and rows of trajectories.arrow": (
                sum(tracked["particles"].to_pylist()) - info.get("rows_lost", 0), rows
            ),
        }  # fmt: skip
        if "events_written" in info:
            equal["events written, and lines of events.jsonl"] = (
                info["events_written"],
                sum(1 for _ in read_events(self.folder)),
            )
        return [f"{what}: {one} and {other}" for what, (one, other) in equal.items() if one != other]

    def frames(self, report: Report = ignore) -> Iterator[Frame]:
        """Yield the frames with pixels, in order; `report` receives each `Damage`, whose pages are left out."""
        for path in page_files(self.folder):
            yield from read_pages(path, report)

    def damage(self) -> list[Damage]:
        """Read all files and return their parts that are not as they were written, and that all readers leave out."""
        found: list[Damage] = []
        for _ in self.frames(found.append):
            pass
        for name, schema in (("frames", RECEIVED), ("tracked", TRACKED), ("trajectories", TRAJECTORIES)):
            read_stream(self.folder / f"{name}.arrow", schema, found.append)
        for _ in read_events(self.folder, found.append):
            pass
        return found

    def received(self) -> Any:
        """Return the pyarrow Table of all received frames, in order: number, times, geometry, file and page."""
        return read_stream(self.folder / "frames.arrow", RECEIVED).sort_by("frame")  # a late one is out of order

    def tracked(self) -> Any:
        """Return the pyarrow Table of all tracked frames: number, time and number of particles."""
        return read_stream(self.folder / "tracked.arrow", TRACKED)

    def trajectories(self) -> Any:
        """Return the pyarrow Table of all localisations; the metadata of each field contains its unit."""
        return read_stream(self.folder / "trajectories.arrow", TRAJECTORIES)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return what happened during the recording, in order; of these kinds, if any are given.

        Each event has `t_ns`, the monotonic clock of `t_received_ns`, `wall_ns` and `kind`; see `livetrack.record`.
        """
        return [event for event in read_events(self.folder) if not kinds or event["kind"] in kinds]


def read_session(folder: str | Path) -> Session:
    """Open the recording in `folder`.

    Raises
    ------
    InputError
        The folder is missing or is not a recording.
    """
    folder = Path(folder)
    return Session(folder, read_info(folder))


def read_info(folder: Path) -> dict[str, Any]:
    """Return the contents of `session.json`. Raises InputError if it cannot be read."""
    path = folder / "session.json"
    cure = f"try `livetrack recover {folder}`"
    try:
        info = msgspec.json.decode(read_bytes_up_to(path, SESSION_INFO_BYTES), type=dict[str, Any])
        msgspec.convert(info, _Known)
        return info
    except FileNotFoundError:
        problem = f"{folder}: not a recording: it contains no session.json"
        raise InputError(f"{problem}; {cure}" if page_files(folder) else problem) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {reason(error)}") from None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}; {cure}") from None


def make_session_folder(parent: Path, started: datetime) -> Path:
    """Create and return a folder named after the time; `_2`, `_3`, ... is appended if it exists.

    Raises
    ------
    UsageError
        The folder cannot be created.
    """
    name = started.strftime("%Y-%m-%d_%H-%M-%S")
    try:
        str(parent).encode()  # `session.json` contains the name
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            folder = parent / (name if number == 1 else f"{name}_{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
        raise OSError("1,000 recordings were started there within one second")
    except OSError as error:
        raise UsageError(f"{parent}: cannot record here: {reason(error)}; choose another folder") from None
    except UnicodeEncodeError:
        raise UsageError(f"{str(parent)!a}: cannot record here: the folder name is not valid UTF-8") from None


def write_session_info(folder: Path, info: dict[str, Any], *, spare_bytes: int = 0) -> None:
    """Write `session.json` as a whole; on a full disk into the file of before, if that has the space.

    Parameters
    ----------
    spare_bytes
        Spaces at its end, so that more can be written later.

    Raises
    ------
    UsageError
        The folder is not writable.
    """
    path = folder / "session.json"
    content = msgspec.json.format(msgspec.json.encode(info, enc_hook=str), indent=2) + b" " * spare_bytes
    try:
        try:
            write_whole(path, content)
        except OSError:
            if not path.is_file() or path.stat().st_size < len(content):
                raise
            with path.open("r+b") as file:
                file.write(content.ljust(path.stat().st_size))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written to: {reason(error)}") from None
