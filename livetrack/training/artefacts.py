"""Camera artefacts other than noise: saturation, hot pixels, blur and compression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.optics.compression import compress
from livetrack.training.sections import Scenes, log_uniform

__all__ = ["add_camera_artefacts"]

Image = npt.NDArray[np.float32]


def add_camera_artefacts(
    image: Image, rng: np.random.Generator, scenes: Scenes, noise: float, saturation: float
) -> None:
    """Add artefacts to `image` (H, W) in place, and round it to whole grey levels.

    Parameters
    ----------
    image
        Grey levels.
    rng, scenes
        Source of randomness, and how often each artefact occurs.
    noise
        Standard deviation of the background noise, grey levels.
    saturation
        Grey level at which pixels saturate; infinite for none.
    """
    if rng.random() < 0.5:
        count = rng.integers(0, scenes.hot_pixels, endpoint=True)
        image.ravel()[rng.integers(0, image.size, count)] += noise * np.exp(rng.uniform(1, 5, count))
    np.minimum(image, saturation, out=image)
    if rng.random() < scenes.smoothed:
        _blur(image, rng.uniform(0.0, 0.25))
    if rng.random() < scenes.compressed:
        image[:] = compress(image, log_uniform(rng, scenes.compression) * noise)
    np.rint(image, out=image)


def _blur(image: Image, side: float) -> None:
    """Blur by (side, 1 - 2 side, side) along both axes, as colour cameras do when they interpolate colours."""
    padded = np.pad(image, 1, mode="edge")
    padded = padded[:, 1:-1] + side * (padded[:, :-2] + padded[:, 2:] - 2 * padded[:, 1:-1])
    image[:] = padded[1:-1] + side * (padded[:-2] + padded[2:] - 2 * padded[1:-1])
