"""Keep a particle where it is wanted by moving the stage."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, hypot, inf

from livetrack.client import Remote
from livetrack.control.controller import Controller
from livetrack.control.loop_log import LoopLog
from livetrack.control.target import Observation, Target
from livetrack.errors import InputError

__all__ = ["follow", "max_move_px"]

_GAIN = 0.8


def follow(
    remote: Remote,
    target: Target,
    *,
    actuator: str = "stage",
    at_px: tuple[float, float] | None = None,
    deadband_px: float = 0.25,
    limit_px: float | None = None,
    seconds: float = inf,
    on_frame: Callable[[Observation], bool] = lambda seen: False,
) -> LoopLog:
    """Move the stage so that the particle stays at `at_px`, for `seconds` or until it is lost.

    A stage is slow, and a move must not be ordered twice: after each, frames are let go by until it has shown, by the
    delay that `livetrack calibrate` has found. Errors below `deadband_px` are left alone.

    Parameters
    ----------
    remote, target
        Of the same engine.
    at_px
        x and y; None for the middle of the picture.
    limit_px
        Longest move; None for half the linker's search radius, so that the particle keeps its id.
    on_frame
        Called with each frame in which the particle was seen; True ends it.

    Raises
    ------
    CommandError
        The actuator is not calibrated, or refuses.
    UsageError
        It is calibrated for another picture.
    TargetLostError
        The particle is lost.
    """
    if not deadband_px >= 0:
        raise InputError(f"deadband_px = {deadband_px} must be 0 or more")
    calibration = remote.calibration(actuator)
    quiet_frames = ceil(2 * calibration.delay_frames) + 1  # a slow move is half done after the delay
    limit_px = max_move_px(remote) if limit_px is None else limit_px
    controller, record = Controller(_GAIN, limit=limit_px), LoopLog()
    awake = 0
    for seen in target.observations(seconds):
        x, y = at_px or ((seen.update.width - 1) / 2, (seen.update.height - 1) / 2)
        error, order = (seen.x - x, seen.y - y), (0.0, 0.0)
        if seen.frame >= awake and hypot(*error) > deadband_px:
            dx, dy = controller.update(error, seen.dt_s)
            order = float(dx), float(dy)
            remote.move(actuator, *order)
            awake = seen.frame + quiet_frames
        record.add(seen.frame, seen.t_s, error, max(seen.x_std, seen.y_std), order)
        if on_frame(seen):
            break
    return record


def max_move_px(remote: Remote) -> float:
    """Return half the linker's search radius, px: what moves no farther in a frame keeps its id."""
    return 0.5 * float(remote.hello().settings["linker"]["search_radius_px"])
