"""A long session: whether its memory grows and whether it slows down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.bench.report import Table
from livetrack.bench.result import TargetResult, format_figure
from livetrack.bench.session import child_process, receive, run_session, simulated_session
from livetrack.bench.timing import percentile_us
from livetrack.client import Subscriber

__all__ = ["SAMPLES", "SoakSample", "soak", "soak_result", "soak_table"]

SAMPLES = 30
"""Number of equal intervals of a soak. Growth of memory counts from the end of the first, the warm-up."""

_ENDS = 5  # intervals at either end that are compared
_FPS, _PARTICLES, _SIDE_PX = 500, 100, 512
_LOOP_FRAMES = 100
_MAX_GROWTH_MB, _MAX_P99_RATIO = 20.0, 1.3


class SoakSample(Struct, frozen=True, kw_only=True):
    """One interval of a soak."""

    minutes: float
    """From the start of the soak to the end of the interval."""
    rss_mb: float
    """Resident memory of the session's process at its end."""
    frames: int
    """Tracked frames received by the client."""
    missed: int
    """Tracked frames not received."""
    skipped: int
    """Frames not tracked because newer ones had arrived."""
    particles: float
    """Mean number per frame."""
    localize_p50_us: float
    localize_p99_us: float
    total_p50_us: float
    """From receipt of a frame to receipt by the client in another process."""
    total_p99_us: float
    total_max_us: float


def soak(minutes: float, step: Callable[[], None]) -> tuple[TargetResult, list[SoakSample]]:
    """Run a session in another process and receive from it; `step` is called after each of the `SAMPLES` intervals.

    Raises
    ------
    LivetrackError
        The session does not start, or stops sending.
    """
    import psutil

    scene = {
        "width": _SIDE_PX, "height": _SIDE_PX, "count": _PARTICLES, "fps": _FPS, "exposure_ms": 1000 / _FPS,
        "loop_frames": _LOOP_FRAMES, "min_distance_um": 1.0,
    }  # fmt: skip
    overrides = simulated_session("localizer.search=follow", **scene)
    samples, totals = [], []
    with (
        child_process(run_session, *overrides) as (process, _, address),
        Subscriber(address, newest=False) as positions,
    ):
        memory = psutil.Process(process.pid).memory_info
        update, start_s = receive(positions), time.monotonic()
        for number in range(1, SAMPLES + 1):
            end_s = start_s + number / SAMPLES * 60 * minutes
            skipped = update.skipped
            frames: list[tuple[int, int, int, int]] = []
            while time.monotonic() < end_s or not frames:
                update = receive(positions)
                total_ns = update.t_client_ns - update.t_received_ns
                localize_ns = update.t_localized_ns - update.t_started_ns
                frames.append((total_ns, localize_ns, len(update.particles), update.gap))
            total, localize, particles, gap = np.array(frames).T
            totals.append(total)
            samples.append(
                SoakSample(
                    minutes=round((time.monotonic() - start_s) / 60, 3),
                    rss_mb=round(memory().rss / 1e6, 1),
                    frames=len(frames),
                    missed=int(gap.sum()),
                    skipped=update.skipped - skipped,
                    particles=round(float(particles.mean()), 1),
                    localize_p50_us=percentile_us(localize, 50),
                    localize_p99_us=percentile_us(localize, 99),
                    total_p50_us=percentile_us(total, 50),
                    total_p99_us=percentile_us(total, 99),
                    total_max_us=percentile_us(total, 100),
                )
            )
            step()
    return soak_result(samples, totals), samples


def soak_result(samples: list[SoakSample], totals: list[npt.NDArray[np.int64]]) -> TargetResult:
    """Return the growth of memory and the ratio of p99; `totals` are the latencies of each interval's frames, ns."""
    growth_mb = max(sample.rss_mb for sample in samples[1:]) - samples[0].rss_mb
    first, last = (percentile_us(np.concatenate(ends), 99) for ends in (totals[:_ENDS], totals[-_ENDS:]))
    minutes = samples[-1].minutes
    return TargetResult(
        name=f"soak, {minutes:.3g} minutes, {_SIDE_PX}x{_SIDE_PX} px at {_FPS} frames/s, {_PARTICLES} particles, "
        "guided search",
        definition=f"growth: max resident memory of the session's process after the first of {SAMPLES} intervals, "
        "less that at its end; p99: from receipt of a frame to receipt by a client in another process, of all frames "
        f"of the last {_ENDS} intervals over that of the first {_ENDS}; the newest frame is tracked",
        n=sum(sample.frames for sample in samples),
        figures={
            "growth_mb": round(growth_mb, 1),
            "p99_last_over_first": last / first,
            "p99_first_us": first,
            "p99_last_us": last,
            "frames_per_s": sum(sample.frames for sample in samples) / (60 * minutes),
            "skipped": sum(sample.skipped for sample in samples),
            "missed": sum(sample.missed for sample in samples),
        },
        target=f"grows by less than {_MAX_GROWTH_MB:g} MB, p99 at most {_MAX_P99_RATIO:g} x",
        met=growth_mb < _MAX_GROWTH_MB and last <= _MAX_P99_RATIO * first,
    )


def soak_table(samples: Sequence[SoakSample]) -> Table:
    """Return the intervals, a row each."""
    rows = []
    for sample in samples:
        localize = ", ".join(format_figure(us / 1e3) for us in (sample.localize_p50_us, sample.localize_p99_us))
        total_us = sample.total_p50_us, sample.total_p99_us, sample.total_max_us
        total = ", ".join(format_figure(us / 1e3) for us in total_us)
        counts = str(sample.frames), str(sample.missed), str(sample.skipped)
        rows.append([f"{sample.minutes:.3g}", f"{sample.rss_mb:.1f}", *counts, localize, total])
    columns = [
        "minutes", "memory, MB", "frames", "missed", "skipped", "localise p50, p99, ms",
        "to the client p50, p99, max, ms",
    ]  # fmt: skip
    return Table("The soak by intervals", columns, rows)
