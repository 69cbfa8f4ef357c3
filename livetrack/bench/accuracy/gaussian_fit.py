"""The baseline for spots: a noise-weighted Gaussian fit to each particle.

The model is the pixel-integrated Gaussian (Smith et al., Nature Methods 7, 373 (2010)) on a tilted background, with
seven unknowns: centre, sigma, intensity, level and two slopes, found by the Levenberg-Marquardt method. If the noise
depends on the signal, the weights are recomputed from the fit and the fit is repeated; the fixed point is the maximum
likelihood under Poisson noise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Rows

__all__ = ["fit_gaussians"]

_HALF_WIDTH = 5.0  # of the fit window, in sigma: in a smaller one the tilt would cost precision
_UNKNOWNS = 7  # x, y, log sigma, intensity, level, slope along x, slope along y
_REWEIGHTINGS = 4
_MAX_STEPS = 40
_MAX_SHIFT_PX = 3.0  # from the start; beyond, the fit has lost its particle
_MIN_VARIANCE = 1e-12


def fit_gaussians(image: npt.NDArray[Any], rows: Rows, *, sigma_px: float, shot: float, read: float) -> Rows:
    """Return a copy of `rows` with x, y, x_std, y_std and xy_cov from the fit.

    Parameters
    ----------
    image
        (H, W) grey levels.
    rows
        (N,) start values. If the fit loses a particle, its row keeps x and y, and x_std, y_std are NaN.
    sigma_px
        Start value of sigma; the fit window extends 5 of it to each side.
    shot, read
        The noise variance is `shot` * grey level + `read`.
    """
    rows = rows.copy()
    fitted = np.empty((len(rows), 5))
    start = np.stack([rows["x"], rows["y"]], axis=1).astype(np.float64)
    _fit_all(image.astype(np.float64), start, rows["intensity"].astype(np.float64), sigma_px, shot, read, fitted)
    good = np.isfinite(fitted).all(axis=1)
    for column, name in enumerate(("x", "y", "x_std", "y_std", "xy_cov")):
        rows[name] = np.where(good, fitted[:, column], rows[name] if column < 2 else np.nan)
    return rows


@njit
def _fit_all(image: Any, start: Any, intensity: Any, sigma: float, shot: float, read: float, fitted: Any) -> None:
    half_width = math.ceil(_HALF_WIDTH * sigma)
    for n in range(start.shape[0]):
        column, row = round(start[n, 0]), round(start[n, 1])
        left, right = max(0, column - half_width), min(image.shape[1], column + half_width + 1)
        top, bottom = max(0, row - half_width), min(image.shape[0], row + half_width + 1)
        _fit(
            image[top:bottom, left:right],
            start[n, 0] - left,
            start[n, 1] - top,
            intensity[n],
            sigma,
            shot,
            read,
            fitted[n],
        )
        fitted[n, 0] += left
        fitted[n, 1] += top


@njit
def _fit(
    crop: Any, x: float, y: float, intensity: float, sigma: float, shot: float, read: float, fitted: Any
) -> None:  # fmt: skip
    fitted[:] = np.nan
    at = np.array([x, y, math.log(sigma), intensity, np.median(crop), 0.0, 0.0])
    model, slopes = np.empty(crop.shape), np.empty((_UNKNOWNS, crop.shape[0], crop.shape[1]))
    weights = np.empty(crop.shape)
    _model(at, x, y, model, slopes)
    weights[:] = 1 / (shot * max(np.mean(crop), 0.0) + read + _MIN_VARIANCE)
    for _ in range(_REWEIGHTINGS if shot > 0 else 1):
        if not _descend(crop, at, x, y, model, slopes, weights):
            return
        if shot > 0:
            # a fitted level near or below zero must not get an unbounded weight
            weights[:] = 1 / (np.maximum(shot * model + read, 0.05 * (shot * np.mean(crop) + read)) + _MIN_VARIANCE)
    if abs(at[0] - x) > _MAX_SHIFT_PX or abs(at[1] - y) > _MAX_SHIFT_PX:
        return
    covariance = np.linalg.inv(_information(slopes, weights) + 1e-12 * np.eye(_UNKNOWNS))
    if covariance[0, 0] > 0 and covariance[1, 1] > 0:
        fitted[0], fitted[1] = at[0], at[1]
        fitted[2], fitted[3], fitted[4] = math.sqrt(covariance[0, 0]), math.sqrt(covariance[1, 1]), covariance[0, 1]


@njit
def _descend(crop: Any, at: Any, x: float, y: float, model: Any, slopes: Any, weights: Any) -> bool:
    """Move `at` to the minimum of the sum of squares, update model and slopes; return False if the fit fails."""
    damping = 1e-3
    _model(at, x, y, model, slopes)
    misfit = (weights * (crop - model) ** 2).sum()
    trial = np.empty_like(at)
    for _ in range(_MAX_STEPS):
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
        trial_misfit = (weights * (crop - model) ** 2).sum()
        if trial_misfit <= misfit:
            at[:] = trial
            converged = misfit - trial_misfit < 1e-6
            misfit = trial_misfit
            damping = max(damping / 10, 1e-9)
            if converged:
                return True
        else:
            _model(at, x, y, model, slopes)
            damping *= 10
            if damping > 1e8:
                return True  # at the minimum, to machine precision
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
    """Write the expected image and its derivatives by the unknowns; the background tilts about the start (x, y)."""
    sigma = math.exp(at[2])
    rows, columns = model.shape
    across, down = np.empty((3, columns)), np.empty((3, rows))
    _integrals(at[0], sigma, across)
    _integrals(at[1], sigma, down)
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
def _integrals(centre: float, sigma: float, out: Any) -> None:
    """Write each pixel's integral of a Gaussian, and its derivatives by centre and by log sigma, (3, K)."""
    scale = 1 / (math.sqrt(2) * sigma)
    peak = 1 / (math.sqrt(2 * math.pi) * sigma)
    for k in range(out.shape[1]):
        a, b = k - 0.5 - centre, k + 0.5 - centre
        at_a, at_b = peak * math.exp(-((a * scale) ** 2)), peak * math.exp(-((b * scale) ** 2))
        out[0, k] = 0.5 * (math.erf(b * scale) - math.erf(a * scale))
        out[1, k] = at_a - at_b
        out[2, k] = a * at_a - b * at_b
