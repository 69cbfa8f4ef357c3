"""The radial fit of all particles of an image, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.parallel import parallel_for
from livetrack.localize.refine.radial.gauss_newton import FURTHEST_PX, noise_about, step
from livetrack.localize.refine.radial.mean_profile import make_ring_tables, typical_profile
from livetrack.localize.refine.radial.neighbours import neighbours, some_bright
from livetrack.localize.refine.radial.noise_model import CameraNoise, estimated_law
from livetrack.localize.refine.radial.profile_prior import ProfilePrior
from livetrack.localize.refine.radial.spline_tables import CORES, Knots, window_of
from livetrack.localize.refine.radial.window_pixels import Image
from livetrack.particles import Flag, Rows

__all__ = ["fit_profiles", "precompute_tables"]

Doubles = npt.NDArray[np.float64]
Wanted = npt.NDArray[np.bool_]

_SURVEYED = 48  # particles that the noise's law is found from, and what the image's have in common
_LOOK_PX = (-4, -2, 0, 2, 4)  # along either axis, where pixels are looked at
_FAR_MORE = 4.0  # times the height that was told: so much tells of a ring, not of noise
_LEAST_HEIGHT = 1.0  # in units of the noise: the prior's scale is no smaller
_DARKEST = 0.2  # of the background's variance: less is not believed of dark pixels
_SURVEY_STEPS, _MOST_STEPS = 2, 4
_FEW = 24  # particles for which a second thread is not worth its start
_USUAL_PX = 14.4  # radius of a core
_SMOOTH = ProfilePrior()
_EDGE = np.uint32(Flag.EDGE)


def fit_profiles(
    image: npt.NDArray[Any],
    noise: float,
    rows: Rows,
    radius_px: float,
    *,
    buffer: npt.NDArray[np.float32] | None = None,
    prior: ProfilePrior = _SMOOTH,
    camera: CameraNoise | None = None,
    threads: int = 1,
) -> None:
    """Refine `rows` in place: x, y, x_std, y_std, xy_cov, intensity.

    Parameters
    ----------
    image
        (H, W) grey levels, uint8, uint16 or float32.
    noise
        Standard deviation of the background noise, grey levels, > 0 if there are rows.
    rows
        (N,) as the network returns them. Those at the edge of the image or outside it, and those that the fit moves
        too far, stay as they are.
    radius_px
        Radius of the largest core that is fitted, at least 4.5 px; small particles have a smaller core.
    buffer
        (H, W) float32, overwritten unless the image is float32 itself; None allocates it.
    prior
        Constrains the particles' profiles.
    camera
        Its noise; None estimates it from the image.
    threads
        Number of threads, at least 1; the rows do not depend on it.
    """
    begin, height, wanted = _starts(rows, image, noise)
    if not wanted.any():
        return
    seen = Image.of(image, noise, begin, radius_px)
    knots, form = typical_profile(seen, begin, height, wanted, prior, radius_px)
    fit = _Fit(seen, buffer, begin, height, wanted, knots, form, prior, threads)
    fit.survey(camera)
    fit.step(wanted)
    unsettled = wanted  # weights and neighbours are known only after a step
    for _ in range(_MOST_STEPS):
        if unsettled.any():
            unsettled = fit.step(unsettled)
    _write(rows, noise, begin, fit.centre, fit.result, fit.good)


class _Fit:
    """The particles of one image, on their way to the bound."""

    def __init__(
        self, image: Image, buffer: npt.NDArray[np.float32] | None, begin: Doubles, height: Doubles, wanted: Wanted,
        knots: Knots, form: Doubles, prior: ProfilePrior, threads: int,
    ) -> None:  # fmt: skip
        count = len(begin)
        self._image = image
        self._window = window = window_of(knots)
        self._knowledge = prior
        information, mean = prior.of(knots)
        self._prior = information, information @ mean
        self._threads = threads
        self._height = height
        self._begin = begin
        self._law = np.array([1.0, 0.0, 1.0])
        self._doubted = np.zeros_like(window.doubted)  # none, before the noise's law is known
        self._trust = np.ones((count, self._doubted.size), np.float32)
        side = 2 * window.reach + 1
        self._shown = np.zeros(count, np.int8)
        grey = image.grey(begin, window.reach + FURTHEST_PX + 1, buffer)
        near, core = neighbours(begin, begin, 2.0 * window.reach), min(window.reach, math.ceil(knots.core_px))
        self._windows = (
            grey, image.stuck, 1 / image.noise, window.square, window.inside, window.basis, window.derivative,
            window.direction, *near, core, np.zeros((2, count, 2), np.int64),
            np.zeros((2, count, side, side), np.float32), self._shown,
        )  # fmt: skip
        self.centre = begin.copy()
        self.profile = np.zeros((count, knots.number + 2))
        self._begin_with(form)
        self.result = np.zeros((count, 4))
        self.good = wanted.copy()

    def _begin_with(self, form: Doubles) -> None:
        """Set each profile to its height times `form` (K,), 0 at the centre, as the grey levels of a window count."""
        self.profile[:, : form.size] = self._height[:, None] * (form - (2 * form[0] + form[1]) / 3)

    def step(self, wanted: Wanted) -> Wanted:
        """Improve the `wanted` particles once. Return which moved much."""
        wanted = wanted & self.good
        moved, before = np.empty_like(wanted), self.centre.copy()
        self._share(
            len(wanted),
            lambda first, last: step(
                first, last, *self._windows, self._law, *self._prior, self._height, self._begin, wanted, before,
                self.centre, self.profile, self.result, self.good, moved, self._doubted, self._trust,
            ),
        )  # fmt: skip
        self._shown ^= wanted & self.good
        return moved

    def survey(self, camera: CameraNoise | None) -> None:
        """Learn from some bright particles what the image's have in common, and the noise's law.

        The law is the camera's where it is given.
        """
        sample = some_bright(self._begin, self._height, self.good, _SURVEYED)
        wanted = np.zeros_like(self.good)
        wanted[sample] = True
        for _ in range(_SURVEY_STEPS):
            self.step(wanted)
        sample = sample[self.good[sample]]
        knots, size = self._window.knots, self.profile.shape[1] + 2
        level = self._image.level / self._image.noise
        noise = np.empty((sample.size, knots.number, 3))
        normals, rights = np.empty((sample.size, size, size)), np.empty((sample.size, size))
        self._share(
            sample.size,
            lambda first, last: noise_about(
                first, last, sample, *self._windows, self._window.pair, *self._prior, self._height, self.centre,
                self.profile, level, noise, normals, rights,
            ),
        )  # fmt: skip
        known = self._knowledge.of_image(knots, normals, rights, self._height[sample])
        if known is not None:
            information, mean = known
            self._prior = information, information @ mean
            self._begin_with(mean)
        if camera is not None:
            at_level, rise = camera.of(self._image.noise, self._image.level)
            least = _DARKEST  # of what was measured: a wrong offset may take the told law below zero
        else:
            at_level, rise = estimated_law(*noise.reshape(-1, 3).T)
            least = _DARKEST * at_level
        self._law[:] = at_level - rise * level, rise, least
        self._doubted = self._window.doubted

    def _share(self, count: int, part: Callable[[int, int], None]) -> None:
        """Do `part` of the particles first to last, on several threads where there are many."""
        parallel_for(part, count, self._threads, _FEW)


def precompute_tables(prior: ProfilePrior) -> None:
    """Compute the tables of common particle sizes (up to 15 ms), and compile kernels that only crowded images use."""
    for knots in CORES:
        if knots.core_px <= _USUAL_PX:
            window_of(knots)
            make_ring_tables(knots, prior)
    size = CORES[0].number + 4
    prior.of_image(CORES[0], np.zeros((_SURVEYED, size, size)), np.zeros((_SURVEYED, size)), np.ones(_SURVEYED))


@njit
def _starts(rows: Any, image: Any, noise: float) -> Any:
    """Return each row's place (N, 2), its height (N,) in units of the noise, and (N,) whether it is to be fitted."""
    begin, height, wanted = np.empty((rows.size, 2)), np.ones(rows.size), np.empty(rows.size, np.bool_)
    for n in range(rows.size):
        begin[n, 0], begin[n, 1] = rows[n]["x"], rows[n]["y"]
        inside = 0 <= begin[n, 0] < image.shape[1] and 0 <= begin[n, 1] < image.shape[0]
        wanted[n] = inside and rows[n]["flags"] & _EDGE == 0
        if inside:
            height[n] = _plausible(image, noise, begin[n], rows[n]["intensity"] / noise)
    return begin, height, wanted


