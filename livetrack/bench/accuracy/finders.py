"""Detectors of other packages, each optional, at settings of a careful user: given sigma and the sign of the particles.

They measure the noise of the image themselves, and return rows without uncertainty.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_laplace, maximum_filter

from livetrack.bench.accuracy.blur_bank import levelled
from livetrack.bench.accuracy.gaussian_fit import fit_gaussians
from livetrack.bench.accuracy.scene import Scene
from livetrack.bench.accuracy.shapes import Floats
from livetrack.particles import Rows, empty_rows

__all__ = ["FINDERS", "Finder"]

_FWHM = 2.3548  # of a Gaussian, in sigma
_SEP_THRESHOLD, _SEP_AREA_PX = 1.5, 5  # Source Extractor's defaults
_DAO_THRESHOLD = 4.5  # standard deviations of the image; DAOStarFinder scales it to its filter
_FILTER_THRESHOLD = 4.5  # standard deviations of the filtered image
_OPENCV_STEPS = 20
_MIN_DISTANCE_PX = 3


class Finder(NamedTuple):
    """A detector."""

    package: str
    """That it needs."""
    description: str
    find: Callable[[Scene], Rows]

    @property
    def is_installed(self) -> bool:
        """Whether its package is."""
        return find_spec(self.package) is not None


def _sep(scene: Scene) -> Rows:
    import sep

    image = scene.image.astype(np.float64) * (1 if scene.hints.bright else -1)
    background = sep.Background(image)
    image -= background
    found = sep.extract(image, _SEP_THRESHOLD, err=background.globalrms, minarea=_SEP_AREA_PX)
    x, y, _ = sep.winpos(image, found["x"], found["y"], scene.hints.sigma_px)
    return _rows(x, y)


def _opencv(scene: Scene) -> Rows:
    import cv2

    blurred = gaussian_filter(_levelled(scene), scene.hints.sigma_px)
    significance = _over_noise(blurred)
    scale = 255 / max(float(significance.max()), 2 * _FILTER_THRESHOLD)
    settings = cv2.SimpleBlobDetector_Params()
    settings.blobColor = 255
    settings.minThreshold = _FILTER_THRESHOLD * scale
    settings.maxThreshold = 255
    settings.thresholdStep = max(1.0, (255 - settings.minThreshold) / _OPENCV_STEPS)
    settings.minRepeatability = 1
    settings.minDistBetweenBlobs = _MIN_DISTANCE_PX
    settings.minArea, settings.maxArea = 1, 1e4
    settings.filterByCircularity = settings.filterByConvexity = settings.filterByInertia = False
    found = cv2.SimpleBlobDetector.create(settings).detect((significance * scale).clip(0, 255).astype(np.uint8))
    return _rows(*np.array([point.pt for point in found]).reshape(-1, 2).T)


def _dao(scene: Scene) -> Rows:
    from photutils.detection import DAOStarFinder

    image = _levelled(scene)
    noise = 1.4826 * float(np.median(np.abs(image)))
    any_shape = {"sharpness_range": (-np.inf, np.inf), "roundness_range": (-np.inf, np.inf)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing was found
        finder = DAOStarFinder(_DAO_THRESHOLD * noise, _FWHM * scene.hints.sigma_px, sigma_radius=3.0, **any_shape)
        found = finder(image)
    return _rows(found["x_centroid"], found["y_centroid"]) if found is not None else empty_rows()


def _log(scene: Scene) -> Rows:
    hints = scene.hints
    significance = _over_noise(-gaussian_laplace(_levelled(scene), hints.sigma_px))
    is_maximum = significance == maximum_filter(significance, 2 * _MIN_DISTANCE_PX + 1)
    y, x = np.nonzero(is_maximum & (significance > _FILTER_THRESHOLD))
    rows = _rows(x, y)
    rows["intensity"] = scene.image[y, x] - np.median(scene.image)
    return fit_gaussians(scene.image, rows, sigma_px=hints.sigma_px, shot=hints.shot, read=hints.read)


FINDERS = {
    "sep": Finder(
        "sep", "sep.extract at Source Extractor's defaults (1.5 sigma, 5 px), then sep.winpos; given sigma", _sep
    ),
    "OpenCV": Finder("cv2", "SimpleBlobDetector on the image blurred by sigma, from 4.5 times its noise on", _opencv),
    "photutils": Finder(
        "photutils", "DAOStarFinder at 4.5 times the noise, without limits of shape; given sigma", _dao
    ),
    "LoG": Finder(
        "scipy",
        "maxima of the Laplacian of Gaussian over 4.5 times its noise, then a Gaussian maximum-likelihood fit, as "
        "picasso's; given sigma and the noise model",
        _log,
    ),
}
"""By name, with what each is given."""


def _levelled(scene: Scene) -> Floats:
    """Return the image less a plane and its median, with bright particles."""
    image = levelled(scene.image.astype(np.float64)) * (1 if scene.hints.bright else -1)
    difference: Floats = image - np.median(image)
    return difference


def _over_noise(filtered: Floats) -> Floats:
    difference = filtered - np.median(filtered)
    over_noise: Floats = difference / (1.4826 * np.median(np.abs(difference)))
    return over_noise


def _rows(x: npt.ArrayLike, y: npt.ArrayLike) -> Rows:
    rows = empty_rows(np.size(x))
    rows["x"], rows["y"], rows["score"] = x, y, 1
    return rows
