"""The ideal observer of crowds: a joint fit of all particles, with shape, size and noise given.

Where particles overlap, the likelihood ratio of one of them says little. As CLEAN and the fits of several emitters in
localisation microscopy do (Högbom, Astron. Astrophys. Suppl. 15, 417 (1974); Holden et al., Nature Methods 8, 279
(2011)), it adds particles where the residual is significant, refits the positions and intensities of all together, and
repeats. Then each particle is replaced by two, and each close pair by one, where the likelihood says so. The score of a
row is the square root of twice the log likelihood ratio with and without it, in standard deviations.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import maximum_filter
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from livetrack.bench.accuracy.scene import Indices, Scene, crop_indices
from livetrack.bench.accuracy.shapes import Floats
from livetrack.particles import Rows, empty_rows

__all__ = ["joint_observer"]

_LEAST = 3.0  # significance of a particle to remain, standard deviations
_LEAST_SPLIT = 3.5
_ROUNDS = 4
_EXTENT_SIGMA = 3.0
_CLOSE_SIGMA = 2.5  # distance of pairs that one particle might explain
_STEP_PX = 1e-3  # of the derivatives
_DAMPING = 3e-3
_TINY = 1e-12


def joint_observer(scene: Scene) -> Rows:
    """Return the particles of the joint fit; the intensities are free."""
    fit = _JointFit(scene)
    for n in range(_ROUNDS):
        added = fit.add(distance_px=3 if n == 0 else 2)
        fit.refine(5)
        added += fit.split()
        fit.refine(5)
        fit.merge()
        if not added:
            break
    fit.refine(8)
    fit.merge()
    rows = empty_rows(len(fit.particles))
    rows["x"], rows["y"], rows["intensity"] = fit.particles.T
    rows["score"] = fit.significance()
    return rows


class _JointFit:
    """`particles`, (N, 3): x, y and intensity, fitted to one image."""

    def __init__(self, scene: Scene) -> None:
        self._shape, self._size = scene.particles.shape, scene.particles.size[0]
        self._sigma = scene.hints.sigma_px
        self._sign = 1 if scene.hints.bright else -1
        self._half_width = math.ceil(_EXTENT_SIGMA * self._sigma) + 1
        self._background = np.broadcast_to(np.asarray(scene.background, dtype=np.float64), scene.image.shape)
        self._image = scene.image - self._background
        self._shot, self._read = scene.hints.shot, scene.hints.read
        self.particles = np.empty((0, 3))

    def add(self, distance_px: int) -> int:
        """Add particles at the significant maxima of the residual, and return their number."""
        residual, weight = self._residual()
        steps = np.arange(-self._half_width, self._half_width + 1.0)
        template = self._shape(steps[None, :], steps[:, None], self._size)
        projection = _correlate(residual * weight, template)
        information = np.maximum(_correlate(weight, template**2), _TINY)
        significance = self._sign * projection / np.sqrt(information)
        is_maximum = significance == maximum_filter(significance, 2 * distance_px + 1)
        y, x = np.nonzero(is_maximum & (significance > _LEAST))
        new = np.stack([x, y, (projection / information)[y, x]], axis=1)
        self.particles = np.concatenate([self.particles, new])
        return len(new)

    def refine(self, steps: int) -> None:
        """Fit all particles together by Gauss-Newton steps, and drop those that are not significant."""
        for _ in range(steps if len(self.particles) else 0):
            columns, rows = self._crop_indices(self.particles)
            at, inside = self._pixels(columns, rows)
            slopes = self._slopes(self.particles, columns, rows)
            residual, weight = self._residual_of(slopes[:, 2] * self.particles[:, 2, None, None], at, inside)
            root = np.sqrt(weight).ravel()
            slopes *= (inside * root[at])[:, None]
            count, per_crop = 3 * len(at), at[0].size
            entries = np.broadcast_to(at[:, None], slopes.shape).ravel()
            jacobian = csr_array(
                (slopes.ravel(), entries, np.arange(0, count * per_crop + 1, per_crop)), shape=(count, root.size)
            )
            normal = (jacobian @ jacobian.T).tocsc()
            damped = (normal + diags_array(_DAMPING * normal.diagonal() + _TINY)).tocsc()
            step = spsolve(damped, jacobian @ (root * residual.ravel())).reshape(-1, 3)
            height = np.abs(self.particles[:, 2])
            step[:, :2] = step[:, :2].clip(-0.4, 0.4)
            step[:, 2] = step[:, 2].clip(-0.5 * height, height)
            self.particles = self.particles + step
            if np.abs(step[:, :2]).max() < 0.01:
                break
        x, y = self.particles.T[:2]
        height, width = self._image.shape
        inside_image = (x > -1) & (x < width) & (y > -1) & (y < height)
        self.particles = self.particles[inside_image & (self._alone() > _LEAST)]

    def split(self) -> int:
        """Replace particles by two, along the axis of their residual, where that fits better; return their number."""
        if not len(self.particles):
            return 0
        columns, rows = self._crop_indices(self.particles)
        own = self._images(self.particles, columns, rows)
        image, weight = self._crops(own, columns, rows)
        dx, dy = self._offsets(self.particles, columns, rows)
        residual = self._sign * (image - own) * weight * np.abs(own)
        angle = 0.5 * np.arctan2((residual * 2 * dx * dy).sum((1, 2)), (residual * (dx**2 - dy**2)).sum((1, 2)))
        shift = 0.7 * self._sigma * np.stack([np.cos(angle), np.sin(angle), np.zeros(angle.size)], axis=1)
        halves = self.particles * [1, 1, 0.5]
        misfit_one = (weight * (image - own) ** 2).sum(axis=(1, 2))
        two, misfit_two = self._fit(np.stack([halves + shift, halves - shift], axis=1), columns, rows, image, weight, 6)
        moved = np.hypot(*np.moveaxis(two[:, :, :2] - self.particles[:, None, :2], 2, 0)).max(axis=1)
        better = (misfit_one - misfit_two > _LEAST_SPLIT**2) & (moved < _CLOSE_SIGMA * self._sigma)
        self.particles = np.concatenate([self.particles[~better], two[better].reshape(-1, 3)])
        return int(better.sum())

    def merge(self) -> None:
        """Replace close pairs by one particle where that fits as well."""
        for _ in range(_ROUNDS):
            pairs, one, gain = self._pairs()
            taken = np.zeros(len(self.particles), bool)
            merged = []
            for n in np.argsort(gain):
                if gain[n] < _LEAST and not taken[pairs[n]].any():
                    taken[pairs[n]] = True
                    merged.append(one[n])
            if not merged:
                break
            self.particles = np.concatenate([self.particles[~taken], np.array(merged)])
            self.refine(4)

    def significance(self) -> Floats:
        """Return the significance of each particle; of the fainter of a close pair, over one particle instead."""
        significance = self._alone()
        pairs, _, gain = self._pairs()
        fainter = np.take_along_axis(pairs, np.abs(self.particles[pairs, 2]).argmin(axis=1)[:, None], axis=1)
        np.minimum.at(significance, fainter[:, 0], gain)
        return significance

    def _pairs(self) -> tuple[Indices, Floats, Floats]:
        """Return close pairs, (M, 2), the particle that explains both, (M, 3), and the significance of two."""
        if len(self.particles) < 2:
            return np.empty((0, 2), np.int64), np.empty((0, 3)), np.empty(0)
        tree = cKDTree(self.particles[:, :2])
        pairs = tree.query_pairs(_CLOSE_SIGMA * self._sigma, output_type="ndarray").astype(np.int64)
        both = self.particles[pairs]
        height = np.abs(both[:, :, 2])
        middle = (both * (height / height.sum(axis=1, keepdims=True))[:, :, None]).sum(axis=1)
        middle[:, 2] = both[:, :, 2].sum(axis=1)
        columns, rows = self._crop_indices(middle)
        own = self._images(both[:, 0], columns, rows) + self._images(both[:, 1], columns, rows)
        image, weight = self._crops(own, columns, rows)
        one, misfit = self._fit(middle[:, None], columns, rows, image, weight, 6)
        gain = misfit - (weight * (image - own) ** 2).sum(axis=(1, 2))
        return pairs, one[:, 0], np.sqrt(np.maximum(gain, 0))

    def _alone(self) -> Floats:
        """Return intensity / its standard deviation if the other particles were certain."""
        _, weight = self._residual()
        columns, rows = self._crop_indices(self.particles)
        at, inside = self._pixels(columns, rows)
        own = self._images(self.particles, columns, rows)
        information = (own**2 * weight.ravel()[at] * inside).sum(axis=(1, 2))
        significance: Floats = np.sign(self._sign * self.particles[:, 2]) * np.sqrt(information)
        return significance

    def _fit(
        self, start: Floats, columns: Indices, rows: Indices, image: Floats, weight: Floats, steps: int
    ) -> tuple[Floats, Floats]:
        """Fit each group of particles, (N, G, 3), to its own crop, (N, K, K); return the fit and its misfit, (N,)."""
        fitted, members = start.copy(), start.shape[1]
        damping = np.full(len(fitted), 1e-2)
        slopes, model = self._group(fitted, columns, rows)
        misfit = (weight * (image - model) ** 2).sum(axis=(1, 2))
        diagonal = np.arange(3 * members)
        for _ in range(steps):
            normal = np.einsum("nikl,njkl,nkl->nij", slopes, slopes, weight, optimize=True)
            right = np.einsum("nikl,nkl->ni", slopes, weight * (image - model), optimize=True)
            normal[:, diagonal, diagonal] *= 1 + damping[:, None]
            normal[:, diagonal, diagonal] += _TINY
            step = np.linalg.solve(normal, right[:, :, None]).reshape(fitted.shape)
            trial = fitted + step.clip([-0.5 * self._sigma] * 2 + [-np.inf], [0.5 * self._sigma] * 2 + [np.inf])
            trial[:, :, 2] = self._sign * np.maximum(self._sign * trial[:, :, 2], 0.02 * np.abs(fitted[:, :, 2]))
            trial_slopes, trial_model = self._group(trial, columns, rows)
            trial_misfit = (weight * (image - trial_model) ** 2).sum(axis=(1, 2))
            better = trial_misfit < misfit
            fitted[better], slopes[better], model[better] = trial[better], trial_slopes[better], trial_model[better]
            misfit = np.where(better, trial_misfit, misfit)
            damping = np.where(better, damping / 4, damping * 5)
        return fitted, misfit

    def _group(self, groups: Floats, columns: Indices, rows: Indices) -> tuple[Floats, Floats]:
        """Return the derivatives, (N, 3 G, K, K), and the image, (N, K, K), of groups of particles, (N, G, 3)."""
        slopes = [self._slopes(groups[:, n], columns, rows) for n in range(groups.shape[1])]
        images = [each[:, 2] * groups[:, n, 2, None, None] for n, each in enumerate(slopes)]
        total: Floats = np.sum(images, axis=0)
        return np.concatenate(slopes, axis=1), total

    def _slopes(self, particles: Floats, columns: Indices, rows: Indices) -> Floats:
        """Return the derivatives of each particle's image by x, y and intensity, (N, 3, K, K)."""
        dx, dy = self._offsets(particles, columns, rows)
        height = particles[:, 2, None, None] / (2 * _STEP_PX)
        along_x = self._shape(dx - _STEP_PX, dy, self._size) - self._shape(dx + _STEP_PX, dy, self._size)
        along_y = self._shape(dx, dy - _STEP_PX, self._size) - self._shape(dx, dy + _STEP_PX, self._size)
        return np.stack([height * along_x, height * along_y, self._shape(dx, dy, self._size)], axis=1)

    def _images(self, particles: Floats, columns: Indices, rows: Indices) -> Floats:
        dx, dy = self._offsets(particles, columns, rows)
        images: Floats = particles[:, 2, None, None] * self._shape(dx, dy, self._size)
        return images

    def _crop_indices(self, particles: Floats) -> tuple[Indices, Indices]:
        return crop_indices(particles[:, 0], particles[:, 1], self._half_width)

    def _offsets(self, particles: Floats, columns: Indices, rows: Indices) -> tuple[Floats, Floats]:
        return (columns - particles[:, :1])[:, None, :], (rows - particles[:, 1:2])[:, :, None]

    def _crops(self, own: Floats, columns: Indices, rows: Indices) -> tuple[Floats, Floats]:
        """Return crops of the image without the particles that are not in `own`, and their weights, (N, K, K)."""
        at, inside = self._pixels(columns, rows)
        residual, weight = self._residual()
        return residual.ravel()[at] + own, weight.ravel()[at] * inside

    def _residual(self) -> tuple[Floats, Floats]:
        """Return the image less the model, and the weight of its pixels, 1 / variance."""
        columns, rows = self._crop_indices(self.particles)
        at, inside = self._pixels(columns, rows)
        return self._residual_of(self._images(self.particles, columns, rows), at, inside)

    def _residual_of(self, images: Floats, at: Indices, inside: Floats) -> tuple[Floats, Floats]:
        """Return the residual and the weights for images of all particles, (N, K, K), at flat indices `at`."""
        model = np.bincount(at.ravel(), (images * inside).ravel(), self._image.size).reshape(self._image.shape)
        variance = self._shot * np.maximum(self._background + model, 0.2 * self._background) + self._read
        return self._image - model, 1 / np.maximum(variance, _TINY)

    def _pixels(self, columns: Indices, rows: Indices) -> tuple[Indices, Floats]:
        """Return the flat indices of the pixels of crops, (N, K, K), and whether they are inside the image."""
        height, width = self._image.shape
        at = rows.clip(0, height - 1)[:, :, None] * width + columns.clip(0, width - 1)[:, None, :]
        across, down = (columns >= 0) & (columns < width), (rows >= 0) & (rows < height)
        return at, (down[:, :, None] & across[:, None, :]).astype(np.float64)


def _correlate(image: Floats, kernel: Floats) -> Floats:
    """Return the sum of image * kernel around each pixel; zero outside the image."""
    (height, width), half_width = image.shape, len(kernel) // 2
    shape = next_fast_len(height + 2 * half_width), next_fast_len(width + 2 * half_width)
    spectra = (rfft2(each.astype(np.float32), shape) for each in (image, kernel[::-1, ::-1]))
    correlated: Floats = irfft2(math.prod(spectra), shape)
    return correlated[half_width:][:height, half_width:][:, :width]
