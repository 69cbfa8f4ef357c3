"""Particles drawn from a template image: moved, rotated and resized."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.optics.drawing import Doubles, Photons, as_doubles, clip_to_image

__all__ = ["BORDER", "FINE", "Template", "add_templates", "fine_samples", "make_template", "subtract_background"]

FINE = 4
"""Samples along each side of a pixel."""

BORDER = 0.125
"""Fraction of the shorter side that is background, and over which the particle fades to zero."""

_MIN_SIGNAL = 5.0  # of the particle, in standard deviations of the border
_CORE = 0.1  # fraction of the peak: fainter samples do not count towards the centre


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A template image without background and noise, at `FINE` samples per pixel.

    `fine` (H, W) is scaled to a peak of 1; `x`, `y` is the particle's centre in samples; `sign` is -1 if the particle
    was darker than its background.
    """

    fine: Doubles
    x: float
    y: float
    sign: float


def make_template(image: npt.NDArray[Any], centre: Literal["light", "picture"] = "light") -> Template:
    """Prepare an image of one particle.

    The background is a plane fitted to the border, which is an eighth of the shorter side wide; over the border the
    particle fades smoothly to zero. A Wiener filter removes noise: each spatial frequency is reduced by the fraction of
    its power that is noise, as measured in the border. Samples between pixels come from the Fourier series, which is
    exact for an image that the optics blur over several pixels.

    The filter cannot remove all noise from a single image. The rest is drawn with every particle as if it were part of
    it; an average of several aligned images has less.

    Parameters
    ----------
    image
        (H, W) grey levels; the particle must not reach the border.
    centre
        The point that a position refers to. "light": the centroid of the samples above the noise and a tenth of the
        peak; "picture": the centre of the image.

    Raises
    ------
    ValueError
        No particle stands out from the border.
    """
    height, width = image.shape
    border, outside = _border(image.shape)
    signal = subtract_background(image)
    noise = 1.4826 * float(np.median(np.abs(signal[outside])))
    if np.abs(signal).max() <= _MIN_SIGNAL * noise or not np.abs(signal[~outside]).max() > 0:
        raise ValueError("no particle stands out from the border of the image; leave some background around it")
    signal *= _taper(height, border)[:, None] * _taper(width, border)
    fine = fine_samples(_denoise(signal, noise))
    extreme = fine.flat[np.abs(fine).argmax()]
    fine /= extreme
    if centre == "picture":
        x, y = FINE * (width - 1) / 2, FINE * (height - 1) / 2
    else:
        light = np.maximum(np.abs(fine) - max(_CORE, 3 * noise / abs(extreme)), 0)
        x = float((light.sum(axis=0) * np.arange(fine.shape[1])).sum() / light.sum())
        y = float((light.sum(axis=1) * np.arange(fine.shape[0])).sum() / light.sum())
    return Template(fine, x, y, math.copysign(1.0, extreme))


def add_templates(
    image: Photons, x: Doubles, y: Doubles, template: Template, scale: Doubles, angle: Doubles, amplitude: Doubles
) -> None:
    """Add copies of `template` to `image` in place.

    Values between samples come from cubic convolution (Keys, IEEE Trans. Acoustics 29, 1153 (1981)).

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    x, y
        (N,) centres, px; they may lie outside the image.
    template
        As `make_template` returns it.
    scale
        (N,) size relative to the template image, > 0.
    angle
        (N,) rotation, rad from x towards y.
    amplitude
        (N,) peak intensity over the background, photoelectrons; negative for dark particles, whatever the template's
        sign.
    """
    x, y, scale, angle, amplitude = as_doubles(x, y, scale, angle, amplitude)
    _add_templates(image, x, y, template.fine, template.x, template.y, scale, angle, amplitude)


def subtract_background(image: npt.NDArray[Any]) -> Doubles:
    """Return an image of one particle (H, W) without its background: a plane fitted to its border."""
    grey = np.asarray(image, np.float64)
    return grey - _plane(grey, _border(grey.shape)[1])


