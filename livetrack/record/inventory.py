"""What a recording contains, closed or not: the frames, their times, the tracks, and what is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError, reason
from livetrack.record.damage import Damage
from livetrack.record.event_log import read_events
from livetrack.record.event_text import event_lines
from livetrack.record.lock import LastSign, is_being_recorded, read_last_sign
from livetrack.record.page_survey import Mend, survey_pages
from livetrack.record.pages import page_files
from livetrack.record.session import read_info
from livetrack.record.stream_reader import read_batches, stream_schema
from livetrack.record.streams import RECEIVED, TRACKED, TRAJECTORIES

__all__ = ["TABLES", "Inventory", "Progress", "is_session", "sessions_in", "take_inventory"]

TABLES = {"frames": RECEIVED, "tracked": TRACKED, "trajectories": TRAJECTORIES}
"""The schemas of the tables, by name."""

Numbers = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
"""Receives the bytes read so far, and those of all files. What it raises ends the work."""


@dataclass(frozen=True)
class Inventory:
    """What is in the files of a recording. Frame numbers are sorted, each once."""

    folder: Path
    info: dict[str, Any]
    """`session.json`, or what of it is in the tables."""
    info_problem: str
    """Why `session.json` cannot be read; empty if it can."""
    last_sign: LastSign | None
    """Of a recorder that was killed."""
    recording: bool
    """Whether a recorder is at work on it now."""
    pages: Numbers
    """Frames with whole images."""
    listed: Numbers
    """Frames in `frames.arrow`."""
    without_image: Numbers
    """Those of them that were recorded without an image."""
    tracked: Numbers
    """Frames in `tracked.arrow`."""
    particles: Numbers
    """(N,) number of particles in each of `tracked`."""
    with_rows: Numbers
    """Frames in `trajectories.arrow`."""
    rows: Numbers
    """(N,) number of rows of each of `with_rows`."""
    times_ns: dict[str, Numbers]
    """`frame` and `t_received_ns` of all frames with a known time, sorted by frame."""
    rows_t_s: npt.NDArray[np.float64]
    """(N,) `t_s` of each of `with_rows`."""
    unlisted: list[tuple[Any, ...]]
    """Rows that are missing in `frames.arrow`, of frames with images."""
    events: list[str]
    """What else happened, see `event_lines`."""
    event_count: int
    """Whole lines of `events.jsonl`."""
    mends: list[Mend]
    """What would make all whole pages accessible to other programs."""
    damages: list[Damage]

    @property
    def frames(self) -> Numbers:
        """Numbers of all frames of which there is anything."""
        return np.unique(np.concatenate((self.pages, self.listed, self.tracked, self.with_rows)))

    def clock_time(self, frame: int, *, after: bool = False) -> datetime | None:
        """Return the time of day of a frame, or of the last one with a known time before it, or the first `after`."""
        frames, times = self.times_ns["frame"], self.times_ns["t_received_ns"]
        at = np.searchsorted(frames, frame, "left" if after else "right") - (not after)
        return self.wall_time(int(times[at])) if 0 <= at < len(frames) else None

    def wall_time(self, monotonic_ns: int) -> datetime | None:
        """Return the time of day of a time of the recorder's monotonic clock; None if its start is not known."""
        try:
            started = datetime.fromisoformat(self.info["started"])
            return started + timedelta(microseconds=(monotonic_ns - self.info["started_monotonic_ns"]) / 1e3)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


def is_session(folder: Path) -> bool:
    """Whether `folder` contains `session.json` or tables of a recording."""
    names = ["session.json", *(f"{name}.arrow" for name in TABLES)]
    return any((folder / name).is_file() for name in names)


