"""The user's image of a particle, stored in the recipe and thus in the model."""

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

_MIN_SIDE, _MAX_SIDE = 9, 128  # px


class TemplatePicture(Struct, frozen=True, forbid_unknown_fields=True):
    """Template image as read from its file: `grey` holds `height` x `width` float32, row by row."""

    sha256: str
    """Hash of the file."""
    height: int
    width: int
    grey: bytes

    def template(self, centre: Literal["light", "picture"]) -> Template:
        """Return the image prepared for drawing; see `make_template`."""
        return _template(self, centre)


def read_template_picture(path: Path) -> TemplatePicture:
    """Read an image file of one particle.

    Raises
    ------
    InputError
        The file is missing, is not a single image, or shows no particle.
    """
    movie = open_movie(path)
    images = list(movie) if movie.length == 1 else []
    if len(images) != 1:
        raise InputError(f"{path}: {movie.problem or 'contains several images'}; provide one image of one particle")
    grey = np.asarray(images[0], "<f4")
    height, width = grey.shape
    if not (min(grey.shape) >= _MIN_SIDE and max(grey.shape) <= _MAX_SIDE):
        raise InputError(f"{path}: {width}x{height} px; crop one particle, {_MIN_SIDE} to {_MAX_SIDE} px per side")
    if not np.isfinite(grey).all():
        raise InputError(f"{path}: contains pixels that are not finite numbers")
    with path.open("rb") as file:  # piece by piece: it may have more than the image
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    picture = TemplatePicture(digest, height, width, grey.tobytes())
    try:
        picture.template("light")
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return picture


@lru_cache(maxsize=4)
def _template(picture: TemplatePicture, centre: Literal["light", "picture"]) -> Template:
    return make_template(np.frombuffer(picture.grey, "<f4").reshape(picture.height, picture.width), centre)
