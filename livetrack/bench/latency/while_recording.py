"""Recording while tracking: whether every frame reaches the disk, and whether the loop becomes slower."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable

import numpy as np

from livetrack.bench.result import TargetResult
from livetrack.bench.session import child_process, receive, run_session, simulated_session
from livetrack.bench.timing import percentile_us
from livetrack.client import Remote, StatusSubscriber, Subscriber
from livetrack.errors import LivetrackError

__all__ = ["RECORDED", "RECORDING_PAIRS", "measure_while_recording"]

RECORDED = ((512, 200), (2048, 20))
"""Sides of the frames, px of 16 bit, and frames/s."""
RECORDING_PAIRS = 2
"""Number of pairs of spans, one without and one with recording."""

_WARM_UP_S, _LOOP_FRAMES, _PARTICLES = 3.0, 20, 50
_MAX_RATIO = 1.2


def measure_while_recording(side_px: int, fps: int, seconds: float, step: Callable[[], None]) -> list[TargetResult]:
    """Track the simulated camera for spans of `seconds`, in turns without and with recording in the current folder.

    `step` is called after each pair.

    Raises
    ------
    LivetrackError
        The session does not start, or stops sending.
    """
    scene = {
        "width": side_px, "height": side_px, "count": _PARTICLES, "fps": fps, "exposure_ms": 800 / fps,
        "loop_frames": _LOOP_FRAMES, "min_distance_um": 1.0,
    }  # fmt: skip
    plain, recorded, ratios, dropped, offered, size = [], [], [], 0, 0, 0
    with (
        child_process(run_session, *simulated_session(**scene)) as (_, _, address),
        Subscriber(address, newest=False) as positions,
        StatusSubscriber(address) as heartbeats,
    ):
        status = heartbeats.receive(10.0)
        if status is None:
            raise LivetrackError("the session of the bench sent no heartbeat")
        with Remote(status.command_address) as remote:
            _loop_us(positions, _WARM_UP_S)
            for _ in range(RECORDING_PAIRS):
                plain.append(_loop_us(positions, seconds))
                with tempfile.TemporaryDirectory(dir=".") as folder:
                    remote.start_recording(folder)
                    recorded.append(_loop_us(positions, seconds))
                    recording = remote.stop_recording()
                dropped += recording.dropped + recording.rows_dropped
                offered += recording.offered
                size += recording.bytes
                ratios.append(recorded[-1] / plain[-1])
                _loop_us(positions, _WARM_UP_S)
                step()
    return [
        TargetResult(
            name=f"recording {side_px}x{side_px} px of 16 bit at {fps} frames/s for {seconds:g} s, with tracking",
            definition="loop: from receipt of a frame to the sending of its positions, p50 of each span; the ratio is "
            f"the median of {RECORDING_PAIRS} pairs of spans, without and with recording, in one session; dropped: "
            "frames and rows; the files are on the disk of the current folder",
            n=offered,
            figures={
                "dropped": dropped,
                "loop_p50_ratio": float(np.median(ratios)),
                "loop_p50_us": float(np.median(plain)),
                "recording_p50_us": float(np.median(recorded)),
                "mb_per_s": size / 1e6 / seconds / RECORDING_PAIRS,
            },
            target=f"nothing dropped, p50 at most {_MAX_RATIO:g} x",
            met=not dropped and float(np.median(ratios)) <= _MAX_RATIO,
        )
    ]


def _loop_us(positions: Subscriber, seconds: float) -> float:
    """Return the p50 of the loop over the next `seconds`."""
    end = time.monotonic() + seconds
    times: list[int] = []
    while time.monotonic() < end or not times:
        update = receive(positions)
        times.append(update.t_published_ns - update.t_received_ns)
    return percentile_us(np.array(times), 50)