def sessions_in(folder: Path) -> list[Path]:
    """Return the recordings in a folder of recordings, in order."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and is_session(path))
    except OSError:
        return []


def take_inventory(folder: Path, progress: Progress = lambda done, total: None) -> Inventory:
    """Read all files of the recording in `folder`, and verify them; writes nothing.

    Raises
    ------
    InputError
        `folder` is not a recording.
    """
    recording = is_being_recorded(folder)  # first: a recording that ends meanwhile is complete
    last_sign = read_last_sign(folder)
    info, problem = _read_or_rebuild_info(folder)
    damages: list[Damage] = []
    files = [folder / f"{name}.arrow" for name in TABLES] + page_files(folder)
    total = sum(_size(path) for path in files)
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    def columns(name: str, *names: str) -> dict[str, Any]:
        found: dict[str, list[Any]] = {each: [] for each in names}
        for batch in _batches(folder / f"{name}.arrow", damages):
            for each in names:
                column = batch.column(each)
                found[each].append(np.asarray(column.is_valid()) if each == "page" else np.array(column))
            advance(batch.nbytes)
        return {each: np.concatenate(parts) if parts else np.empty(0, np.int64) for each, parts in found.items()}

    received = columns("frames", "frame", "t_received_ns", "page")
    tracked = columns("tracked", "frame", "particles")
    rows = _rows_by_frame(folder, damages, advance)
    listed, first = np.unique(received["frame"], return_index=True)
    survey = survey_pages(folder, listed, damages, advance)
    pages = np.array(survey.frames, np.int64)
    if not is_session(folder) and not len(pages):
        raise InputError(f"{folder}: not a recording: it contains neither session.json nor frames or tables of one")
    events = list(read_events(folder, damages.append))
    tracked_frames, first_tracked = np.unique(tracked["frame"], return_index=True)
    known = np.concatenate((received["frame"], pages, rows["frame"])).astype(np.int64)
    known, first_known = np.unique(known, return_index=True)
    known_ns = np.concatenate((received["t_received_ns"], survey.times_ns, rows["t_received_ns"])).astype(np.int64)
    return Inventory(
        folder=folder,
        info=info,
        info_problem=problem,
        last_sign=last_sign,
        recording=recording,
        pages=np.unique(pages),
        listed=listed.astype(np.int64),
        without_image=listed[~received["page"].astype(bool)[first]].astype(np.int64),
        tracked=tracked_frames.astype(np.int64),
        particles=tracked["particles"].astype(np.int64)[first_tracked],
        with_rows=rows["frame"],
        rows=rows["rows"],
        times_ns={"frame": known, "t_received_ns": known_ns[first_known]},
        rows_t_s=rows["t_s"],
        unlisted=survey.unlisted,
        events=event_lines(events),
        event_count=len(events),
        mends=survey.mends,
        damages=damages,
    )


def _read_or_rebuild_info(folder: Path) -> tuple[dict[str, Any], str]:
    """Return `session.json`, or the copy of its beginning that each table has; and why, if it cannot be read."""
    try:
        return read_info(folder), ""
    except InputError as error:
        problem = str(error) if (folder / "session.json").exists() else "session.json is missing"
    for name, schema in TABLES.items():
        metadata = stream_schema(folder / f"{name}.arrow", schema).metadata or {}
        try:
            return msgspec.json.decode(metadata[b"session"], type=dict[str, Any]), problem
        except (KeyError, msgspec.MsgspecError):
            continue
    return {}, problem


def _rows_by_frame(folder: Path, damages: list[Damage], advance: Callable[[int], None]) -> dict[str, Any]:
    frames, counts, times, t_s = [], [], [], []
    for batch in _batches(folder / "trajectories.arrow", damages):
        numbers, first, count = np.unique(np.array(batch.column("frame")), return_index=True, return_counts=True)
        frames.append(numbers)
        counts.append(count)
        times.append(np.array(batch.column("t_received_ns"))[first])
        t_s.append(np.array(batch.column("t_s"))[first])
        advance(batch.nbytes)
    numbers, first, inverse = np.unique(_join(frames), return_index=True, return_inverse=True)
    return {
        "frame": numbers,
        "rows": np.bincount(inverse, _join(counts), len(numbers)).astype(np.int64),
        "t_received_ns": _join(times)[first],
        "t_s": np.concatenate([np.empty(0), *t_s])[first],
    }


def _batches(path: Path, damages: list[Damage]) -> Iterator[Any]:
    try:
        yield from read_batches(path, TABLES[path.stem], damages.append)
    except OSError as error:
        damages.append(Damage(path.name, 0, 0, None, f"cannot be read: {reason(error)}"))


def _join(parts: Iterable[Any]) -> Numbers:
    return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
