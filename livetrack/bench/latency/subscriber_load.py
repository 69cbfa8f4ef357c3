"""Effect on the loop of clients that are suspended, killed or join late: paired runs with and without them."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np

from livetrack.bench.result import TargetResult
from livetrack.bench.session import child_process, receive, run_session, simulated_session
from livetrack.client import Subscriber

__all__ = [
    "SubscriberLoad",
    "measure_subscriber_load",
]

_SIDE_PX, _PARTICLES, _FPS, _LOOP_FRAMES = 128, 5, 500, 16
_BLOCK_S, _SETTLE_S = 3.0, 0.5
_MAX_RATIO = 1.2
_RESAMPLES = 10_000


class SubscriberLoad(NamedTuple):
    """One pair of blocks: ratio of p99 with to without the clients, and the counts of the suspended client."""

    ratio: float
    received: int
    missed: int


def measure_subscriber_load(pairs: int, step: Callable[[], None]) -> list[TargetResult]:
    """Measure pairs of blocks, in random order within each pair; `step` is called after each pair.

    Raises
    ------
    LivetrackError
        The session does not start, or stops sending.
    """
    rng = np.random.default_rng(1)
    loads: list[SubscriberLoad] = []
    scene = {
        "width": _SIDE_PX, "height": _SIDE_PX, "count": _PARTICLES, "fps": _FPS, "exposure_ms": 1000 / _FPS,
        "loop_frames": _LOOP_FRAMES, "min_distance_um": 0.5,
    }  # fmt: skip
    with (
        child_process(run_session, *simulated_session(**scene)) as (_, _, address),
        Subscriber(address, newest=False) as positions,
    ):
        for _ in range(pairs):
            loads.append(_measure_pair(address, positions, loaded_first=bool(rng.integers(2))))
            step()
    return [_result(loads, rng)]


def _measure_pair(address: str, positions: Subscriber, *, loaded_first: bool) -> SubscriberLoad:
    import psutil

    with (
        child_process(_receive_all, address) as (suspended, to_suspended, _),
        child_process(_receive_all, address) as (killed, to_killed, _),
        child_process(_receive_all, address) as (_, to_late, _),
    ):
        alone = 0.0 if loaded_first else _p99(positions, [])
        for pipe in (to_suspended, to_killed):
            pipe.send("join")
        time.sleep(_SETTLE_S)
        psutil.Process(suspended.pid).suspend()
        loaded = _p99(positions, [(1 / 3, killed.kill), (1 / 2, lambda: to_late.send("join"))])
        psutil.Process(suspended.pid).resume()
        for pipe in (to_suspended, to_late):
            pipe.send(time.perf_counter_ns())
        received, missed = to_suspended.recv()
    return SubscriberLoad(loaded / (alone or _p99(positions, [])), received, missed)


def _p99(positions: Subscriber, actions: list[tuple[float, Callable[[], None]]]) -> float:
    """Return the p99 from receipt to publication in a block, ns; each action is done after a fraction of the block."""
    time.sleep(_SETTLE_S)
    while positions.receive(0) is not None:
        pass
    start_s = time.monotonic()
    pending = [(start_s + fraction * _BLOCK_S, action) for fraction, action in actions]
    latencies: list[int] = []
    while time.monotonic() < start_s + _BLOCK_S:
        update = receive(positions)
        latencies.append(update.t_published_ns - update.t_received_ns)
        if pending and time.monotonic() >= pending[0][0]:
            pending.pop(0)[1]()
    return float(np.percentile(latencies, 99))


def _result(loads: list[SubscriberLoad], rng: np.random.Generator) -> TargetResult:
    logs = np.log([load.ratio for load in loads])
    means = rng.choice(logs, (_RESAMPLES, len(logs))).mean(axis=1)
    low, high = np.exp(np.percentile(means, (2.5, 97.5)))
    return TargetResult(
        name=f"clients suspended, killed and late: {_SIDE_PX}x{_SIDE_PX} px, {_PARTICLES} particles, {_FPS} frames/s",
        definition=f"paired blocks of {_BLOCK_S:g} s in random order: p99 from receipt of a frame to publication, "
        "while of three clients that receive every message one is suspended, one is killed and one joins late, over "
        "that without them; geometric mean over the pairs, 95 % bootstrap interval; and the frames that the suspended "
        "client received in the end and counted as missed",
        n=len(loads),
        figures={
            "p99_factor": round(float(np.exp(logs.mean())), 3),
            "p99_factor_low": round(float(low), 3),
            "p99_factor_high": round(float(high), 3),
            "suspended_received": sum(load.received for load in loads),
            "suspended_missed": sum(load.missed for load in loads),
        },
        target=f"interval below {_MAX_RATIO:g}",
        met=bool(high < _MAX_RATIO),
    )


def _receive_all(pipe: Connection, address: str) -> None:
    """Receive every message, from the word "join" until that of a given time; send the counts received and missed."""
    pipe.send("ready")
    pipe.recv()
    received, missed, last_ns = 0, 0, None
    with Subscriber(address, newest=False) as positions:
        for update in positions:
            received, missed = received + 1, missed + update.gap
            if last_ns is None and pipe.poll():
                last_ns = pipe.recv()
            if last_ns is not None and update.t_published_ns > last_ns:
                break
    pipe.send((received, missed))
