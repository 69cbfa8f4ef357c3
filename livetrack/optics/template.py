"""Particles that look as in a given picture: moved, turned and resized."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit

__all__ = ["FINE", "Template", "add_templates", "make_template"]

Doubles = npt.NDArray[np.float64]

FINE = 4
"""Samples along each side of a pixel."""

_BORDER = 0.125  # of the shorter side: what is taken for background, and where the particle is brought to zero
_LEAST = 5.0  # standard deviations of the border that the particle must stand out
_CORE = 0.1  # of the extreme: what is fainter does not count for the centre


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A picture without its background and noise, in `FINE` samples a pixel.

    `fine` (H, W) has its extreme at 1; `x`, `y` is the particle's centre in it, in samples; `sign` is -1 where the
    particle was darker than its background.
    """

    fine: Doubles
    x: float
    y: float
    sign: float


def make_template(picture: npt.NDArray[Any], centre: Literal["light", "picture"] = "light") -> Template:
    """Prepare a picture of one particle.

    The background is a plane through the border, an eighth of the shorter side wide, where the particle is brought
    smoothly to zero. Noise is taken out by Wiener's filter: each spatial frequency is weakened by the share of the
    noise, known from the border, in the power at that wavelength. Samples between pixels come from the Fourier series,
    which is exact for a picture that the optics have blurred over its pixels.

    The noise of a single picture can be told from the particle only so far. What is left is drawn at every particle, as
    if it were part of it; an average of several aligned pictures has less of it.

    Parameters
    ----------
    picture
        (H, W) grey levels; the particle must not reach its border.
    centre
        What the position of such a particle means. "light": the centroid of what differs from the background by more
        than a tenth of the extreme and than the noise; "picture": the middle of the picture.

    Raises
    ------
    ValueError
        No particle stands out from the border; the text says so in one line.
    """
    grey = np.asarray(picture, np.float64)
    height, width = grey.shape
    border = max(1, round(_BORDER * min(height, width)))
    outside = np.ones(grey.shape, bool)
    outside[border:-border, border:-border] = False
    signal = grey - _plane(grey, outside)
    noise = 1.4826 * float(np.median(np.abs(signal[outside])))
    if np.abs(signal).max() <= _LEAST * noise or not np.abs(signal[~outside]).max() > 0:
        raise ValueError("no particle stands out from the picture's border; leave some background about it")
    signal *= _taper(height, border)[:, None] * _taper(width, border)
    fine = _interpolated(_without_noise(signal, noise))
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
    image: npt.NDArray[np.float32],
    x: Doubles,
    y: Doubles,
    template: Template,
    scale: Doubles,
    angle: Doubles,
    amplitude: Doubles,
) -> None:
    """Add particles that look like `template` to `image` in place.

    Values between samples come from cubic convolution (Keys, IEEE Trans. Acoustics 29, 1153 (1981)).

    Parameters
    ----------
    image
        (H, W) float32, expected photoelectrons.
    x, y
        (N,) centres, px; they may lie outside the image.
    template
        Of `make_template`.
    scale
        (N,) size over that in the picture, > 0.
    angle
        (N,) by how much it is turned, rad from x towards y.
    amplitude
        (N,) height of the extreme over the background, photoelectrons; negative for dark particles, whatever the
        template's own sign.
    """
    x, y, scale, angle, amplitude = (np.ascontiguousarray(part, np.float64) for part in (x, y, scale, angle, amplitude))
    _add_templates(image, x, y, template.fine, template.x, template.y, scale, angle, amplitude)


def _plane(grey: Doubles, outside: npt.NDArray[np.bool_]) -> Doubles:
    """Return the plane through the border (H, W), fitted again without what is far from the first one."""
    rows, columns = np.indices(grey.shape)
    terms = np.stack([np.ones(grey.shape), rows, columns], axis=-1)
    plane = np.full(grey.shape, np.median(grey[outside]))
    for _ in range(3):
        error = np.abs(grey - plane)
        near = outside & (error <= 3 * 1.4826 * np.median(error[outside]))
        plane = terms @ np.linalg.lstsq(terms[near], grey[near], rcond=None)[0]
    return plane


def _taper(length: int, border: int) -> Doubles:
    """Return (length,): 0 at both ends, rising as a cosine to 1 at `border` from them."""
    from_end = np.minimum(np.arange(length), np.arange(length)[::-1])
    return 0.5 - 0.5 * np.cos(math.pi * np.minimum(from_end / border, 1))


def _without_noise(signal: Doubles, noise: float) -> Doubles:
    """Return `signal` after Wiener's filter, its power averaged over all directions."""
    spectrum = np.fft.fft2(signal)
    frequency = np.hypot(np.fft.fftfreq(signal.shape[0])[:, None], np.fft.fftfreq(signal.shape[1]))
    ring = np.rint(frequency * max(signal.shape)).astype(int).ravel()
    power = np.bincount(ring, (np.abs(spectrum) ** 2).ravel()) / np.bincount(ring)
    passed = np.maximum(1 - noise**2 * signal.size / np.maximum(power, 1e-300), 0)
    return np.real(np.fft.ifft2(spectrum * passed[ring].reshape(signal.shape)))


def _interpolated(signal: Doubles) -> Doubles:
    """Return the Fourier series through `signal` at `FINE` samples a pixel, the first ones at the first pixel."""
    for axis in (0, 1):
        length = signal.shape[axis]
        spectrum = np.fft.rfft(signal, axis=axis)
        if length % 2 == 0:  # the highest frequency stands for both its signs
            spectrum[(slice(None),) * axis + (-1,)] *= 0.5
        signal = FINE * np.fft.irfft(spectrum, FINE * length, axis=axis)
    return signal


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
        for i in range(max(0, math.ceil(y[n] - reach_y)), min(height, math.floor(y[n] + reach_y) + 1)):
            for j in range(max(0, math.ceil(x[n] - reach_x)), min(width, math.floor(x[n] + reach_x) + 1)):
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
    """Return the cubic kernel at a distance of less than 2 samples."""
    d = abs(distance)
    if d < 1:
        return (1.5 * d - 2.5) * d * d + 1
    return ((-0.5 * d + 2.5) * d - 4) * d + 2
