"""From the network's rows to rows at the bound: the order of things."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.profile_fit.equations import FURTHEST_PX, noise_about, step
from livetrack.localize.profile_fit.neighbours import neighbours
from livetrack.localize.profile_fit.noise_law import CameraLaw, estimated_law
from livetrack.localize.profile_fit.pixels import Image, read_windows
from livetrack.localize.profile_fit.prior import ProfilePrior
from livetrack.localize.profile_fit.typical import some_bright, typical_profile
from livetrack.localize.profile_fit.window import CORES, Knots, window_of
from livetrack.localize.threads import share
from livetrack.particles import Flag, Rows

__all__ = ["fit_profiles", "make_tables"]

Doubles = npt.NDArray[np.float64]
Wanted = npt.NDArray[np.bool_]

_SURVEYED = 48  # particles that the noise's law is found from, and what the image's have in common
_LOOK_PX = (-4, -2, 0, 2, 4)  # along either axis, where pixels are looked at
_FAR_MORE = 4.0  # times the height that was told: so much tells of a ring, not of noise
_LEAST_HEIGHT = 1.0  # in units of the noise: the prior's scale is no smaller
_SURVEY_STEPS, _MOST_STEPS = 2, 4
_FEW = 24  # particles for which a second thread is not worth its start
_USUAL_PX = 14.4  # radius of a core
_SMOOTH = ProfilePrior()


def fit_profiles(
    grey: npt.NDArray[np.float32],
    noise: float,
    rows: Rows,
    radius_px: float,
    *,
    prior: ProfilePrior = _SMOOTH,
    camera: CameraLaw | None = None,
    threads: int = 1,
) -> None:
    """Bring `rows` to the bound, in place: x, y, x_std, y_std, xy_cov, intensity.

    Parameters
    ----------
    grey
        (H, W) grey levels.
    noise
        Standard deviation of the background's noise, grey levels, > 0 where there are rows.
    rows
        (N,) as the network gives them; those at the edge, and those that the fit takes too far, stay as they are.
    radius_px
        Of the largest core that is fitted, px; where the particles are smaller, so is the core.
    prior
        What is known of the particles' profiles.
    camera
        Its noise; None has it found from the image.
    threads
        That share the particles, at least 1. The result is the same whatever their number.
    """
    wanted = (rows["flags"] & Flag.EDGE) == 0
    if not wanted.any():
        return
    begin = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)
    height = (rows["intensity"] / noise).astype(np.float64)
    _make_heights_plausible(grey, noise, begin, height)
    image = Image.of(grey, noise, begin, radius_px)
    knots, form = typical_profile(image, begin, height, wanted, prior, radius_px)
    fit = _Fit(image, begin, height, wanted, knots, form, prior, threads)
    fit.survey(camera)
    fit.step(wanted)
    unsettled = wanted
    for _ in range(_MOST_STEPS):
        if unsettled.any():
            unsettled = fit.step(unsettled)
    good, result = fit.good & (np.abs(fit.centre - begin) < FURTHEST_PX).all(axis=1), fit.result
    rows["x"][good], rows["y"][good] = fit.centre[good].T
    rows["x_std"][good], rows["y_std"][good] = np.sqrt(result[good, :2]).T
    rows["xy_cov"][good] = result[good, 2]
    rows["intensity"][good] = noise * result[good, 3]


class _Fit:
    """The particles of one image, on their way to the bound."""

    def __init__(
        self, image: Image, begin: Doubles, height: Doubles, wanted: Wanted, knots: Knots, form: Doubles,
        prior: ProfilePrior, threads: int,
    ) -> None:  # fmt: skip
        count = len(begin)
        self._image = image
        self._window = window_of(knots)
        self._tables = self._window.basis, self._window.derivative, self._window.direction
        self._knowledge = prior
        information, mean = prior.of(knots)
        self._prior = information, information @ mean
        self._threads = threads
        self._height = height
        self._begin = begin
        self._near = neighbours(begin, begin, 2.0 * self._window.reach)
        self._law = np.array([1.0, 0.0])
        self._doubted = np.zeros_like(self._window.doubted)  # none, before the noise's law is known
        self._trust = np.ones((count, self._doubted.size), np.float32)
        self._origin = np.zeros((count, 4))
        self._z = np.empty((count, self._window.square.size), np.float32)
        self._weight = np.empty_like(self._z)
        self.centre = begin.copy()
        side = 2 * self._window.reach + 1
        self._at = np.zeros((count, 2), np.int64)
        self._painted = np.zeros((count, side, side), np.float32)
        self.profile = np.zeros((count, knots.count + 2))
        self.profile[:, : knots.count] = height[:, None] * form
        self.result = np.zeros((count, 4))
        self.good = wanted.copy()

    def step(self, wanted: Wanted) -> Wanted:
        """Improve the `wanted` particles once. Return which moved much."""
        wanted = wanted & self.good
        moved = np.empty_like(wanted)
        self._read(wanted)
        self._share(
            lambda first, last: step(
                first, last, *self._tables, self._origin, self._z, self._weight, self._law, *self._prior,
                self._height, self._begin, wanted, self.centre, self.profile, self.result, self.good, moved,
                self._window.square, self._at, self._painted, self._doubted, self._trust,
            )
        )  # fmt: skip
        return moved

    def survey(self, camera: CameraLaw | None) -> None:
        """Learn from some bright particles what the image's have in common, and the noise's law.

        The law is the camera's where it is given.
        """
        sample = self._surveyed()
        knots, size = self._window.knots, self.profile.shape[1] + 2
        noise = np.empty((sample.size, knots.count, 3))
        normals, rights = np.empty((sample.size, size, size)), np.empty((sample.size, size))
        noise_about(
            sample, *self._tables, self._window.pair, self._origin, self._z, self._weight, *self._prior, self._height,
            self.profile, noise, normals, rights,
        )  # fmt: skip
        known = self._knowledge.of_image(knots, normals, rights, self._height[sample])
        if known is not None:
            information, mean = known
            self._prior = information, information @ mean
            self.profile[:, : mean.size] = self._height[:, None] * mean
        image = self._image
        level = image.level / image.noise
        if camera is not None:
            at_level, rise = camera.of(image.noise, image.level)
        else:
            noise[:, :, 1] += noise[:, :, 0] * (self._origin[sample, 3, None] - level)
            at_level, rise = estimated_law(*noise.reshape(-1, 3).T)
        self._law[:] = at_level - rise * level, rise
        self._doubted = self._window.doubted

    def _surveyed(self) -> npt.NDArray[np.intp]:
        """Return some bright particles, some steps further than the others, their windows read."""
        wanted = np.zeros_like(self.good)
        wanted[some_bright(self._height, self.good, _SURVEYED)] = True
        for _ in range(_SURVEY_STEPS):
            self.step(wanted)
        wanted &= self.good
        self._read(wanted)
        return np.flatnonzero(wanted)

    def _read(self, wanted: Wanted) -> None:
        window, image = self._window, self._image
        core = min(window.reach, math.ceil(window.knots.core_px))
        self._share(
            lambda first, last: read_windows(
                first, last, image.grey, image.stuck, 1 / image.noise, self.centre, wanted, window.square,
                window.inside, window.basis, *self._near, core, self._at, self._painted, self._origin, self._z,
                self._weight,
            )
        )  # fmt: skip

    def _share(self, part: Callable[[int, int], None]) -> None:
        """Do `part` of the particles first to last, on several threads where there are many."""
        share(part, len(self.centre), self._threads, _FEW)


def make_tables(prior: ProfilePrior) -> None:
    """Make the tables that particles of usual sizes need: they take up to 15 ms, which a live session has not."""
    for knots in CORES:
        if knots.core_px <= _USUAL_PX:
            window_of(knots)
            prior.of(knots)


@njit
def _make_heights_plausible(grey: Any, noise: float, places: Any, height: Any) -> None:
    """Raise, in place, each of `height` (N,), in units of the noise, to what the pixels about the centre say.

    Where a core is as bright as its ring is dark, the network may say that there is no height: the prior, scaled by it,
    would crush the profile.
    """
    rows, columns = grey.shape
    for n in range(height.size):
        i, j = round(places[n, 1]), round(places[n, 0])
        least, most = np.inf, -np.inf
        for d in _LOOK_PX:
            across = grey[min(max(i, 0), rows - 1), min(max(j + d, 0), columns - 1)]
            along = grey[min(max(i + d, 0), rows - 1), min(max(j, 0), columns - 1)]
            least = min(least, across, along)
            most = max(most, across, along)
        spread = 0.5 * (most - least) / noise
        size = max(abs(height[n]), _LEAST_HEIGHT)
        height[n] = math.copysign(spread if spread > _FAR_MORE * size else size, height[n])
