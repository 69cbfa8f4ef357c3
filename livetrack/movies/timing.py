"""Judges the times and the frame rate that a file states: which are used, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from livetrack.movies.movie import Times

__all__ = ["Timing", "judge_times", "pixel_size_doubts"]

_EVEN = 0.25  # deviation from the median interval, of it, within which the mean is the better estimate
_AGREES = 0.05  # of the stated interval
_DEFAULT_INTERVAL_S = 1.0


class Timing(NamedTuple):
    """When the frames of a movie were taken."""

    times: Times | None
    """(frames,) s since the first, strictly increasing; None if unknown."""
    fps: float | None
    """Frames per second; None if unknown."""
    notes: list[str]
    """What is wrong with what the file states, one line each."""


def judge_times(stated_s: Sequence[float | None] | None, interval_s: float | None = None) -> Timing:
    """Return the times that can be used.

    Times that are all the same, incomplete or decreasing are not used. Where some are equal, because they are
    coarser than the frames, the frames are evenly spaced between the first and the last.

    Parameters
    ----------
    stated_s
        Time of each frame, s, from any origin; None where one is missing.
    interval_s
        Time between frames that the file states for all of them, s; None or 0 if it states none.
    """
    nominal = None if interval_s is None or not 0 < interval_s < float("inf") else interval_s
    if stated_s is not None and len(stated_s) > 1:
        times, note = _usable(stated_s)
        if times is not None:
            measured = _interval(times)
            notes = [note] if note else []
            if nominal is not None and abs(nominal - measured) > _AGREES * nominal:
                notes.append(
                    f"states {1 / nominal:.4g} frames/s, but its times give {1 / measured:.4g}, which are used"
                )
            return Timing(times, 1 / measured, notes)
        notes = [note] if note else []
        return Timing(None, None if nominal is None else 1 / nominal, [*notes, *_doubts(nominal)])
    return Timing(None, None if nominal is None else 1 / nominal, _doubts(nominal))


def _usable(stated_s: Sequence[float | None]) -> tuple[Times | None, str]:
    """Return strictly increasing times from 0, or None; and what is wrong."""
    note = ""
    times = np.array([np.nan if each is None else each for each in stated_s], np.float64)
    missing = int((~np.isfinite(times)).sum())
    if missing == len(times):
        return None, ""
    if 2 * missing >= len(times):
        return None, f"{missing} of its {len(times)} frames have no time, so no times are used; --fps N gives a rate"
    if missing:
        times, note = _filled(times), f"{missing} of its {len(times)} frames have no time; it is interpolated"
    times -= times[0]
    steps = np.diff(times)
    if not steps.any():
        return None, "the times of all its frames are the same and are not used; --fps N gives a rate"
    if (steps < 0).any():
        frame = int(np.flatnonzero(steps < 0)[0]) + 1
        return None, f"its times decrease at frame {frame}; they are not used, --fps N gives a rate"
    same = int((steps == 0).sum())
    if same:
        even = np.linspace(0, times[-1], len(times))
        return (
            even,
            f"{same} of its frames have the time of the frame before; even times are used, --fps N replaces them",
        )
    return times, note


def _filled(times: Times) -> Times:
    """Return times without gaps, continued at the mean rate before the first and behind the last."""
    frames = np.arange(len(times))
    known = np.flatnonzero(np.isfinite(times))
    rate = (times[known[-1]] - times[known[0]]) / max(1, known[-1] - known[0])
    filled = np.interp(frames, known, times[known])
    filled += rate * (np.minimum(frames - known[0], 0) + np.maximum(frames - known[-1], 0))
    return filled


def _interval(times: Times) -> float:
    """Return the typical time between frames: the mean where they are even, else the median, which ignores pauses."""
    steps = np.diff(times)
    median = float(np.median(steps))
    return float(steps.mean()) if np.abs(steps - median).max() <= _EVEN * median else median


def pixel_size_doubts(pixel_size_um: float | None) -> list[str]:
    """Return a note on a size that may not have been calibrated; nothing for any other."""
    if pixel_size_um != 1:
        return []
    return ["states exactly 1 µm per px, which programs also write if none was calibrated; --pixel-size UM replaces it"]


def _doubts(interval_s: float | None) -> list[str]:
    if interval_s != _DEFAULT_INTERVAL_S:
        return []
    return ["states exactly 1 frame/s, which programs also write if no rate was set; --fps N replaces it"]
