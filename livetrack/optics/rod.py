"""Rods such as bacteria: the thickness of a spherocylinder, blurred by the optics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit
from livetrack.optics.drawing import Doubles, Photons, as_doubles, clip_to_image

__all__ = ["add_rods"]

_FINE = 3  # samples along each side of a pixel; odd
_ANGLES = 16  # steps of the integral across the axis
_REACH = 4.0  # standard deviations: where the blur is cut off


def add_rods(
    image: Photons,
    x: Doubles,
    y: Doubles,
    width: Doubles,
    elongation: Doubles,
    angle: Doubles,
    blur: Doubles,
    amplitude: Doubles,
) -> None:
    """Add rods to `image` in distance.

    A rod is a cylinder with hemispherical ends. At a distance d from its axis, a segment of length
    `width * (elongation - 1)`, it is `2 sqrt((width / 2)^2 - d^2)` thick. The thickness is blurred by a Gaussian,
    scaled to 1 at the centre, and averaged over each pixel. Pixels are accurate to 1 % of the amplitude.

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    x, y
        (N,) centres, px; they may lie outside the image.
    width
        (N,) diameter of the cylinder, px, > 0.
    elongation
        (N,) total length over width, >= 1.
    angle
        (N,) direction of the axis, rad from x towards y.
    blur
        (N,) standard deviation of the Gaussian, px, > 0.
    amplitude
        (N,) intensity over the background at the centre, photoelectrons; negative for dark rods.
    """
    _add_rods(image, *as_doubles(x, y, width, elongation, angle, blur, amplitude))


@njit
def _add_rods(image: Any, x: Any, y: Any, width: Any, elongation: Any, angle: Any, blur: Any, amplitude: Any) -> None:
    rows, columns = image.shape
    for n in range(x.size):
        radius, half = 0.5 * width[n], 0.5 * width[n] * (elongation[n] - 1)
        along_x, along_y = math.cos(angle[n]), math.sin(angle[n])
        reach_x = half * abs(along_x) + radius + _REACH * blur[n]
        reach_y = half * abs(along_y) + radius + _REACH * blur[n]
        left, right = clip_to_image(x[n], reach_x, columns)
        top, bottom = clip_to_image(y[n], reach_y, rows)
        if left >= right or top >= bottom:
            continue
        weights = _blur_and_average(blur[n])
        margin = weights.size // 2
        fine = np.empty((_FINE * (bottom - top) + 2 * margin, _FINE * (right - left) + 2 * margin))
        for i in range(fine.shape[0]):
            dy = top + (i - margin + 0.5) / _FINE - 0.5 - y[n]
            for j in range(fine.shape[1]):
                dx = left + (j - margin + 0.5) / _FINE - 0.5 - x[n]
                fine[i, j] = _thickness(dx, dy, along_x, along_y, half, radius)
        scale = amplitude[n] / _centre_thickness(half, radius, blur[n])
        # of each _FINE samples, the second is at the pixel's centre
        narrow = np.empty((fine.shape[0], right - left))
        for i in range(fine.shape[0]):
            for j in range(right - left):
                total = 0.0
                for k in range(weights.size):
                    total += weights[k] * fine[i, _FINE * j + _FINE // 2 + k]
                narrow[i, j] = total
        for i in range(bottom - top):
            for j in range(right - left):
                total = 0.0
                for k in range(weights.size):
                    total += weights[k] * narrow[_FINE * i + _FINE // 2 + k, j]
                image[top + i, left + j] += np.float32(scale * total)


@njit
def _thickness(dx: float, dy: float, along_x: float, along_y: float, half: float, radius: float) -> float:
    """Return the thickness at (dx, dy) from the centre, averaged across the axis over one sample."""
    beyond = max(0.0, abs(dx * along_x + dy * along_y) - half)
    if beyond >= radius:
        return 0.0
    edge = math.sqrt(radius * radius - beyond * beyond)
    across = dy * along_x - dx * along_y
    low, high = max(-edge, across - 0.5 / _FINE), min(edge, across + 0.5 / _FINE)
    return _FINE * (_half_disc(high, edge) - _half_disc(low, edge)) if low < high else 0.0


@njit
def _half_disc(v: float, edge: float) -> float:
    """Return the integral of 2 sqrt(edge^2 - v^2) up to `v`, without the constant."""
    return v * math.sqrt(max(0.0, edge * edge - v * v)) + edge * edge * math.asin(v / edge)


@njit
def _blur_and_average(blur: float) -> Any:
    """Return the weights of the samples around a pixel's centre: the Gaussian averaged over the pixel."""
    margin = math.ceil(_FINE * (_REACH * blur + 0.5))
    weights = np.empty(2 * margin + 1)
    scale = 1.0 / (math.sqrt(2.0) * blur)
    for k in range(weights.size):
        distance = (k - margin) / _FINE
        weights[k] = math.erf((distance + 0.5) * scale) - math.erf((distance - 0.5) * scale)
    return weights / weights.sum()


@njit
def _centre_thickness(half: float, radius: float, blur: float) -> float:
    """Return the blurred thickness at the rod's centre, integrated along the axis and, by angle, across it."""
    step = blur / 6
    count = math.ceil(_REACH * blur / step)
    total = weight = 0.0
    for i in range(-count, count + 1):
        along = math.exp(-0.5 * (i * step / blur) ** 2)
        weight += along
        beyond = max(0.0, abs(i * step) - half)
        if beyond < radius:
            edge = math.sqrt(radius * radius - beyond * beyond)
            for k in range(_ANGLES):
                phi = math.pi * ((k + 0.5) / _ANGLES - 0.5)
                v = edge * math.sin(phi)
                total += along * (edge * math.cos(phi)) ** 2 * math.exp(-0.5 * (v / blur) ** 2)
    return 2 * math.pi / _ANGLES * total / (weight * math.sqrt(2 * math.pi) * blur)
