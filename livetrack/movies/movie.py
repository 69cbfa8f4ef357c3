"""What every movie is, whatever holds it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError

__all__ = ["DamagedMovieError", "Image", "Movie", "to_grey"]

Image: TypeAlias = npt.NDArray[Any]
"""One frame: (H, W), any integer or float type."""

_log = logging.getLogger(__name__)


class DamagedMovieError(Exception):
    """Raised by a reader where the frames end before they should; its text says why."""


@dataclass
class Movie:
    """Frames in order. Each iteration reads the file anew from the start and closes it at the end.

    Parameters
    ----------
    path
        The file or folder.
    shape
        (H, W) of every frame, px.
    dtype
        Their number type.
    length
        How many frames there should be; None where only reading to the end tells.
    fps
        Frames a second, None where the file does not say.
    pixel_size_um
        µm per pixel, None where the file does not say.
    problem
        Why the last iteration gave fewer frames than there should be, in one line; None when all is well.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    length: int | None
    fps: float | None
    pixel_size_um: float | None
    read: Callable[[], Iterator[Image]] = field(repr=False)
    problem: str | None = None

    def __iter__(self) -> Iterator[Image]:
        """Yield the frames; at damage stop, set `problem` and log it as a warning."""
        self.problem = None
        count = 0
        try:
            for image in self.read():
                if image.shape != self.shape:
                    raise DamagedMovieError(
                        f"frame {count} is {_size(image.shape)} px, the first is {_size(self.shape)}"
                    )
                yield image
                count += 1
            if self.length is not None and count < self.length:
                raise DamagedMovieError("the file ends early")
        except DamagedMovieError as damage:
            expected = "" if self.length is None else f" of {self.length}"
            self.problem = f"{self.path}: {damage}; read the {count}{expected} frames before that"
            _log.warning(self.problem)


def to_grey(image: Image, channel: int | None, path: Path) -> Image:
    """Return (H, W) from (H, W) or (H, W, samples): one sample, or the luma of all; booleans become uint8 0 and 1.

    Two samples are grey and alpha, four colours and alpha. Luma weighs red, green and blue by 0.299, 0.587 and
    0.114 (ITU-R BT.601) and keeps the number type.

    Raises
    ------
    InputError
        There is no such channel, or the pixels are no real numbers.
    """
    if image.dtype.kind not in "buif":
        raise InputError(f"{path}: its pixels are {image.dtype}, not real numbers; save one part, or the modulus")
    if image.dtype.kind == "b":
        image = image.view(np.uint8)
    samples = 1 if image.ndim == 2 else image.shape[2]
    if channel is not None and not 0 <= channel < samples:
        raise InputError(f"{path}: there is no channel {channel}; channels are 0 to {samples - 1}")
    if image.ndim == 2:
        return image
    if channel is not None or samples < 3:
        return np.ascontiguousarray(image[:, :, channel or 0])
    luma = image[:, :, :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    return luma.astype(image.dtype) if image.dtype.kind == "f" else np.rint(luma).astype(image.dtype)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in reversed(shape))
