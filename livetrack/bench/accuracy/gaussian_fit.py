"""The yardstick that is right for spots: a Gaussian fitted to each particle, its pixels weighed by their noise.

The model is the pixel-integrated Gaussian (Smith et al., Nature Methods 7, 373 (2010)) on a tilted background, with
seven unknowns: centre, sigma, height, level and two slopes. It is solved by Levenberg and Marquardt's method. Where
the noise follows the signal the weights are taken from the fit and the fit is repeated; its fixed point is that of
the greatest likelihood under Poisson noise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Rows

__all__ = ["fit_gaussians"]

_REACH = 5.0  # in sigma: nearer than that, the background's tilt would cost precision
_UNKNOWNS = 7  # x, y, log sigma, height, level, slope along x, slope along y
_ROUNDS = 4  # of new weights
_STEPS = 40
_FURTHEST_PX = 3.0  # from the start: beyond, the fit has lost its particle
_LEAST_VARIANCE = 1e-12


def fit_gaussians(image: npt.NDArray[Any], rows: Rows, *, sigma_px: float, shot: float, read: float) -> Rows:
    """Return a copy of `rows` with x, y, x_std, y_std and xy_cov from the fit.

    Parameters
    ----------
    image
        (H, W) grey levels.
    rows
        (N,) where to start. Where the fit loses the particle the row stays as it is, with x_std and y_std NaN.
    sigma_px
        Where sigma starts; the window is 5 of it to each side.
    shot, read
        The noise's variance is `shot` * grey level + `read`.
    """
    rows = rows.copy()
    found = np.empty((len(rows), 5))
    start = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)
    _fit_all(image.astype(np.float64), start, rows["intensity"].astype(np.float64), sigma_px, shot, read, found)
    good = np.isfinite(found).all(axis=1)
    for column, name in enumerate(("x", "y", "x_std", "y_std", "xy_cov")):
        rows[name] = np.where(good, found[:, column], rows[name] if column < 2 else np.nan)
    return rows


@njit
def _fit_all(image: Any, start: Any, height: Any, sigma: float, shot: float, read: float, found: Any) -> None:
    reach = math.ceil(_REACH * sigma)
    for n in range(start.shape[0]):
        column, row = round(start[n, 0]), round(start[n, 1])
        left, right = max(0, column - reach), min(image.shape[1], column + reach + 1)
        top, bottom = max(0, row - reach), min(image.shape[0], row + reach + 1)
        _fit(
            image[top:bottom, left:right], start[n, 0] - left, start[n, 1] - top, height[n], sigma, shot, read, found[n]
        )
        found[n, 0] += left
        found[n, 1] += top


@njit
def _fit(
    crop: Any, x: float, y: float, height: float, sigma: float, shot: float, read: float, found: Any
) -> None:  # fmt: skip
    found[:] = np.nan
    at = np.array([x, y, math.log(sigma), height, np.median(crop), 0.0, 0.0])
    model, slopes = np.empty(crop.shape), np.empty((_UNKNOWNS, crop.shape[0], crop.shape[1]))
    weights = np.empty(crop.shape)
    _model(at, x, y, model, slopes)
    weights[:] = 1 / (shot * max(np.mean(crop), 0.0) + read + _LEAST_VARIANCE)
    for _ in range(_ROUNDS if shot > 0 else 1):
        if not _descend(crop, at, x, y, model, slopes, weights):
            return
        if shot > 0:
            # a level that the fit drives below the noise's own must not get an endless weight
            weights[:] = 1 / (np.maximum(shot * model + read, 0.05 * (shot * np.mean(crop) + read)) + _LEAST_VARIANCE)
    if abs(at[0] - x) > _FURTHEST_PX or abs(at[1] - y) > _FURTHEST_PX:
        return
    covariance = np.linalg.inv(_information(slopes, weights) + 1e-12 * np.eye(_UNKNOWNS))
    if covariance[0, 0] > 0 and covariance[1, 1] > 0:
        found[0], found[1] = at[0], at[1]
        found[2], found[3], found[4] = math.sqrt(covariance[0, 0]), math.sqrt(covariance[1, 1]), covariance[0, 1]


@njit
def _descend(crop: Any, at: Any, x: float, y: float, model: Any, slopes: Any, weights: Any) -> bool:
    """Move `at` to the least sum of squares; leave the model and its slopes there. False where it fails."""
    damping = 1e-3
    _model(at, x, y, model, slopes)
    misfit = (weights * (crop - model) ** 2).sum()
    trial = np.empty_like(at)
    for _ in range(_STEPS):
        normal = _information(slopes, weights)
        right = np.empty(_UNKNOWNS)
        for i in range(_UNKNOWNS):
            right[i] = (slopes[i] * weights * (crop - model)).sum()
        damped = normal.copy()
        for i in range(_UNKNOWNS):
            damped[i, i] += damping * normal[i, i] + 1e-12
        step = np.linalg.solve(damped, right)
        trial[:] = at + step
        if not (abs(trial[0] - x) < 10 and abs(trial[1] - y) < 10 and -2.0 < trial[2] < 3.5):
            damping *= 10
            if damping > 1e8:
                return False
            continue
        _model(trial, x, y, model, slopes)
        new = (weights * (crop - model) ** 2).sum()
        if new <= misfit:
            at[:] = trial
            done = misfit - new < 1e-6
            misfit = new
            damping = max(damping / 10, 1e-9)
            if done:
                return True
        else:
            _model(at, x, y, model, slopes)
            damping *= 10
            if damping > 1e8:
                return True  # at the bottom, to the digits there are
    return True


@njit
def _information(slopes: Any, weights: Any) -> Any:
    normal = np.empty((_UNKNOWNS, _UNKNOWNS))
    for i in range(_UNKNOWNS):
        for j in range(i + 1):
            total = 0.0
            for k in range(weights.shape[0]):
                for m in range(weights.shape[1]):
                    total += slopes[i, k, m] * slopes[j, k, m] * weights[k, m]
            normal[i, j] = total
            normal[j, i] = total
    return normal


@njit
def _model(at: Any, x: float, y: float, model: Any, slopes: Any) -> None:
    """Fill the expected image and its derivatives by the unknowns; the slopes turn about the start (x, y)."""
    sigma = math.exp(at[2])
    rows, columns = model.shape
    across, down = np.empty((3, columns)), np.empty((3, rows))
    _shares(at[0], sigma, across)
    _shares(at[1], sigma, down)
    full = 2 * math.pi * sigma * sigma
    for i in range(rows):
        for j in range(columns):
            spot = full * across[0, j] * down[0, i]
            slopes[0, i, j] = at[3] * full * across[1, j] * down[0, i]
            slopes[1, i, j] = at[3] * full * across[0, j] * down[1, i]
            widens = across[2, j] * down[0, i] + across[0, j] * down[2, i]
            slopes[2, i, j] = at[3] * (2 * spot + full * widens)
            slopes[3, i, j] = spot
            slopes[4, i, j] = 1.0
            slopes[5, i, j] = j - x
            slopes[6, i, j] = i - y
            model[i, j] = at[3] * spot + at[4] + at[5] * (j - x) + at[6] * (i - y)


@njit
def _shares(centre: float, sigma: float, into: Any) -> None:
    """Write each pixel's share of a Gaussian, its derivative by the centre, and by log sigma, (3, K)."""
    scale = 1 / (math.sqrt(2) * sigma)
    tall = 1 / (math.sqrt(2 * math.pi) * sigma)
    for k in range(into.shape[1]):
        a, b = k - 0.5 - centre, k + 0.5 - centre
        at_a, at_b = tall * math.exp(-((a * scale) ** 2)), tall * math.exp(-((b * scale) ** 2))
        into[0, k] = 0.5 * (math.erf(b * scale) - math.erf(a * scale))
        into[1, k] = at_a - at_b
        into[2, k] = a * at_a - b * at_b
