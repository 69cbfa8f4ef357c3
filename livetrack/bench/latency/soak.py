"""A long session, piece by piece: whether it grows, and whether it slows down."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.bench.latency.process import started_process
from livetrack.bench.result import TargetResult
from livetrack.client import Subscriber, Update
from livetrack.config import load_config
from livetrack.errors import LivetrackError
from livetrack.session.engine import Engine

__all__ = ["SAMPLES", "SoakSample", "soak", "soak_result"]

SAMPLES = 30
"""Pieces that a soak is cut into; the first is the warm-up. Of half an hour each is a minute."""

_ENDS = 5  # pieces at either end that are compared
_FPS, _PARTICLES, _SIDE_PX = 500, 100, 512
_LOOP = 100  # frames that are played to and fro
_MOST_GROWTH_MB, _MOST_SLOWER = 20.0, 1.3
_SILENCE_S = 10.0
_TOLD = 100  # frames from one sign of progress to the next


class SoakSample(Struct, frozen=True, kw_only=True):
    """One piece of a soak."""

    minutes: float
    """When it ended, since the first began."""
    rss_mb: float
    """Resident memory of the session's process then."""
    frames: int
    """Tracked, and received by the client."""
    missed: int
    """Tracked, and not received."""
    skipped: int
    """Not tracked: newer ones came meanwhile."""
    particles: float
    """Mean number of a frame."""
    localize_p50_us: float
    localize_p99_us: float
    total_p50_us: float
    """From receipt of a frame to receipt by the client, in another process."""
    total_p99_us: float
    total_max_us: float


def soak(minutes: float, progress: Callable[[float], None]) -> tuple[TargetResult, list[SoakSample]]:
    """Let a session run for so long in a process of its own, and listen to it from this one.

    Parameters
    ----------
    minutes
        How long.
    progress
        Called with the share done.

    Raises
    ------
    LivetrackError
        The session does not start, or falls silent.
    """
    import psutil

    samples, totals = [], []
    with started_process(_run) as (process, _, address), Subscriber(address, newest=False) as positions:
        memory = psutil.Process(process.pid).memory_info
        update, begin_s = _next(positions), time.monotonic()
        for number in range(1, SAMPLES + 1):
            end_s = begin_s + number / SAMPLES * 60 * minutes
            skipped = update.skipped
            noted: list[tuple[int, int, int, int]] = []
            while time.monotonic() < end_s or not noted:
                update = _next(positions)
                noted.append(_note(update))
                if not update.seq % _TOLD:
                    progress(min(1.0, (time.monotonic() - begin_s) / (60 * minutes)))
            total, localize, particles, gap = np.array(noted).T
            totals.append(total)
            samples.append(
                SoakSample(
                    minutes=round((time.monotonic() - begin_s) / 60, 3),
                    rss_mb=round(memory().rss / 1e6, 1),
                    frames=len(noted),
                    missed=int(gap.sum()),
                    skipped=update.skipped - skipped,
                    particles=round(float(particles.mean()), 1),
                    localize_p50_us=_us(localize, 50),
                    localize_p99_us=_us(localize, 99),
                    total_p50_us=_us(total, 50),
                    total_p99_us=_us(total, 99),
                    total_max_us=_us(total, 100),
                )
            )
    return soak_result(samples, totals), samples


def soak_result(samples: list[SoakSample], totals: list[npt.NDArray[np.int64]]) -> TargetResult:
    """Return the line of the table of targets; `totals` are the frames' durations of each piece, ns."""
    growth_mb = max(sample.rss_mb for sample in samples[1:]) - samples[0].rss_mb
    first, last = (_us(np.concatenate(some), 99) for some in (totals[:_ENDS], totals[-_ENDS:]))
    minutes = samples[-1].minutes
    return TargetResult(
        name=f"soak, {minutes:.3g} minutes, {_SIDE_PX}x{_SIDE_PX} px at {_FPS} frames/s, {_PARTICLES} particles, "
        "following",
        definition=f"growth: the most resident memory of the session's process after the first of {SAMPLES} pieces, "
        f"less that at its end; p99: from receipt of a frame to receipt by a client in another process, of all frames "
        f"of the last {_ENDS} pieces over that of the first {_ENDS}; the newest frame is tracked",
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
        target=f"grows by less than {_MOST_GROWTH_MB:g} MB, p99 at most {_MOST_SLOWER:g} x",
        met=growth_mb < _MOST_GROWTH_MB and last <= _MOST_SLOWER * first,
    )


def _next(positions: Subscriber) -> Update:
    update = positions.receive(_SILENCE_S)
    if update is None:
        raise LivetrackError(f"the soak's session has said nothing for {_SILENCE_S:g} s")
    return update


def _note(update: Update) -> tuple[int, int, int, int]:
    total_ns, localize_ns = update.t_client_ns - update.t_received_ns, update.t_localized_ns - update.t_started_ns
    return total_ns, localize_ns, len(update.particles), update.gap


def _us(durations_ns: npt.NDArray[np.int64], percent: float) -> float:
    return round(float(np.percentile(durations_ns, percent)) / 1e3, 1)


def _run(ready: Connection) -> None:
    """Run a session until the process is ended; send its address when it is ready."""
    scene = {
        "width": _SIDE_PX,
        "height": _SIDE_PX,
        "count": _PARTICLES,
        "fps": _FPS,
        "exposure_ms": 1000 / _FPS,
        "loop_frames": _LOOP,
        "min_distance_um": 1.0,  # so that they are no crowd
    }
    settings = [
        "camera.driver=simulated",
        *(f"camera.simulated.{key}={value}" for key, value in scene.items()),
        "localizer.search=follow",
        "publish.address=tcp://127.0.0.1:*",
        "publish.preview_address=tcp://127.0.0.1:*",
        "publish.command_address=tcp://127.0.0.1:*",
    ]
    with Engine(load_config(None, settings)) as engine:
        ready.send(engine.publisher.address)
        engine.run()
