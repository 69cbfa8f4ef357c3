"""Movie: frames in order, read from any kind of file."""

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
"""Image (H, W) of any integer or float type."""

_log = logging.getLogger(__name__)

_ROWS = 256  # converted to grey at a time


class DamagedMovieError(Exception):
    """Raised by a reader where the frames end early; its text is the reason. `Movie` turns it into `problem`."""


@dataclass
class Movie:
    """Frames in order. Each iteration reads the file from the start and closes it at the end.

    Parameters
    ----------
    path
        File or folder.
    shape
        (H, W) of every frame, px.
    dtype
        Pixel type.
    length
        Expected number of frames; None if known only after reading all of them.
    fps
        Frames per second; None if the file does not contain it.
    pixel_size_um
        µm per pixel; None if the file does not contain it.
    read
        Opens the file and yields the frames.
    problem
        Why the last iteration ended early, in one line; else None.
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
        """Yield the frames; where the file is damaged, stop, set `problem` and log it as a warning."""
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
    """Return (H, W) from (H, W) or (H, W, samples): one channel, or the luma of all; booleans become uint8 0 and 1.

    Two samples are grey and alpha, four are colours and alpha. Luma weighs red, green and blue by 0.299, 0.587 and
    0.114 (ITU-R BT.601) and keeps the pixel type.

    Raises
    ------
    InputError
        The channel does not exist, or the pixels are not real numbers.
    """
    if image.dtype.kind not in "buif":
        raise InputError(f"{path}: its pixels are {image.dtype}, not real numbers; save the real part or the modulus")
    if image.dtype.kind == "b":
        image = image.view(np.uint8)
    samples = 1 if image.ndim == 2 else image.shape[2]
    if channel is not None and not 0 <= channel < samples:
        raise InputError(f"{path}: no channel {channel}; channels are 0 to {samples - 1}")
    if image.ndim == 2:
        return image
    if channel is not None or samples < 3:
        return np.ascontiguousarray(image[:, :, channel or 0])
    grey = np.empty(image.shape[:2], image.dtype)
    for begin in range(0, len(grey), _ROWS):  # the numbers in between take several times the memory of the image
        luma = image[begin : begin + _ROWS, :, :3] @ np.array([0.299, 0.587, 0.114], np.float32)
        grey[begin : begin + _ROWS] = luma if image.dtype.kind == "f" else np.rint(luma)
    return grey


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in reversed(shape))
