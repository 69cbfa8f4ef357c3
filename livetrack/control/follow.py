"""Keeps a particle in place by moving the stage, for stages with a long delay."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, hypot, inf

from livetrack.client import Remote
from livetrack.control.controller import Controller
from livetrack.control.loop_log import LoopLog
from livetrack.control.target import Observation, Target, require_in_image
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
    log: LoopLog | None = None,
) -> LoopLog:
    """Move the stage so that the particle stays at `at_px`, for `seconds` or until it is lost.

    After each move the loop waits until frames show it, according to the delay that `livetrack calibrate` measured, so
    that no move is made twice. Errors below `deadband_px` are ignored.

    Parameters
    ----------
    remote, target
        Connected to the same engine.
    at_px
        x and y; None for the image centre.
    limit_px
        Maximum length of a move; None for half the linker's search radius, so that the particle keeps its id.
    on_frame
        Called for each frame with the particle; True ends the loop.
    log
        What to add the frames to, and to return; an error then leaves it with all frames so far.

    Raises
    ------
    CommandError
        The actuator is not calibrated. Or a move is rejected: it leads beyond a limit, or motion was halted. The
        actuator stays where it is.
    UsageError
        It was calibrated for another objective, pixel size, binning or orientation only.
    GeometryChangedError
        One of these has changed since.
    TargetLostError
        The particle is lost.
    InputError
        `at_px` is outside of the image.
    """
    if not deadband_px >= 0:
        raise InputError(f"deadband_px = {deadband_px} must be 0 or more")
    calibration = remote.calibration(actuator)
    settle_frames = ceil(2 * calibration.delay_frames) + 1  # the delay is the time until half of a move shows
    limit_px = max_move_px(remote) if limit_px is None else limit_px
    controller, log = Controller(_GAIN, limit=limit_px), LoopLog() if log is None else log
    next_allowed_frame = 0
    for seen in target.observations(seconds):
        x, y = at_px or ((seen.update.width - 1) / 2, (seen.update.height - 1) / 2)
        require_in_image(x, y, seen.update)
        error, move = (seen.x - x, seen.y - y), (0.0, 0.0)
        if seen.frame >= next_allowed_frame and hypot(*error) > deadband_px:
            dx, dy = controller.update(error, seen.dt_s)
            move = float(dx), float(dy)
            remote.move(actuator, *move, geometry=seen.update.geometry)
            next_allowed_frame = seen.frame + settle_frames
        log.add(seen.frame, seen.t_s, error, max(seen.x_std, seen.y_std), move)
        if on_frame(seen):
            break
    return log


def max_move_px(remote: Remote) -> float:
    """Return half the linker's search radius, px: a particle that moves no farther in a frame keeps its id."""
    return 0.5 * float(remote.hello().settings["linker"]["search_radius_px"])
