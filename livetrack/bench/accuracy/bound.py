"""The Cramér-Rao lower bound of the position, from the scene's own image model.

F_ij = sum over pixels of d_i mu d_j mu / variance, for mu the expected image: exact for Poisson noise and for
additive Gaussian noise (Smith et al., Nature Methods 7, 373 (2010); Chao, Ward, Ober, J. Opt. Soc. Am. A 33, B36
(2016)). The parameters are the position and the nuisances: the particle's intensity and size, and the background's
level and tilt along x and y. Each unknown costs precision, so the bound is that of an estimator that knows the
particle's shape but none of these.
"""

from __future__ import annotations

import numpy as np

from livetrack.bench.accuracy.scene import Indices, Particles, Scene, crop_indices
from livetrack.bench.accuracy.shapes import Floats

__all__ = ["NUISANCES", "position_bound"]

NUISANCES = ("intensity", "size", "background", "tilt")
"""The unknowns other than the position."""

_STEP_PX = 1e-3  # of the central differences
_MIN_VARIANCE = 1e-9


def position_bound(scene: Scene, half_width: int, nuisances: tuple[str, ...] = NUISANCES) -> Floats:
    """Return the least variance of an unbiased estimate of x and y, (N, 2), px².

    Parameters
    ----------
    scene
        Each particle is treated as if it were alone.
    half_width
        Of the crop around each particle, px; pixels outside the image add no information.
    nuisances
        The unknowns, from `NUISANCES`.
    """
    particles = scene.particles
    height, width = scene.variance.shape
    columns, rows = crop_indices(particles.x, particles.y, half_width)
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    at = rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None, :]
    weight = inside / np.maximum(scene.variance[at], _MIN_VARIANCE)
    slopes = _derivatives(particles, scene.illumination[at], columns, rows, nuisances)
    information = np.einsum("inkl,jnkl,nkl->nij", slopes, slopes, weight, optimize=True)
    scale = np.sqrt(np.einsum("nii->ni", information))  # the parameters' units differ: condition the inversion
    scale[scale == 0] = 1
    covariance = np.linalg.inv(information / (scale[:, :, None] * scale[:, None, :]))
    bound: Floats = np.einsum("nii->ni", covariance)[:, :2] / scale[:, :2] ** 2
    return bound


def _derivatives(
    particles: Particles, illumination: Floats, columns: Indices, rows: Indices, nuisances: tuple[str, ...]
) -> Floats:
    """Return the derivatives of the expected image by position and nuisances, (P, N, K, K)."""
    _, x, y, intensity, size = particles
    dx, dy = (columns - x[:, None])[:, None, :], (rows - y[:, None])[:, :, None]
    size, e = size[:, None, None], _STEP_PX

    def image(dx: Floats, dy: Floats, size: Floats) -> Floats:
        return particles.shape(dx, dy, size)

    amplitude = illumination * intensity[:, None, None]
    derivatives = [
        amplitude * (image(dx - e, dy, size) - image(dx + e, dy, size)) / (2 * e),
        amplitude * (image(dx, dy - e, size) - image(dx, dy + e, size)) / (2 * e),
    ]
    if "intensity" in nuisances:
        derivatives.append(illumination * image(dx, dy, size))
    if "size" in nuisances:
        derivatives.append(amplitude * (image(dx, dy, size + e) - image(dx, dy, size - e)) / (2 * e))
    if "background" in nuisances:
        derivatives.append(np.ones_like(amplitude))
    if "tilt" in nuisances:
        derivatives += [np.broadcast_to(dx, amplitude.shape), np.broadcast_to(dy, amplitude.shape)]
    return np.stack(derivatives)
