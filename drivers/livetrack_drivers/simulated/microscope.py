"""Simulated microscope: renders numbered frames of a moving sample, and keeps the true positions of the last ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil, sqrt
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.calibrate import Medium
from livetrack.errors import CameraError
from livetrack.optics.bead import add_beads
from livetrack.optics.fast_exposure import expose_fast
from livetrack.optics.sample import BrownianSample, random_positions
from livetrack.optics.sensor import Sensor
from livetrack.optics.spot import add_spots, unit_spot_peak
from livetrack_drivers.simulated.delay_queue import DelayQueue
from livetrack_drivers.simulated.settings import SimulatedSettings

__all__ = ["TRUTH", "Loop", "Microscope"]

TRUTH = np.dtype([("particle", "<i4"), ("x", "<f8"), ("y", "<f8")])
"""True position of a particle: its index, and its mean position over the exposure, px."""

Pixels: TypeAlias = npt.NDArray[Any]

_KEPT_FRAMES = 4096  # with known true positions
_MARGIN = 6.0  # of the sample around the image, in particle sizes
_BLUR_STEP = 0.25  # maximum move between two of the positions that make up a blurred image, in particle sizes
_MAX_BLUR_STEPS = 16
_MAX_LOOP_BYTES = 4 * 2**30


class Microscope:
    """Particles, their images and the camera noise. Frame `n` does not depend on which frames were rendered before.

    Raises
    ------
    CameraError
        The particles do not fit into the image at the requested distance.
    """

    def __init__(self, settings: SimulatedSettings) -> None:
        rng = np.random.default_rng([settings.seed, 0])
        self._size_um = settings.size_um * _varied(settings, rng)
        self._brightness = _varied(settings, rng) * (1 if settings.contrast == "bright" else -1)
        self._sample = _sample(settings, self._size_um, rng)
        self._commands = DelayQueue(settings.actuation_delay_frames)
        self._trap_um = (0.0, 0.0)  # from the centre of the image
        self._stiffness = settings.trap_stiffness_pn_um
        self.adjust(settings)
        self._truth: dict[int, npt.NDArray[np.void]] = {}
        self._next = 0
        self._path = np.empty((1, settings.count, 2))

    def adjust(self, settings: SimulatedSettings) -> None:
        """Change illumination, diffusion, exposure and camera noise from the next exposure on."""
        self._settings = settings
        self._signal = settings.signal * self._brightness
        self._sample.set_diffusion(_diffusion(settings, self._size_um))
        self._update_trap()
        self._intervals_s = _intervals(settings)
        self._background = _background(settings)
        self._noise = Sensor(settings.gain, settings.offset, settings.read_noise, settings.bit_depth)

    def shift(self, dx_um: float, dy_um: float) -> None:
        """Command the stage to move the sample."""
        self._schedule(partial(self._sample.shift, (dx_um, dy_um)))

    def flow(self, vx_um_s: float, vy_um_s: float) -> None:
        """Command a flow, in addition to the drift of the settings."""
        drift = self._settings.drift_um_s
        self._schedule(partial(self._sample.set_drift, (drift[0] + vx_um_s, drift[1] + vy_um_s)))

    def trap(self, x_um: float, y_um: float) -> None:
        """Command the trap to a position, µm from the centre of the image."""

        def move() -> None:
            self._trap_um = (x_um, y_um)
            self._update_trap()

        self._schedule(move)

    def stiffen(self, stiffness_pn_um: float) -> None:
        """Command another stiffness of the trap."""

        def change() -> None:
            self._stiffness = stiffness_pn_um
            self._update_trap()

        self._schedule(change)

    def frame(self, number: int) -> Pixels:
        """Simulate until exposure `number`, which must not have been made yet, and return its image."""
        while self._next <= number:
            self._expose()
        return self._render(number)

    def truth(self, number: int) -> npt.NDArray[np.void]:
        """Return the true positions in exposure `number`, rows of `TRUTH`, including those outside the image.

        Raises
        ------
        LookupError
            The exposure has not been made yet, or is not among the last ones.
        """
        if number not in self._truth:
            raise LookupError(f"no true positions of frame {number}: the last {_KEPT_FRAMES} exposures are kept")
        return self._truth[number]

    def _schedule(self, action: Callable[[], None]) -> None:
        self._commands.put(action, self._next)

    def _update_trap(self) -> None:
        """Apply position and stiffness of the trap."""
        settings = self._settings
        energy = Medium(temperature_k=settings.temperature_k).thermal_energy
        mobility = _diffusion(settings, self._size_um[:1]) / energy
        centre_um = [(side - 1) / 2 * settings.pixel_size_um for side in (settings.width, settings.height)]
        position = centre_um[0] + self._trap_um[0], centre_um[1] + self._trap_um[1]
        self._sample.set_trap(self._stiffness * float(mobility.sum()), position)

    def _expose(self) -> None:
        """Simulate one frame interval, and keep the true positions during the exposure.

        The interval begins at the end of the last exposure, and ends with the next one.
        """
        self._commands.run_due(self._next)
        _, means = self._sample.advance(self._intervals_s)
        self._path = means[1:] / self._settings.pixel_size_um
        truth = np.empty(self._settings.count, TRUTH)
        truth["particle"] = np.arange(len(truth))
        truth["x"], truth["y"] = self._path.mean(axis=0).T
        self._truth[self._next] = truth
        self._truth.pop(self._next - _KEPT_FRAMES, None)
        self._next += 1

    def _render(self, number: int) -> Pixels:
        rng = np.random.default_rng([self._settings.seed, 1 + number])
        light = max(0.0, 1 + self._settings.flicker * rng.standard_normal())
        photons = self._background * np.float32(light)
        steps = len(self._path)
        x, y = self._path.reshape(-1, 2).T
        size = np.tile(self._size_um / self._settings.pixel_size_um, steps)
        signal = np.tile(self._signal * light / steps, steps)
        if self._settings.particle == "spot":
            add_spots(photons, x, y, size, signal / unit_spot_peak(size))
        else:
            add_beads(photons, x, y, size, np.tile([1.0, self._settings.ring], (len(x), 1)), signal)
        return expose_fast(self._noise, photons, rng)


class Loop:
    """The first `count` frames of a microscope, rendered at the start and played back and forth, so that nothing jumps.

    Backwards, Brownian motion looks the same, and drift is reversed.

    Raises
    ------
    CameraError
        The loop is too large for memory, or what `Microscope` raises.
    """

    def __init__(self, settings: SimulatedSettings, count: int) -> None:
        size = count * settings.width * settings.height * (1 if settings.bit_depth <= 8 else 2)
        if size > _MAX_LOOP_BYTES or count > _KEPT_FRAMES:
            raise CameraError(
                f"camera.simulated: loop_frames = {count} needs {size / 2**30:.1f} GiB; "
                f"at most {_MAX_LOOP_BYTES >> 30} GiB and {_KEPT_FRAMES} frames"
            )
        self._microscope = Microscope(settings)
        self._frames = [self._microscope.frame(number) for number in range(count)]

    def frame(self, number: int) -> Pixels:
        """Return a copy of the frame at `number`."""
        return self._frames[self._folded(number)].copy()

    def truth(self, number: int) -> npt.NDArray[np.void]:
        """Return the true positions in the frame at `number`, as `Microscope.truth` does."""
        return self._microscope.truth(self._folded(number))

    def _folded(self, number: int) -> int:
        last = len(self._frames) - 1
        return last - abs(last - number % (2 * last)) if last else 0


def _varied(settings: SimulatedSettings, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return one positive factor per particle, with mean 1 and relative standard deviation `spread`."""
    log_std = sqrt(np.log1p(settings.spread**2))
    return rng.lognormal(-(log_std**2) / 2, log_std, settings.count)


