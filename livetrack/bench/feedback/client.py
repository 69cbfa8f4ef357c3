"""The other process: a feedback client as any other, from the newest position to a command, frame after frame."""

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
"""Of one frame: the position from the middle of the image and the order that answered it, px (a frame)."""

_PATIENCE_S = 20.0  # on a machine that does much else; in lock-step nothing is lost by it


class LoopPlan(Struct, frozen=True, kw_only=True):
    """What the client is to do."""

    actuator: str
    units_per_px: float
    """Units of the actuator for an order of 1 px (a frame)."""
    relative: bool = False
    """The actuator is moved by the order, not to it."""
    gains: Sequence[float]
    """One after the other, for `frames` each."""
    frames: int
    far_px: float = 10.0
    """A particle this far from the middle has escaped: that is the end."""
    lockstep: bool = True
    release: int = 0
    """Let the bead out of the simulated camera's trap after so many frames; 0: there is none."""
    random_delay_s: float = 0.0
    """Wait for up to so long at each frame, at random."""


class LoopRun(NamedTuple):
    """What came of it."""

    records: list[npt.NDArray[np.void]]
    """For each gain, (N,) of `LOOP_RECORD`; a loop that has lost its particle has fewer frames, or no more gains."""
    escaped: bool
    passed: int
    """Frames that went by unread."""


def run_client(address: str, plan: LoopPlan, results: Connection) -> None:
    """Close the loop as planned, and send what came of it, or a text that says what went wrong."""
    try:
        results.send(_close_loop(address, plan))
    except LivetrackError as error:
        results.send(str(error))


def _close_loop(address: str, plan: LoopPlan) -> LoopRun:
    records: list[npt.NDArray[np.void]] = []
    target = Target(address, lost_after_s=_PATIENCE_S, stale_after_s=_PATIENCE_S)
    with target, Remote(address) as remote:  # in this order: once Remote has heard the engine, Target hears it too
        remote.move_to(plan.actuator, 0, 0)  # the first exposure waits for it, in lock-step
        move = remote.move_by if plan.relative else remote.move_to
        frames = iter(target)
        for gain in plan.gains:
            controller = Controller(gain)
            rows: list[tuple[float, ...]] = []
            for seen in frames:
                if plan.lockstep and not records and not rows and seen.frame != 0:
                    raise TargetLostError(f"the first frame seen is {seen.frame}: not from the start")
                place = seen.x - (seen.update.width - 1) / 2, seen.y - (seen.update.height - 1) / 2
                if plan.random_delay_s:
                    time.sleep(random.uniform(0, plan.random_delay_s))
                order = controller.update(place, seen.dt_s)
                move(plan.actuator, *(plan.units_per_px * order))
                rows.append((seen.frame, *place, *order, seen.x_std))
                if len(rows) == plan.release:
                    remote.set_property("trap_stiffness_pn_um", 0.0)
                if max(map(abs, place)) > plan.far_px or len(rows) == plan.frames:
                    break
            records.append(np.array(rows, LOOP_RECORD))
            if len(rows) < plan.frames:
                return LoopRun(records, True, target.unread_frames)
        return LoopRun(records, False, target.unread_frames)
