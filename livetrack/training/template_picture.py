"""A user's own picture of the particle, kept in the recipe and so in the model."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec import Struct

from livetrack.errors import InputError
from livetrack.movies import open_movie
from livetrack.optics.template import Template, make_template

__all__ = ["TemplatePicture", "read_template_picture"]

_SIDES = (9, 128)


class TemplatePicture(Struct, frozen=True, forbid_unknown_fields=True):
    """A picture as its file had it: `grey` holds `height` x `width` numbers, float32, row by row."""

    sha256: str
    """Of the file."""
    height: int
    width: int
    grey: bytes

    def template(self, centre: Literal["light", "picture"]) -> Template:
        """Return the picture prepared for drawing; see `make_template`."""
        return _template(self, centre)


def read_template_picture(path: Path) -> TemplatePicture:
    """Read an image file of one particle.

    Raises
    ------
    InputError
        There is no such file, it is not one image, or not one of a particle.
    """
    movie = open_movie(path)
    images = list(movie) if movie.length == 1 else []
    if len(images) != 1:
        raise InputError(f"{path}: {movie.problem or 'holds several images'}; give one picture of one particle")
    grey = np.asarray(images[0], "<f4")
    height, width = grey.shape
    if not (_SIDES[0] <= min(grey.shape) and max(grey.shape) <= _SIDES[1]):
        least, most = _SIDES
        raise InputError(f"{path}: {width}x{height} px; cut out one particle, {least} to {most} px a side")
    if not np.isfinite(grey).all():
        raise InputError(f"{path}: its pixels are not all finite numbers")
    picture = TemplatePicture(hashlib.sha256(path.read_bytes()).hexdigest(), height, width, grey.tobytes())
    try:
        picture.template("light")
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return picture


@lru_cache(maxsize=4)
def _template(picture: TemplatePicture, centre: Literal["light", "picture"]) -> Template:
    return make_template(np.frombuffer(picture.grey, "<f4").reshape(picture.height, picture.width), centre)
