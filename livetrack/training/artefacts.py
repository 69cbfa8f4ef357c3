"""What cameras and files do to an image that is not noise: saturation, hot pixels, blur, compression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.optics.compression import compress
from livetrack.training.recipe import Scenes, log_uniform

__all__ = ["add_camera_artefacts"]

Image = npt.NDArray[np.float32]


def add_camera_artefacts(image: Image, rng: np.random.Generator, scenes: Scenes, noise: float, full: float) -> None:
    """Spoil a read-out `image` (H, W) in place.

    Parameters
    ----------
    image
        Grey levels.
    rng, scenes
        What happens how often.
    noise
        Standard deviation of the background's noise, grey levels.
    full
        Grey level at which pixels saturate, infinite where they do not.
    """
    if rng.random() < 0.5:
        count = rng.integers(0, scenes.hot_pixels, endpoint=True)
        image.ravel()[rng.integers(0, image.size, count)] += noise * np.exp(rng.uniform(1, 5, count))
    np.minimum(image, full, out=image)
    if rng.random() < scenes.smoothed:
        _blur(image, rng.uniform(0.0, 0.25))
    if rng.random() < scenes.compressed:
        image[:] = compress(image, log_uniform(rng, scenes.compression) * noise)
    np.rint(image, out=image)


def _blur(image: Image, side: float) -> None:
    """Blur by (side, 1 - 2 side, side) along both axes, as colour cameras do where they fill in missing colours."""
    wide = np.pad(image, 1, mode="edge")
    wide = wide[:, 1:-1] + side * (wide[:, :-2] + wide[:, 2:] - 2 * wide[:, 1:-1])
    image[:] = wide[1:-1] + side * (wide[:-2] + wide[2:] - 2 * wide[1:-1])
