"""Reads a folder of images, one frame each, in natural order."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from livetrack.errors import InputError
from livetrack.limits import IMAGE_BYTES
from livetrack.movies.movie import DamagedMovieError, Image, Movie, to_grey
from livetrack.movies.tiff import open_tiff

__all__ = ["open_folder"]

_TIFF = (".tif", ".tiff")
_OTHER = (".png", ".bmp", ".jpg", ".jpeg", ".pgm", ".ppm", ".jp2")
_PILLOW = (Pillow.DecompressionBombError, struct.error, EOFError, KeyError, IndexError, TypeError)
_SAMPLE_BYTES = {"I": 4, "F": 4}
_CONVERTED = {"1": "L", "P": "RGB", "PA": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}


def open_folder(path: Path, channel: int | None) -> Movie:
    """Open the images in `path`, sorted so that `image10` follows `image9`.

    Raises
    ------
    InputError
        The folder cannot be read or contains no images, or the first is unreadable or contains several frames.
    """
    try:
        files = sorted((file for file in path.iterdir() if file.suffix.lower() in _TIFF + _OTHER), key=_natural_order)
    except OSError as error:
        raise InputError(f"{path}: the folder cannot be read ({error.strerror})") from error
    if not files:
        raise InputError(f"{path}: the folder contains no images ({' '.join(_TIFF + _OTHER)})")
    fps = pixel_size_um = None
    if files[0].suffix.lower() in _TIFF:
        first = open_tiff(files[0], channel)
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

    def read() -> Iterator[Image]:
        for file in files:
            yield _load(file, channel)

    return Movie(path, (height, width), image.dtype, len(files), fps, pixel_size_um, read)


def _load(file: Path, channel: int | None) -> Image:
    try:
        if file.suffix.lower() in _TIFF:
            movie = open_tiff(file, channel)
            for frame in movie:
                return frame
            raise DamagedMovieError(movie.problem or f"{file.name} contains no image")
        with _within_limit(file) as image:
            converted = image.convert(_CONVERTED[image.mode]) if image.mode in _CONVERTED else image
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
