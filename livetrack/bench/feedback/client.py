"""The feedback client that the bench runs in a process of its own."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.client import Remote
from livetrack.control import Controller, Target
from livetrack.errors import LivetrackError, TargetLostError

__all__ = ["LOOP_RECORD", "LoopPlan", "LoopRun", "run_client"]

LOOP_RECORD = np.dtype([("frame", "<i8"), ("x", "<f8"), ("y", "<f8"), ("u", "<f8"), ("v", "<f8"), ("std", "<f8")])
"""One frame: position x, y from the image centre, the controller's output u, v, and x_std, all px."""

_TIMEOUT_S = 20.0  # generous, for a loaded machine


class LoopPlan(Struct, frozen=True, kw_only=True):
    """Instructions for the client."""

    actuator: str
    units_per_px: float
    """Actuator units per px of the controller's output."""
    relative: bool = False
    """Move the actuator by the output instead of to it."""
    gains: Sequence[float]
    """Used one after the other, each for `frames` frames."""
    frames: int
    escape_px: float = 10.0
    """The run ends when the particle is this far from the centre along either axis."""
    lockstep: bool = True
    release_frame: int = 0
    """Switch off the simulated trap after this many frames; 0: never."""
    random_delay_s: float = 0.0
    """Longest random pause before each command."""


class LoopRun(NamedTuple):
    """Result of a run."""

    records: list[npt.NDArray[np.void]]
    """(N,) of `LOOP_RECORD` for each gain; short, and the last one, if the particle escaped."""
    escaped: bool


def run_client(address: str, plan: LoopPlan, results: Connection) -> None:
    """Close the loop as planned; send the `LoopRun`, or the text of an error, through `results`."""
    try:
        results.send(_close_loop(address, plan))
    except LivetrackError as error:
        results.send(str(error))


def _close_loop(address: str, plan: LoopPlan) -> LoopRun:
    records: list[npt.NDArray[np.void]] = []
    target = Target(address, lost_after_s=_TIMEOUT_S, stale_after_s=_TIMEOUT_S, newest=not plan.lockstep)
    with target, Remote(address) as remote:  # Remote last: once it is connected, Target receives from the engine too
        remote.move_to(plan.actuator, 0, 0)  # in lock-step the first exposure waits for it
        move = remote.move_by if plan.relative else remote.move_to
        observations = iter(target)
        for gain in plan.gains:
            controller = Controller(gain)
            rows: list[tuple[float, ...]] = []
            for seen in observations:
                if plan.lockstep and not records and not rows and seen.frame != 0:
                    raise TargetLostError(f"the loop started at frame {seen.frame} instead of 0")
                position = seen.x - (seen.update.width - 1) / 2, seen.y - (seen.update.height - 1) / 2
                if plan.random_delay_s:
                    time.sleep(random.uniform(0, plan.random_delay_s))
                output = controller.update(position, seen.dt_s)
                move(plan.actuator, *(plan.units_per_px * output))
                rows.append((seen.frame, *position, *output, seen.x_std))
                if len(rows) == plan.release_frame:
                    remote.set_property("trap_stiffness_pn_um", 0.0)
                if max(map(abs, position)) > plan.escape_px or len(rows) == plan.frames:
                    break
            records.append(np.array(rows, LOOP_RECORD))
            if len(rows) < plan.frames:
                return LoopRun(records, True)
        return LoopRun(records, False)
