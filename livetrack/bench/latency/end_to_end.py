"""The whole path of a frame, to a client in another process, and frame by frame what it cannot be quicker than."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import zmq

from livetrack.bench.latency.listener import END, FIRST, HOP, STAMPS, listen
from livetrack.bench.latency.process import started_process
from livetrack.bench.result import TargetResult
from livetrack.camera import Frame
from livetrack.config import load_config
from livetrack.errors import LivetrackError
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows
from livetrack.session.engine import Engine
from livetrack.tracker import Tracker
from livetrack.wire import HEADER

__all__ = ["Case", "cases", "end_to_end_result", "measure_case"]

_SLOW_FPS, _FAST_FPS = 25, 200
_HEARD_S = 60.0  # that the other process may take to hear the first message
_WARM = 100  # frames that are not counted
_BEFORE_S = 1e-4  # so long before a frame a rehearsal is over
_LOOP = 16  # frames that are played to and fro
_MOST_ADDED_US, _MOST_P99 = 150.0, 2.0


class Case(NamedTuple):
    """An image size, a number of particles, and whether their profiles are fitted."""

    side_px: int
    particles: int
    profile_fit: bool

    @property
    def fps(self) -> int:
        """The camera's frame rate: half a frame time is enough for the slowest part of it."""
        return _FAST_FPS if self.side_px <= 128 and self.particles <= 5 else _SLOW_FPS

    @property
    def name(self) -> str:
        """What it is called in tables."""
        particles = "1 particle" if self.particles == 1 else f"{self.particles} particles"
        fit = "with" if self.profile_fit else "without"
        return f"{self.side_px}x{self.side_px} px, {particles}, {fit} profile fit, {self.fps} frames/s"


def cases() -> list[Case]:
    """Return all that are measured."""
    return [Case(side, count, fit) for fit in (True, False) for side in (64, 128, 512) for count in (1, 5, 100)]


def measure_case(case: Case, frames: int, step: Callable[[], None]) -> npt.NDArray[np.void]:
    """Return (N,) of `STAMPS`, with the duration of bare inference in a field `inference` more.

    Half a frame time after each frame, so that both come upon a machine as idle, the network is run once more on the
    very input that it had in that frame, and then a message of the frame's size is sent to the same client over a
    bare socket. Where the engine had rehearsed the frame, the network is rehearsed too.
    """
    with Engine(load_config(None, _settings(case))) as engine:
        network = _NetworkProbe(engine.tracker)
        with _client(engine.publisher.address) as (hops, results):
            inference: dict[int, int] = {}

            def floors(frame: Frame, rows: Rows) -> None:
                time.sleep(max(0.0, (frame.t_received_ns - time.perf_counter_ns()) * 1e-9 + 0.5 / case.fps))
                inference[frame.index] = network.run_again()
                hops.send(HOP.pack(frame.index, time.perf_counter_ns()) + bytes(HEADER.itemsize + rows.nbytes))
                step()

            engine.run(seconds=(frames + _WARM) / case.fps, on_rows=floors)
            hops.send(HOP.pack(END, 0))
            stamps = results.recv() if results.poll(20) else np.empty(0, STAMPS)
    if len(stamps) < (frames + _WARM) // 2:
        raise LivetrackError(f"{case.name}: the client received {len(stamps)} of {frames + _WARM} frames")
    stamps = stamps[_WARM:]
    joined = np.empty(len(stamps), [*STAMPS.descr, ("inference", "<i8")])
    for name in STAMPS.names or ():
        joined[name] = stamps[name]
    joined["inference"] = [inference[frame] for frame in stamps["frame"].tolist()]
    return joined


