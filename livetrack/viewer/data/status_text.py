"""The window's status texts: banner, advice, status line and recording."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from livetrack.annotate.trail_segments import drawable
from livetrack.client import Update
from livetrack.particles import Rows
from livetrack.wire import RecordingStatus, Status

__all__ = [
    "SILENCE_S", "Banner", "banner", "conflicting_settings", "neighbour_distance", "recording_line", "recording_text",
    "skipping", "status_line",
]  # fmt: skip

SILENCE_S = 2.0
"""Without any message for this time, the engine is reported as silent."""
MAX_SKIPPED = 0.1
"""Fraction of the camera's frames that may be skipped without a banner."""
MAX_WAIT_FRAMES = 3.0
"""Time that frames may wait for the tracker without a banner, in frame intervals."""
NEIGHBOUR_SAMPLE = 600
"""Particles used for the distance between neighbours."""

_FINAL = {
    "stopped": ("The engine has stopped", True),
    "ended": ("The movie has ended", False),
    "failed": ("The engine has stopped", True),
}
"""States of an engine's last heartbeat: text, and whether it is an alarm."""
_CAMERA_LOST = {"stalled": "The camera has stalled", "retrying": "The camera is disconnected, retrying"}
_INTENDED = {
    "starting": "The engine is starting",
    "paused": "Tracking is paused (P resumes)",
    "waiting": "No frame is due",
    "idle": "The camera is closed (“Open camera” opens it again)",
}
"""States that somebody has asked for, or that a setting of the camera has."""
_TRACKING_STAGES = ("localize", "link", "publish")


class Banner(NamedTuple):
    """A line across the window, either an alarm or information."""

    text: str
    alarm: bool
    kind: str = ""
    """Identifies a banner that can be dismissed; empty for one that cannot."""


def banner(
    address: str,
    status: Status | None,
    silent_s: float | None,
    error: str,
    failure: str = "",
    advice: str = "",
    problem: str = "",
) -> Banner | None:
    """Return the most important thing to report now; None if all is well.

    Parameters
    ----------
    address
        The address that the window is connected to.
    status
        The engine's last heartbeat, if any.
    silent_s
        Time since the last message of any kind; None before the first one.
    error
        Why a recent message could not be read; empty if all could.
    failure
        Why a recent command failed.
    advice
        A conflict between settings, with its cure.
    problem
        Why no message has ever arrived, such as wrong keys; empty if unknown.
    """
    if error:
        return Banner(f"A message could not be read. {error}", alarm=True)
    if silent_s is None and problem:
        return Banner(f"Nothing can be received from {address}: {problem}", alarm=True)
    if silent_s is None:
        return Banner(f"Waiting for an engine at {address}: start one with `livetrack demo`", alarm=False)
    if status and status.state in _FINAL:
        text, alarm = _FINAL[status.state]
        return Banner(_with_message(text, status) + f"  Waiting for the next engine at {address}", alarm)
    if silent_s > SILENCE_S:
        return Banner(f"No message from the engine at {address} for {silent_s:.0f} s: is it still running?", alarm=True)
    if failure:
        return Banner(f"Command failed: {failure}", alarm=True, kind=failure)
    if status and status.halted:
        return Banner("All motion is halted, and moves are refused (Shift+F12 allows them again)", alarm=True)
    if status and status.state in _CAMERA_LOST:
        return Banner(_with_message(_CAMERA_LOST[status.state], status), alarm=True)
    if status and status.state in _INTENDED:
        return Banner(_with_message(_INTENDED[status.state], status), alarm=False)
    if status and status.message:
        return Banner(status.message, alarm=True)
    if status and (text := skipping(status)):
        return Banner(text, alarm=False, kind="skipping")
    return Banner(advice, alarm=False, kind=advice) if advice else None


def skipping(status: Status) -> str:
    """Return what fraction of the frames is skipped, why, and the cure; empty where it is small."""
    fps, tracked_fps = status.camera_fps, status.tracked_fps
    if status.state != "running" or fps <= 0 or tracked_fps >= (1 - MAX_SKIPPED) * fps or not status.tracked:
        return ""
    tracking_ms = sum(each.p50 for stage, each in status.latency_us.items() if stage in _TRACKING_STAGES) / 1000
    frame_ms = 1000 / fps
    skipped = f"{1 - tracked_fps / fps:.0%} of the frames are skipped"
    times = f"tracking a frame takes {tracking_ms:.1f} ms, and one arrives every {frame_ms:.1f} ms"
    if tracking_ms < frame_ms:
        return f"{skipped} because the CPU is busy with other programs: {times}"
    return f"{skipped}: {times}. Select a smaller ROI, or restart with --set localizer.search=follow"


