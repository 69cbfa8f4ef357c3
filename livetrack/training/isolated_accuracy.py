"""Precision of a model against the Cramér-Rao bound, for isolated particles in white noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.localize.localizer import Localizer
from livetrack.training.families import Appearance
from livetrack.training.recipe import Recipe
from livetrack.training.sections import log_uniform

__all__ = ["SNRS", "IsolatedAccuracy", "measure_isolated"]

SNRS = (3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""SNRs listed on a model card."""

_SIDE_PX = 64
_MATCH_RADIUS_PX = 3.0
_SEED = 40_000  # distinct from those of training, validation and calibration
_STEP_PX = 0.05  # of the numerical derivatives
_NOISE_GREY = 10.0  # standard deviation of the noise, grey levels


class IsolatedAccuracy(Struct, frozen=True):
    """Precision for isolated particles of one SNR: peak intensity / standard deviation of the noise.

    Errors and bounds are those of the particles found, NaN if there were none.
    """

    snr: float
    particles: int
    recall: float
    rmse_px: float
    """Per axis."""
    bound_px: float
    """Root mean square of the Cramér-Rao bounds for unknown background and intensity."""
    over_bound: float
    """Root mean square of error / bound."""


def measure_isolated(
    localizer: Localizer, recipe: Recipe, snrs: Sequence[float] = SNRS, count: int = 200
) -> list[IsolatedAccuracy]:
    """Return the precision of `localize` at each SNR, on `count` images that are the same in every call."""
    return [_measure(localizer, recipe, snr, count) for snr in snrs]


def _measure(localizer: Localizer, recipe: Recipe, snr: float, count: int) -> IsolatedAccuracy:
    particles, side = recipe.particles, _SIDE_PX
    errors, bounds = np.full((count, 2), math.nan), np.empty((count, 2))
    for n in range(count):
        rng = np.random.default_rng([recipe.seed + _SEED, n])
        appearance = recipe.draw_appearance(rng, np.array([log_uniform(rng, particles.size_px)]))
        dark = particles.contrast == "dark" or (particles.contrast == "either" and n % 2)
        centre = side / 2 + rng.uniform(-0.5, 0.5, 2)
        image = (-snr if dark else snr) * _render(appearance, *centre) + rng.standard_normal((side, side), np.float32)
        rows = localizer.localize(1000 + _NOISE_GREY * image)
        distance = np.hypot(rows["x"] - centre[0], rows["y"] - centre[1])
        if distance.size and distance.min() < _MATCH_RADIUS_PX:
            nearest = rows[distance.argmin()]
            errors[n] = nearest["x"] - centre[0], nearest["y"] - centre[1]
        bounds[n] = _bound(appearance, *centre) / snr
    found = ~np.isnan(errors[:, 0])
    errors, bounds = errors[found], bounds[found]
    return IsolatedAccuracy(
        snr=snr,
        particles=count,
        recall=float(found.mean()),
        rmse_px=_root_mean_square(errors),
        bound_px=_root_mean_square(bounds),
        over_bound=_root_mean_square(errors / bounds),
    )


def _bound(appearance: Appearance, x: float, y: float) -> npt.NDArray[np.float64]:
    """Return the Cramér-Rao bounds of x and y at an SNR of 1, px, from the inverse Fisher matrix."""
    h = _STEP_PX
    slopes = [
        (_render(appearance, x + h, y) - _render(appearance, x - h, y)) / (2 * h),
        (_render(appearance, x, y + h) - _render(appearance, x, y - h)) / (2 * h),
        _render(appearance, x, y),
        np.ones((_SIDE_PX, _SIDE_PX)),
    ]
    flat = np.stack([slope.ravel() for slope in slopes]).astype(np.float64)
    bound: npt.NDArray[np.float64] = np.sqrt(np.diag(np.linalg.inv(flat @ flat.T))[:2])
    return bound


def _render(appearance: Appearance, x: float, y: float) -> npt.NDArray[np.float32]:
    """Return an image of one particle of intensity 1 at (x, y)."""
    image = np.zeros((_SIDE_PX, _SIDE_PX), np.float32)
    appearance.render(image, np.array([x]), np.array([y]), np.ones(1))
    return image


def _root_mean_square(values: npt.NDArray[np.float64]) -> float:
    return math.sqrt((values**2).mean()) if values.size else math.nan
