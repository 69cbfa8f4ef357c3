"""Movies from files of images along several axes: one channel, position and plane of them, frame by frame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import count, takewhile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from livetrack.errors import InputError
from livetrack.limits import IMAGE_BYTES
from livetrack.movies.arrangement import Arrangement, Axis, Index, arrange
from livetrack.movies.movie import DamagedMovieError, Image, LostFrame, Movie, MovieFrame, to_grey
from livetrack.movies.selection import Selection
from livetrack.movies.timing import judge_times

__all__ = ["Container", "Opener", "check_image_size", "movie_of_container"]


@dataclass(frozen=True)
class Container:
    """An open file of images along several axes."""

    axes: tuple[Axis, ...]
    """Those of the images, without their own (rows, columns, samples)."""
    image: Callable[[Index], Image]
    """Returns (H, W) or (H, W, samples). Raises `DamagedMovieError` for one that cannot be read, or anything."""
    times_s: Callable[[Sequence[Index]], Sequence[float | None] | None] = lambda _: None
    """Returns the times of images, s, from any origin; None where one is unknown, or for all."""
    interval_s: float | None = None
    """Time between frames that the file states, s; None if it states none."""
    pixel_size_um: float | None = None
    """µm per pixel; None if the file does not state it."""
    notes: tuple[str, ...] = ()
    """As `Movie.notes`."""
    is_of_position: bool = False
    """Whether it contains the selected position only."""


Opener: TypeAlias = Callable[[Path, Selection], AbstractContextManager[Container]]
"""Opens a file. Raises `InputError`, or anything that its library raises for a damaged file."""


def movie_of_container(path: Path, selection: Selection, kind: str, opener: Opener) -> Movie:
    """Return the selected frames of a file of a `kind`, such as "ND2".

    Raises
    ------
    InputError
        The file cannot be read, does not contain what is selected, or contains several channels, positions or planes
        of which none was selected.
    """
    with _as_input_errors(path, kind), _without_warnings(), opener(path, selection) as container:
        arranged = replace(selection, position=None) if container.is_of_position else selection
        arrangement = arrange(path, container.axes, arranged)
        first = _first(_frames(container, arrangement, selection, path, count()), path)
        timing = judge_times(container.times_s(arrangement.first_images()), container.interval_s)
        notes = [*container.notes, *arrangement.notes, *timing.notes]
        pixel_size_um = container.pixel_size_um
        if pixel_size_um == 1:
            notes.append("states exactly 1 µm per px, which programs also write if none was calibrated; it is used")

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        try:
            with ExitStack() as stack:
                with _without_warnings():
                    container = stack.enter_context(opener(path, selection))
                yield from _frames(container, arrangement, selection, path, indices)
        except (InputError, DamagedMovieError):
            raise
        except Exception as error:  # the libraries raise anything for damaged files
            raise DamagedMovieError(f"the next frame cannot be read ({_reason(error)})") from error

    height, width = first.pixels.shape
    return Movie(
        path,
        (height, width),
        first.pixels.dtype,
        arrangement.length,
        timing.fps,
        pixel_size_um,
        read,
        times=lambda: timing.times,
        notes=notes,
    )


def _first(frames: Iterator[MovieFrame | LostFrame], path: Path) -> MovieFrame:
    """Return the first frame that can be read. Raises `InputError` if none can."""
    reasons = []
    for frame in frames:
        if isinstance(frame, MovieFrame):
            return frame
        reasons.append(frame.reason)
    raise InputError(f"{path}: {reasons[0] if reasons else 'contains no frames'}")


def check_image_size(shape: Sequence[int], itemsize: int) -> None:
    """Refuse images that only a damaged file claims, before memory is reserved. Raises `DamagedMovieError`."""
    size = reduce(lambda product, side: product * int(side), shape, itemsize)
    if size > IMAGE_BYTES:
        raise DamagedMovieError(f"it claims images of {size:,} bytes; at most {IMAGE_BYTES:,} are read")
    if size <= 0:
        raise DamagedMovieError("its images have no pixels")


def _frames(
    container: Container, arrangement: Arrangement, selection: Selection, path: Path, indices: Iterator[int]
) -> Iterator[MovieFrame | LostFrame]:
    sample = None if arrangement.has_channels else selection.channel

    def grey(index: Index) -> Image:
        return to_grey(_upright(container.image(index)), sample, path)

    for frame in takewhile(lambda frame: frame < arrangement.length, indices):
        try:
            pixels = _projection([grey(index) for index in arrangement.images_of(frame)], selection.z)
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            reason = str(error) if isinstance(error, DamagedMovieError) else f"it cannot be read ({_reason(error)})"
            yield LostFrame(frame, f"frame {frame}: {reason}")
            continue
        yield MovieFrame(frame, pixels, None)


def _upright(image: Image) -> Image:
    """Return an image of at least 2x2 px with its samples last."""
    image = np.asarray(image)
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim not in (2, 3) or min(image.shape[:2]) < 2:
        raise DamagedMovieError(f"its images have the shape {image.shape} and are not two-dimensional")
    return image


def _projection(images: list[Image], z: object) -> Image:
    if len(images) == 1:
        return images[0]
    if z == "max":
        return reduce(np.maximum, images)
    total: Any = reduce(np.add, (image.astype(np.float32) for image in images))
    mean: Image = total / np.float32(len(images))
    return mean if images[0].dtype.kind == "f" else np.rint(mean).astype(images[0].dtype)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep libraries from warning of what `Movie` reports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _as_input_errors(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except DamagedMovieError as damage:
        raise InputError(f"{path}: {damage}") from damage
    except Exception as error:  # likewise
        raise InputError(f"{path}: cannot be read as {kind} ({_reason(error)}); save or copy it again") from error


def _reason(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error).strip() else type(error).__name__