def fine_samples(signal: Doubles) -> Doubles:
    """Return the Fourier series through `signal` at `FINE` samples per pixel, starting at the first pixel's centre."""
    for axis in (0, 1):
        length = signal.shape[axis]
        spectrum = np.fft.rfft(signal, axis=axis)
        if length % 2 == 0:  # the highest frequency stands for both signs
            spectrum[(slice(None),) * axis + (-1,)] *= 0.5
        signal = FINE * np.fft.irfft(spectrum, FINE * length, axis=axis)
    return signal


def _border(shape: tuple[int, ...]) -> tuple[int, npt.NDArray[np.bool_]]:
    """Return the width of the border, px, and (H, W) bool: the pixels in it."""
    border = max(1, round(BORDER * min(shape)))
    outside = np.ones(shape, bool)
    outside[border:-border, border:-border] = False
    return border, outside


def _plane(grey: Doubles, outside: npt.NDArray[np.bool_]) -> Doubles:
    """Return (H, W) plane through the border, refitted without outliers."""
    rows, columns = np.indices(grey.shape)
    terms = np.stack([np.ones(grey.shape), rows, columns], axis=-1)
    plane = np.full(grey.shape, np.median(grey[outside]))
    for _ in range(3):
        error = np.abs(grey - plane)
        inliers = outside & (error <= 3 * 1.4826 * np.median(error[outside]))
        plane = terms @ np.linalg.lstsq(terms[inliers], grey[inliers], rcond=None)[0]
    return plane


def _taper(length: int, border: int) -> Doubles:
    """Return (length,) window: 0 at both ends, rising as a cosine to 1 at `border` pixels from them."""
    from_end = np.minimum(np.arange(length), np.arange(length)[::-1])
    return 0.5 - 0.5 * np.cos(math.pi * np.minimum(from_end / border, 1))


def _denoise(signal: Doubles, noise: float) -> Doubles:
    """Return `signal` after a Wiener filter whose power spectrum is averaged over all directions."""
    spectrum = np.fft.fft2(signal)
    frequency = np.hypot(np.fft.fftfreq(signal.shape[0])[:, None], np.fft.fftfreq(signal.shape[1]))
    ring = np.rint(frequency * max(signal.shape)).astype(int).ravel()
    power = np.bincount(ring, (np.abs(spectrum) ** 2).ravel()) / np.bincount(ring)
    passed = np.maximum(1 - noise**2 * signal.size / np.maximum(power, 1e-300), 0)
    return np.real(np.fft.ifft2(spectrum * passed[ring].reshape(signal.shape)))


@njit
def _add_templates(
    image: Any, x: Any, y: Any, fine: Any, middle_x: float, middle_y: float, scale: Any, angle: Any, amplitude: Any
) -> None:
    height, width = image.shape
    rows, columns = fine.shape
    far_x, far_y = max(middle_x, columns - middle_x), max(middle_y, rows - middle_y)
    for n in range(x.size):
        along, across = math.cos(angle[n]), math.sin(angle[n])
        per_px = FINE / scale[n]
        reach_x = (far_x * abs(along) + far_y * abs(across)) / per_px
        reach_y = (far_x * abs(across) + far_y * abs(along)) / per_px
        top, bottom = clip_to_image(y[n], reach_y, height)
        left, right = clip_to_image(x[n], reach_x, width)
        for i in range(top, bottom):
            for j in range(left, right):
                u = middle_x + per_px * ((j - x[n]) * along + (i - y[n]) * across)
                v = middle_y + per_px * ((i - y[n]) * along - (j - x[n]) * across)
                column, row = math.floor(u), math.floor(v)
                if 1 <= column < columns - 2 and 1 <= row < rows - 2:
                    total = 0.0
                    for k in range(-1, 3):
                        line = 0.0
                        for m in range(-1, 3):
                            line += _weight(u - column - m) * fine[row + k, column + m]
                        total += _weight(v - row - k) * line
                    image[i, j] += np.float32(amplitude[n] * total)


@njit
def _weight(distance: float) -> float:
    """Return the cubic convolution kernel at a distance below 2 samples."""
    d = abs(distance)
    if d < 1:
        return (1.5 * d - 2.5) * d * d + 1
    return ((-0.5 * d + 2.5) * d - 4) * d + 2
