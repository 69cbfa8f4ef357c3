"""Accounts for every frame of a recording: what it has, what is gone, and from when to when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from livetrack.record.inventory import Inventory, Numbers

__all__ = ["Account", "Gap", "account_for"]

_DROPPED = "dropped while recording"
_KILLED = "not on the disk when the recorder was killed"
_WAITING = "not on the disk yet"
_GONE = "damaged or deleted"


@dataclass(frozen=True)
class Gap:
    """Consecutive frames of which something is missing."""

    what: str
    """"images" or "tracks"."""
    first: int
    last: int
    """Frame numbers."""
    frames: int
    """How many frames miss it; fewer than the numbers suggest where frames between were not tracked."""
    after: str | None
    """Time of day of the last frame before, ISO 8601; None if unknown, as of the first."""
    before: str | None
    """Time of day of the first frame after."""
    why: str


@dataclass(frozen=True)
class Account:
    """Counts of a recording. Of images: delivered = written + dropped + lost; of tracked frames likewise."""

    state: str
    """"closed", "recovered", "killed" or "recording"."""
    ended_by_itself: bool
    """Whether the recorder closed it; if it was killed, its last moments may be missing."""
    delivered: int
    """Frames whose images were to be recorded, as far as is known."""
    written: int
    dropped: int
    """By the recorder, which counted them."""
    lost: int
    tracked_delivered: int
    tracked_written: int
    """Tracked frames whose rows are all there."""
    tracked_dropped: int
    tracked_lost: int
    tracked_torn: int
    """Those of the lost that are listed in `tracked.arrow`."""
    events: int
    events_lost: int
    rows: int
    listed: int
    """Rows of `frames.arrow`."""
    first: int | None
    last: int | None
    """Numbers of the first and the last frame."""
    started: str | None
    ended: str | None
    """Times of day of these two."""
    seconds: float
    """Between these two."""
    last_sign: str | None
    """When the killed recorder was last at work."""
    gaps: list[Gap]
    damages: list[str]
    repaired: list[str] = field(default_factory=list)
    """Damages that were found, and are no more: what is torn is in files of its own."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing. Of a killed recording, the last moments always may be."""
        return self.ended_by_itself and not (self.losses or self.damages)

    @property
    def losses(self) -> list[str]:
        """What is missing, one text each."""
        found = []
        if missing := self.dropped + self.lost:
            how = " and ".join(_counted(dropped=self.dropped, lost=self.lost))
            found.append(f"the images of {missing} of {self.delivered} frames are missing: {how}")
        if missing := self.tracked_dropped + self.tracked_lost:
            how = " and ".join(_counted(dropped=self.tracked_dropped, lost=self.tracked_lost))
            found.append(f"the tracks of {missing} of {self.tracked_delivered} frames are missing: {how}")
        if self.events_lost:
            found.append(f"{self.events_lost} of {self.events + self.events_lost} events are missing")
        return found


def account_for(inventory: Inventory) -> Account:
    """Compare what there is with what the recorder counted and with the numbers of the frames."""
    info, sign = inventory.info, inventory.last_sign
    recovered = "recovered" in info
    killed = bool(info.get("killed")) if recovered else "ended" not in info
    state = "recording" if inventory.recording else "recovered" if recovered else "killed" if killed else "closed"

    frames = inventory.frames
    received = np.union1d(inventory.pages, inventory.listed)
    first = int(received[0] if len(received) else frames[0]) if len(frames) else None
    last = int(frames[-1]) if len(frames) else None
    span = 0 if first is None or last is None else last - first + 1

    written = len(inventory.pages)
    counted_dropped = _count(info, "frames_dropped") - _count(info, "frames_lost")
    dropped = max(len(inventory.without_image), counted_dropped, sign.dropped if sign else 0)
    counted = max(_count(info, "frames_offered"), sign.offered if sign else 0)
    with_images = info.get("with_pixels", bool(written or counted or len(inventory.without_image) < len(received)))
    delivered = max(span, counted, written) if with_images else 0
    dropped = min(dropped, delivered - written) if with_images else 0

    torn = _without_rows(inventory)
    tracked = np.setdiff1d(np.union1d(inventory.tracked, inventory.with_rows), torn)
    counted_rows = max(_count(info, "tracked_frames_offered"), sign.rows_offered if sign else 0)
    tracked_delivered = max(counted_rows, len(tracked) + len(torn))
    tracked_dropped = _count(info, "tracked_frames_dropped") - _count(info, "tracked_frames_lost")
    tracked_dropped = min(max(tracked_dropped, sign.rows_dropped if sign else 0), tracked_delivered - len(tracked))

    end_why = _WAITING if inventory.recording else _KILLED if killed else _GONE
    gaps = list(_image_gaps(inventory, first, last, end_why)) if with_images else []
    gaps += _track_gaps(inventory, torn)
    started = None if first is None else inventory.clock_time(first, after=True)
    ended = None if last is None else inventory.clock_time(last)
    times = inventory.times_ns["t_received_ns"]
    signed = sign.wall_ns if sign else _count(info.get("last_sign") or {}, "wall_ns")
    return Account(
        state=state,
        ended_by_itself=not killed,
        delivered=delivered,
        written=written,
        dropped=dropped,
        lost=max(0, delivered - written - dropped) if with_images else 0,
        tracked_delivered=tracked_delivered,
        tracked_written=len(tracked),
        tracked_dropped=tracked_dropped,
        tracked_lost=tracked_delivered - len(tracked) - tracked_dropped,
        tracked_torn=len(torn),
        events=inventory.event_count,
        events_lost=_count(info, "events_lost") + max(0, _count(info, "events_written") - inventory.event_count),
        rows=int(inventory.rows.sum()),
        listed=len(inventory.listed),
        first=first,
        last=last,
        started=None if started is None else started.isoformat(),
        ended=None if ended is None else ended.isoformat(),
        seconds=float(times[-1] - times[0]) / 1e9 if len(times) else 0.0,
        last_sign=_iso(inventory, signed) if killed and signed else None,
        gaps=gaps,
        damages=[str(damage) for damage in inventory.damages],
    )


