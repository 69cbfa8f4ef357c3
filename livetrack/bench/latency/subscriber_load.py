"""What readers do to the loop that are stopped, killed, or join late: paired runs, with and without them."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np

from livetrack.bench.latency.process import started_process
from livetrack.bench.result import TargetResult
from livetrack.client import Subscriber
from livetrack.config import load_config
from livetrack.errors import LivetrackError
from livetrack.session.engine import Engine

__all__ = ["measure_subscriber_load"]

_SIDE_PX, _PARTICLES, _FPS, _LOOP = 128, 5, 500, 16
_BLOCK_S, _SETTLE_S = 3.0, 0.5
_SILENCE_S = 10.0
_MOST = 1.2
_RESAMPLES = 10_000


class SubscriberLoad(NamedTuple):
    """The p99 of one block with the readers, over that of one without, and what the stopped one said afterwards."""

    ratio: float
    received: int
    missed: int


def measure_subscriber_load(pairs: int, step: Callable[[], None]) -> TargetResult:
    """Measure so many pairs of blocks, in either order by chance; `step` is called after each.

    Raises
    ------
    LivetrackError
        The session does not start, or falls silent.
    """
    rng = np.random.default_rng(1)
    done: list[SubscriberLoad] = []
    with started_process(_run) as (_, _, address), Subscriber(address, newest=False) as positions:
        for _ in range(pairs):
            done.append(_pair(address, positions, with_first=bool(rng.integers(2))))
            step()
    return _line(done, rng)


def _pair(address: str, positions: Subscriber, *, with_first: bool) -> SubscriberLoad:
    import psutil

    with (
        started_process(_read, address) as (stopped, to_stopped, _),
        started_process(_read, address) as (killed, to_killed, _),
        started_process(_read, address) as (_, to_late, _),
    ):
        alone = 0.0 if with_first else _p99(positions, [])
        for each in (to_stopped, to_killed):
            each.send("join")
        time.sleep(_SETTLE_S)
        psutil.Process(stopped.pid).suspend()
        crowded = _p99(positions, [(1 / 3, killed.kill), (1 / 2, lambda: to_late.send("join"))])
        psutil.Process(stopped.pid).resume()
        for each in (to_stopped, to_late):
            each.send(time.perf_counter_ns())
        received, missed = to_stopped.recv()
    return SubscriberLoad(crowded / (alone or _p99(positions, [])), received, missed)


def _p99(positions: Subscriber, deeds: list[tuple[float, Callable[[], None]]]) -> float:
    """Return the p99 of a block of frames, from receipt to published, ns; deeds are done at shares of the block."""
    time.sleep(_SETTLE_S)
    while positions.receive(0) is not None:
        pass
    begin_s = time.monotonic()
    waiting = [(begin_s + share * _BLOCK_S, do) for share, do in deeds]
    noted: list[int] = []
    while time.monotonic() < begin_s + _BLOCK_S:
        update = positions.receive(_SILENCE_S)
        if update is None:
            raise LivetrackError(f"the bench's session has said nothing for {_SILENCE_S:g} s")
        noted.append(update.t_published_ns - update.t_received_ns)
        if waiting and time.monotonic() >= waiting[0][0]:
            waiting.pop(0)[1]()
    return float(np.percentile(noted, 99))


def _line(pairs: list[SubscriberLoad], rng: np.random.Generator) -> TargetResult:
    logs = np.log([pair.ratio for pair in pairs])
    means = rng.choice(logs, (_RESAMPLES, len(logs))).mean(axis=1)
    low, high = np.exp(np.percentile(means, (2.5, 97.5)))
    return TargetResult(
        name=f"readers stopped, killed and late: {_SIDE_PX}x{_SIDE_PX} px, {_PARTICLES} particles, {_FPS} frames/s",
        definition=f"paired blocks of {_BLOCK_S:g} s in either order: p99 from receipt of a frame to published, while "
        "of three readers of every message one is stopped, one is killed and one joins, over that with none of them; "
        "geometric mean over the pairs, 95 % interval by resampling them; and what the stopped one received in the end "
        "and counted as missed",
        n=len(pairs),
        figures={
            "p99_factor": round(float(np.exp(logs.mean())), 3),
            "p99_factor_low": round(float(low), 3),
            "p99_factor_high": round(float(high), 3),
            "stopped_received": sum(pair.received for pair in pairs),
            "stopped_missed": sum(pair.missed for pair in pairs),
        },
        target=f"the interval below {_MOST:g}",
        met=bool(high < _MOST),
    )


def _read(pipe: Connection, address: str) -> None:
    """When told to join, read every message until that of a time told; say how many came and how many were missed."""
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


def _run(pipe: Connection) -> None:
    """Run a session until the process is ended; send its address when it is ready."""
    scene = {
        "width": _SIDE_PX, "height": _SIDE_PX, "count": _PARTICLES, "fps": _FPS, "exposure_ms": 1000 / _FPS,
        "loop_frames": _LOOP, "min_distance_um": 0.5,
    }  # fmt: skip
    settings = [
        *(f"camera.simulated.{key}={value}" for key, value in scene.items()),
        *(f"publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")),
    ]
    with Engine(load_config(None, settings)) as engine:
        pipe.send(engine.publisher.address)
        engine.run()
