"""Alignment of crops of one particle: their average is fitted to each, and they are averaged again."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.localize.refine.template import Pose, fit_template
from livetrack.optics.template import (
    BORDER,
    FINE,
    Template,
    add_templates,
    fine_samples,
    make_template,
    subtract_background,
)
from livetrack.training.particle.symmetry import distance_from_middle

__all__ = ["Aligner"]

Floats = npt.NDArray[np.float32]

_MAX_MISFIT = 3.0  # median absolute deviations above the median: another particle is in the crop
_MAX_DEVIATION = 4.0  # standard deviations of the noise: other values of a pixel are left out of its mean


class Aligner:
    """Crops of one particle: windows (N, S, S), S odd, of pixels with this `noise`, and its `centres` (N, 2) in them.

    Pixels in the border of a window, an eighth of its side, are not compared: neighbours may be there.
    """

    def __init__(self, windows: Floats, centres: npt.NDArray[np.float64], noise: float) -> None:
        self._signals = [subtract_background(window).astype(np.float32) for window in windows]
        self._fine = [fine_samples(signal.astype(np.float64)) for signal in self._signals]
        self._round = False
        self.noise = noise
        """Standard deviation of a pixel of the crops."""
        shape = windows.shape[1:]
        self._compared = distance_from_middle(shape) <= (1 - 2 * BORDER) * (shape[0] // 2)
        self.poses = [Pose(x, y, 0.0, 0.0) for x, y in centres.tolist()]
        """Of the particle in each crop."""
        self.aligned = np.zeros_like(windows)
        """(N, S, S) crops without background, with the particle in the middle, turned back."""
        self.kept = np.ones(len(windows), bool)
        """(N,) which crops the average consists of."""
        self.mean = self._average()
        """(S, S) average."""

    def fit(self, *, turns: bool) -> None:
        """Fit the average to each crop, its centre of light and orientation, and average again.

        Raises
        ------
        InputError
            The average shows no particle.
        """
        try:
            template = make_template(self.mean)
        except ValueError:
            raise InputError(
                "nothing stands out from the noise at the particle's position; choose a brighter one"
            ) from None
        self.poses = [
            fit_template(signal / np.float32(self.noise), template, pose.x, pose.y, turns=turns, used=self._compared)
            for signal, pose in zip(self._signals, self.poses, strict=True)
        ]
        self.mean = self._average()

    def fit_round(self) -> None:
        """Likewise for a round particle: the average is made symmetric, and its centre of symmetry is the centre."""
        self._round = True
        self.mean = self._average()
        self.fit(turns=False)

    def start_from(self, crop: int) -> None:
        """Use one crop as the average, because orientations are unknown."""
        self.mean = self.aligned[crop]

    def move(self, x: float, y: float) -> None:
        """Choose another point of the particle as its centre, px from the present one in its own frame."""
        self.poses = [_moved(pose, x, y) for pose in self.poses]
        self.mean = self._average()

    def _average(self) -> Floats:
        moved = [_move(fine, pose, self.aligned.shape[1]) for fine, pose in zip(self._fine, self.poses, strict=True)]
        self.aligned = np.stack(moved)
        median = np.median(self.aligned, axis=0)
        deviation = self.aligned - median
        misfit = (deviation[:, self._compared] ** 2).mean(axis=1)
        spread = 1.4826 * float(np.median(np.abs(misfit - np.median(misfit))))
        self.kept = misfit <= np.median(misfit) + _MAX_MISFIT * spread
        weight = self.kept[:, None, None] & (np.abs(deviation) <= _MAX_DEVIATION * self.noise)
        mean: Floats = ((weight * self.aligned).sum(axis=0) / np.maximum(weight.sum(axis=0), 1)).astype(np.float32)
        return _symmetric(mean) if self._round else mean


def _move(fine: npt.NDArray[np.float64], pose: Pose, side: int) -> Floats:
    """Return a crop, given in fine samples, with the particle in the middle and turned back."""
    image, one = np.zeros((side, side), np.float32), np.ones(1)
    middle = Template(fine, FINE * pose.x, FINE * pose.y, 1.0)
    centre = np.array([side // 2], np.float64)
    add_templates(image, centre, centre, middle, one, np.array([-pose.angle]), one)
    return image


def _symmetric(image: Floats) -> Floats:
    """Return the mean of `image` (S, S) and its quarter turns, each also mirrored."""
    turned = [np.rot90(image, turns) for turns in range(4)]
    mean: Floats = np.mean([*turned, *(np.fliplr(each) for each in turned)], axis=0, dtype=np.float32)
    return mean


def _moved(pose: Pose, x: float, y: float) -> Pose:
    """Return the pose of another point of the particle, (`x`, `y`) px from its centre, in its own frame."""
    along, across = math.cos(pose.angle), math.sin(pose.angle)
    return pose._replace(x=pose.x + x * along - y * across, y=pose.y + x * across + y * along)
