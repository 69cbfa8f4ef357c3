"""The power spectrum of a position."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["binned_spectrum", "power_spectrum"]

_SEGMENTS = 8
_MIN_POSITIONS = 32
_BINS_PER_DECADE = 12


def power_spectrum(
    position: npt.NDArray[np.float64], step_s: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return frequencies, Hz, and the one-sided power spectral density in the unit of `position` squared per Hz.

    This is the mean of the periodograms of overlapping segments with a Hann window (Welch 1967,
    doi:10.1109/TAU.1967.1161901). Its integral is the variance. The frequency 0 is left out. The result is empty for
    fewer than 32 positions.

    Parameters
    ----------
    position
        (N,) at equal intervals.
    step_s
        The interval, s.
    """
    if len(position) < _MIN_POSITIONS or step_s <= 0:
        return np.zeros(0), np.zeros(0)
    length = max(_MIN_POSITIONS, 2 * len(position) // (_SEGMENTS + 1))
    segments = np.lib.stride_tricks.sliding_window_view(position, length)[:: max(1, length // 2)]
    window = np.hanning(length + 1)[:-1]
    spectra = np.abs(np.fft.rfft((segments - segments.mean(axis=1, keepdims=True)) * window, axis=1)) ** 2
    density = 2 * step_s / (window**2).sum() * spectra.mean(axis=0)
    if length % 2 == 0:
        density[-1] /= 2  # the highest frequency has no mirror image
    return np.fft.rfftfreq(length, step_s)[1:].astype(np.float64), density[1:].astype(np.float64)


def binned_spectrum(
    frequency: npt.NDArray[np.float64], density: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the means of frequency and density over bins of equal width on a logarithmic frequency axis."""
    if not len(frequency):
        return frequency, density
    index = np.floor(np.log10(frequency / frequency[0]) * _BINS_PER_DECADE + 1e-9).astype(int)
    count = np.bincount(index)
    filled = count > 0
    means = [np.bincount(index, values)[filled] / count[filled] for values in (frequency, density)]
    return means[0], means[1]
