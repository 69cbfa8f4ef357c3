"""Assembles the frames of a movie from the images in its files: one each, or a projection of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from livetrack.errors import InputError
from livetrack.movies.arrangement import Arrangement
from livetrack.movies.movie import DamagedMovieError, Image, LostFrame, MovieFrame, TruncatedMovieError
from livetrack.movies.selection import Projection

__all__ = ["ABSENT", "Numbers", "assemble", "first_frame", "image_numbers", "project"]

ABSENT = -1
"""Number of an image that is not there."""
Numbers: TypeAlias = npt.NDArray[np.int64]

_TRIED = 1000  # frames without any that could be read, after which there is none
_LOST_IN_A_ROW = 100_000  # behind so many frames that cannot be read, nothing else is expected


def image_numbers(order: Numbers, arrangement: Arrangement) -> Numbers:
    """Return (frames, images) numbers of the images of each frame, from those at each place of all axes."""
    chosen = tuple(arrangement.fixed.get(axis, slice(None)) for axis in range(order.ndim))
    left = [axis for axis in range(order.ndim) if axis not in arrangement.fixed]
    images = order[chosen]
    if arrangement.projected is not None:
        images = np.moveaxis(images, left.index(arrangement.projected[0]), -1)
        return images.reshape(-1, arrangement.projected[1])
    return images.reshape(-1, 1)


def assemble(
    numbers: Numbers,
    image: Callable[[int], Image],
    projection: object,
    indices: Iterator[int],
    missing: Callable[[], str],
) -> Iterator[MovieFrame | LostFrame]:
    """Yield the frames at these indices, up to the last of which any image is there.

    Parameters
    ----------
    numbers
        (frames, images) numbers of the images of each frame, `ABSENT` for those that are not there.
    image
        Returns the image of a number. Raises `DamagedMovieError` with the reason if that cannot be read; what else it
        raises is damage as well, but for `InputError`.
    projection
        "max" or "mean" of several images.
    missing
        Returns what is missing behind the last frame, if that is reached; empty if nothing is.

    Raises
    ------
    DamagedMovieError
        Something is missing behind the last frame.
    """
    present = np.flatnonzero((numbers != ABSENT).any(axis=1))
    absent = (numbers == ABSENT).any(axis=1)
    until = int(present[-1]) + 1 if len(present) else 0
    lost = 0
    for index in indices:
        if index >= until:
            behind = "" if until == len(numbers) else f"frame {until} and those after it are missing"
            if reason := missing() or behind:
                raise DamagedMovieError(reason)
            return
        if lost > _LOST_IN_A_ROW:
            raise DamagedMovieError(
                f"no frame between {index - lost} and {index} can be read; the others are not tried"
            )
        frame = (
            LostFrame(index, f"frame {index} is missing", is_absent=True)
            if absent[index]
            else _frame(index, numbers, image, projection)
        )
        lost = lost + 1 if isinstance(frame, LostFrame) else 0
        yield frame


def _frame(index: int, numbers: Numbers, image: Callable[[int], Image], projection: object) -> MovieFrame | LostFrame:
    try:
        images = [image(number) for number in numbers[index].tolist()]
        return MovieFrame(index, images[0] if len(images) == 1 else project(images, projection), None)
    except (InputError, TruncatedMovieError):
        raise
    except DamagedMovieError as damage:
        return LostFrame(index, str(damage))
    except Exception as error:  # noqa: BLE001 - libraries raise anything for damaged files
        reason = str(error).splitlines()[0] if str(error).strip() else type(error).__name__
        return LostFrame(index, f"frame {index} cannot be read ({reason})")


def first_frame(read: Callable[[Iterator[int]], Iterator[MovieFrame | LostFrame]], path: Path, cure: str) -> MovieFrame:
    """Return the first frame that can be read. Raises `InputError` if there is none."""
    reason = ""
    for frame in islice(read(count()), _TRIED):
        if isinstance(frame, MovieFrame):
            return frame
        reason = reason or frame.reason
    cure = "" if "pip install" in reason else f"; {cure}"
    raise InputError(f"{path}: {reason or 'contains no image'}{cure}")


def project(images: list[Image], projection: Projection | object) -> Image:
    """Return the maximum or the mean of images of one shape and type, pixel by pixel, in that type."""
    if len({image.shape for image in images}) > 1:
        raise DamagedMovieError("its planes are of several sizes")
    if projection == "max":
        largest: Image = reduce(np.maximum, images)
        return largest
    total: Any = np.zeros(images[0].shape, np.float64)
    for image in images:
        total += image
    mean: Image = total / len(images)
    return (mean if images[0].dtype.kind == "f" else np.rint(mean)).astype(images[0].dtype)