def _sample(settings: SimulatedSettings, size_um: npt.NDArray[np.float64], rng: np.random.Generator) -> BrownianSample:
    def corners(margin_um: float) -> tuple[tuple[float, float], tuple[float, float]]:
        half = settings.pixel_size_um / 2  # the origin is the first pixel's centre
        low, sides = -half - margin_um, (settings.width, settings.height)
        return (low, low), (
            sides[0] * settings.pixel_size_um - half + margin_um,
            sides[1] * settings.pixel_size_um - half + margin_um,
        )

    box = corners(_MARGIN * max(size_um, default=0))
    distance_um = settings.min_distance_um
    start_low, start_high = corners(-distance_um / 2) if distance_um else box
    if min(start_high) <= start_low[0]:
        raise CameraError(f"camera.simulated: min_distance_um = {distance_um} exceeds the image's width or height")
    try:
        start = random_positions(settings.count, start_low, start_high, distance_um, rng)
    except ValueError as error:
        raise CameraError(f"camera.simulated: {error}; reduce count or min_distance_um") from error
    return BrownianSample(start, *box, _diffusion(settings, size_um), settings.drift_um_s, rng)


def _diffusion(settings: SimulatedSettings, size_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the diffusion constant of each particle, inversely proportional to its size."""
    return settings.diffusion_um2_s * settings.size_um / size_um


def _intervals(settings: SimulatedSettings) -> npt.NDArray[np.float64]:
    """Return the time between two exposures, then the steps of the next exposure, each one position in the image."""
    exposure_s = settings.exposure_ms / 1000
    max_move_um = _BLUR_STEP * settings.size_um
    diffused = 2 * settings.diffusion_um2_s * exposure_s / max_move_um**2
    drifted = max(map(abs, settings.drift_um_s)) * exposure_s / max_move_um
    steps = min(max(ceil(diffused), ceil(drifted), 1), _MAX_BLUR_STEPS)
    dark_s = max(0.0, 1 / settings.fps - exposure_s)
    return np.array([dark_s, *[exposure_s / steps] * steps])


def _background(settings: SimulatedSettings) -> npt.NDArray[np.float32]:
    across = np.linspace(-0.5, 0.5, settings.width)
    row = settings.background * (1 + settings.gradient * across)
    return np.tile(row.astype(np.float32), (settings.height, 1))