def end_to_end_result(case: Case, stamps: npt.NDArray[np.void]) -> TargetResult:
    """Return the case's line of the table."""
    floors = stamps["inference"] + stamps["bare"]
    added = _us(stamps["total"] - floors, 50)
    p99, floors_p99 = _us(stamps["total"], 99), _us(floors, 99)
    return TargetResult(
        name=case.name,
        definition="following, 16 bits; receipt of a frame to its receipt by a client in another process; added: the "
        "median, frame by frame, of that less bare inference (the same input and session, half a frame time later, "
        "rehearsed where the frame was) and a bare ZeroMQ hop of a message of the same size to the same client",
        n=len(stamps),
        figures={
            "added_p50_us": added,
            "p50_us": _us(stamps["total"], 50),
            "p99_us": p99,
            "inference_p50_us": _us(stamps["inference"], 50),
            "bare_hop_p50_us": _us(stamps["bare"], 50),
            "floors_p99_us": floors_p99,
            **{f"{stage}_p50_us": _us(stamps[stage], 50) for stage in ("wait", "localize", "link", "publish", "hop")},
        },
        target=f"added at most {_MOST_ADDED_US:g} µs, p99 at most {_MOST_P99:g} x that of the floors",
        met=added <= _MOST_ADDED_US and p99 <= _MOST_P99 * floors_p99,
    )


def _us(durations_ns: npt.NDArray[np.int64], percent: float) -> float:
    return round(float(np.percentile(durations_ns, percent)) / 1e3, 1)


def _settings(case: Case) -> list[str]:
    scene = {
        "width": case.side_px,
        "height": case.side_px,
        "count": case.particles,
        "fps": case.fps,
        "exposure_ms": 500 / case.fps,
        "loop_frames": _LOOP,
        "min_distance_um": 0.1,  # so that all of them start inside the image
    }
    return [
        "camera.driver=simulated",
        "camera.every_frame=true",
        *(f"camera.simulated.{key}={value}" for key, value in scene.items()),
        "localizer.search=follow",
        f"localizer.profile_fit={str(case.profile_fit).lower()}",
        "publish.address=tcp://127.0.0.1:*",
        "publish.preview_address=tcp://127.0.0.1:*",
        "publish.command_address=tcp://127.0.0.1:*",
    ]


class _NetworkProbe:
    """Listens in on the tracker: what the network is given for each frame, and whether that was rehearsed."""

    def __init__(self, tracker: Tracker) -> None:
        assert isinstance(tracker.localizer, NetworkLocalizer)
        inference = tracker.localizer.inference
        self._run, self._rehearse = inference.run, tracker.rerun_last_frame
        self._inputs: list[npt.NDArray[np.float32]] = []
        self._rehearsed = False
        inference.run = self._note_run  # type: ignore[method-assign]
        tracker.rerun_last_frame = self._note_rehearsal  # type: ignore[method-assign]

    def run_again(self) -> int:
        """Run the bare network on what it was given for the last frame; return the time that this took, ns."""
        inputs, self._inputs = self._inputs, []
        if self._rehearsed:
            self._run_all(inputs)
            time.sleep(_BEFORE_S)
        self._rehearsed = False
        return self._run_all(inputs)

    def _run_all(self, inputs: list[npt.NDArray[np.float32]]) -> int:
        start_ns = time.perf_counter_ns()
        for each in inputs:
            self._run(each)
        return time.perf_counter_ns() - start_ns

    def _note_run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self._inputs.append(batch)
        return self._run(batch)

    def _note_rehearsal(self, image: npt.NDArray[Any]) -> None:
        self._rehearse(image)
        self._inputs, self._rehearsed = [], True


@contextmanager
def _client(address: str) -> Iterator[tuple[zmq.Socket[bytes], Connection]]:
    """Start the other process; yield the bare socket to it and the pipe that its stamps come through."""
    bare: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    bare.bind("tcp://127.0.0.1:*")
    hops = bare.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()  # type: ignore[union-attr]
    try:
        with started_process(listen, address, hops) as (_, here, _):
            until_s = time.monotonic() + _HEARD_S
            while not here.poll(0.02):
                if time.monotonic() > until_s:
                    raise LivetrackError("the bench's client process hears nothing")
                bare.send(HOP.pack(FIRST, time.perf_counter_ns()))
            here.recv()
            yield bare, here
    finally:
        bare.close(linger=0)
