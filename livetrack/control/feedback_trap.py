"""A feedback trap: holds a particle in place, or steers it along a trajectory, with a response to every frame."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, inf, pi, sin

from livetrack.client import Remote
from livetrack.control.controller import Controller
from livetrack.control.loop_log import LoopLog
from livetrack.control.target import Observation, Target, require_in_image
from livetrack.devices import ActuatorCalibration

__all__ = ["Trajectory", "circular", "hold_at", "observe", "stationary"]

Trajectory = Callable[[float], tuple[float, float]]
"""Desired displacement from the starting point, (x, y) px, as a function of time, s."""


def stationary(t_s: float) -> tuple[float, float]:
    """Return (0, 0): the trajectory of a particle held in place."""
    return 0.0, 0.0


def circular(radius_px: float, period_s: float) -> Trajectory:
    """Return a circle as trajectory, from its rightmost point towards y (down)."""

    def displacement(t_s: float) -> tuple[float, float]:
        angle = 2 * pi * t_s / period_s
        return radius_px * (cos(angle) - 1), radius_px * sin(angle)

    return displacement


def observe(target: Target, seconds: float) -> tuple[LoopLog, tuple[float, float]]:
    """Record the particle without feedback; return the log, relative to the mean position, and that position, px."""
    observations = list(target.observations(seconds))
    x = sum(seen.x for seen in observations) / len(observations)
    y = sum(seen.y for seen in observations) / len(observations)
    log = LoopLog()
    for seen in observations:
        log.add(seen.frame, seen.t_s, (seen.x - x, seen.y - y), max(seen.x_std, seen.y_std))
    return log, (x, y)


def hold_at(
    remote: Remote,
    target: Target,
    actuator: str,
    gain: float,
    *,
    at_px: tuple[float, float] | None = None,
    trajectory: Trajectory = stationary,
    limit_px: float = inf,
    seconds: float = inf,
    on_frame: Callable[[Observation], bool] = lambda seen: False,
    log: LoopLog | None = None,
) -> LoopLog:
    """Act on each frame so that the particle stays at `at_px`, or follows `trajectory` from there.

    A stage or a galvo moves the particle by -gain times its error. An actuator called "trap" is an optical trap: its
    centre is displaced by -gain times the error. `LoopModel` gives the best gain, and the maximum for a stable loop.

    Parameters
    ----------
    remote, target
        Connected to the same engine.
    at_px
        x and y; None for the first position of the particle.
    limit_px
        Maximum length of a move.
    on_frame
        Called for each frame with the particle; True ends the loop.
    log
        What to add the frames to, and to return; an error then leaves it with all frames so far.

    Raises
    ------
    CommandError, UsageError, TargetLostError
        As for `follow`.
    InputError
        `at_px`, or the trajectory, is outside of the image.
    """
    calibration, number = remote.calibration(actuator), remote.calibrated_geometry(actuator)
    act = _move_trap(remote, calibration) if actuator == "trap" else _move_stage(remote, calibration)
    controller, log = Controller(gain, limit=limit_px), LoopLog() if log is None else log
    start_s = None
    for seen in target.observations(seconds):
        start_s = seen.t_s if start_s is None else start_s
        at_px = at_px or (seen.x, seen.y)
        x, y = trajectory(seen.t_s - start_s)
        require_in_image(at_px[0] + x, at_px[1] + y, seen.update)
        error = seen.x - at_px[0] - x, seen.y - at_px[1] - y
        dx, dy = controller.update(error, seen.dt_s)
        act((x, y), (float(dx), float(dy)), min(number, seen.update.geometry))
        log.add(seen.frame, seen.t_s, error, max(seen.x_std, seen.y_std), (float(dx), float(dy)))
        if on_frame(seen):
            break
    return log


_Action = Callable[[tuple[float, float], tuple[float, float], int], object]  # desired position, move, px; geometry


def _move_stage(remote: Remote, calibration: ActuatorCalibration) -> _Action:
    return lambda position, move, geometry: remote.move_by(
        calibration.actuator, *calibration.move(*move), geometry=geometry
    )


def _move_trap(remote: Remote, calibration: ActuatorCalibration) -> _Action:
    """Return the action that puts the trap at `position` plus `move`, both relative to where it is now."""
    (start,) = (state.position for state in remote.actuators() if state.name == calibration.actuator)

    def act(position: tuple[float, float], move: tuple[float, float], geometry: int) -> None:
        u, v = calibration.move(position[0] + move[0], position[1] + move[1])
        remote.move_to(calibration.actuator, start[0] + u, start[1] + v, geometry=geometry)

    return act
