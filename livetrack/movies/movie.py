"""Movie: frames in order, read from any kind of file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError

__all__ = [
    "DamagedMovieError",
    "Image",
    "LostFrame",
    "Movie",
    "MovieFrame",
    "Reader",
    "Times",
    "TruncatedMovieError",
    "to_grey",
]

Image: TypeAlias = npt.NDArray[Any]
"""Image (H, W) of any integer or float type."""
Times: TypeAlias = npt.NDArray[np.float64]

_log = logging.getLogger(__name__)

_ROWS = 256  # converted to grey at a time


class DamagedMovieError(Exception):
    """Raised by a reader where the frames end early; its text is the reason. `Movie` turns it into `problem`."""


class TruncatedMovieError(DamagedMovieError):
    """Raised for an image that lies behind the end of its file, as those after it do."""


class MovieFrame(NamedTuple):
    """One frame of a movie."""

    number: int
    """As the data count it, from 0: frames that are missing leave a gap."""
    pixels: Image
    t_s: float | None
    """Seconds since frame 0 of the data; None if unknown."""
    filled: npt.NDArray[np.bool_] | None = None
    """(H, W) pixels that were not numbers, such as NaN, and have been filled with background; None if none were."""


class LostFrame(NamedTuple):
    """A frame that a reader cannot deliver, while those behind it can be read."""

    number: int
    reason: str
    is_absent: bool = False
    """Whether the data have no such frame, as opposed to a damaged one."""


Reader: TypeAlias = Callable[[Iterator[int]], Iterator[MovieFrame | LostFrame]]
"""Opens the file and yields the frames at increasing indices, until these or the frames end.

It goes to the first without reading those before it, if the format permits that. `t_s` may be None; then `Movie` fills
it in. It raises `DamagedMovieError` where nothing follows that could be read.
"""


def _no_times() -> Times | None:
    return None


@dataclass
class Movie:
    """Frames in order. Each iteration opens the file and closes it at the end.

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
        Reads the frames at given indices.
    times
        Reads the times of all frames without their pixels.
    numbers
        (length,) int64 frame numbers, where they have gaps; None: 0, 1, 2 ...
    lacking
        What is missing as is clear before anything is read, such as files of a series; empty if nothing is.
    notes
        What was assumed, left out or filled, one line each, with the option that changes it. Reading frames may add to
        it.
    origin
        x, y of the first pixel of every frame in the image of the file, px: that of the selected region.
    full_shape
        (H, W) of the image of the file, of which the frames are a region; None: `shape`.
    problem
        What is missing: at first what is clear already, then why the last iteration ended early or left frames out, in
        one line; else None.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    length: int | None
    fps: float | None
    pixel_size_um: float | None
    read: Reader = field(repr=False)
    times: Callable[[], Times | None] = field(default=_no_times, repr=False)
    numbers: npt.NDArray[np.int64] | None = field(default=None, repr=False)
    lacking: str = ""
    notes: list[str] = field(default_factory=list)
    origin: tuple[int, int] = (0, 0)
    full_shape: tuple[int, int] | None = None
    problem: str | None = None

    def __post_init__(self) -> None:
        self.problem = f"{self.path}: {self.lacking}" if self.lacking else None

    def __iter__(self) -> Iterator[Image]:
        """Yield the images of `frames()`."""
        for frame in self.frames():
            yield frame.pixels

    def times_s(self) -> Times | None:
        """Return (length,) seconds since frame 0 of the data, read without the pixels; None if the file has none."""
        return self.times()

    def frames(self, start: int = 0, step: int = 1) -> Iterator[MovieFrame]:
        """Yield every `step`-th frame from the one at index `start` on; leave out those that cannot be read.

        An index counts the frames that are there, from 0; only where frames are missing it differs from
        `MovieFrame.number`. At the end `problem` says what is missing, which is logged as a warning.
        """
        expected = None if self.length is None else len(range(start, self.length, step))
        times = self.times()
        self.problem = f"{self.path}: {self.lacking}" if self.lacking else None
        read, lost, damage = 0, list[LostFrame](), ""
        try:
            for position, frame in enumerate(self.read(count(start, step))):
                if isinstance(frame, MovieFrame) and frame.pixels.shape != self.shape:
                    size, first = _size(frame.pixels.shape), _size(self.shape)
                    frame = LostFrame(frame.number, f"frame {frame.number} is {size} px, the others are {first}")
                if isinstance(frame, LostFrame):
                    lost.append(frame)
                    continue
                if frame.pixels.dtype != self.dtype:
                    self._note_type(frame)
                yield frame._replace(t_s=self._time(frame, start + position * step, times))
                read += 1
            if expected is not None and read + len(lost) < expected:
                damage = "the file ends early"
        except DamagedMovieError as error:
            damage = str(error)
        self.problem = self._describe(lost, damage, read, expected)
        if self.problem:
            _log.warning(self.problem)

    def _note_type(self, frame: MovieFrame) -> None:
        if not any("levels may differ" in note for note in self.notes):
            kinds = f"frame {frame.number} has pixels of {frame.pixels.dtype}, others of {self.dtype}"
            self.notes.append(f"{kinds}: their grey levels may differ")

    def _time(self, frame: MovieFrame, index: int, times: Times | None) -> float | None:
        if times is not None and index < len(times):
            return float(times[index])
        return frame.t_s if frame.t_s is not None or not self.fps else frame.number / self.fps

    def _describe(self, lost: list[LostFrame], damage: str, read: int, expected: int | None) -> str | None:
        if self.lacking:  # says it of all of them
            lost = [frame for frame in lost if not frame.is_absent]
        more = f", and {len(lost) - 1} more frame{'s' if len(lost) > 2 else ''}" if len(lost) > 1 else ""
        parts = [self.lacking, lost[0].reason + more if lost else "", damage]
        if not any(parts):
            return None
        count = str(read) if expected is None else f"{read} of {expected}"
        where = " before that" if damage and not lost else ""
        return f"{self.path}: {'; '.join(filter(None, parts))}; read the {count} frames{where}"


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


def _size(shape: Iterable[int]) -> str:
    return "x".join(str(side) for side in reversed(tuple(shape)))
