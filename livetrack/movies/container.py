"""Movies from files of images along several axes: one channel, position and plane of them, frame by frame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TypeAlias

import numpy as np

from livetrack.errors import InputError
from livetrack.limits import IMAGE_BYTES
from livetrack.movies.arrangement import Arrangement, Axis, Index, arrange
from livetrack.movies.assembly import Numbers, assemble, first_frame, image_numbers
from livetrack.movies.colours import colour_notes
from livetrack.movies.movie import DamagedMovieError, Image, LostFrame, Movie, MovieFrame, to_grey
from livetrack.movies.selection import Selection
from livetrack.movies.timing import judge_times, pixel_size_doubts

__all__ = ["Container", "Opener", "check_image_size", "movie_of_container"]


_CURE = "save or copy it again"
_LONG = 120  # characters of a library's message, of which some list all that a file has
_MAX_IMAGES = 1 << 24  # in one file


@dataclass(frozen=True)
class Container:
    """An open file of images along several axes."""

    axes: tuple[Axis, ...]
    """Those of the images, without their own (rows, columns, samples)."""
    image: Callable[[Index], Image]
    """Returns (H, W) or (H, W, samples). Raises `DamagedMovieError` for one that cannot be read, or anything."""
    times_s: Callable[[Sequence[Index]], Sequence[float | None] | None] | None = None
    """Returns the times of images, s, from any origin, None where one is unknown, or for all; None if it has none."""
    interval_s: float | None = None
    """Time between frames that the file states, s; None if it states none."""
    pixel_size_um: float | None = None
    """µm per pixel; None if the file does not state it."""
    lacking: str = ""
    """As `Movie.lacking`."""
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
        numbers = image_numbers(_numbers_of_all(container.axes), arrangement)
        first = first_frame(
            lambda indices: _frames(container, arrangement, numbers, selection, path, indices), path, _CURE
        )
        times_s = None if container.times_s is None else container.times_s(arrangement.first_images())
        timing = judge_times(times_s, container.interval_s)
        pixel_size_um, lacking = container.pixel_size_um, container.lacking
        notes = [*container.notes, *arrangement.notes, *timing.notes, *pixel_size_doubts(pixel_size_um)]
        if selection.channel is None:
            notes += _notes_on_colours(container, arrangement)

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        try:
            with ExitStack() as stack:
                with _without_warnings():
                    container = stack.enter_context(opener(path, selection))
                yield from _frames(container, arrangement, numbers, selection, path, indices)
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
        lacking=lacking,
        notes=notes,
    )


def check_image_size(shape: Sequence[int], itemsize: int) -> None:
    """Refuse images that only a damaged file claims, before memory is reserved. Raises `DamagedMovieError`."""
    size = reduce(lambda product, side: product * int(side), shape, itemsize)
    if size > IMAGE_BYTES:
        raise DamagedMovieError(f"it claims images of {size:,} bytes; at most {IMAGE_BYTES:,} are read")
    if size <= 0:
        raise DamagedMovieError("its images have no pixels")


def _notes_on_colours(container: Container, arrangement: Arrangement) -> list[str]:
    """Return notes on colours that hold nothing, from a few images."""
    images = []
    for frame in sorted({0, arrangement.length // 2, arrangement.length - 1}):
        with suppress(Exception):  # reported when it is read
            images.append(_upright(container.image(arrangement.images_of(frame)[0])))
        if images and images[0].ndim == 2:
            break
    return colour_notes(images)


def _numbers_of_all(axes: tuple[Axis, ...]) -> Numbers:
    """Return a number for each place of the axes."""
    count = reduce(lambda product, axis: product * axis.size, axes, 1)
    if count > _MAX_IMAGES:
        raise DamagedMovieError(f"it claims {count:,} images; at most {_MAX_IMAGES:,} are read")
    return np.arange(count, dtype=np.int64).reshape([axis.size for axis in axes])


def _frames(
    container: Container,
    arrangement: Arrangement,
    numbers: Numbers,
    selection: Selection,
    path: Path,
    indices: Iterator[int],
) -> Iterator[MovieFrame | LostFrame]:
    sample = None if arrangement.has_channels else selection.channel
    shape = tuple(axis.size for axis in container.axes)

    def image(number: int) -> Image:
        index = tuple(int(place) for place in np.unravel_index(number, shape)) if shape else ()
        try:
            return to_grey(_upright(container.image(index)), sample, path)
        except DamagedMovieError as damage:
            several = [
                f"{axis.name} {place}" for axis, place in zip(container.axes, index, strict=True) if axis.size > 1
            ]
            raise type(damage)(f"{damage} ({', '.join(several) or 'its only image'})") from damage

    return assemble(numbers, image, selection.z, indices, lambda: "")


def _upright(image: Image) -> Image:
    """Return an image of at least 2x2 px with its samples last."""
    image = np.asarray(image)
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim not in (2, 3) or min(image.shape[:2]) < 2:
        raise DamagedMovieError(f"its images have the shape {image.shape} and are not two-dimensional")
    return image


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
        raise InputError(f"{path}: cannot be read as {kind} ({_reason(error)}); {_CURE}") from error


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error).strip() else type(error).__name__
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
