"""Latency from receipt of a frame to a client in another process, and its lower bounds, frame by frame.

The lower bounds are bare inference and a bare socket hop; the rest is what livetrack adds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import zmq

from livetrack.bench.latency.listener import END, FIRST, HOP, STAMPS, listen
from livetrack.bench.report import Table
from livetrack.bench.result import TargetResult, format_figure
from livetrack.bench.session import child_process, simulated_session
from livetrack.bench.timing import percentile_us
from livetrack.camera import Frame
from livetrack.config import load_config
from livetrack.errors import LivetrackError
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows
from livetrack.session.engine import Engine
from livetrack.tracker import Tracker
from livetrack.wire import HEADER

__all__ = ["PATH_WARM_UP", "Case", "cases", "end_to_end_result", "end_to_end_table", "measure_case"]

PATH_WARM_UP = 100
"""Frames that are not counted."""

_SLOW_FPS, _FAST_FPS = 25, 200
_CONNECT_S = 60.0  # time allowed for the other process to receive its first message
_WARMING_GAP_S = 1e-4  # cache warming ends this long before a frame
_LOOP_FRAMES = 16
_MIN_DISTANCE_UM = 1.5  # half of it to the edge, where particles are cut off; 100 would not fit into 64x64 px
_MAX_ADDED_US, _MAX_P99_RATIO = 150.0, 2.0
_STAGES = ("wait", "localize", "link", "publish", "hop")


class Case(NamedTuple):
    """An image size, a number of particles, and whether their profiles are fitted."""

    side_px: int
    particles: int
    profile_fit: bool

    @property
    def fps(self) -> int:
        """The camera's frame rate, at which processing takes less than half a frame interval."""
        return _FAST_FPS if self.side_px <= 128 and self.particles <= 5 else _SLOW_FPS

    @property
    def name(self) -> str:
        """The case in words."""
        particles = "1 particle" if self.particles == 1 else f"{self.particles} particles"
        fit = "with" if self.profile_fit else "without"
        return f"{self.side_px}x{self.side_px} px, {particles}, {fit} profile fit, {self.fps} frames/s"


def cases() -> list[Case]:
    """Return all cases."""
    return [Case(side, count, fit) for fit in (True, False) for side in (64, 128, 512) for count in (1, 5, 100)]


def measure_case(case: Case, frames: int, step: Callable[[], None]) -> npt.NDArray[np.void]:
    """Return (N,) of `STAMPS` and a further field `inference`, the duration of bare inference, ns.

    Half a frame interval after each frame, when the machine is as idle as before a frame, the network is run again on
    the inputs of that frame, and a message of the same size is sent to the same client over a bare socket. If the
    engine had warmed the caches before the frame, the bench does so too. `step` is called after each frame.

    Raises
    ------
    LivetrackError
        The client received less than half of the frames.
    """
    search, fit = "localizer.search=follow", f"localizer.profile_fit={str(case.profile_fit).lower()}"
    overrides = simulated_session(
        "camera.every_frame=true", search, fit,
        width=case.side_px, height=case.side_px, count=case.particles, fps=case.fps, exposure_ms=500 / case.fps,
        loop_frames=_LOOP_FRAMES, min_distance_um=_MIN_DISTANCE_UM if case.particles <= 5 else 0.1,
    )  # fmt: skip
    with Engine(load_config(None, overrides)) as engine:
        network = _NetworkProbe(engine.tracker)
        with _client(engine.publisher.address) as (hops, results):
            inference: dict[int, int] = {}

            def measure_bounds(frame: Frame, rows: Rows) -> None:
                time.sleep(max(0.0, (frame.t_received_ns - time.perf_counter_ns()) * 1e-9 + 0.5 / case.fps))
                inference[frame.index] = network.run_again()
                hops.send(HOP.pack(frame.index, time.perf_counter_ns()) + bytes(HEADER.itemsize + rows.nbytes))
                step()

            engine.run(seconds=(frames + PATH_WARM_UP) / case.fps, on_rows=measure_bounds)
            hops.send(HOP.pack(END, 0))
            stamps = results.recv() if results.poll(20) else np.empty(0, STAMPS)
    if len(stamps) < (frames + PATH_WARM_UP) // 2:
        raise LivetrackError(f"{case.name}: the client received {len(stamps)} of {frames + PATH_WARM_UP} frames")
    stamps = stamps[PATH_WARM_UP:]
    joined = np.empty(len(stamps), [*STAMPS.descr, ("inference", "<i8")])
    for name in STAMPS.names or ():
        joined[name] = stamps[name]
    joined["inference"] = [inference[frame] for frame in stamps["frame"].tolist()]
    return joined


