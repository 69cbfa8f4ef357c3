"""The trial of a network before it is accepted: it is run in full on images on which a bad one overflows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import LocalizerError, ModelError

__all__ = ["hostile_frames", "try_on_hostile_frames"]

_LIMIT_S, _LIMIT_S_PER_PX = 3.0, 4e-6  # of a run: some 100 times what the shipped models take

_FULL = np.iinfo(np.uint16).max


def hostile_frames(shape: tuple[int, int]) -> Iterator[tuple[str, npt.NDArray[np.uint16]]]:
    """Yield images (H, W) with a description of each: none is like an image of particles."""
    rng = np.random.default_rng(0)
    dark = rng.integers(90, 110, shape).astype(np.uint16)
    yield "a frame of zeros", np.zeros(shape, np.uint16)
    yield "a saturated frame", np.full(shape, _FULL, np.uint16)
    half = dark.copy()
    half[: shape[0] // 2] = _FULL
    yield "a half-saturated frame", half
    bright = dark.copy()
    bright[shape[0] // 2, shape[1] // 2] = _FULL
    yield "one bright pixel", bright
    yield "noise of all grey levels", rng.integers(0, _FULL, shape, np.uint16, endpoint=True)


def try_on_hostile_frames(name: str, shape: tuple[int, int], run: Callable[[npt.NDArray[Any], float], object]) -> None:
    """Run a model on each of `hostile_frames`.

    Parameters
    ----------
    name
        Of the model.
    shape
        Of the images, (H, W).
    run
        Runs the model on an image, for at most the given time in seconds. Raises `LocalizerError` for maps that are
        not finite; anything else for a run that fails or is stopped.

    Raises
    ------
    ModelError
        The model fails, takes far too long, or returns maps that are not finite.
    """
    limit_s = _LIMIT_S + _LIMIT_S_PER_PX * math.prod(shape)
    for what, image in hostile_frames(shape):
        begun_s = time.monotonic()
        try:
            run(image, limit_s)
        except LocalizerError as error:
            raise ModelError(f"{error} ({what}); train it again, or use another model") from None
        except Exception as error:  # noqa: BLE001 - those of ONNX Runtime and OpenVINO have no common base class
            late = time.monotonic() - begun_s >= limit_s
            why = f"it takes more than {limit_s:.1f} s" if late else (str(error).splitlines() or ["it fails"])[0]
            on = f"on {what} of {shape[1]}x{shape[0]} px"
            raise ModelError(f"model {name}: cannot be used: {on}, {why}") from None