def conflicting_settings(settings: dict[str, Any], status: Status, rows: Rows) -> str:
    """Return the first conflict between settings and its cure; empty where there is none.

    Parameters
    ----------
    settings
        All active settings, section by section, as in the engine's reply to `hello`.
    status
        The newest heartbeat.
    rows
        The newest frame's particles.
    """
    publish, camera, linker = (settings.get(section) or {} for section in ("publish", "camera", "linker"))
    if publish.get("preview_fps") == 0:
        return "No image: publish.preview_fps is 0. Restart the engine with --set publish.preview_fps=30"
    wait = status.latency_us.get("wait")
    frame_us = 1e6 / status.camera_fps if status.camera_fps else np.inf
    if camera.get("every_frame") and wait and wait.p50 > MAX_WAIT_FRAMES * frame_us:
        return (
            f"Tracking every frame is too slow: frames wait {wait.p50 / 1000:.0f} ms. "
            "Set camera.every_frame = false to track only the newest"
        )
    radius_px, distance_px = linker.get("search_radius_px", 0.0), neighbour_distance(rows)
    if radius_px > distance_px:
        return (
            f"The search radius, {radius_px:g} px, is larger than the {distance_px:.1f} px between neighbours: "
            "tracks may swap. Reduce the radius or the number of particles"
        )
    return ""


def neighbour_distance(rows: Rows) -> float:
    """Return the median distance of a particle to its nearest neighbour, px; infinite for fewer than 8."""
    rows = rows[drawable(rows)][:NEIGHBOUR_SAMPLE]
    if len(rows) < 8:
        return float("inf")
    positions = np.stack((rows["x"], rows["y"]), axis=1).astype(np.float64)
    squares = ((positions[:, None] - positions[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return float(np.sqrt(np.median(squares.min(axis=1))))


def status_line(shown: Update | None, status: Status | None, display_fps: float) -> list[str]:
    """Return the items of the status line; numbers are padded so that they do not move."""
    items = []
    if shown:
        items.append(f"frame {shown.frame:,}")
    if status:
        items += [
            f"camera {_padded(f'{status.camera_fps:.1f}', 5)} fps",
            f"tracked {_padded(f'{status.tracked_fps:.1f}', 5)} fps",
        ]
    items.append(f"display {_padded(f'{display_fps:.0f}', 2)} fps")
    if status and (total := status.latency_us.get("total")):
        items.append(f"latency {_padded(f'{total.p50 / 1000:.1f}', 4)} ms (p99 {total.p99 / 1000:.1f})")
    if shown:
        items += [
            f"skipped {shown.skipped:,}",
            f"lost {shown.lost:,}",
            f"{_padded(str(len(shown.particles)), 3)} particles",
        ]
    return items


def recording_line(recording: RecordingStatus | None) -> str:
    """Return the state of the recording for the diagnostics."""
    if not recording:
        return "off"
    if recording.problem:
        return recording.problem
    size = f"{_clock(recording.seconds)}, {_size(recording.bytes)}, {recording.frames:,} frames"
    lines = [f"● {size}" + (f", {recording.dropped:,} dropped" if recording.dropped else "")]
    if recording.seconds_left is not None:
        lines.append(f"disk full in {_clock(recording.seconds_left)}")
    return "\n".join(lines + ([recording.loss] if recording.loss else []))


def recording_text(recording: RecordingStatus | None) -> str:
    """Return the recording's time, size and dropped frames for the status line; empty without one."""
    if not recording:
        return ""
    dropped = f"  {recording.dropped:,} dropped" if recording.dropped else ""
    return f"● REC {_clock(recording.seconds)}  {_size(recording.bytes)}{dropped}"


def _clock(duration_s: float) -> str:
    minutes, seconds = divmod(int(duration_s), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _with_message(text: str, status: Status) -> str:
    return f"{text}: {status.message}" if status.message else f"{text}."


def _padded(number: str, width: int) -> str:
    """Pad with spaces as wide as a digit."""
    return number.rjust(width, "\u2007")


def _size(size: float) -> str:
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"
