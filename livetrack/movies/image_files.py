"""Reads single images from their files."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from livetrack.errors import InputError
from livetrack.limits import IMAGE_BYTES
from livetrack.movies.colours import colour_notes
from livetrack.movies.movie import DamagedMovieError, Image, to_grey
from livetrack.movies.selection import Selection
from livetrack.movies.tiff import open_tiff

__all__ = ["IMAGE_SUFFIXES", "TIFF_SUFFIXES", "colours_of", "image_size", "load_image"]

TIFF_SUFFIXES = (".tif", ".tiff")
IMAGE_SUFFIXES = (*TIFF_SUFFIXES, ".png", ".bmp", ".jpg", ".jpeg", ".pgm", ".ppm", ".jp2")
_PILLOW = (Pillow.DecompressionBombError, struct.error, EOFError, KeyError, IndexError, TypeError)
_SAMPLE_BYTES = {"I": 4, "F": 4}
_CONVERTED = {"1": "L", "P": "RGB", "PA": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}


def load_image(file: Path, channel: int | None) -> Image:
    """Return the only image in a file, grey or of one channel. Raises `DamagedMovieError`."""
    try:
        if file.suffix.lower() in TIFF_SUFFIXES:
            movie = open_tiff(file, Selection(channel))
            if movie.length is not None and movie.length > 1:
                raise DamagedMovieError(f"{file.name} contains {movie.length} images")
            for image in movie:
                return image
            raise DamagedMovieError(movie.problem or f"{file.name} contains no image")
        return to_grey(_samples(file), channel, file)
    except InputError as error:
        raise DamagedMovieError(str(error)) from error
    except (OSError, ValueError, SyntaxError, MemoryError, *_PILLOW) as error:  # any of these for a damaged file
        raise DamagedMovieError(f"{file.name} cannot be read ({_first_line(error)})") from error


def colours_of(files: Iterable[Path]) -> list[str]:
    """Return notes on the colours of images that are converted to grey, of none that is a TIFF file."""
    images = []
    for file in files:
        with suppress(DamagedMovieError, OSError, ValueError, SyntaxError, MemoryError, *_PILLOW):
            if file.suffix.lower() not in TIFF_SUFFIXES:
                images.append(_samples(file))
    return colour_notes(images) if images else []


def image_size(file: Path) -> tuple[int, int] | None:
    """Return (H, W), px, from the header; None if Pillow cannot read it."""
    try:
        with _within_limit(file) as picture:
            return picture.height, picture.width
    except (DamagedMovieError, OSError, ValueError, SyntaxError, MemoryError, *_PILLOW):
        return None


def _samples(file: Path) -> Image:
    """Return (H, W) or (H, W, samples). Raises `DamagedMovieError` and what Pillow raises."""
    with _within_limit(file) as picture:
        return np.asarray(picture.convert(_CONVERTED[picture.mode]) if picture.mode in _CONVERTED else picture)


def _within_limit(file: Path) -> Pillow.Image:
    """Open an image that takes at most `IMAGE_BYTES`, without reading its pixels. Raises what Pillow raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes, which have a limit of their own, and of damaged metadata
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
