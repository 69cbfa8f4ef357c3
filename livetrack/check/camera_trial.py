"""Runs a camera for a few seconds and records when its frames come; nothing is tracked and nothing else is set."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.camera import Camera, Frame
from livetrack.devices.lifecycle import FrameTiming, HasTimeSource
from livetrack.session.acquisition import Acquisition, CameraState

__all__ = ["TRIAL_S", "CameraTrial", "try_camera"]

TRIAL_S = 5.0
_START_S = 2.0  # for the first frame, beyond the exposure
_INTERVALS = 2.2  # the trial is at least as long
_KEPT = 16  # frames whose pixels are kept
_POLL_S = 0.05


@dataclass
class CameraTrial:
    """What a camera delivered."""

    frames: list[Frame] = field(default_factory=list)
    """The first ones, up to 16, with their pixels."""
    t_received_ns: list[int] = field(default_factory=list)
    """Of every frame."""
    exposed: int = 0
    """Frames with the time of their exposure."""
    untimed: int = 0
    """Frames that waited unread, and whose times are estimated."""
    seconds: float = 0.0
    """Time for which frames were expected, from the first one on."""
    timing: FrameTiming = field(default_factory=lambda: FrameTiming(0.0))
    time_source: str = ""
    """Where the driver's times of receipt come from; empty: nowhere, or it cannot say."""
    waits: bool = False
    """The camera waits for the tracker: a movie, a simulation in lock-step."""
    state: CameraState = CameraState.STARTING
    message: str = ""
    outage: str = ""
    """What was reported when the camera was lost, if it was."""
    lost: int = 0
    repeated: int = 0
    wrong: int = 0
    outages: int = 0

    def add(self, frame: Frame) -> None:
        """Record a frame."""
        if len(self.frames) < _KEPT:
            self.frames.append(frame)
        self.t_received_ns.append(frame.t_received_ns)
        self.exposed += frame.t_exposed_ns is not None
        self.untimed += frame.untimed

    @property
    def intervals_s(self) -> npt.NDArray[np.float64]:
        """Times between frames, (N,)."""
        return np.diff(np.array(self.t_received_ns, np.float64)) * 1e-9

    @property
    def fps(self) -> float | None:
        """Frames per second; None with fewer than two frames."""
        intervals = self.intervals_s
        total = float(intervals.sum())
        return len(intervals) / total if total > 0 else None

    @property
    def images(self) -> list[npt.NDArray[Any]]:
        """The images of `frames` with the size and the type of the last one."""
        last = self.frames[-1].pixels
        return [
            frame.pixels
            for frame in self.frames
            if (frame.pixels.shape, frame.pixels.dtype) == (last.shape, last.dtype)
        ]


def try_camera(acquisition: Acquisition, camera: Camera, seconds: float | None = None) -> CameraTrial:
    """Receive frames for `seconds` after the first one; default: 5, or longer than two exposures.

    `acquisition` of `camera` is open and not started; it is stopped when this returns.
    """
    trial = CameraTrial(timing=acquisition.timing(), waits=camera.waits)
    interval_s = trial.timing.interval_s
    seconds = seconds or max(TRIAL_S, _INTERVALS * interval_s)
    begun = time.monotonic()
    deadline = begun + _START_S + interval_s
    acquisition.on_frame = trial.add
    acquisition.start()
    while time.monotonic() < deadline and not acquisition.ended:
        frame = acquisition.next_frame(_POLL_S)
        acquisition.notice_block()
        if acquisition.state is CameraState.RETRYING:
            trial.outage = acquisition.message
        if frame is not None and not trial.seconds:
            trial.seconds = seconds
            deadline = time.monotonic() + seconds
    trial.timing = acquisition.timing()
    if isinstance(camera, HasTimeSource):
        trial.time_source = camera.time_source()
    trial.state, trial.message = acquisition.state, acquisition.message
    acquisition.on_frame = None
    acquisition.stop()
    trial.lost, trial.repeated = acquisition.lost, acquisition.repeated
    trial.wrong, trial.outages = acquisition.wrong, acquisition.outages
    return trial
