"""Reads a folder of images, one frame each, in natural order."""

from __future__ import annotations

import re
import struct
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, takewhile
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from livetrack.errors import InputError
from livetrack.limits import IMAGE_BYTES
from livetrack.movies.movie import DamagedMovieError, Image, Movie, MovieFrame, to_grey
from livetrack.movies.selection import Selection
from livetrack.movies.tiff import open_tiff

__all__ = ["open_folder"]

_TIFF = (".tif", ".tiff")
_OTHER = (".png", ".bmp", ".jpg", ".jpeg", ".pgm", ".ppm", ".jp2")
_CHANNEL = re.compile(r"channel(\d+)")
_PILLOW = (Pillow.DecompressionBombError, struct.error, EOFError, KeyError, IndexError, TypeError)
_SAMPLE_BYTES = {"I": 4, "F": 4}
_CONVERTED = {"1": "L", "P": "RGB", "PA": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}


def open_folder(path: Path, selection: Selection) -> Movie:
    """Open the images in `path`, sorted so that `image10` follows `image9`.

    Raises
    ------
    InputError
        The folder cannot be read or contains no images, the first is unreadable or contains several frames, or the
        names of the images have several channels of which none was chosen.
    """
    try:
        files = sorted((file for file in path.iterdir() if _is_image(file)), key=_natural_order)
    except OSError as error:
        raise InputError(f"{path}: the folder cannot be read ({error.strerror})") from error
    if not files:
        raise InputError(f"{path}: the folder contains no images ({' '.join(_TIFF + _OTHER)})")
    selection.refuse(path, "a folder of images", ("position", "z", "axes"))
    files, channel = _of_channel(path, files, selection.channel)
    fps = pixel_size_um = None
    if files[0].suffix.lower() in _TIFF:
        first = open_tiff(files[0], Selection(channel))
        if first.length != 1:
            raise InputError(
                f"{files[0]}: contains {first.length} frames, but a folder needs one per file; open the file itself"
            )
        fps, pixel_size_um = first.fps, first.pixel_size_um
    try:
        image = _load(files[0], channel)
    except DamagedMovieError as damage:
        raise InputError(str(damage)) from damage
    height, width = image.shape

    def read(indices: Iterator[int]) -> Iterator[MovieFrame]:
        for index in takewhile(lambda index: index < len(files), indices):
            yield MovieFrame(index, _load(files[index], channel), None)
        if gaps := _gaps(files):
            raise DamagedMovieError(gaps)

    return Movie(path, (height, width), image.dtype, len(files), fps, pixel_size_um, read)


def _is_image(file: Path) -> bool:
    """Whether a file is an image by its name; hidden files, as macOS makes them on other file systems, are not."""
    return file.suffix.lower() in _TIFF + _OTHER and not file.name.startswith(".")


def _of_channel(path: Path, files: list[Path], channel: int | None) -> tuple[list[Path], int | None]:
    """Return the images of a channel, where their names have one, and the channel to choose in each image.

    Micro-Manager names separate images such as img_channel000_position000_time000000000_z000.tif.
    """
    numbers = [_CHANNEL.search(file.name) for file in files]
    channels = sorted({int(number[1]) for number in numbers if number is not None})
    if None in numbers or len(channels) < 2:
        return files, channel
    if channel is None or not 0 <= channel < len(channels):
        raise InputError(
            f"{path}: its images are of {len(channels)} channels; choose one with channel = 0 to {len(channels) - 1}"
            + ("" if channel is None else f", not {channel}")
        )
    chosen = channels[channel]
    return [file for file, number in zip(files, numbers, strict=True) if number and int(number[1]) == chosen], None


def _gaps(files: list[Path]) -> str:
    """Return which images are missing according to the numbers in their names; empty if none, or if it is not clear.

    It is clear if one number in the names grows, and mostly by the same step.
    """
    names = [re.split(r"(\d+)", file.name) for file in files]
    if len({len(name) for name in names}) > 1:
        return ""
    growing = [place for place, parts in enumerate(zip(*names, strict=True)) if len(set(parts)) > 1]
    if len(growing) != 1 or not names[0][growing[0]].isdigit():
        return ""
    numbers = [int(name[growing[0]]) for name in names]
    steps = [after - before for before, after in pairwise(numbers)]
    ((step, often),) = Counter(steps).most_common(1)
    gaps = [place for place, each in enumerate(steps) if each > step]
    if often < 0.8 * len(steps) or step < 1 or any(steps[place] % step for place in gaps) or not gaps:
        return ""
    missing = sum(steps[place] // step - 1 for place in gaps)
    where = f"after {files[gaps[0]].name}" + (f" and at {len(gaps) - 1} more places" if len(gaps) > 1 else "")
    return f"{missing} images are missing {where}; later frames are numbered as if there were none"


def _load(file: Path, channel: int | None) -> Image:
    try:
        if file.suffix.lower() in _TIFF:
            movie = open_tiff(file, Selection(channel))
            for image in movie:
                return image
            raise DamagedMovieError(movie.problem or f"{file.name} contains no image")
        with _within_limit(file) as picture:
            converted = picture.convert(_CONVERTED[picture.mode]) if picture.mode in _CONVERTED else picture
            return to_grey(np.asarray(converted), channel, file)
    except InputError as error:
        raise DamagedMovieError(str(error)) from error
    except (OSError, ValueError, SyntaxError, MemoryError, *_PILLOW) as error:  # any of these for a damaged file
        raise DamagedMovieError(f"{file.name} cannot be read ({_first_line(error)})") from error


def _within_limit(file: Path) -> Pillow.Image:
    """Open an image that takes at most `IMAGE_BYTES`, without reading its pixels. Raises what Pillow raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # has a limit of its own
        image = Pillow.open(file)
    size = image.width * image.height * max(1, len(image.getbands())) * _SAMPLE_BYTES.get(image.mode[:1], 1)
    if size > IMAGE_BYTES:
        image.close()
        raise DamagedMovieError(
            f"{file.name} claims to have {size:,} bytes of pixels; at most {IMAGE_BYTES:,} are read"
        )
    return image


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _natural_order(file: Path) -> list[tuple[int, int, str]]:
    """Key for `sorted`: numbers in the name compare as numbers."""
    parts = re.split(r"(\d+)", file.name.lower())
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