def end_to_end_result(case: Case, stamps: npt.NDArray[np.void]) -> TargetResult:
    """Return the latency of a case, its stages and lower bounds."""
    bounds = stamps["inference"] + stamps["bare"]
    added = percentile_us(stamps["total"] - bounds, 50)
    p99, bounds_p99 = percentile_us(stamps["total"], 99), percentile_us(bounds, 99)
    return TargetResult(
        name=case.name,
        definition="guided search, 16 bits; from receipt of a frame to its receipt by a client in another process; "
        "added: median over the frames of that time less bare inference (same inputs and session, half a frame "
        "interval later, caches warmed if they were for the frame) and a bare ZeroMQ hop of a message of the same size "
        "to the same client; lower bounds: the sum of these two; most frames need no inference",
        n=len(stamps),
        figures={"added_p50_us": added, "p99_us": p99, "bounds_p99_us": bounds_p99},
        target=f"added at most {_MAX_ADDED_US:g} µs, p99 at most {_MAX_P99_RATIO:g} x that of the lower bounds",
        met=added <= _MAX_ADDED_US and p99 <= _MAX_P99_RATIO * bounds_p99,
        details={
            "p50_us": percentile_us(stamps["total"], 50),
            "inference_p50_us": percentile_us(stamps["inference"], 50),
            "bare_hop_p50_us": percentile_us(stamps["bare"], 50),
            **{f"{stage}_p50_us": percentile_us(stamps[stage], 50) for stage in _STAGES},
        },
    )


def end_to_end_table(results: Sequence[TargetResult]) -> Table:
    """Return the figures of all cases, a row each."""
    keys = ("added_p50", "p50", "p99", "inference_p50", "bare_hop_p50", "bounds_p99")
    rows = []
    for result in results:
        figures = result.figures | result.details
        stages = ", ".join(format_figure(figures[f"{stage}_p50_us"]) for stage in _STAGES)
        rows.append([result.name, *(format_figure(figures[f"{key}_us"]) for key in keys), stages])
    columns = [
        "what", "added p50", "p50", "p99", "inference", "hop", "lower bounds p99", "wait, localise, link, publish, hop"
    ]  # fmt: skip
    definition = results[0].definition
    note = f"{definition[0].upper()}{definition[1:]}."
    return Table("From receipt of a frame to a client in another process, µs", columns, rows, note)


class _NetworkProbe:
    """Records the network's inputs for each frame, and whether the caches were warmed before it."""

    def __init__(self, tracker: Tracker) -> None:
        assert isinstance(tracker.localizer, NetworkLocalizer)
        inference = tracker.localizer.inference
        self._run, self._warm_caches = inference.run, tracker.rerun_last_frame
        self._inputs: list[npt.NDArray[np.float32]] = []
        self._warmed = False
        inference.run = self._record_run  # type: ignore[method-assign]  # observes the real one
        tracker.rerun_last_frame = self._record_warming  # type: ignore[method-assign]  # observes the real one

    def run_again(self) -> int:
        """Run the bare network on the inputs of the last frame; return the duration, ns."""
        inputs, self._inputs = self._inputs, []
        if self._warmed:
            self._run_all(inputs)
            time.sleep(_WARMING_GAP_S)
        self._warmed = False
        return self._run_all(inputs)

    def _run_all(self, inputs: list[npt.NDArray[np.float32]]) -> int:
        start_ns = time.perf_counter_ns()
        for batch in inputs:
            self._run(batch)
        return time.perf_counter_ns() - start_ns

    def _record_run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self._inputs.append(batch)
        return self._run(batch)

    def _record_warming(self, image: npt.NDArray[Any]) -> None:
        self._warm_caches(image)
        self._inputs, self._warmed = [], True


@contextmanager
def _client(address: str) -> Iterator[tuple[zmq.Socket[bytes], Connection]]:
    """Start the client process; yield the bare socket to it, and the pipe for its stamps."""
    bare: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    bare.bind("tcp://127.0.0.1:*")
    hops = bare.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()  # type: ignore[union-attr]  # bytes, this one
    try:
        with child_process(listen, address, hops) as (_, here, _):
            deadline_s = time.monotonic() + _CONNECT_S
            while not here.poll(0.02):
                if time.monotonic() > deadline_s:
                    raise LivetrackError(f"the bench's client received nothing for {_CONNECT_S:g} s")
                bare.send(HOP.pack(FIRST, time.perf_counter_ns()))
            here.recv()
            yield bare, here
    finally:
        bare.close(linger=0)
