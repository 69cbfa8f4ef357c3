"""Calibrates an actuator: makes known steps, and measures how far and when the particles move."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.calibrate.affine import Affine, common_motion, fit_affine
from livetrack.client import Remote, Subscriber, Update
from livetrack.client.address import resolve_address
from livetrack.devices import ActuatorCalibration, check_position
from livetrack.errors import CommandError, InputError, TargetLostError
from livetrack.particles import Flag
from livetrack.wire.commands import ActuatorState, HelloReply

__all__ = ["calibrate_actuator"]

Floats = npt.NDArray[np.float64]

_MOVES_ALL_PARTICLES = ("stage",)  # other actuators move the one particle that they hold
_DEFAULT_STEP_PX = 8.0
_MIN_MOTION_PX = 0.5  # smallest measurable motion
_SETTLED = 0.4  # fraction of the time after a step, at its end, in which the particles are at rest
_TIMEOUT_S = 5.0
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


class _Step(NamedTuple):
    """A step and the motion that followed."""

    step: tuple[float, float]
    motions: Floats
    """(J, 2) px, in the frames after the one at which the step was made; NaN if missing."""

    def motion(self) -> Floats:
        """Return the final motion."""
        final: Floats = np.nanmean(self.motions[round((1 - _SETTLED) * len(self.motions)) :], axis=0)
        return final


def calibrate_actuator(
    remote: Remote,
    actuator: str,
    *,
    step: float | None = None,
    rounds: int = 4,
    settle_s: float = 0.5,
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[ActuatorCalibration, Affine]:
    """Move an actuator back and forth along its axes, measure the motion of the particles, and return the calibration.

    A stage moves all particles. Any other actuator must hold the particle nearest to the image centre (or the engine's
    target). At the end, also after an error, the actuator is where it was before; after an emergency stop it
    stays where it was stopped. Nothing is stored: see
    `Remote.store_calibration`. The less the particles move by themselves, the more precise the result: particles stuck
    to the glass are best.

    Parameters
    ----------
    remote
        Connected to the engine.
    actuator
        One with two axes, such as "stage", "galvo", "trap".
    step
        Size of a step, in the actuator's unit; None for about 8 px, if the unit is µm and the pixel size is known.
    rounds
        Number of steps in each of the four directions.
    settle_s
        Time to observe after each step; longer than the actuator takes to arrive.
    progress
        Called with the fraction done.

    Raises
    ------
    InputError
        No such actuator, no step size, a step beyond its limits, or an actuator that does not move the particles.
    CommandError
        A move was rejected: motion was halted, or somebody has moved the actuator to its limit.
    TargetLostError
        No frames, or no particles in them.
    """
    hello = remote.hello()
    unit, step = _step_size(remote, hello, actuator, step)
    count, steps = len(_DIRECTIONS) * rounds, []
    with Subscriber(resolve_address(hello.addresses.positions, remote.address), newest=False) as positions:
        observer = _MotionObserver(positions, all_particles=actuator in _MOVES_ALL_PARTICLES)
        offset = (0.0, 0.0)

        def move(u: float, v: float, number: int = hello.geometry_number) -> None:
            nonlocal offset
            remote.move_by(actuator, u, v, geometry=number)
            offset = offset[0] + u, offset[1] + v

        try:
            for number in range(count):
                u, v = _DIRECTIONS[number % len(_DIRECTIONS)]
                vector = (step * u, step * v)
                steps.append(_Step(vector, observer.motions_after(partial(move, *vector), settle_s)))
                progress((number + 1) / count)
        except BaseException:
            if any(offset):
                with suppress(CommandError):  # after an emergency stop it stays where it is
                    move(-offset[0], -offset[1], remote.hello().geometry_number)
            raise
        interval_s = observer.interval_s
    if not remote.hello().geometry.same_as(hello.geometry):
        raise InputError(f"{actuator!r}: the image has changed during the calibration; calibrate again")
    affine = fit_affine([made.step for made in steps], [made.motion() for made in steps])
    _check(affine, step, unit, actuator)
    delay, delay_std = _delay(steps)
    (a, b), (c, d) = affine.matrix.tolist()
    (a_std, b_std), (c_std, d_std) = affine.std.tolist()
    calibration = ActuatorCalibration(
        actuator=actuator,
        unit=unit,
        camera=hello.status.camera,
        matrix=((a, b), (c, d)),
        matrix_std=((a_std, b_std), (c_std, d_std)),
        delay_frames=delay,
        delay_std_frames=delay_std,
        interval_s=interval_s,
        binning=hello.geometry.binning,
        pixel_size_um=hello.geometry.pixel_size_um,
        made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return calibration, affine


class _MotionObserver:
    """Measures the motion of all particles, or of the one nearest to the target or image centre at the start."""

    def __init__(self, positions: Subscriber, *, all_particles: bool) -> None:
        self._positions = positions
        self._all_particles = all_particles
        self._last_position: Floats | None = None
        self.interval_s = 0.0

    def motions_after(self, act: Callable[[], Any], settle_s: float) -> Floats:
        """Act as soon as a frame arrives; return the motions, (J, 2) px, in the frames after it until `settle_s`."""
        update = self._next()
        before = [self._points(update)]
        end = time.monotonic() + (0 if self._all_particles else settle_s)  # to average the motion of a held particle
        while time.monotonic() < end:
            update = self._next()
            before.append(self._points(update))
        while (newer := self._positions.receive(0)) is not None:
            update = newer
        act()
        reference = self._points(update) if self._all_particles else np.mean(before, axis=0)
        within_px = 0.4 * min(update.width, update.height)
        frames, motions, times = [0], [np.zeros(2)], [update.t_s]
        end = time.monotonic() + settle_s
        while time.monotonic() < end:
            later = self._next()
            motion = common_motion(reference, self._points(later), within_px)
            if motion is not None:
                frames.append(later.frame - update.frame)
                motions.append(motion)
                times.append(later.t_s)
        if len(frames) < 4:
            raise TargetLostError(
                f"only {len(frames) - 1} frames with particles were received within {settle_s:g} s after a step, and 3 "
                "are needed: give a longer --settle"
            )
        self.interval_s = float(times[-1] - times[0]) / frames[-1]
        by_frame = np.full((frames[-1] + 1, 2), np.nan)
        by_frame[frames] = motions
        return by_frame[1:]

    def _next(self) -> Update:
        update = self._positions.receive(_TIMEOUT_S)
        if update is None:
            raise TargetLostError(f"no frame received for {_TIMEOUT_S:g} s")
        return update

    def _points(self, update: Update) -> Floats:
        """Return (N, 2) x and y of the particles to use."""
        rows = update.particles[(update.particles["flags"] & (Flag.COASTED | Flag.EDGE)) == 0]
        points = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)
        if not len(points):
            raise TargetLostError(f"frame {update.frame} has no particle from which to measure the motion")
        if self._all_particles:
            return points
        last = _target_position(update) if self._last_position is None else self._last_position
        self._last_position = points[np.hypot(*(points - last).T).argmin()]
        return self._last_position[None]


def _target_position(update: Update) -> Floats:
    """Return the position of the engine's target, or the image centre."""
    rows = update.particles[update.particles["id"] == update.target]
    if len(rows):
        return np.array([rows["x"][0], rows["y"][0]], np.float64)
    return np.array([(update.width - 1) / 2, (update.height - 1) / 2])


