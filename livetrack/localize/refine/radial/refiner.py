"""The radial fit as a refiner."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.localize.refine.radial.core import choose_core
from livetrack.localize.refine.radial.elongation import ROUND, Stretch, mark_merged
from livetrack.localize.refine.radial.fit import Fits
from livetrack.localize.refine.radial.noise_model import CameraNoise
from livetrack.localize.refine.radial.pair_fit import Pairs, both_of
from livetrack.localize.refine.radial.pairs import accept, candidates, evidence_needed, with_both
from livetrack.localize.refine.radial.particles import background_level, start, widen, write_rows
from livetrack.localize.refine.radial.population import Population
from livetrack.localize.refine.radial.prior import ProfilePrior
from livetrack.localize.refine.radial.sample import in_turn, some_bright
from livetrack.localize.refine.radial.step import HEIGHT, LARGE, X, Y
from livetrack.localize.refine.radial.window import OUTSIDE
from livetrack.particles import Rows, empty_rows

__all__ = ["RadialRefiner"]

_SURVEYED, _SURVEYED_BRIGHT = 48, 24  # particles, of which an image's population is found
_FAINT = 8.0  # height, in units of the noise, up to which so many are needed
_SURVEYED_PIXELS, _FEWEST = 16_000, 12  # in the windows of all of these, and particles at least
_LEARNT = 4  # particles of each image of a sequence
_SEVERAL, _MANY_PAIRS = 8, 0.3  # pairs from which noise is learnt, or share of the particles
_OTHER_NOISE = 1.2  # ratio of variances of bright pixels
_ROUNDS = 2  # of finding how common pairs are
_REMEMBERED = 1000.0  # particles, for how common pairs are
_REVIEWED = 16  # images after which the core is chosen anew
_OTHER_CORE = 1.3  # ratio of radii
_ROUND, _MARGIN = 1.1, 1.01  # length over width of what counts as round, and what the fit may add


class RadialRefiner:
    """Refines round particles by least squares on their own radial profiles.

    What the particles of an image have in common is found from the image, unless it is recalled from those before.

    Parameters
    ----------
    max_radius_px
        Radius of the largest core that is fitted, at least 4.5 px; small particles have a smaller core.
    profiles
        (M, S) radial profiles of such particles, see `ProfilePrior`; without any, profiles are assumed to be smooth.
    camera
        Its noise; None estimates it from the images.
    longest
        Length over width of one particle, at most, less than 1.1 counts as that; longer ones get `Flag.MERGED`.
    """

    def __init__(
        self,
        max_radius_px: float,
        profiles: npt.ArrayLike = (),
        camera: CameraNoise | None = None,
        longest: float = 1.0,
    ) -> None:
        self._max_radius_px, self._prior, self._camera = max_radius_px, ProfilePrior(profiles), camera
        self._longest = _MARGIN * max(longest, _ROUND)
        self._recalled: Population | None = None
        self._last: Population | None = None  # of the last image
        self._image: npt.NDArray[Any] = np.empty((0, 0), np.uint8)
        self._fits = Fits()
        self._noise, self._stretch, self._marked, self._pairs = 0.0, ROUND, False, np.zeros(2)  # of the last image

    def refine(
        self,
        image: npt.NDArray[Any],
        noise: float,
        rows: Rows,
        *,
        buffer: npt.NDArray[Any] | None = None,
        threads: int = 1,
        misfit: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Refine `rows` in place: x, y, x_std, y_std, xy_cov, intensity, `Flag.MERGED`. See `Refiner.refine`.

        Rows at the edge of the image or outside it, and those that the fit moves too far, stay as they are.
        """
        self._last, self._image, self._noise = None, image, noise
        self._pairs[:] = 0
        fits = self._fits
        fits.use(len(rows))
        if start(rows, image, noise, fits.state, fits.active, fits.good):
            fits.levels[:] = 1 / noise, background_level(image), -OUTSIDE, OUTSIDE, 1.0, 0.0, 1.0
            self._last = self._fit(image, threads)
            *stretch, self._marked = mark_merged(fits.state, fits.good, self._longest, *self._last.stretch[:2])
            self._stretch = Stretch(*stretch)
            if self._last.pixels.in_core > LARGE:
                widen(fits.state, fits.good)
        write_rows(rows, noise, fits.state, fits.good, np.empty(0, np.float32) if misfit is None else misfit)

    def separate(self, rows: Rows) -> Rows:
        """Return `rows` (N,), just refined, and more: two for each that two particles fit better beyond doubt.

        The first of the two is in the place of the one row, the second comes after all others. Neither is flagged, and
        x_std, y_std and xy_cov are those of the joint fit.
        """
        fits, population = self._fits, self._last
        if population is None:
            return rows
        self._pairs[1] = np.count_nonzero(fits.good)
        if not self._marked and not population.pairs[0]:
            return rows
        of_image = fits.state, fits.good, self._stretch, self._longest
        needed = evidence_needed(*(population.pairs + self._pairs))
        which = candidates(*of_image, needed)
        if not which.size:
            return rows
        pairs = fits.fit_pairs(which, population, self._stretch)
        two = accept(pairs, *of_image, needed)
        if not two.any():
            return rows
        self._pairs[0] = np.count_nonzero(two)
        again = self._relearn_noise(pairs, two, population)
        for _ in range(_ROUNDS):
            needed = evidence_needed(*(population.pairs + self._pairs))
            which = candidates(*of_image, needed)
            if again:
                pairs, again = fits.fit_pairs(which, population, self._stretch), False
            elif (more := np.setdiff1d(which, pairs.which)).size:
                pairs = both_of(pairs, fits.fit_pairs(more, population, self._stretch))
            two = accept(pairs, *of_image, needed)
            self._pairs[0] = np.count_nonzero(two)
        return with_both(rows, self._noise, pairs, two)

    def _relearn_noise(self, pairs: Pairs, two: npt.NDArray[np.bool_], population: Population) -> bool:
        """Measure the noise anew from pairs, where there are many. Return whether it was another.

        It was learnt from what the profile of a single particle does not describe.
        """
        levels, count = self._fits.levels, np.count_nonzero(two)
        if count < min(_SEVERAL, _MANY_PAIRS * self._pairs[1]):
            return False
        before, bright = levels[4:6].copy(), float(np.median(np.abs(pairs.place[two][..., 2])))
        levels[4:] = population.noise_at(levels[1], 1 / levels[0], pairs.noise[two].sum(axis=0))
        now, then = (at_background + rise * bright for at_background, rise in (levels[4:6], before))
        return not 1 / _OTHER_NOISE < now / then < _OTHER_NOISE

    def _fit(self, image: npt.NDArray[Any], threads: int) -> Population:
        """Fit the active particles; return their population."""
        fits, population = self._fits, self._recalled
        if population is not None and not population.outgrown:
            fits.begin(image, population)
            fits.fit(image, population, threads)
            return population
        population = self._new_population()
        fits.begin(image, population)
        fits.survey(population, self._sample(fits.active, population))
        fits.fit(image, population, threads)
        if 2 * fits.count_doubted() >= np.count_nonzero(fits.good) > 0:  # what they doubt was taken for noise
            population = Population(population.core, population.mean, self._prior, self._camera)
            fits.observe(population, self._sample(fits.good, population))
            fits.active[:] = fits.good
            fits.fit(image, population, threads)
        return population

    def _sample(self, which: npt.NDArray[np.bool_], population: Population) -> npt.NDArray[np.intp]:
        """Return the numbers of those of the particles `which` (N,) from which is learnt what all have in common."""
        state = self._fits.state
        faint = _FAINT / float(np.median(np.abs(state[which, HEIGHT])))
        most = min(max(_SURVEYED * faint * faint, _SURVEYED_BRIGHT), _SURVEYED)
        most = min(most, max(_SURVEYED_PIXELS / population.pixels.row.size, _FEWEST))
        return some_bright(state[:, [X, Y]], state[:, HEIGHT], which, int(most))

    def recall(self, population: Population | None) -> None:
        """Refine the next images by what `learn` has returned; None: each by itself alone."""
        self._recalled = population

    def learn(self) -> Population | None:
        """Return what the particles of the last image and of those before have in common; None if there were none."""
        population = self._last
        if population is None:
            return None
        if population.images:
            most = max(_LEARNT, int(_SURVEYED - population.seen))
            self._fits.observe(population, in_turn(self._fits.good, _LEARNT * population.images, most))
        population.images += 1
        population.stretch = self._stretch
        population.pairs = _REMEMBERED / (_REMEMBERED + self._pairs[1]) * (population.pairs + self._pairs)
        if population.images % _REVIEWED == 0 and self._fits.good.any():
            ratio = self._new_population().core.radius_px / population.core.radius_px
            population.outgrown = not 1 / _OTHER_CORE < ratio < _OTHER_CORE
        return population

    def warmup(self) -> None:
        """Compile what only several particles close to each other need, what pairs need, and what a sequence does."""
        image = np.random.default_rng(0).integers(90, 110, (64, 64)).astype(np.uint8)
        rows = empty_rows(60)
        rows["x"], rows["y"] = 9.2 + 6.0 * np.stack(np.divmod(np.arange(len(rows)), 8))
        rows["intensity"] = 10.0
        for _ in range(2):
            self.refine(image, 6.0, rows.copy())
            if (population := self._last) is not None:
                pairs = self._fits.fit_pairs(np.flatnonzero(self._fits.good)[:1], population, ROUND)
                accept(pairs, self._fits.state, self._fits.good, ROUND, self._longest, evidence_needed(0, 0))
            self.recall(self.learn())
        self.recall(None)

    def _new_population(self) -> Population:
        fits = self._fits
        core, mean = choose_core(
            self._image, fits.levels, fits.state, fits.active | fits.good, self._prior, self._max_radius_px
        )  # fmt: skip
        return Population(core, mean, self._prior, self._camera)
