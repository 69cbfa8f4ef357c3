"""What the particles of an image, or of a session, have in common: core, mean profile and its variance, noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.refine.radial.elongation import ROUND
from livetrack.localize.refine.radial.ldl import eliminate, solve
from livetrack.localize.refine.radial.noise_model import CameraNoise, fit_line
from livetrack.localize.refine.radial.pixels import Core, pixels_of
from livetrack.localize.refine.radial.prior import ProfilePrior, information_from

__all__ = ["Population"]

Doubles = npt.NDArray[np.float64]

_ENOUGH = 8.0  # particles from which something can be learnt of the others
_SHARES = np.array([1.0, 0.3, 0.1, 0.03])  # of the covariance that is left among them
_COMPARED = 16  # particles, from which is learnt how much they vary
_MEMORY = 64.0  # particles: older ones are forgotten
_DARKEST = 0.2  # of the background's variance: less is not believed of dark pixels


class Population:
    """Core, mean profile and its information, noise: from the particles seen so far.

    `mean` (K,) are the coefficients of the mean profile, of height 1; `prior` is the information on those of one
    particle (K, K), and its product with their mean (K,).

    Parameters
    ----------
    core, mean
        From `choose_core`; the fits begin with this mean profile.
    family
        The profiles of all particles of this kind.
    camera
        Its noise; None estimates it from the particles' surroundings.
    """

    def __init__(self, core: Core, mean: Doubles, family: ProfilePrior, camera: CameraNoise | None) -> None:
        self.core = core
        self.pixels = pixels_of(core)
        self.mean = mean
        self._camera = camera
        self._family, self._informative = family.of_core(core), family.is_informative
        information = np.zeros((core.splines, core.splines))
        information_from(*self._family, 1.0, information)
        self.prior = information, information @ self._family[0]
        self.images, self.outgrown = 0, False
        """Number of images learnt from, and whether the core suits the particles no more."""
        self.seen = 0.0
        """Number of particles, those that are forgotten in part counted in part."""
        self.stretch = ROUND
        """What the particles of the last image had in common."""
        self.pairs = np.zeros(2)
        """Numbers of pairs beyond doubt and of particles, those that are forgotten in part counted in part."""
        self.free = np.full(self.pixels.row.size, np.nan, np.float32)
        """(P,) of `measure_freedom`; NaN before."""
        self._total, self._total_product = np.zeros_like(information), np.zeros(core.splines)
        self._evidence, self._noise = np.zeros(len(_SHARES)), np.zeros((core.splines + 1, 3))

    def add(self, information: Doubles, product: Doubles, noise: Doubles) -> None:
        """Learn from M particles, and forget as much of what was learnt before.

        Parameters
        ----------
        information, product
            (M, K, K) and (M, K) of each, see `observe`.
        noise
            (K + 1, 3) of all together.
        """
        kept = math.exp(-len(information) / _MEMORY) if self.seen else 0.0
        self.seen = kept * self.seen + len(information)
        self._noise *= kept
        self._noise += noise
        _learn(
            information, product, kept, *self._family, self._total, self._total_product, self._evidence,
            self._informative and self.seen >= _ENOUGH, self.mean, *self.prior,
        )  # fmt: skip

    def noise_at(self, background: float, noise: float, groups: Doubles | None = None) -> tuple[float, float, float]:
        """Return the variance at the background's grey level, its rise, and its least value, in units of `noise`.

        `groups`, as `fit_line` takes them, stand for what was learnt of the noise.
        """
        if self._camera is not None:
            return (*self._camera.of(noise, background), _DARKEST)  # a wrong offset may take it below zero
        at_background, rise = fit_line(self._noise if groups is None else groups, background, noise)
        return at_background, rise, _DARKEST * at_background


@njit
def _learn(
    information: Any, product: Any, kept: float, family: Any, spread: Any, total: Any, total_product: Any,
    evidence: Any, enough: bool, mean: Any, prior: Any, pull: Any,
) -> None:  # fmt: skip
    """Update mean, information (`prior`) and its product with the mean (`pull`).

    The mean becomes that of all particles together, and the covariance shrinks to the share of it that makes the
    particles most probable (empirical Bayes; Efron and Morris, J. Am. Stat. Assoc. 68, 117 (1973)).
    """
    size = family.size
    both, right = np.empty((size, size)), np.empty(size)
    total *= kept
    total_product *= kept
    evidence *= kept
    for n in range(len(information)):
        total += information[n]
        total_product += product[n]
    before = np.empty((size, size))
    information_from(family, spread, 1.0, before)
    both[:], right[:] = before + total, total_product
    _add_product(before, family, right)
    eliminate(both, right, 0, size)
    solve(both, right, size, mean)
    if not enough:
        return
    for k in range(_SHARES.size):
        certainty = information_from(mean, spread, _SHARES[k], before)
        for n in range(min(len(information), _COMPARED)):
            both[:], right[:] = before + information[n], product[n]
            _add_product(-information[n], mean, right)
            eliminate(both, right, 0, size)
            for i in range(size):
                evidence[k] += right[i] * right[i] * both[i, i] + math.log(both[i, i])
            evidence[k] += certainty
    information_from(mean, spread, _SHARES[np.argmax(evidence)], prior)
    pull[:] = 0
    _add_product(prior, mean, pull)


@njit
def _add_product(matrix: Any, vector: Any, to: Any) -> None:
    for i in range(vector.size):
        for k in range(vector.size):
            to[i] += matrix[i, k] * vector[k]
