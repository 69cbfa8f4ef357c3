"""Cache warming: when it is due, and that it changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from livetrack.camera import load_driver
from livetrack.config import load_config
from livetrack.session.cache_warmer import CacheWarmer
from livetrack.tracker import Tracker

MS = 1_000_000


class Clock:
    """Replaces the module `time`."""

    now_ns = 10**15

    def perf_counter_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("livetrack.session.cache_warmer.time", clock)
    return clock


def after(clock: Clock, intervals_ms: np.ndarray, work_ms: float) -> CacheWarmer:
    """Return a warmer after frames with these intervals, the last one just now."""
    warmer = CacheWarmer()
    for interval_ms in intervals_ms:
        clock.now_ns += int(interval_ms * MS)
        warmer.record(clock.now_ns, clock.now_ns, clock.now_ns + int(work_ms * MS))
    return warmer


def test_warming_is_due_shortly_before_the_next_frame_if_frames_come_evenly(clock: Clock) -> None:
    warmer = after(clock, np.full(200, 40.0), work_ms=2.0)
    wait_s = warmer.wait_s(10.0)
    assert 0.0375 < wait_s < 0.038  # 2 ms of work, and over 0.2 ms before the frame
    clock.now_ns += int(wait_s * 1e9) - MS
    assert not warmer.is_due()
    clock.now_ns += MS + 1000
    assert warmer.wait_s(10.0) == 0
    assert warmer.is_due()
    assert not warmer.is_due()  # once per frame
    assert warmer.wait_s(10.0) == 10.0


def test_warming_that_would_delay_the_next_frame_is_left_out(clock: Clock) -> None:
    warmer = after(clock, np.full(200, 40.0), work_ms=2.0)
    clock.now_ns += 39 * MS
    assert not warmer.is_due()
    assert warmer.wait_s(10.0) == 10.0


@pytest.mark.parametrize(
    ("intervals_ms", "work_ms"),
    [
        (np.full(200, 10.0), 4.0),
        (np.random.default_rng(0).exponential(10.0, 200), 0.1),
        (np.full(10, 10.0), 0.1),
    ],
    ids=["no time", "unpredictable", "too few frames"],
)
def test_otherwise_it_is_never_due(clock: Clock, intervals_ms: np.ndarray, work_ms: float) -> None:
    warmer = after(clock, intervals_ms, work_ms)
    for _ in range(100):
        assert warmer.wait_s(1.0) == 1.0
        assert not warmer.is_due()
        clock.now_ns += MS // 10


@pytest.mark.parametrize("search", ["full", "follow"])
def test_rerunning_a_frame_changes_nothing(search: str) -> None:
    simulated = load_driver("simulated")
    settings = simulated.Settings(width=256, height=256, count=10, lockstep=True, diffusion_um2_s=2.0)

    def session(warmed: bool) -> list[bytes]:
        tracker = Tracker.from_config(load_config(None, [f"localizer.search={search}"]))
        camera = simulated(settings)
        camera.open()
        rows = []
        for number, picture in zip(range(30), camera.pictures(), strict=False):
            rows.append(tracker.update(picture.pixels, 0.01 * number).tobytes())
            if warmed:
                tracker.rerun_last_frame(picture.pixels)
        return rows

    assert session(warmed=True) == session(warmed=False)
