"""Findings about grey levels and about particles, whatever frames they were measured in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.check.finding import Finding
from livetrack.check.measure import ParticleProperties

__all__ = [
    "count_copies",
    "frame_diagnostics",
    "is_blank",
    "particle_diagnostics",
    "percent",
    "pixel_diagnostics",
]

Image = npt.NDArray[Any]

_FULL_SCALES = tuple(2**bits - 1 for bits in (8, 10, 11, 12, 14, 16))
_MAX_SATURATED = 1e-5  # fraction of all pixels; a few hot pixels do no harm
_MAX_BLACK = 0.01
_MIN_LEVELS = 10  # grey levels of a particle above the background
_MIN_SNR = 4.0
_MIN_FRAMES = 10
_ALIGNED_DEG = 15.0


def frame_diagnostics(frames: Sequence[Image]) -> list[Finding]:
    """Return the faults of a movie's frames, whatever the particles are."""
    found = pixel_diagnostics(frames)
    if is_blank(frames):
        return found
    if len(frames) == 1:
        text = "a single frame: spacing is a rough estimate, and motion cannot be measured"
        found.append(Finding("few frames", text, figures={"frames": 1}))
    elif len(frames) < _MIN_FRAMES:
        text = f"only {len(frames)} frames: spacing and motion are rough estimates"
        found.append(Finding("few frames", text, figures={"frames": len(frames)}))
    return found


def pixel_diagnostics(frames: Sequence[Image]) -> list[Finding]:
    """Return the faults of the grey levels: no light, saturation, clipped noise."""
    if is_blank(frames):
        return [Finding("blank", f"all pixels are {frames[0].flat[0]}", "check the light and the shutter")]
    found = []
    pixels = sum(frame.size for frame in frames)
    top = max(frame.max() for frame in frames)
    if frames[0].dtype.kind in "ui" and int(top) in _FULL_SCALES:
        saturated = sum(int((frame == top).sum()) for frame in frames) / pixels
        if saturated > _MAX_SATURATED:
            text = f"{percent(saturated)} of the pixels are saturated at {top}, which distorts positions"
            figures = {"fraction": saturated, "level": float(top)}
            found.append(Finding("saturated", text, "lower the exposure or the gain", figures))
    black = sum(int((frame == 0).sum()) for frame in frames) / pixels
    if black > _MAX_BLACK and min(frame.min() for frame in frames) == 0:
        text = f"{percent(black)} of the pixels are 0: the noise is clipped"
        found.append(Finding("clipped", text, "raise the camera's offset, subtract no background", {"fraction": black}))
    return found


def is_blank(frames: Sequence[Image]) -> bool:
    """Return whether all pixels of all frames have the same value."""
    return bool(min(frame.min() for frame in frames) == max(frame.max() for frame in frames))


def count_copies(frames: Sequence[Image]) -> int:
    """Return how many frames are exact copies of the one before."""
    return sum(np.array_equal(before, after) for before, after in pairwise(frames))


def particle_diagnostics(particles: ParticleProperties, dtype: np.dtype[Any], *, fits: bool = True) -> list[Finding]:
    """Return what makes these particles hard to find or to link.

    Unless a model `fits`, what was measured may be parts of particles, or no particles: then only the drift,
    the crowding and the shape are reported. That a model fits excludes that they are elongated.
    """
    found = []
    if particles.drift_px is not None:
        found.append(_drift(particles.drift_px))
    spacing, step = particles.spacing_px, particles.step_px
    if spacing is not None and spacing < 1.5 * particles.diameter_px and (fits or not particles.is_elongated):
        text = (
            f"neighbours are {spacing:.0f} px apart at a diameter of {particles.diameter_px:.0f} px: "
            "many particles overlap"
        )
        figures = {"spacing_px": spacing, "diameter_px": particles.diameter_px}
        found.append(Finding("crowded", text, "dilute the sample", figures))
    if not fits:
        return [*found, _elongated(particles)] if particles.is_elongated else found
    if dtype.kind in "ui" and particles.peak < _MIN_LEVELS:
        text = f"particles are only {particles.peak:.0f} grey levels above the background: rounding limits precision"
        found.append(Finding("few levels", text, "use a higher bit depth or gain", {"grey_levels": particles.peak}))
    if particles.snr is not None and particles.snr < _MIN_SNR:
        text = f"the signal is only {particles.snr:.1f} times the noise: expect missed and false particles"
        found.append(Finding("faint", text, "use more light or a longer exposure", {"snr": particles.snr}))
    if spacing is not None and step is not None and step > spacing / 6:
        text = f"particles move {step:.1f} px per frame with neighbours {spacing:.0f} px apart: tracks will be mixed up"
        cure = "use a higher frame rate or dilute the sample"
        found.append(Finding("fast", text, cure, {"step_px": step, "spacing_px": spacing}))
    return found


def percent(fraction: float) -> str:
    """Return `fraction` in per cent with two digits, three near 1."""
    return f"{min(100 * fraction, 99.9):.{2 if fraction < 0.99 else 3}g} %"


def _drift(drift_px: tuple[float, float]) -> Finding:
    x, y = drift_px
    right = f"{abs(x):.2g} px to the {'right' if x > 0 else 'left'}"
    down = f"{abs(y):.2g} px {'down' if y > 0 else 'up'}"
    larger = max(abs(x), abs(y))
    where = " and ".join(each for each, value in ((right, x), (down, y)) if abs(value) > larger / 10)
    text = f"all particles drift {math.hypot(x, y):.2g} px per frame: {where}"
    cure = f"track with --set linker.drift_px=[{x:.2f},{y:.2f}]"
    return Finding("drift", text, cure, {"x_px": x, "y_px": y})


def _elongated(particles: ParticleProperties) -> Finding:
    elongation, spread = particles.elongation or 1.0, particles.angle_spread_deg or 0.0
    text = f"particles are {elongation:.1f} times longer than wide, their directions spread by {spread:.0f}°"
    figures = {"elongation": elongation, "angle_spread_deg": spread}
    if spread < _ALIGNED_DEG:
        cure = "if they are rods, train the rod recipe (docs/training.md); else look for motion blur or astigmatism"
    else:
        cure = "train the rod recipe (docs/training.md), which places each once and measures its angle"
    return Finding("elongated", text, cure, figures)