def _without_rows(inventory: Inventory) -> Numbers:
    """Return the tracked frames whose number of rows is not that of their particles."""
    rows = np.zeros(len(inventory.tracked), np.int64)
    _, tracked_at, rows_at = np.intersect1d(inventory.tracked, inventory.with_rows, True, return_indices=True)
    rows[tracked_at] = inventory.rows[rows_at]
    torn: Numbers = inventory.tracked[rows != inventory.particles]
    return torn


def _image_gaps(inventory: Inventory, first: int | None, last: int | None, end_why: str) -> Iterator[Gap]:
    """Yield the gaps between the images, in order."""
    if first is None or last is None:
        return
    dropped = np.setdiff1d(inventory.without_image, inventory.pages)
    there = np.union1d(inventory.pages, dropped)
    holes = [(int(low), int(high), _DROPPED) for low, high in _runs(dropped)]
    edges = np.concatenate(([first - 1], there, [last + 1]))
    for at in np.flatnonzero(np.diff(edges) > 1):
        low, high = int(edges[at]) + 1, int(edges[at + 1]) - 1
        holes.append((low, high, end_why if high == last else _GONE))
    for low, high, why in sorted(holes):
        yield _gap(inventory, "images", low, high, high - low + 1, why)


def _track_gaps(inventory: Inventory, torn: Numbers) -> Iterator[Gap]:
    """Yield the gaps in the rows of tracked frames that are listed in `tracked.arrow`."""
    for low, high in _runs(np.searchsorted(inventory.tracked, torn)):
        first, last = int(inventory.tracked[low]), int(inventory.tracked[high])
        yield _gap(inventory, "tracks", first, last, int(high - low + 1), _GONE)


def _runs(numbers: Numbers) -> list[tuple[int, int]]:
    """Return the first and last of each run of consecutive numbers; `numbers` are sorted."""
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    return list(zip(numbers[np.r_[0, breaks + 1]], numbers[np.r_[breaks, len(numbers) - 1]], strict=True))


def _gap(inventory: Inventory, what: str, first: int, last: int, frames: int, why: str) -> Gap:
    after, before = inventory.clock_time(first - 1), inventory.clock_time(last + 1, after=True)
    return Gap(
        what=what,
        first=first,
        last=last,
        frames=frames,
        after=None if after is None else after.isoformat(),
        before=None if before is None else before.isoformat(),
        why=why,
    )


def _iso(inventory: Inventory, wall_ns: int) -> str | None:
    wall = inventory.info.get("started_wall_ns")
    if not isinstance(wall, int):
        return None
    time = inventory.wall_time(_count(inventory.info, "started_monotonic_ns") + wall_ns - wall)
    return None if time is None else time.isoformat()


def _counted(**counts: int) -> list[str]:
    return [f"{count} {what}" for what, count in counts.items() if count]


def _count(info: dict[str, object], name: str) -> int:
    """Return a count; 0 where it is missing, or where a damaged file has something else."""
    value = info.get(name)
    return value if isinstance(value, int) and value >= 0 else 0
