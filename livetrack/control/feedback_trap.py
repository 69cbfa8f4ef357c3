"""A feedback trap: hold a particle in its place, or steer it along a path, with an answer to every frame."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, inf, pi, sin

from livetrack.client import Remote
from livetrack.control.controller import Controller
from livetrack.control.loop_log import LoopLog
from livetrack.control.target import Observation, Target
from livetrack.devices import ActuatorCalibration

__all__ = ["Trajectory", "circular", "hold_at", "observe", "stationary"]

Trajectory = Callable[[float], tuple[float, float]]
"""Where the particle is to be after so many seconds, px from where it is held at the start."""


def stationary(t_s: float) -> tuple[float, float]:
    """Stay: the path of a particle that is held."""
    return 0.0, 0.0


def circular(radius_px: float, period_s: float) -> Trajectory:
    """Return the path round a circle, from its right end towards y (down)."""

    def path(t_s: float) -> tuple[float, float]:
        angle = 2 * pi * t_s / period_s
        return radius_px * (cos(angle) - 1), radius_px * sin(angle)

    return path


def observe(target: Target, seconds: float) -> tuple[LoopLog, tuple[float, float]]:
    """Only look at the particle for so long; return the record, from its mean place, and that place, px."""
    places = list(target.observations(seconds))
    x, y = (sum(values) / len(places) for values in ([each.x for each in places], [each.y for each in places]))
    record = LoopLog()
    for each in places:
        record.add(each.frame, each.t_s, (each.x - x, each.y - y), max(each.x_std, each.y_std))
    return record, (x, y)


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
) -> LoopLog:
    """Answer each frame so that the particle stays at `at_px`, or goes along `trajectory` from there.

    A stage or a galvo moves the particle by -gain times its error. An actuator called "trap" is an optical trap: its
    centre is put -gain times the error beyond the place. `LoopModel` tells which gain is best, and from which on the
    particle is lost.

    Parameters
    ----------
    remote, target
        Of the same engine.
    at_px
        x and y; None for where the particle is first seen.
    limit_px
        Longest order.
    on_frame
        Called with each frame in which the particle was seen; True ends it.

    Raises
    ------
    CommandError, UsageError, TargetLostError
        As `follow`.
    """
    calibration = remote.calibration(actuator)
    order = _trap(remote, calibration) if actuator == "trap" else _stage(remote, calibration)
    controller, record = Controller(gain, limit=limit_px), LoopLog()
    start_s = None
    for seen in target.observations(seconds):
        start_s = seen.t_s if start_s is None else start_s
        at_px = at_px or (seen.x, seen.y)
        x, y = trajectory(seen.t_s - start_s)
        error = seen.x - at_px[0] - x, seen.y - at_px[1] - y
        dx, dy = controller.update(error, seen.dt_s)
        order((x, y), (float(dx), float(dy)))
        record.add(seen.frame, seen.t_s, error, max(seen.x_std, seen.y_std), (float(dx), float(dy)))
        if on_frame(seen):
            break
    return record


_Order = Callable[[tuple[float, float], tuple[float, float]], object]


def _stage(remote: Remote, calibration: ActuatorCalibration) -> _Order:
    return lambda place, step: remote.move_by(calibration.actuator, *calibration.move(*step))


def _trap(remote: Remote, calibration: ActuatorCalibration) -> _Order:
    """Return what puts the trap `step` px beyond `place`, both from where it is now."""
    (start,) = (each.position for each in remote.actuators() if each.name == calibration.actuator)

    def order(place: tuple[float, float], step: tuple[float, float]) -> None:
        u, v = calibration.move(place[0] + step[0], place[1] + step[1])
        remote.move_to(calibration.actuator, start[0] + u, start[1] + v)

    return order