def _step_size(remote: Remote, hello: HelloReply, actuator: str, step: float | None) -> tuple[str, float]:
    """Return the actuator's unit and the size of a step."""
    states = {state.name: state for state in remote.actuators()}
    if actuator not in states:
        available = f"available: {', '.join(states)}" if states else f"camera {hello.status.camera} has none"
        raise InputError(f"no actuator is called {actuator!r}: {available}")
    state = states[actuator]
    if len(state.axes) != 2 or state.unit.endswith("/s"):
        raise InputError(f"{actuator!r} ({', '.join(state.axes)}; {state.unit}) does not move particles in steps")
    if step is None:
        step = _default_step(hello, state)
    limits = [(-inf if low is None else low, inf if high is None else high) for low, high in state.limits]
    x, y = state.position
    for corner in ((x + step, y), (x, y + step)):  # refused now, not in the middle
        check_position(repr(actuator), state.axes, corner, state.unit, limits or [(-inf, inf)] * 2, InputError)
    return state.unit, step


def _default_step(hello: HelloReply, state: ActuatorState) -> float:
    """Return a step of `_DEFAULT_STEP_PX`."""
    if state.unit != "um" or hello.geometry.pixel_size_um is None:
        raise InputError(
            f"{state.name!r}: the step size is unknown; give --step, about 8 px, in {state.unit or 'its unit'}"
        )
    return _DEFAULT_STEP_PX * hello.geometry.pixel_size_um


def _check(affine: Affine, step: float, unit: str, actuator: str) -> None:
    """Raise an `InputError` unless the axes move the particles, and in different directions."""
    moved = affine.matrix * step
    too_short = min(np.hypot(*moved)) < _MIN_MOTION_PX
    if too_short or abs(np.linalg.det(affine.matrix)) < 0.1 * (affine.matrix**2).sum() / 2:
        raise InputError(
            f"{actuator!r}: a step of {step:g} {unit} moves the particles by {np.hypot(*moved[:, 0]):.2f} and "
            f"{np.hypot(*moved[:, 1]):.2f} px along the two axes, or both along one line; try another --step, or a "
            "longer --settle"
        )


def _delay(steps: list[_Step]) -> tuple[float, float]:
    """Return the delay in frames, until half of a motion shows, and its uncertainty by the jackknife."""
    length = min(len(made.motions) for made in steps)
    final = np.array([made.motion() for made in steps])
    motions = np.array([made.motions[:length] for made in steps])
    delays = np.array(
        [_half_way(np.delete(motions, k, axis=0), np.delete(final, k, axis=0)) for k in range(len(steps))]
    )
    variance = (len(steps) - 1) / len(steps) * ((delays - delays.mean()) ** 2).sum()
    delay = _half_way(motions, final)
    if not np.isfinite(delay + variance):
        raise InputError("the particles were not seen to reach half of each move; try a longer --settle")
    return delay, float(np.sqrt(variance))


def _half_way(motions: Floats, final: Floats) -> float:
    """Return the number of frames beyond the first until half of the motion shows, linearly interpolated."""
    known = np.isfinite(motions[:, :, 0])
    fractions = np.nansum(motions * final[:, None, :], axis=(0, 2)) / (
        (known * (final**2).sum(axis=1)[:, None]).sum(axis=0).clip(1e-300)
    )
    fractions = np.concatenate([[0.0], fractions])
    frames = np.flatnonzero(np.concatenate([[True], known.any(axis=0)]))
    beyond = frames[fractions[frames] >= 0.5]
    if not len(beyond):
        return float("nan")
    j = beyond[0]
    i = frames[frames < j][-1]
    return float(i + (0.5 - fractions[i]) / (fractions[j] - fractions[i]) * (j - i) - 0.5)
