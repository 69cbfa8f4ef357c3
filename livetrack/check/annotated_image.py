"""Draws a frame with marks around what was found, doubtful and missed, to check the result by eye."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from livetrack.annotate.grey import grey_sample, levels_of, to_bytes
from livetrack.annotate.labels import round_length
from livetrack.errors import UsageError

__all__ = ["Mark", "Marks", "is_inside_movie", "require_png", "save_annotated_image"]

_LONG_SIDE = 1400  # px; smaller frames are enlarged by an integer factor to about this size
_MAX_SIDE = 3000  # px; frames with small marks are enlarged further, up to this size
_MIN_RADIUS = 6  # px of the drawing
_CONTRAST = 0.2, 99.8  # percentiles shown black and white
_LEGEND = 68  # px: height of the two lines below the frame
_COMPRESSION = 2  # a third of the time of the default, for files a little larger
_MIN_WIDTH = 760  # px, of the legend
_FOREGROUND = (225, 230, 235)
_BACKGROUND = (24, 28, 33)


class Mark(Enum):
    """Shape and colour of a mark; the colours differ for colour-blind eyes too (Okabe and Ito)."""

    FOUND = ("circle", (86, 180, 233))
    DOUBTFUL = ("diamond", (240, 228, 66))
    MISSED = ("square", (255, 110, 30))


class Marks(NamedTuple):
    """Marks of one kind, with their text in the legend."""

    mark: Mark
    label: str
    x: npt.NDArray[Any]
    """(N,) centres, px."""
    y: npt.NDArray[Any]


def save_annotated_image(
    path: Path,
    frame: npt.NDArray[Any],
    marks: Sequence[Marks],
    radius_px: float,
    pixel_size_um: float | None,
    caption: str,
) -> None:
    """Write a PNG of `frame` (H, W) with stretched contrast and marks; the legend is below the frame.

    Parameters
    ----------
    path
        PNG file to write.
    frame
        (H, W) of any integer or float type.
    marks
        What is drawn, each kind in its shape and colour.
    radius_px
        Of the marks: larger than that of a particle, so that they do not hide it.
    pixel_size_um
        For the scale bar; None labels it in px.
    caption
        One line below the frame.

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    zoom = max(
        1, _LONG_SIDE // max(frame.shape), min(math.ceil(_MIN_RADIUS / radius_px), _MAX_SIDE // max(frame.shape))
    )
    height, width = (zoom * side for side in frame.shape)
    grey = Image.fromarray(to_bytes(frame, levels_of(grey_sample(frame), _CONTRAST)))
    pixels = grey.resize((width, height), Image.Resampling.BICUBIC).convert("RGB")
    draw = ImageDraw.Draw(pixels)
    radius = zoom * radius_px
    line = 2 if radius < 12 else 3
    for kind in marks:
        for x, y in zip(kind.x.tolist(), kind.y.tolist(), strict=True):
            _draw_mark(draw, kind.mark, zoom * (x + 0.5), zoom * (y + 0.5), radius, line)
    picture = Image.new("RGB", (max(width, _MIN_WIDTH), height + _LEGEND), _BACKGROUND)
    picture.paste(pixels, (0, 0))
    _draw_legend(ImageDraw.Draw(picture), picture.size, zoom, marks, pixel_size_um, caption)
    try:
        picture.save(path, "PNG", compress_level=_COMPRESSION)
    except OSError as error:
        raise UsageError(f"{path}: the picture cannot be written: {error.strerror or error}") from None


def require_png(picture: Path) -> None:
    """Raise `UsageError` unless the name of `picture` ends in `.png`."""
    if picture.suffix.lower() != ".png":
        raise UsageError(f"{picture}: the picture is a PNG file; its name must end in .png")


def is_inside_movie(picture: Path, movie: Path) -> bool:
    """Return whether `movie` is a folder of images of which `picture` would become one."""
    return movie.is_dir() and picture.resolve().parent == movie.resolve()


def _draw_mark(draw: ImageDraw.ImageDraw, mark: Mark, x: float, y: float, radius: float, line: int) -> None:
    shape, colour = mark.value
    if shape == "circle":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=line)
    elif shape == "square":
        draw.rectangle((x - radius, y - radius, x + radius, y + radius), outline=colour, width=line)
    else:
        tip = 1.25 * radius
        corners = [(x, y - tip), (x + tip, y), (x, y + tip), (x - tip, y), (x, y - tip)]
        draw.line(corners, fill=colour, width=line, joint="curve")


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    zoom: int,
    marks: Sequence[Marks],
    pixel_size_um: float | None,
    caption: str,
) -> None:
    """Draw the legend: the caption above; the kinds of marks and the scale bar below it."""
    font = ImageFont.load_default(16)
    upper, lower = size[1] - _LEGEND + 20, size[1] - 20
    draw.text((12, upper), caption, _FOREGROUND, font, anchor="lm")
    left = 22.0
    for kind in marks:
        _draw_mark(draw, kind.mark, left, lower, 7, 2)
        draw.text((left + 16, lower), kind.label, _FOREGROUND, font, anchor="lm")
        left += 16 + draw.textlength(kind.label, font) + 32
    length, label = _scale_bar(zoom, pixel_size_um, size[0] / 6)
    right = size[0] - 16
    draw.rectangle((right - length, lower + 5, right, lower + 9), _FOREGROUND)
    draw.text((right - length / 2, lower - 7), label, _FOREGROUND, font, anchor="mm")


def _scale_bar(zoom: int, pixel_size_um: float | None, longest: float) -> tuple[float, str]:
    """Return the length of the scale bar in image px and its label."""
    unit = zoom / pixel_size_um if pixel_size_um else float(zoom)  # image px per µm, or per px of the frame
    value = round_length(longest / unit)
    return value * unit, f"{value:g} {'um' if pixel_size_um else 'px'}"  # Pillow's font has no µ
