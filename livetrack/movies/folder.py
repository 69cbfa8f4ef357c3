"""A folder of images, one frame each, in the order in which a person would count them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from livetrack.errors import InputError
from livetrack.movies.movie import DamagedMovieError, Image, Movie, to_grey
from livetrack.movies.tiff import open_tiff

__all__ = ["open_folder"]

_TIFF = (".tif", ".tiff")
_OTHER = (".png", ".bmp", ".jpg", ".jpeg", ".pgm", ".ppm", ".jp2")
_PLAIN = {"1": "L", "P": "RGB", "PA": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}


def open_folder(path: Path, channel: int | None) -> Movie:
    """Open the images in `path`, sorted so that `image10` follows `image9`.

    Raises
    ------
    InputError
        The folder cannot be read or holds no images, or the first cannot be read or holds several.
    """
    try:
        files = sorted((file for file in path.iterdir() if file.suffix.lower() in _TIFF + _OTHER), key=_counting)
    except OSError as error:
        raise InputError(f"{path}: the folder cannot be read ({error.strerror})") from error
    if not files:
        raise InputError(f"{path}: the folder holds no images ({' '.join(_TIFF + _OTHER)})")
    fps = pixel_size_um = None
    if files[0].suffix.lower() in _TIFF:
        first = open_tiff(files[0], channel)
        if first.length != 1:
            raise InputError(f"{files[0]}: holds {first.length} frames; in a folder each file is one: open it alone")
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
            for image in movie:
                return image
            raise DamagedMovieError(movie.problem or f"{file.name} holds no image")
        with Pillow.open(file) as picture:
            plain = picture.convert(_PLAIN[picture.mode]) if picture.mode in _PLAIN else picture
            return to_grey(np.asarray(plain), channel, file)
    except InputError as error:
        raise DamagedMovieError(str(error)) from error
    except (OSError, ValueError, SyntaxError) as error:  # Pillow raises these three for a file cut short
        raise DamagedMovieError(f"{file.name} cannot be read ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _counting(file: Path) -> list[tuple[int, int, str]]:
    """Key for `sorted`: numbers in the name compare as numbers."""
    parts = re.split(r"(\d+)", file.name.lower())
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
