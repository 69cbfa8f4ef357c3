"""The calibration of an actuator: known steps, what they do to the picture, and when."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.calibrate.affine import Affine, common_motion, fit_affine
from livetrack.client import Remote, Subscriber, Update
from livetrack.client.address import resolve_address
from livetrack.devices import ActuatorCalibration
from livetrack.errors import InputError, TargetLostError
from livetrack.particles import Flag
from livetrack.wire.commands import HelloReply

__all__ = ["calibrate_actuator"]

Floats = npt.NDArray[np.float64]

_WHOLE_PICTURE = ("stage",)  # actuators that move all particles; others move the one they hold
_STEP_PX = 8.0  # that a step of the picture is to be, where its scale is known
_LEAST_PX = 0.5  # motion that can be told
_SETTLED = 0.4  # of the time after a step: its end, when all has arrived
_PATIENCE_S = 5.0
_WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1))


class _Step(NamedTuple):
    """One step and what came of it."""

    step: tuple[float, float]
    motions: Floats
    """(J, 2) px, in the frames after the one that the step answered; NaN where there is none."""

    def motion(self) -> Floats:
        """Return where it ended."""
        last: Floats = np.nanmean(self.motions[round((1 - _SETTLED) * len(self.motions)) :], axis=0)
        return last


def calibrate_actuator(
    remote: Remote,
    actuator: str,
    *,
    step: float | None = None,
    rounds: int = 4,
    settle_s: float = 0.5,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[ActuatorCalibration, Affine]:
    """Move an actuator to and fro along its axes, see what the particles do, and return what follows.

    A stage moves all particles; of any other actuator, the particle nearest to the middle of the picture (or the
    engine's target) must be held by it. In the end, whatever the end, the actuator is where it was. Nothing is
    stored: see `Remote.store_calibration`. The more the particles move by themselves the longer it takes to a certain
    precision: particles that stick to the glass are best.

    Parameters
    ----------
    remote
        Of the engine.
    actuator
        One of two axes, as "stage", "galvo", "trap".
    step
        Of the actuator, in its unit; None takes what is some 8 px, where the unit is µm and the pixel size known.
    rounds
        Steps in each of the four directions.
    settle_s
        How long to look after each step; longer than the actuator needs to arrive.
    progress
        Called with the share done.

    Raises
    ------
    InputError
        No such actuator, no step, or a picture that does not answer.
    TargetLostError
        No frames, or no particles in them.
    """
    welcome = remote.hello()
    unit, step = _step(remote, welcome, actuator, step)
    count, done = len(_WAYS) * rounds, []
    with Subscriber(resolve_address(welcome.addresses.positions, remote.address), newest=False) as positions:
        look = _Look(positions, whole=actuator in _WHOLE_PICTURE)
        away = (0.0, 0.0)

        def go(u: float, v: float) -> None:
            nonlocal away
            remote.move_by(actuator, u, v)
            away = away[0] + u, away[1] + v

        try:
            for number in range(count):
                way = _WAYS[number % len(_WAYS)]
                order = (step * way[0], step * way[1])
                done.append(_Step(order, look.at(partial(go, *order), settle_s)))
                progress((number + 1) / count)
        finally:
            if any(away):  # it was interrupted
                go(-away[0], -away[1])
        interval_s = look.interval_s
    affine = fit_affine([each.step for each in done], [each.motion() for each in done])
    _check(affine, step, unit, actuator)
    delay, delay_std = _delay(done)
    (a, b), (c, d) = affine.matrix.tolist()
    (a_std, b_std), (c_std, d_std) = affine.std.tolist()
    calibration = ActuatorCalibration(
        actuator=actuator,
        unit=unit,
        camera=welcome.status.camera,
        matrix=((a, b), (c, d)),
        matrix_std=((a_std, b_std), (c_std, d_std)),
        delay_frames=delay,
        delay_std_frames=delay_std,
        interval_s=interval_s,
        binning=welcome.geometry.binning,
        pixel_size_um=welcome.geometry.pixel_size_um,
        made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return calibration, affine


class _Look:
    """Sees how the picture moves; `whole` by all particles, else by the one nearest to the middle at the start."""

    def __init__(self, positions: Subscriber, *, whole: bool) -> None:
        self._positions = positions
        self._whole = whole
        self._place: Floats | None = None
        self.interval_s = 0.0

    def at(self, act: Callable[[], Any], settle_s: float) -> Floats:
        """Act as soon as a frame comes; return the motions, (J, 2) px, in the frames after it until `settle_s`."""
        update = self._next()
        before = [self._points(update)]
        end = time.monotonic() + (0 if self._whole else settle_s)  # the mean place of a held particle takes time
        while time.monotonic() < end:
            update = self._next()
            before.append(self._points(update))
        while (newer := self._positions.receive(0)) is not None:
            update = newer
        act()
        reference = self._points(update) if self._whole else np.mean(before, axis=0)
        within = 0.4 * min(update.width, update.height)
        frames, motions, times = [0], [np.zeros(2)], [update.t_s]
        end = time.monotonic() + settle_s
        while time.monotonic() < end:
            later = self._next()
            motion = common_motion(reference, self._points(later), within)
            if motion is not None:
                frames.append(later.frame - update.frame)
                motions.append(motion)
                times.append(later.t_s)
        if len(frames) < 4:
            raise TargetLostError(
                f"only {len(frames) - 1} frames with particles came within {settle_s:g} s after a step, and 3 are "
                "needed: give a longer --settle"
            )
        self.interval_s = float(times[-1] - times[0]) / frames[-1]
        found = np.full((frames[-1] + 1, 2), np.nan)
        found[frames] = motions
        return found[1:]

    def _next(self) -> Update:
        update = self._positions.receive(_PATIENCE_S)
        if update is None:
            raise TargetLostError(f"no frame has come for {_PATIENCE_S:g} s")
        return update

    def _points(self, update: Update) -> Floats:
        """Return (N, 2) x and y of the particles that count."""
        rows = update.particles[(update.particles["flags"] & (Flag.COASTED | Flag.EDGE)) == 0]
        points = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)
        if not len(points):
            raise TargetLostError(f"frame {update.frame} has no particle to see the motion by")
        if self._whole:
            return points
        place = _target(update) if self._place is None else self._place
        self._place = points[np.hypot(*(points - place).T).argmin()]
        return self._place[None]


def _target(update: Update) -> Floats:
    rows = update.particles[update.particles["id"] == update.target]
    if len(rows):
        return np.array([rows["x"][0], rows["y"][0]], np.float64)
    return np.array([(update.width - 1) / 2, (update.height - 1) / 2])


def _step(remote: Remote, welcome: HelloReply, actuator: str, step: float | None) -> tuple[str, float]:
    """Return the actuator's unit and the step."""
    known = {each.name: each for each in remote.actuators()}
    if actuator not in known:
        there = f"there are {', '.join(known)}" if known else f"camera {welcome.status.camera} has none"
        raise InputError(f"no actuator is called {actuator!r}: {there}")
    found = known[actuator]
    if len(found.axes) != 2 or found.unit.endswith("/s"):
        raise InputError(f"{actuator!r} ({', '.join(found.axes)}; {found.unit}) does not move the picture by steps")
    if step is not None:
        return found.unit, step
    if found.unit != "um" or welcome.geometry.pixel_size_um is None:
        raise InputError(
            f"{actuator!r}: how far a step is to go is not known; give --step, some 8 px, in {found.unit or 'its unit'}"
        )
    return found.unit, _STEP_PX * welcome.geometry.pixel_size_um


def _check(affine: Affine, step: float, unit: str, actuator: str) -> None:
    moved = affine.matrix * step
    if min(np.hypot(*moved)) < _LEAST_PX or abs(np.linalg.det(affine.matrix)) < 0.1 * (affine.matrix**2).sum() / 2:
        raise InputError(
            f"{actuator!r}: a step of {step:g} {unit} moves the particles by {np.hypot(*moved[:, 0]):.2f} and "
            f"{np.hypot(*moved[:, 1]):.2f} px along the two axes, or both along one line; try another --step, or a "
            "longer --settle"
        )


def _delay(steps: list[_Step]) -> tuple[float, float]:
    """Return the delay in frames, when half of the motion is there, and its uncertainty by the jackknife."""
    length = min(len(each.motions) for each in steps)
    ends = np.array([each.motion() for each in steps])
    motions = np.array([each.motions[:length] for each in steps])
    without = np.array(
        [_half_way(np.delete(motions, k, axis=0), np.delete(ends, k, axis=0)) for k in range(len(steps))]
    )
    spread = (len(steps) - 1) / len(steps) * ((without - without.mean()) ** 2).sum()
    delay = _half_way(motions, ends)
    if not np.isfinite(delay + spread):
        raise InputError("the picture was not seen to come half of the way after each move; try a longer --settle")
    return delay, float(np.sqrt(spread))


def _half_way(motions: Floats, ends: Floats) -> float:
    """Return after how many frames, beyond the first, half of the motion is there; between frames by a line."""
    shares = np.nansum(motions * ends[:, None, :], axis=(0, 2)) / (
        (np.isfinite(motions[:, :, 0]) * (ends**2).sum(axis=1)[:, None]).sum(axis=0).clip(1e-300)
    )
    shares = np.concatenate([[0.0], shares])
    known = np.flatnonzero(np.concatenate([[True], np.isfinite(motions[:, :, 0]).any(axis=0)]))
    after = known[shares[known] >= 0.5]
    if not len(after):
        return float("nan")
    j = after[0]
    i = known[known < j][-1]
    return float(i + (0.5 - shares[i]) / (shares[j] - shares[i]) * (j - i) - 0.5)
