"""The Cramér-Rao lower bound of a scene's own image model.

F_ij = sum over pixels of d_i mu d_j mu / variance, for mu the expected image: exact for Poisson noise and for
additive Gaussian noise (Smith et al., Nature Methods 7, 373 (2010); Chao, Ward, Ober, J. Opt. Soc. Am. A 33, B36
(2016)). The parameters are the particle's position, its nuisances (height and size) and those of its background
(level, and tilt along x and y): whatever is not known costs precision, so the bound is that of an estimator that
knows the particle's shape but none of these.
"""

from __future__ import annotations

import numpy as np

from livetrack.bench.accuracy.scene import Particles, Places, Scene, windows
from livetrack.bench.accuracy.shapes import Floats

__all__ = ["NUISANCES", "position_bound"]

NUISANCES = ("height", "size", "background", "tilt")
"""What is unknown beside the position, unless said otherwise."""

_STEP_PX = 1e-3  # of the central differences
_LEAST_VARIANCE = 1e-9


def position_bound(scene: Scene, reach: int, nuisances: tuple[str, ...] = NUISANCES) -> Floats:
    """Return the variance that no unbiased estimate of x and y can fall below, (N, 2), px².

    Parameters
    ----------
    scene
        Its particles are taken as if each were alone.
    reach
        Of the window about each particle, px; what lies outside of the image adds nothing.
    nuisances
        Of `NUISANCES`.
    """
    particles = scene.particles
    height, width = scene.variance.shape
    columns, rows = windows(particles.x, particles.y, reach)
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    at = rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None, :]
    weight = inside / np.maximum(scene.variance[at], _LEAST_VARIANCE)
    slopes = _slopes(particles, scene.light[at], columns, rows, nuisances)
    information = np.einsum("inkl,jnkl,nkl->nij", slopes, slopes, weight, optimize=True)
    scale = np.sqrt(np.einsum("nii->ni", information))  # the parameters' units differ: keep the inversion well posed
    scale[scale == 0] = 1
    covariance = np.linalg.inv(information / (scale[:, :, None] * scale[:, None, :]))
    bound: Floats = np.einsum("nii->ni", covariance)[:, :2] / scale[:, :2] ** 2
    return bound


def _slopes(particles: Particles, light: Floats, columns: Places, rows: Places, nuisances: tuple[str, ...]) -> Floats:
    """Return the expected image's derivatives, (P, N, K, K), by the position first."""
    _, x, y, height, size = particles
    dx, dy = (columns - x[:, None])[:, None, :], (rows - y[:, None])[:, :, None]
    size, e = size[:, None, None], _STEP_PX

    def image(dx: Floats, dy: Floats, size: Floats) -> Floats:
        return particles.shape(dx, dy, size)

    tall = light * height[:, None, None]
    found = [
        tall * (image(dx - e, dy, size) - image(dx + e, dy, size)) / (2 * e),
        tall * (image(dx, dy - e, size) - image(dx, dy + e, size)) / (2 * e),
    ]
    if "height" in nuisances:
        found.append(light * image(dx, dy, size))
    if "size" in nuisances:
        found.append(tall * (image(dx, dy, size + e) - image(dx, dy, size - e)) / (2 * e))
    if "background" in nuisances:
        found.append(np.ones_like(tall))
    if "tilt" in nuisances:
        found += [np.broadcast_to(dx, tall.shape), np.broadcast_to(dy, tall.shape)]
    return np.stack(found)
