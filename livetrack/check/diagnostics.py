"""What a person should know before trusting a movie, or the settings suggested for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.check.measure import ParticleProperties

__all__ = ["frame_diagnostics", "particle_diagnostics"]

_FULL_SCALES = tuple(2**bits - 1 for bits in (8, 10, 11, 12, 14, 16))
_SATURATED = 1e-5  # of all pixels: a few hot ones are no matter
_BLACK = 0.01
_FEW_FRAMES = 10


def frame_diagnostics(frames: Sequence[npt.NDArray[Any]]) -> list[str]:
    """Return a sentence for each thing that is wrong with the pixels, whatever the particles are."""
    stack = np.stack(frames)
    if stack.min() == stack.max():
        return [f"all pixels are {stack.flat[0]}: are the light and the shutter as they should be?"]
    said = []
    if stack.dtype.kind in "ui":
        top = int(stack.max())
        share = float((stack == top).mean())
        if top in _FULL_SCALES and share > _SATURATED:
            said.append(
                f"{_percent(share)} of the pixels are saturated at {top}: it spoils these particles' positions; "
                "lower the exposure or the gain"
            )
        black = float((stack == 0).mean())
        if black > _BLACK:
            said.append(
                f"{_percent(black)} of the pixels are 0: the dark side of the noise is cut off; raise the offset"
            )
    same = sum(np.array_equal(one, other) for one, other in pairwise(frames))
    if same:
        said.append(f"exact copies of the frame before: {same} of {len(frames)} frames; they were written twice")
    if len(frames) == 1:
        said.append("a single frame: the spacing is a rough guess, and motion cannot be measured")
    elif len(frames) < _FEW_FRAMES:
        said.append(f"only {len(frames)} frames: spacing and motion are rough guesses")
    return said


def particle_diagnostics(measures: ParticleProperties, dtype: np.dtype[Any]) -> list[str]:
    """Return a sentence for each thing that makes these particles hard to find or to link."""
    said = []
    if dtype.kind in "ui" and measures.peak < 10:
        said.append(
            f"particles rise only {measures.peak:.0f} grey levels over the background: rounding costs precision; "
            "record with more bits or a higher gain"
        )
    if measures.snr < 4:
        said.append(f"the signal is only {measures.snr:.1f} times the noise: expect missed and false particles")
    if measures.spacing_px is not None and measures.spacing_px < 1.5 * measures.diameter_px:
        said.append(
            f"neighbours are {measures.spacing_px:.0f} px apart at a diameter of {measures.diameter_px:.0f} px: "
            "many particles overlap; dilute the sample"
        )
    if measures.spacing_px is not None and measures.step_px is not None and measures.step_px > measures.spacing_px / 6:
        said.append(
            f"particles move {measures.step_px:.1f} px a frame with neighbours {measures.spacing_px:.0f} px apart: "
            "identities will be mixed up; take frames faster, or dilute the sample"
        )
    return said


def _percent(share: float) -> str:
    """Return a share below 1 to two digits, or three near 1."""
    return f"{min(100 * share, 99.9):.{2 if share < 0.99 else 3}g} %"
