"""Trap stiffness from the power spectrum of the position."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, pi, sqrt

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.calibrate.estimate import Estimate, Floats, positions_1d
from livetrack.calibrate.medium import Medium
from livetrack.calibrate.trap_covariance import check_times, trap_covariance
from livetrack.errors import InputError

__all__ = ["SpectrumFit", "stiffness_from_spectrum"]

_MIN_POSITIONS = 128
_MAX_BLOCKS = 2000
_ITERATIONS = 100
_DERIVATIVE_STEP = 1e-5  # of a parameter's logarithm
_MIN_PERIODS = 3.0  # of the corner frequency within the track: with fewer, the particle may just drift
_MAX_CORNER = 10.0  # in frame rates: beyond, all positions are independent, and the corner cannot be measured
_MAX_STEP = 1.0  # of a logarithm in one iteration


class SpectrumFit(Struct, frozen=True, kw_only=True):
    """A trap's parameters from its spectrum."""

    corner_hz: Estimate
    stiffness: Estimate
    """pN/µm, from the corner frequency and the drag; independent of the pixel size."""
    diffusion: Estimate
    """µm²/s, from the amplitude: it should equal `Medium.diffusion_um2_s` if pixel size and radius are right."""
    error_um: Estimate
    """Localisation error: fitted, or as given, then with uncertainty 0."""


def stiffness_from_spectrum(
    positions_um: npt.ArrayLike,
    interval_s: float,
    exposure_s: float,
    error_um: float | None = None,
    medium: Medium | None = None,
) -> SpectrumFit:
    """Fit the spectrum of a trapped particle along one axis, by maximum likelihood.

    The model is the spectrum of the sampled positions: an aliased Lorentzian with motion blur and the white noise of
    the localisation (Berg-Sørensen and Flyvbjerg, Review of Scientific Instruments 75, 594 (2004); Wong and Halvorsen
    2006). The values of the periodogram are exponentially distributed about it, and that likelihood is maximised
    (Whittle 1953; Nørrelykke and Flyvbjerg, Review of Scientific Instruments 81, 075103 (2010)), because least squares
    would be biased. The uncertainties follow from the curvature of the likelihood.

    Parameters
    ----------
    positions_um
        (N,) µm, one axis, equally spaced in time, none missing.
    interval_s, exposure_s
        Time between frames, and exposure time.
    error_um
        Localisation error, standard deviation; None fits it too, at the cost of precision.

    Raises
    ------
    InputError
        Too few positions, invalid times, or not the spectrum of a trap.
    """
    medium = medium or Medium()
    check_times(interval_s, exposure_s, error_um)
    x = positions_1d(positions_um, _MIN_POSITIONS)
    cosine, power, count = _blocked_periodogram(x)
    start = _first_guess(x, interval_s, error_um)

    def spectrum(logs: Floats) -> Floats:
        noise = exp(logs[2]) if error_um is None else error_um**2
        return _spectrum(cosine, exp(logs[0]), exp(logs[1]), noise, interval_s, exposure_s)

    logs, errors = _most_likely(spectrum, start, power, count)
    variance, corner_hz = exp(logs[0]), exp(logs[1])
    if not _MIN_PERIODS / (len(x) * interval_s) < corner_hz < _MAX_CORNER / interval_s:
        raise InputError(
            f"not the spectrum of a trap, or too short: its corner would be at {corner_hz:.3g} Hz, "
            f"and the positions span {len(x) * interval_s:.3g} s"
        )
    corner = Estimate(value=corner_hz, std=corner_hz * sqrt(errors[1, 1]), unit="Hz")
    diffusion = 2 * pi * variance * corner_hz
    diffusion_std = diffusion * sqrt(max(0.0, errors[0, 0] + errors[1, 1] + 2 * errors[0, 1]))
    error, error_std = error_um, 0.0
    if error is None:
        error = exp(logs[2] / 2)
        error_std = error * sqrt(errors[2, 2]) / 2
    return SpectrumFit(
        corner_hz=corner,
        stiffness=corner.times(medium.stiffness(1.0), "pN/µm"),
        diffusion=Estimate(value=diffusion, std=diffusion_std, unit="µm²/s"),
        error_um=Estimate(value=error, std=error_std, unit="µm"),
    )


def _blocked_periodogram(x: Floats) -> tuple[Floats, Floats, float]:
    """Return cosine of the phase per frame, mean power, and size of blocks of frequencies.

    The mean power over all frequencies is the variance.
    """
    power = np.abs(np.fft.rfft(x - x.mean())[1 : (len(x) + 1) // 2]) ** 2 / len(x)
    phase = 2 * pi * np.arange(1, len(power) + 1) / len(x)
    size = max(1, len(power) // _MAX_BLOCKS)
    used = len(power) // size * size
    mean_phase, mean_power = (values[:used].reshape(-1, size).mean(axis=1) for values in (phase, power))
    return np.cos(mean_phase), mean_power, float(size)


def _spectrum(
    cosine: Floats, variance: float, corner_hz: float, noise: float, interval_s: float, exposure_s: float
) -> Floats:
    """Return the spectrum of the sampled positions, µm²: the Fourier series of their covariance."""
    covariance = trap_covariance(corner_hz, interval_s, exposure_s)
    a = covariance.decay
    series: Floats = covariance.at_1 * 2 * (cosine - a) / (1 - 2 * a * cosine + a * a)
    return variance * (covariance.at_0 + series) + noise


def _first_guess(x: Floats, interval_s: float, error_um: float | None) -> Floats:
    x = x - x.mean()
    variance = float(x.var())
    one, two = (float((x[lag:] * x[:-lag]).mean()) for lag in (1, 2))
    decay = min(max(two / one if one > 0 else 0.5, 0.05), 0.999)
    first = [log(max(one / decay, 1e-3 * variance)), log(-log(decay) / (2 * pi * interval_s))]
    if error_um is None:
        first.append(log(max(variance - one / decay, 1e-3 * variance)))
    return np.array(first)


def _most_likely(
    spectrum: Callable[[Floats], Floats], start: Floats, power: Floats, count: float
) -> tuple[Floats, Floats]:
    """Return the logarithms of the parameters and their covariance, by Fisher scoring with step halving."""

    def loss(logs: Floats) -> float:
        model = spectrum(logs)
        return count * float((np.log(model) + power / model).sum())

    logs, best = start, loss(start)
    information = np.eye(len(start))
    for _ in range(_ITERATIONS):
        model = spectrum(logs)
        shifted = [spectrum(logs + shift) for shift in _DERIVATIVE_STEP * np.eye(len(logs))]
        slopes = np.array([(np.log(other) - np.log(model)) / _DERIVATIVE_STEP for other in shifted])
        information = count * slopes @ slopes.T
        step = np.linalg.lstsq(information, count * slopes @ (power / model - 1), rcond=1e-12)[0]
        step *= min(1.0, _MAX_STEP / max(np.abs(step).max(), 1e-300))
        while (new := loss(logs + step)) > best and np.abs(step).max() > 1e-9:
            step = step / 2
        if np.abs(step).max() <= 1e-9 or best - new < 1e-9:
            break
        logs, best = logs + step, new
    errors = np.linalg.pinv(information).astype(np.float64)
    return logs, errors
