"""A network that searches an enlarged image, for particles smaller than those that it was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.noise import noise_level
from livetrack.localize.normalize import as_kernel_input
from livetrack.localize.parallel import resolve_thread_count
from livetrack.localize.refine.radial import CameraNoise, RadialRefiner
from livetrack.localize.refine.refiner import RADIAL_REACH
from livetrack.localize.resizing import ResizingLocalizer, resized
from livetrack.particles import Rows

__all__ = ["EnlargedLocalizer"]

_NOISE = 1.8  # of an enlarged image, over the image's own, as far as the network is concerned


class EnlargedLocalizer(ResizingLocalizer):
    """Finds particles half as large as those of a model. A `LearningLocalizer`.

    The network searches an image of twice as many pixels along each axis, between which the grey levels are
    interpolated. The particles are fitted in the image itself.

    The noise of neighbouring pixels there is alike: a network that takes it for independent finds particles in it.
    Noise that were independent would have to be twice as strong as the image's to vary as much over a particle; the
    particles are blurred by the interpolation as well, and 1.8 was measured to find best.

    Parameters
    ----------
    network
        One that does not fit profiles.
    camera
        Noise of the image; None estimates it from each image.
    threads
        Of the fit; 0 for one per CPU core, up to 8.
    profile_fit
        Whether to fit profiles.
    """

    def __init__(
        self, network: NetworkLocalizer, *, camera: CameraNoise | None = None, threads: int = 0,
        profile_fit: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(network)
        network.measure_noise = lambda _: _NOISE * self._noise
        self._noise, self._threads = 0.0, resolve_thread_count(threads)
        self._buffer, self._enlarged = np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)
        self._refiner = None
        if profile_fit and network.card.symmetry == "round":
            profiles = [profile[::2] for profile in network.card.profiles]
            self._refiner = RadialRefiner(
                0.5 * RADIAL_REACH * network.card.crop_px, profiles, camera, network.card.longest
            )

    @property
    def search_scale(self) -> str:
        """The scale of the image that the network searches, in words."""
        return "2"

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the full image. See `Localizer.find`."""
        return self._find(self._take(image))

    def localize(self, image: npt.NDArray[Any]) -> Rows:
        """Find, then refine. See `Localizer.localize`."""
        taken = self._take(image)
        rows = self._find(taken)
        if self._refiner is not None:
            self._refiner.refine(taken, self._noise, rows, threads=self._threads)
            rows = self._refiner.separate(rows)
        return rows

    def learn(self) -> object | None:
        """Return what the last particles have in common. See `LearningLocalizer.learn`."""
        return self._refiner.learn() if self._refiner else None

    def recall(self, learnt: Any) -> None:
        """Refine the next images by what was learnt. See `LearningLocalizer.recall`."""
        if self._refiner is not None:
            self._refiner.recall(learnt)

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Compile and allocate everything for images of this shape (H, W) and dtype."""
        self._noise = 1.0
        self.network.warmup((2 * shape[0], 2 * shape[1]), np.float32)
        if self._refiner is not None:
            self._refiner.warmup()
        noise = 100 + 10 * np.random.default_rng(0).random(shape)
        for image in (noise.astype(dtype), noise.astype(np.float32)):  # see `NetworkLocalizer.warmup`
            self.localize(image)

    def _take(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return `image` as a kernel input, and measure its noise. Raises `InputError`."""
        taken = as_kernel_input(image, self._buffer)
        if taken.dtype == np.float32:
            self._buffer = taken
        self._noise = noise_level(taken)
        return taken

    def _find(self, image: npt.NDArray[Any]) -> Rows:
        shape = (2 * image.shape[0], 2 * image.shape[1])
        if self._enlarged.shape != shape:
            self._enlarged = np.empty(shape, np.float32)
        _enlarge(image, self._enlarged)
        return resized(self.network.find(self._enlarged), -1)


@njit
def _enlarge(image: Any, out: Any) -> None:
    """Interpolate: pixel i of `out` is at (i - 0.5) / 2."""
    height, width = image.shape
    near, far = np.float32(0.75), np.float32(0.25)
    line = np.empty(width, np.float32)
    for i in range(2 * height):
        nearest = image[i // 2]
        other = image[min(max(i // 2 + 2 * (i % 2) - 1, 0), height - 1)]
        for j in range(width):
            line[j] = near * np.float32(nearest[j]) + far * np.float32(other[j])
        into = out[i]
        for j in range(width):
            into[2 * j] = near * line[j] + far * line[max(j - 1, 0)]
            into[2 * j + 1] = near * line[j] + far * line[min(j + 1, width - 1)]
