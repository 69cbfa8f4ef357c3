"""What happens during a recording, besides frames and tracks: `events.jsonl`, one checked line per event."""

from __future__ import annotations

import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from livetrack.camera import Frame
from livetrack.errors import reason
from livetrack.limits import EVENT_BYTES
from livetrack.record.append_file import AppendFile
from livetrack.record.damage import Damage, Report, ignore
from livetrack.record.disk_sync import DiskSync

__all__ = ["EVENTS_FILE", "EventLog", "read_events"]

EVENTS_FILE = "events.jsonl"

_WRITE_S = 0.25  # between two writes: with the time that one takes, less than a second is lost if the process is killed
_END_S = 5.0  # for the last lines to be written: the disk may not respond
_CLOCK_S = 60.0  # between two lines that compare the clocks
_CLOCK_TRIES = 5
_MAX_WAITING = 10_000  # lines that wait for the disk
_SEAL = ',"crc32":"'

Content = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


class EventLog:
    """Appends events to `events.jsonl` in `folder`, in a thread of its own.

    A line is a JSON object: `t_ns`, time of the monotonic clock, and `wall_ns`, since 1970-01-01 UTC, at which `note`
    was called; `kind`; what belongs to the kind; and last `crc32`, of the line's bytes before it. The first line, the
    last and one a minute are of kind `clock`: both times read at once, to `uncertainty_ns`.

    What cannot be written waits, up to 10,000 lines, and is tried again. At any moment, lines noted = written + lost +
    waiting; nothing waits after `close`.

    Parameters
    ----------
    sync
        Puts the file on the disk, and closes it in the end.
    """

    def __init__(self, folder: Path, sync: DiskSync) -> None:
        self._path = folder / EVENTS_FILE
        self._file: AppendFile | None = None
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, int, str, Content]] = []
        self._lines: deque[bytes] = deque()  # encoded, not written yet; of the thread
        self._last: dict[str, Mapping[str, Any]] = {}
        self._geometry_number = -1
        self.written = self.lost = 0
        self.problem = ""
        """What could not be kept for good, such as a model; else empty."""
        self._disk_problem = ""  # why lines wait, or were lost
        self._sync = sync
        self._noted = 0
        self._closed = self._ended = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="livetrack-events", daemon=True)
        self._thread.start()

    def note(self, kind: str, content: Content) -> None:
        """Queue an event; any thread may call this, and it returns at once.

        Parameters
        ----------
        content
            Entries of the line: anything that msgspec can encode as JSON; or a function that returns them, called
            later in the thread of the log, for what takes time, such as copying a file.
        """
        t_ns, wall_ns = time.perf_counter_ns(), time.time_ns()
        with self._lock:
            if self._closed:  # the recording has ended
                return
            self._noted += 1
            if len(self._waiting) < _MAX_WAITING:
                self._waiting.append((t_ns, wall_ns, kind, content))
            else:
                self.lost += 1

    def note_change(self, kind: str, content: Mapping[str, Any]) -> None:
        """Queue an event, unless it is the same as the last of its kind."""
        if self._last.get(kind) != content:
            self._last[kind] = content
            self.note(kind, content)

    def note_geometry(self, frame: Frame) -> None:
        """Queue the geometry of a frame if it is another than that of the frame before; for the camera's thread."""
        if frame.geometry_number != self._geometry_number:
            self._geometry_number = frame.geometry_number
            self.note("geometry", {"frame": frame.index, "number": frame.geometry_number, "geometry": frame.geometry})

    def losses(self) -> list[str]:
        """Return what is not recorded, and why, one text each; nothing if all is well."""
        found = [f"events: {self.problem}"] if self.problem else []
        if self.lost:
            why = self._disk_problem or "too many at once"
            found.append(f"{self.lost} of {self._noted} events are not recorded: {why}")
        elif self._disk_problem:
            found.append(f"events cannot be written: {self._disk_problem}")
        return found

    def close(self) -> None:
        """Write what waits, in at most 5 s; harmless if called twice."""
        with self._lock:
            self._closed = True
        self._ending.set()
        self._thread.join(_END_S)
        self.end()

    def end(self) -> None:
        """Accept no more events, and count those that are not written as lost."""
        with self._lock:
            self._closed = self._ended = True
            self.lost = self._noted - self.written
            if self.lost:
                self._disk_problem = self._disk_problem or "the disk has not responded"

    # in the thread of the log

    def _run(self) -> None:
        self._note_clock()
        clock_due = time.monotonic() + _CLOCK_S
        ending = False
        while not ending:
            ending = self._ending.wait(_WRITE_S)
            if ending or time.monotonic() >= clock_due:
                clock_due = time.monotonic() + _CLOCK_S
                self._note_clock()
            self._encode_waiting()
            self._write()
        if self._file is not None:
            self._sync.complete(self._file)

    def _encode_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            free = max(_MAX_WAITING - len(self._lines), 0)
            self.lost += len(waiting[free:])
        for t_ns, wall_ns, kind, content in waiting[:free]:
            start = {"t_ns": t_ns, "wall_ns": wall_ns, "kind": kind}
            try:
                entries = content() if callable(content) else content
                self.problem = str(entries.get("problem", "")) or self.problem
                line = msgspec.json.encode({**start, **entries}, enc_hook=str)
                if len(line) > EVENT_BYTES // 2:
                    raise ValueError(f"it has {len(line)} bytes")
            except Exception as error:  # noqa: BLE001  one event that cannot be encoded must not end the others
                line = msgspec.json.encode({**start, "problem": f"not recorded: {error!a}"})
            self._lines.append(_seal(line))
            time.sleep(0)  # gives Python's lock to the tracking loop between two lines

    def _write(self) -> None:
        if not self._lines:
            return
        try:
            if self._file is not None and self._file.is_deleted():
                self.problem = f"{EVENTS_FILE} was deleted"
                with self._lock:
                    self.lost, self.written = self.lost + self.written, 0
                deleted, self._file = self._file, None
                self._sync.complete(deleted)
            if self._file is None:
                self._file = AppendFile(self._path)
                self._sync.add(self._file)
            while self._lines and not self._ended:
                self._file.append(self._lines[0])  # one by one: whatever fails, the count is that of the file
                self.written += 1
                self._lines.popleft()
            if not self.lost:
                self._disk_problem = ""
        except OSError as error:
            self._disk_problem = reason(error)

    def _note_clock(self) -> None:
        tries = []
        for _ in range(_CLOCK_TRIES):
            before, wall_ns, after = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
            tries.append((after - before, (before + after) // 2, wall_ns))
        width, t_ns, wall_ns = min(tries)
        with self._lock:
            self._noted += 1
            self._waiting.append((t_ns, wall_ns, "clock", {"uncertainty_ns": width}))


def read_events(folder: Path, report: Report = ignore) -> Iterator[dict[str, Any]]:
    """Yield the events of a recording, without damaged lines, which are reported.

    Without a file there are none, as in recordings of earlier versions.
    """
    at = 0
    try:
        with (folder / EVENTS_FILE).open("rb") as file:
            while line := file.readline(EVENT_BYTES):
                event = _checked(line)
                if event is None:
                    report(Damage(EVENTS_FILE, at, len(line), 1, "a line is torn or altered"))
                else:
                    yield event
                at += len(line)
    except FileNotFoundError:
        return
    except OSError as error:
        report(Damage(EVENTS_FILE, at, 0, None, f"cannot be read: {reason(error)}"))


def _seal(line: bytes) -> bytes:
    """Return a line, a JSON object, with the CRC-32 of what is before it as its last entry."""
    return line[:-1] + f'{_SEAL}{zlib.crc32(line[:-1]):08x}"}}\n'.encode()


def _checked(line: bytes) -> dict[str, Any] | None:
    content, seal, _ = line.rpartition(_SEAL.encode())
    if not seal or _seal(content + b"}") != line:
        return None
    try:
        _START.decode(content + b"}")
        event: dict[str, Any] = msgspec.json.decode(content + b"}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # not written by livetrack
        return None
    return event


class _Start(msgspec.Struct):
    """What each event has."""

    t_ns: int
    wall_ns: Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
    kind: str


_START = msgspec.json.Decoder(_Start)
