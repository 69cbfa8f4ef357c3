"""The fits of all particles of one image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.localize.parallel import parallel_for
from livetrack.localize.refine.radial import sweep as kernels
from livetrack.localize.refine.radial.elongation import Stretch
from livetrack.localize.refine.radial.joint_fit import JointWorkspace, make_joint_workspace
from livetrack.localize.refine.radial.pair_fit import Pairs, fit_pairs, make_pairs
from livetrack.localize.refine.radial.pairs import WHERE_COMMON
from livetrack.localize.refine.radial.particles import extremes, find_crowds, read_windows
from livetrack.localize.refine.radial.pixels import Core, Pixels
from livetrack.localize.refine.radial.population import Population
from livetrack.localize.refine.radial.step import COEFFICIENTS, LIMIT_PX, Workspace, make_workspace
from livetrack.localize.refine.radial.window import OUTSIDE

__all__ = ["Fits"]

_Each = tuple[Any, Any, Any, Any, Any, Any, Any, Any]

_SURVEY_STEPS = 3
_MANY = 48  # particles that are worth a second thread
_CLOSE_PX = 7.0  # or the core's radius and one pixel more: nearer neighbours need a second step
_FEWEST, _MOST = 8, 0.5  # pixels, and share of all, that are stuck at an end of the scale; others are there by chance


class Fits:
    """The particles of one image, from where the network found them to the bound. Keeps its arrays between images.

    `levels` (7,), `state` (N, `COEFFICIENTS` + K), `active` and `good` (N,) are those of `step` and `sweep`.
    """

    def __init__(self) -> None:
        self.levels = np.zeros(7)
        self._pixels: Pixels | None = None
        self._shape: tuple[int, ...] = ()
        self._geometry: tuple[Any, Any] = ((), ())
        self._bands: npt.NDArray[np.int64] | None = None
        self._workspaces: dict[int, Workspace] = {}
        self._joint: JointWorkspace | None = None
        self._allocate(16, 0, 0, 1)
        self.use(0)

    def _allocate(self, particles: int, pixels: int, splines: int, patches: int) -> None:
        self._splines = splines
        self._all = np.zeros((particles, COEFFICIENTS + splines))
        self._active, self._good, self._doubted, self._strays, self._fresh = np.zeros((5, particles), np.bool_)
        self._crowd, self._order = np.zeros((2, particles), np.int64)
        self._middle = np.zeros((particles, 2), np.int64)
        self._raw, self._painted = np.zeros((2, particles, pixels), np.float32)
        self._trust = np.ones((particles, patches), np.float32)
        self._added: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._any_crowded, self._begun = False, 0

    def use(self, count: int) -> None:
        """Provide for `count` particles, whose state is not kept."""
        if count > len(self._all):
            pixels = self._pixels
            self._allocate(2 * count, self._raw.shape[1], self._splines, pixels.patches if pixels else 1)
        self.state, self.active, self.good = self._all[:count], self._active[:count], self._good[:count]

    def begin(self, image: npt.NDArray[Any], population: Population) -> None:
        """Read the windows of the active particles, and begin with the mean profile."""
        pixels, core = population.pixels, population.core
        if pixels is not self._pixels or image.shape != self._shape:
            self._lay_out(image.shape, pixels, core)
        elif self._any_crowded:
            kernels.erase(self._crowd[: self._begun], self._middle, self._added, *self._geometry)
        self._begun = len(self.state)
        self._strays[:] = False
        far, close = core.radius_px + pixels.reach, max(_CLOSE_PX, core.radius_px + 1)
        self._any_crowded = find_crowds(self.state, far, close, self._crowd, self._order)
        self._read(image, population, self.active)
        low, high, lows, highs, looked = extremes(self._raw, self.active)
        self.levels[2] = low if _FEWEST <= lows <= _MOST * looked else -OUTSIDE
        self.levels[3] = high if _FEWEST <= highs <= _MOST * looked else OUTSIDE
        if self._any_crowded and not self._added.size:
            self._added = np.zeros((image.shape[0] + 2 * pixels.reach, image.shape[1] + 2 * pixels.reach), np.float32)
        self._bands = None
        if self._begun >= _MANY:
            self._bands = kernels.bands_of(self.state, self._order, far + 2 * LIMIT_PX)
        kernels.begin(self.active, population.mean, self._crowd, *self._each, *self._geometry, self._workspace(0))

    def survey(self, population: Population, sample: npt.NDArray[np.intp]) -> None:
        """Learn from the particles `sample` what all have in common, before the fit; then all begin with that."""
        self._observe(population, sample, _SURVEY_STEPS)
        kernels.begin_others(self.active, population.mean, self._fresh, self.state)

    def observe(self, population: Population, sample: npt.NDArray[np.intp]) -> None:
        """Learn from the fitted particles `sample` what all have in common."""
        self._observe(population, sample, 1)

    def count_doubted(self) -> int:
        """Return how many of the good particles have surroundings that are not wholly trusted."""
        return int(np.count_nonzero(self._doubted[: len(self.good)] & self.good))

    def fit(self, image: npt.NDArray[Any], population: Population, threads: int) -> None:
        """Fit all particles that are active, which decides who is good."""
        self.good[:] = self.active
        self.levels[4:] = population.noise_at(self.levels[1], 1 / self.levels[0])
        for turn in range(kernels.MAX_TURNS):
            active, strays = self._sweep(turn, population, threads)
            if strays:
                self._read(image, population, self._strays[: len(self.state)])
            if not active:
                break

    def fit_pairs(self, which: npt.NDArray[np.intp], population: Population, stretch: Stretch) -> Pairs:
        """Fit two particles to the window of each of the particles `which`, (C,)."""
        pixels = population.pixels
        if self._joint is None or self._joint[0].shape[1] != pixels.row.size:
            self._joint = make_joint_workspace(pixels.row.size)
        pairs = make_pairs(which, population.core.splines + 1)
        fit_pairs(
            *pairs[:1], np.array(stretch[:2]), WHERE_COMMON.gain, *pairs[1:], self._crowd, self.levels,
            *self._each, *self._geometry, population.prior, self._workspace(0), self._joint,
        )  # fmt: skip
        return pairs

    def _sweep(self, turn: int, population: Population, threads: int) -> tuple[int, int]:
        """Fit all particles that are alone, and let the others make a step. Return who goes on, and who has strayed."""
        decided = self.active, self.good, self._strays
        rest = (self._crowd, self.levels, *self._each, *self._geometry, population.prior)
        bands = self._bands
        if bands is None:
            active, strays = kernels.sweep(turn, self._order, 0, len(self.state), *decided, *rest, self._workspace(0))
            return active, strays
        for parity in (0, 1):  # particles of bands that are not next to each other have nothing to do with each other

            def sweep_bands(first: int, last: int, parity: int = parity) -> None:
                for band in range(2 * first + parity, 2 * last + parity, 2):
                    kernels.sweep(
                        turn, self._order, bands[band], bands[band + 1], *decided, *rest, self._workspace(first)
                    )

            parallel_for(sweep_bands, (len(bands) - parity) // 2, threads, 1)
        return int(np.count_nonzero(self.active)), int(np.count_nonzero(self._strays))

    def _read(self, image: npt.NDArray[Any], population: Population, which: npt.NDArray[np.bool_]) -> None:
        pixels = population.pixels
        read_windows(
            image, self.state, which, self._crowd, pixels.row, pixels.column, pixels.used, population.core.binning,
            pixels.reach, self._middle, self._raw,
        )  # fmt: skip

    def _observe(self, population: Population, sample: npt.NDArray[np.intp], steps: int) -> None:
        splines = population.core.splines
        information, product = np.zeros((len(sample), splines, splines)), np.zeros((len(sample), splines))
        noise = np.zeros((splines + 1, 3))
        kernels.observe_sample(
            sample, steps, self._crowd, self.levels, *self._each, *self._geometry, population.prior,
            population.pixels.neighbour, population.free, self._workspace(0), information, product, noise,
        )  # fmt: skip
        population.add(information, product, noise)

    def _workspace(self, thread: int) -> Workspace:
        """Return the workspace of the thread whose first band is this one."""
        if thread not in self._workspaces:
            assert self._pixels is not None
            self._workspaces[thread] = make_workspace(self._pixels)
        return self._workspaces[thread]

    def _lay_out(self, shape: tuple[int, ...], pixels: Pixels, core: Core) -> None:
        """Provide for such windows in an image of this `shape`."""
        if pixels is not self._pixels:
            self._pixels = pixels
            state, active = self.state, self.active
            self._allocate(len(self._all), pixels.row.size, core.splines, pixels.patches)
            self.use(len(state))
            self.state[:, :COEFFICIENTS], self.active[:] = state[:, :COEFFICIENTS], active
            self._workspaces.clear()
        self._shape, self._added = shape, np.zeros((0, 0), np.float32)
        offsets = pixels.row * np.int32(shape[1] + 2 * pixels.reach) + pixels.column
        self._geometry = (
            (pixels.row, pixels.column, pixels.patch, pixels.lattice, pixels.runs, offsets),
            (pixels.reach, pixels.in_core, core.step_px, 0.5 * (core.binning - 1), pixels.radius_px),
        )  # fmt: skip

    @property
    def _each(self) -> _Each:
        """What `step` takes of each particle."""
        return (self._raw, self._middle, self._all, self._trust, self._doubted, self._fresh, self._added, self._painted)
