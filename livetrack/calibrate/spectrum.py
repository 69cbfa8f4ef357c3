"""Trap stiffness from the power spectrum of the position."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, pi, sqrt

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.calibrate.estimate import Estimate, Floats, positions_1d
from livetrack.calibrate.medium import Medium
from livetrack.calibrate.trap_covariance import check_times, covariance
from livetrack.errors import InputError

__all__ = ["SpectrumFit", "stiffness_from_spectrum"]

_LEAST = 128
_BLOCKS = 2000
_ROUNDS = 100
_STEP = 1e-5  # of a parameter's logarithm, for a derivative
_FEWEST_TIMES = 3.0  # that the corner's period must go into the trajectory: less is a particle that drifts
_HIGHEST = 10.0  # corner, in frame rates: beyond, all positions are independent and nothing tells it
_FARTHEST = 1.0  # that a logarithm moves in one round


class SpectrumFit(Struct, frozen=True, kw_only=True):
    """What a spectrum tells of a trap."""

    corner_hz: Estimate
    stiffness: Estimate
    """pN/µm, from the corner frequency and the drag: it needs no pixel size."""
    diffusion: Estimate
    """µm²/s, from the height: beside `Medium.diffusion_um2_s` it tells whether pixel size and radius are right."""
    error_um: Estimate
    """Localisation error: as it was given, then with uncertainty 0, or fitted."""


def stiffness_from_spectrum(
    positions_um: npt.ArrayLike,
    interval_s: float,
    exposure_s: float,
    error_um: float | None = None,
    medium: Medium | None = None,
) -> SpectrumFit:
    """Fit the spectrum of a trapped particle along one axis, by maximum likelihood.

    The model is that of the sampled positions: a Lorentzian with all that is aliased into it, the blur of the
    exposure, and the white noise of the localisation (Berg-Sørensen and Flyvbjerg, Review of Scientific Instruments
    75, 594 (2004); Wong and Halvorsen 2006). Each value of the periodogram is exponentially distributed about it, and
    what is maximised is that likelihood (Whittle 1953; Nørrelykke and Flyvbjerg, Review of Scientific Instruments 81,
    075103 (2010)): least squares would be biased. The uncertainties are those of the likelihood's curvature.

    Parameters
    ----------
    positions_um
        (N,) µm, one axis, at even times, none missing.
    interval_s, exposure_s
        From frame to frame, and how long each was exposed.
    error_um
        Localisation error, standard deviation; None fits it as well, with less precise results.

    Raises
    ------
    InputError
        Too few positions, impossible times, or a spectrum that no trap makes.
    """
    medium = medium or Medium()
    check_times(interval_s, exposure_s, error_um)
    x = positions_1d(positions_um, _LEAST)
    cosine, power, count = _blocked_periodogram(x)
    start = _first_guess(x, interval_s, error_um)

    def spectrum(logs: Floats) -> Floats:
        noise = exp(logs[2]) if error_um is None else error_um**2
        return _spectrum(cosine, exp(logs[0]), exp(logs[1]), noise, interval_s, exposure_s)

    logs, errors = _most_likely(spectrum, start, power, count)
    variance, corner_hz = exp(logs[0]), exp(logs[1])
    if not _FEWEST_TIMES / (len(x) * interval_s) < corner_hz < _HIGHEST / interval_s:
        raise InputError(
            f"no trap's spectrum, or too short: its corner would be at {corner_hz:.3g} Hz, "
            f"and the positions are of {len(x) * interval_s:.3g} s"
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
    """Return the cosine of the phase per frame and the mean power of blocks of frequencies, and a block's length.

    The power is scaled so that its mean over all frequencies is the variance.
    """
    power = np.abs(np.fft.rfft(x - x.mean())[1 : (len(x) + 1) // 2]) ** 2 / len(x)
    phase = 2 * pi * np.arange(1, len(power) + 1) / len(x)
    size = max(1, len(power) // _BLOCKS)
    whole = len(power) // size * size
    mean_phase, mean_power = (values[:whole].reshape(-1, size).mean(axis=1) for values in (phase, power))
    return np.cos(mean_phase), mean_power, float(size)


def _spectrum(
    cosine: Floats, variance: float, corner_hz: float, noise: float, interval_s: float, exposure_s: float
) -> Floats:
    """Return the spectrum of the sampled positions, µm²: the Fourier series of their covariance."""
    seen = covariance(corner_hz, interval_s, exposure_s)
    a = seen.decay
    series: Floats = seen.at_1 * 2 * (cosine - a) / (1 - 2 * a * cosine + a * a)
    return variance * (seen.at_0 + series) + noise


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
    """Return the logarithms of the parameters and their covariance, by Fisher's scoring with halved steps."""

    def loss(logs: Floats) -> float:
        model = spectrum(logs)
        return count * float((np.log(model) + power / model).sum())

    logs, least = start, loss(start)
    information = np.eye(len(start))
    for _ in range(_ROUNDS):
        model = spectrum(logs)
        steps = _STEP * np.eye(len(logs))
        slopes = np.array([(np.log(spectrum(logs + step)) - np.log(model)) / _STEP for step in steps])
        information = count * slopes @ slopes.T
        way = np.linalg.lstsq(information, count * slopes @ (power / model - 1), rcond=1e-12)[0]
        way *= min(1.0, _FARTHEST / max(np.abs(way).max(), 1e-300))
        while (found := loss(logs + way)) > least and np.abs(way).max() > 1e-9:
            way = way / 2
        if np.abs(way).max() <= 1e-9 or least - found < 1e-9:
            break
        logs, least = logs + way, found
    errors = np.linalg.pinv(information).astype(np.float64)
    return logs, errors