@njit
def _plausible(image: Any, noise: float, place: Any, height: float) -> float:
    """Return the height, in units of the noise, or what the pixels about the centre say, where that is far more.

    Where a core is as bright as its ring is dark, the network may say that there is no height: the prior, scaled by it,
    would crush the profile.
    """
    rows, columns = image.shape
    i, j = round(place[1]), round(place[0])
    least, most = np.inf, -np.inf
    for d in _LOOK_PX:
        across = float(image[min(max(i, 0), rows - 1), min(max(j + d, 0), columns - 1)])
        along = float(image[min(max(i + d, 0), rows - 1), min(max(j, 0), columns - 1)])
        least = min(least, across, along)
        most = max(most, across, along)
    spread = 0.5 * (most - least) / noise
    size = max(abs(height), _LEAST_HEIGHT)
    return math.copysign(spread if spread > _FAR_MORE * size else size, height)


@njit
def _write(rows: Any, noise: float, begin: Any, centre: Any, result: Any, good: Any) -> None:
    """Write what was found into the rows, but where the fit has failed or gone as far as it may."""
    for n in range(rows.size):
        if good[n] and max(abs(centre[n, 0] - begin[n, 0]), abs(centre[n, 1] - begin[n, 1])) < FURTHEST_PX:
            rows[n]["x"], rows[n]["y"] = centre[n]
            rows[n]["x_std"], rows[n]["y_std"] = math.sqrt(result[n, 0]), math.sqrt(result[n, 1])
            rows[n]["xy_cov"] = result[n, 2]
            rows[n]["intensity"] = noise * result[n, 3]
