"""A network that searches a halved image, for particles larger than those that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import ModelError
from livetrack.localize.crops import Crops
from livetrack.localize.halving import HalvedImages
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.noise import noise_level
from livetrack.localize.parallel import resolve_thread_count
from livetrack.localize.refine.radial import CameraNoise, Population, RadialRefiner
from livetrack.localize.refine.refiner import RADIAL_REACH
from livetrack.localize.resizing import ResizingLocalizer, resized
from livetrack.particles import Rows

__all__ = ["SCALES", "ScaledLocalizer", "check_scale"]

SCALES = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125)
"""Of the searched image, over the image's own: by 0, 1, 2 ... halvings."""


class ScaledLocalizer(ResizingLocalizer):
    """Finds particles 2, 4, 8 ... times as large as those of a model. A `MeasuringLocalizer`.

    The network searches and fits in the image halved `halvings` times. From there, the particles are fitted once more
    in an image that is twice as large: no finer one would make them more precise, as their profiles are as wide there
    as those of the model's particles are at most. Pixel x of an image that was halved n times is at 2^n x + (2^n - 1) /
    2 of the image itself.

    Parameters
    ----------
    network
        For the halved image: what it is given of the camera's noise is that of means of 4^halvings pixels.
    halvings
        From 0; with 0, the rows are those of the network.
    camera
        Noise of the image itself; None estimates it from each image.
    threads
        Of the fit; 0 for one per CPU core, up to 8.
    """

    def __init__(
        self, network: NetworkLocalizer, halvings: int, *, camera: CameraNoise | None = None, threads: int = 0
    ) -> None:
        super().__init__(network)
        self.halvings = halvings
        self.measures = network.measures
        self.crop_px, self.margin_px = network.crop_px << halvings, network.margin_px * (1 << halvings)
        self._images, self._threads = HalvedImages(), resolve_thread_count(threads)
        self._recalled: Population | None = None  # of the finer image
        self._refiner = None
        if halvings and network.measures:
            card, network.separates = network.card, False  # in the finer image instead
            self._refiner = RadialRefiner(
                2 * RADIAL_REACH * card.crop_px,
                _doubled(card.profiles),
                camera and camera.of_means(4 ** (halvings - 1)),
                card.longest,
            )

    @property
    def search_scale(self) -> str:
        """The scale of the image that the network searches, in words."""
        return f"1/{1 << self.halvings}" if self.halvings else "1"

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the full image. See `Localizer.find`."""
        return self.find_in(self._images.of(image, self.halvings))

    def refine(self, image: npt.NDArray[Any], rows: Rows) -> Rows:
        """Measure again near `rows`. See `Localizer.refine`."""
        images = self._images.of(image, self.halvings)
        return self._fit_finer(images, self.network.refine(images[self.halvings], resized(rows, -self.halvings)))

    def localize(self, image: npt.NDArray[Any]) -> Rows:
        """Find, then refine. See `Localizer.localize`."""
        images = self._images.of(image, self.halvings)
        return self._fit_finer(images, self.network.localize(images[self.halvings]), separate=True)

    def localize_within(self, image: npt.NDArray[Any], crops: Sequence[Crops], measured: Rows | None = None) -> Rows:
        """Find and refine within `crops` only, which `crops` has returned. See `NetworkLocalizer.localize_within`."""
        images, n = self._images.of(image, self.halvings), self.halvings
        halved = [Crops(crop.width >> n, crop.height >> n, crop.left >> n, crop.top >> n) for crop in crops]
        before = None if measured is None else resized(measured, -n)
        return self._fit_finer(images, self.network.localize_within(images[n], halved, before), separate=True)

    def measure(
        self, image: npt.NDArray[Any], expected: Rows, usual_misfit: npt.NDArray[np.float32]
    ) -> tuple[Rows, npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        """Refine at the expected positions. See `MeasuringLocalizer.measure`. The misfit is the halved image's."""
        images, n = self._images.of(image, self.halvings), self.halvings
        rows, confirmed, misfit = self.network.measure(images[n], resized(expected, -n), usual_misfit)
        return self._fit_finer(images, rows), confirmed, misfit

    def crops(self, rows: Rows, side_px: int, shape: tuple[int, ...]) -> Crops:
        """Return crops of a size that the network accepts. See `GuidedLocalizer.crops`."""
        n = self.halvings
        crops = self.network.crops(resized(rows, -n), -(-side_px >> n), tuple(length >> n for length in shape))
        return Crops(crops.width << n, crops.height << n, crops.left << n, crops.top << n)

    def learn(self) -> object | None:
        """Return what the last particles have in common. See `LearningLocalizer.learn`."""
        coarse = self.network.learn()
        if coarse is None:
            return None
        fine = self._refiner.learn() if self._refiner else None
        return coarse, fine or self._recalled

    def recall(self, learnt: Any) -> None:
        """Refine the next images by what was learnt. See `LearningLocalizer.recall`."""
        coarse, self._recalled = learnt or (None, None)
        self.network.recall(coarse)
        if self._refiner is not None:
            self._refiner.recall(self._recalled)

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Compile and allocate everything for images of this shape (H, W) and dtype."""
        noise = 100 + 10 * np.random.default_rng(0).random(shape)
        halved = self._images.of(noise.astype(dtype), self.halvings)[self.halvings]
        self.network.warmup((halved.shape[0], halved.shape[1]), halved.dtype)
        if self._refiner is not None:
            self._refiner.warmup()
        for image in (noise.astype(dtype), noise.astype(np.float32)):  # see `NetworkLocalizer.warmup`
            self.localize(image)

    def find_in(self, images: Sequence[npt.NDArray[Any]]) -> Rows:
        """Return the particles in an image, given with its halved ones, as `HalvedImages.of` returns them."""
        return resized(self.network.find(images[self.halvings]), self.halvings)

    def fit_in(self, images: Sequence[npt.NDArray[Any]], rows: Rows) -> Rows:
        """Return `rows`, (N,), refined, and the second particles of pairs.

        They are some of those that the last call of `find_in` has returned, for its images.
        """
        return self._fit_finer(images, self.network.fit(resized(rows, -self.halvings)), separate=True)

    def _fit_finer(self, images: Sequence[npt.NDArray[Any]], rows: Rows, *, separate: bool = False) -> Rows:
        """Return `rows` of the halved image in px of the image itself, refined in one that is twice as large.

        With the second particles of pairs, if they are to be separated.
        """
        if self._refiner is None:
            return resized(rows, self.halvings)
        image, rows = images[self.halvings - 1], resized(rows, 1)
        self._refiner.refine(image, noise_level(image), rows, threads=self._threads)
        if separate:
            rows = self._refiner.separate(rows)
        return resized(rows, self.halvings - 1)


def check_scale(scale: float | str) -> None:
    """Check a setting.

    Raises
    ------
    ModelError
        It is neither one of `SCALES`, nor 2, nor "auto".
    """
    if scale not in (*SCALES, "auto", 2.0):
        scales = ", ".join(f"{each:g}" for each in (2.0, *SCALES))
        raise ModelError(f"scale is {scale!r}; expected 'auto' or one of {scales}")


def _doubled(profiles: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return radial profiles, (M, S) as of `ProfilePrior`, of particles twice as large: (M, 2 S - 1)."""
    given = np.asarray(profiles, np.float64)
    if not given.size:
        return given
    known = np.arange(given.shape[1])
    at = 0.5 * np.arange(2 * given.shape[1] - 1)
    return np.stack([np.interp(at, known, profile) for profile in given])
