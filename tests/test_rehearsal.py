"""When the last frame is gone through once more, and that this changes nothing."""

from __future__ import annotations

import time

import numpy as np
import pytest

from livetrack.camera import load_driver
from livetrack.config import load_config
from livetrack.rehearsal import Rehearsal
from livetrack.tracker import Tracker

MS = 1_000_000


def after(intervals_ms: np.ndarray, work_ms: float) -> Rehearsal:
    """Return what has seen such frames, the last of them just now."""
    rehearsal = Rehearsal()
    ended_ns = time.perf_counter_ns() - int(intervals_ms.sum() * MS)
    for interval_ms in intervals_ms:
        ended_ns += int(interval_ms * MS)
        rehearsal.note(ended_ns, ended_ns, ended_ns + int(work_ms * MS))
    return rehearsal


def test_even_frames_are_rehearsed_shortly_before_the_next_is_due() -> None:
    rehearsal = after(np.full(100, 400.0), work_ms=20.0)
    wait_s = rehearsal.wait_s(10.0)
    assert 0.25 < wait_s < 0.38
    assert not rehearsal.is_due()
    time.sleep(wait_s)
    assert rehearsal.is_due()
    assert not rehearsal.is_due()  # once a frame
    assert rehearsal.wait_s(10.0) == 10.0


@pytest.mark.parametrize(
    ("intervals_ms", "work_ms"),
    [
        (np.full(200, 10.0), 4.0),
        (np.random.default_rng(0).exponential(10.0, 200), 0.1),
        (np.full(10, 10.0), 0.1),
    ],
    ids=["no time for it", "nobody knows when the next comes", "too few were seen"],
)
def test_others_are_not(intervals_ms: np.ndarray, work_ms: float) -> None:
    rehearsal = after(intervals_ms, work_ms)
    assert rehearsal.wait_s(1e-9) == 1e-9
    assert not rehearsal.is_due()


@pytest.mark.parametrize("search", ["full", "follow"])
def test_a_rehearsal_changes_nothing(search: str) -> None:
    simulated = load_driver("simulated")
    settings = simulated.Settings(width=256, height=256, count=10, lockstep=True, diffusion_um2_s=2.0)

    def session(rehearsed: bool) -> list[bytes]:
        tracker = Tracker.of(load_config(None, [f"localizer.search={search}"]))
        camera = simulated(settings)
        camera.open()
        rows = []
        for number, picture in zip(range(30), camera.pictures(), strict=False):
            rows.append(tracker.update(picture.pixels, 0.01 * number).tobytes())
            if rehearsed:
                tracker.rehearse(picture.pixels)
        return rows

    assert session(rehearsed=True) == session(rehearsed=False)
