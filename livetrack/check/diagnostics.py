"""Warnings about the frames of a movie and about its particles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.check.measure import ParticleProperties

__all__ = [
    "count_copies",
    "count_diagnostics",
    "frame_diagnostics",
    "is_blank",
    "particle_diagnostics",
    "pixel_diagnostics",
]

_FULL_SCALES = tuple(2**bits - 1 for bits in (8, 10, 11, 12, 14, 16))
_MAX_SATURATED = 1e-5  # fraction of all pixels; a few hot pixels do no harm
_MAX_BLACK = 0.01
_MIN_FRAMES = 10


def frame_diagnostics(frames: Sequence[npt.NDArray[Any]]) -> list[str]:
    """Return a sentence for each fault of a movie's frames, whatever the particles are."""
    warnings = pixel_diagnostics(frames)
    if is_blank(frames):
        return warnings
    copies = count_copies(frames)
    if copies:
        warnings.append(f"{copies} of {len(frames)} frames are exact copies of the one before: they were saved twice")
    if len(frames) == 1:
        warnings.append("a single frame: spacing is a rough estimate, and motion cannot be measured")
    elif len(frames) < _MIN_FRAMES:
        warnings.append(f"only {len(frames)} frames: spacing and motion are rough estimates")
    return warnings


def pixel_diagnostics(frames: Sequence[npt.NDArray[Any]]) -> list[str]:
    """Return a sentence for each fault of the pixels: no light, saturation, clipped noise."""
    stack = np.stack(frames)
    if is_blank(frames):
        return [f"all pixels are {stack.flat[0]}: check the light and the shutter"]
    warnings = []
    if stack.dtype.kind in "ui":
        top = int(stack.max())
        saturated = float((stack == top).mean())
        if top in _FULL_SCALES and saturated > _MAX_SATURATED:
            warnings.append(
                f"{_percent(saturated)} of the pixels are saturated at {top}, which distorts positions; "
                "lower the exposure or the gain"
            )
        black = float((stack == 0).mean())
        if black > _MAX_BLACK:
            warnings.append(f"{_percent(black)} of the pixels are 0: the noise is clipped; raise the camera's offset")
    return warnings


def is_blank(frames: Sequence[npt.NDArray[Any]]) -> bool:
    """Return whether all pixels of all frames have the same value."""
    return bool(min(frame.min() for frame in frames) == max(frame.max() for frame in frames))


def count_copies(frames: Sequence[npt.NDArray[Any]]) -> int:
    """Return how many frames are exact copies of the one before."""
    return sum(np.array_equal(before, after) for before, after in pairwise(frames))


def count_diagnostics(model: str, found: float, particles: ParticleProperties) -> list[str]:
    """Return a sentence if a model finds many more or fewer particles per frame than stand out."""
    if particles.count / 2 <= found <= 2 * particles.count:
        return []
    return [
        f"{model} finds {found:.0f} particles per frame where about {particles.count:.0f} stand out: check "
        "the picture; try another localizer.threshold, or train a model for these particles"
    ]


def particle_diagnostics(particles: ParticleProperties, dtype: np.dtype[Any]) -> list[str]:
    """Return a sentence for each property that makes these particles hard to find or to link."""
    warnings = []
    if dtype.kind in "ui" and particles.peak < 10:
        warnings.append(
            f"particles are only {particles.peak:.0f} grey levels above the background: rounding limits precision; "
            "use a higher bit depth or gain"
        )
    if particles.snr < 4:
        warnings.append(f"the signal is only {particles.snr:.1f} times the noise: expect missed and false particles")
    spacing, step = particles.spacing_px, particles.step_px
    if spacing is not None and spacing < 1.5 * particles.diameter_px:
        warnings.append(
            f"neighbours are {spacing:.0f} px apart at a diameter of {particles.diameter_px:.0f} px: "
            "many particles overlap; dilute the sample"
        )
    if spacing is not None and step is not None and step > spacing / 6:
        warnings.append(
            f"particles move {step:.1f} px per frame with neighbours {spacing:.0f} px apart: "
            "tracks will be mixed up; use a higher frame rate or dilute the sample"
        )
    return warnings


def _percent(fraction: float) -> str:
    """Return `fraction` in per cent with two digits, three near 1."""
    return f"{min(100 * fraction, 99.9):.{2 if fraction < 0.99 else 3}g} %"
