"""What the window says in words: the status line and the banner; no Qt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from livetrack.client import Update
from livetrack.particles import Rows
from livetrack.viewer.data.trail_segments import drawable
from livetrack.wire import RecordingStatus, Status

__all__ = [
    "SILENCE_S", "Banner", "banner", "clash", "recording_line",
    "recording_text", "skipping", "status_line", "typical_distance",
]  # fmt: skip

SILENCE_S = 2.0
"""Without any message for so long, the engine counts as gone."""

SKIPPED_SHARE = 0.1
"""Of the camera's frames: more is told."""

_OVER = {
    "stopped": ("The engine has stopped", True),
    "ended": ("The movie is over", False),
    "failed": ("The engine has stopped", True),
}
"""States that an engine's last heartbeat tells: in words, and whether that is an alarm."""


class Banner(NamedTuple):
    """A line across the window; an alarm, or only something that is awaited."""

    text: str
    alarm: bool
    kind: str = ""
    """Of advice that can be sent away: what it is about."""


def banner(
    address: str, status: Status | None, silent_s: float | None, error: str, failure: str = "", advice: str = ""
) -> Banner | None:
    """Return what a person should know now, the most important only; None when all is well.

    Parameters
    ----------
    address
        Where the engine is looked for.
    status
        Its last heartbeat, if any.
    silent_s
        Since the last message of any kind; None: there was none yet.
    error
        What was wrong with a recent message; empty when all could be read.
    failure
        Why a recent command was not carried out.
    advice
        What clashes in the settings.
    """
    if error:
        return Banner(f"A message cannot be read. {error}", alarm=True)
    if silent_s is None:
        return Banner(f"Waiting for an engine at {address}: start one with `livetrack demo`", alarm=False)
    if status and status.state in _OVER:
        what, alarm = _OVER[status.state]
        return Banner(_words(what, status) + f"  Waiting for the next engine at {address}", alarm)
    if silent_s > SILENCE_S:
        return Banner(f"Nothing from the engine at {address} for {silent_s:.0f} s: is it still running?", alarm=True)
    if failure:
        return Banner(f"Not done: {failure}", alarm=True, kind=failure)
    if status and status.state in ("stalled", "retrying"):
        return Banner(_words(f"The camera is {status.state}", status), alarm=True)
    if status and status.state in _AWAITED:
        return Banner(_words(_AWAITED[status.state], status), alarm=False)
    if status and status.message:
        return Banner(status.message, alarm=True)
    if status and (skipped := skipping(status)):
        return Banner(skipped, alarm=False, kind="skipping")
    return Banner(advice, alarm=False, kind=advice) if advice else None


_AWAITED = {
    "starting": "The engine is starting",
    "paused": "Tracking is paused: P goes on",
    "idle": "The camera is closed: Start opens it",
}
"""States that somebody has asked for, in words."""


def skipping(status: Status) -> str:
    """Return a line that says that many frames go by untracked, and what would help; empty where they do not."""
    fps, tracked_fps = status.camera_fps, status.tracked_fps
    if status.state != "running" or fps <= 0 or tracked_fps >= (1 - SKIPPED_SHARE) * fps or not status.tracked:
        return ""
    needed_ms = sum(each.p50 for stage, each in status.latency_us.items() if stage in _WORK) / 1000
    skipped = f"{1 - tracked_fps / fps:.0%} of the frames are skipped: "
    times = f"tracking takes {needed_ms:.1f} ms, and one comes every {1000 / fps:.1f} ms"
    if needed_ms < 1000 / fps:
        return f"{skipped}other programs keep the processor. By itself, {times}"
    return f'{skipped}{times}. A smaller region, or search = "follow", would keep up'


_WORK = ("localize", "link", "publish")


def status_line(shown: Update | None, status: Status | None, display_fps: float) -> list[str]:
    """Return the rates and counts, piece by piece; numbers are padded, so that the line does not dance."""
    pieces = []
    if shown:
        pieces.append(f"frame {shown.frame:,}")
    if status:
        pieces += [
            f"camera {_wide(f'{status.camera_fps:.1f}', 5)} fps",
            f"tracked {_wide(f'{status.tracked_fps:.1f}', 5)} fps",
        ]
    pieces.append(f"display {_wide(f'{display_fps:.0f}', 2)} fps")
    if status and (total := status.latency_us.get("total")):
        pieces.append(f"latency {_wide(f'{total.p50 / 1000:.1f}', 4)} ms (p99 {total.p99 / 1000:.1f})")
    if shown:
        pieces += [
            f"skipped {shown.skipped:,}",
            f"lost {shown.lost:,}",
            f"{_wide(str(len(shown.particles)), 3)} particles",
        ]
    return pieces


def recording_line(recording: RecordingStatus | None) -> str:
    """Return how the recording goes, in full."""
    if not recording:
        return "off"
    if recording.problem:
        return recording.problem
    size = f"{_clock(recording.seconds)}, {_size(recording.bytes)}, {recording.frames:,} frames"
    return f"● {size}" + (f", {recording.dropped:,} dropped" if recording.dropped else "")


def recording_text(recording: RecordingStatus | None) -> str:
    """Return the recording's time and size, and what it had to drop; empty without one."""
    if not recording:
        return ""
    dropped = f"  {recording.dropped:,} dropped" if recording.dropped else ""
    return f"● REC {_clock(recording.seconds)}  {_size(recording.bytes)}{dropped}"


def _clock(duration_s: float) -> str:
    minutes, seconds = divmod(int(duration_s), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _words(what: str, status: Status) -> str:
    return f"{what}: {status.message}" if status.message else f"{what}."


def _wide(number: str, width: int) -> str:
    """Pad with spaces as wide as a digit."""
    return number.rjust(width, "\u2007")


def _size(size: float) -> str:
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


_MOST = 600
"""Particles of which each other's distances are looked at."""
_LATE = 3.0
"""Frame times that frames may wait before it is told."""


def clash(settings: dict[str, Any], status: Status, rows: Rows) -> str:
    """Return what clashes first, and what would put it right; empty where nothing does.

    Parameters
    ----------
    settings
        All settings in force, section by section, as the engine's welcome has them.
    status
        The newest heartbeat.
    rows
        The newest frame's particles.
    """
    publish, camera, linker = (settings.get(section) or {} for section in ("publish", "camera", "linker"))
    if publish.get("preview_fps") == 0:
        return "No picture: publish.preview_fps is 0. Start the engine with --set publish.preview_fps=30"
    wait = status.latency_us.get("wait")
    if camera.get("every_frame") and wait and status.camera_fps and wait.p50 * status.camera_fps > _LATE * 1e6:
        return (
            f"Every frame is tracked and the tracker is behind: frames wait {wait.p50 / 1000:.0f} ms. "
            "camera.every_frame = false takes the newest instead"
        )
    radius_px, apart_px = linker.get("search_radius_px", 0.0), typical_distance(rows)
    if radius_px > apart_px:
        return (
            f"The search radius, {radius_px:g} px, is more than the {apart_px:.1f} px between neighbours: "
            "trajectories may swap. A smaller one, or fewer particles"
        )
    return ""


def typical_distance(rows: Rows) -> float:
    """Return the median distance of a particle from its nearest neighbour, px; infinite for fewer than 8."""
    rows = rows[drawable(rows)][:_MOST]
    if len(rows) < 8:
        return float("inf")
    places = np.stack((rows["x"], rows["y"]), axis=1).astype(np.float64)
    squares = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return float(np.sqrt(np.median(squares.min(axis=1))))
