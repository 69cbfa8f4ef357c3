"""Draws a frame with circles around the particles found, to check the result by eye."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from livetrack.errors import UsageError

__all__ = ["is_inside_movie", "require_png", "save_annotated_image"]

_LONG_SIDE = 1400  # px; smaller frames are enlarged by an integer factor to about this size
_LEGEND = 44  # px: height of the legend below the frame
_FOREGROUND = (225, 230, 235)
_BACKGROUND = (24, 28, 33)
_UNSCORED = (120, 220, 255)
_COLOURS = np.array([(255, 92, 64), (255, 206, 84), (86, 224, 255)], float)  # scores 0.5, 0.75, 1
_MIN_SCORE = 0.5


def save_annotated_image(
    path: Path,
    frame: npt.NDArray[Any],
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    score: npt.NDArray[Any] | None,
    diameter_px: float,
    pixel_size_um: float | None,
    caption: str,
) -> None:
    """Write a PNG of `frame` (H, W) with stretched contrast and a circle around each particle.

    Parameters
    ----------
    path
        PNG file to write.
    frame
        (H, W) of any integer or float type.
    x, y
        (N,) centres, px.
    score
        (N,) 0..1, which sets the colours of the circles; None draws all in one colour.
    diameter_px
        Diameter of a particle; circles are 1.5 times as wide, so that they do not hide it.
    pixel_size_um
        For the scale bar; None labels it in px.
    caption
        One line below the frame.

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    zoom = max(1, _LONG_SIDE // max(frame.shape))
    height, width = (zoom * side for side in frame.shape)
    pixels = Image.fromarray(_stretch(frame)).resize((width, height), Image.Resampling.BICUBIC).convert("RGB")
    draw = ImageDraw.Draw(pixels)
    colours = [_UNSCORED] * len(x) if score is None else [_colour(value) for value in score.tolist()]
    radius = zoom * (0.75 * diameter_px + 1)
    for column, row, colour in zip(x.tolist(), y.tolist(), colours, strict=True):
        centre = zoom * (column + 0.5), zoom * (row + 0.5)
        draw.ellipse(
            (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius),
            outline=colour,
            width=max(2, zoom // 2),
        )
    picture = Image.new("RGB", (max(width, 700), height + _LEGEND), _BACKGROUND)
    picture.paste(pixels, (0, 0))
    _draw_legend(ImageDraw.Draw(picture), picture.size, zoom, score is not None, pixel_size_um, caption)
    try:
        picture.save(path, "PNG")
    except OSError as error:
        raise UsageError(f"{path}: the picture cannot be written: {error.strerror or error}") from None


def require_png(picture: Path) -> None:
    """Raise `UsageError` unless the name of `picture` ends in `.png`."""
    if picture.suffix.lower() != ".png":
        raise UsageError(f"{picture}: the picture is a PNG file; its name must end in .png")


def is_inside_movie(picture: Path, movie: Path) -> bool:
    """Return whether `movie` is a folder of images of which `picture` would become one."""
    return movie.is_dir() and picture.resolve().parent == movie.resolve()


def _stretch(frame: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    low, high = np.percentile(frame, (0.2, 99.8))
    scaled = (frame.astype(np.float64) - low) * (255 / max(high - low, 1e-12))
    grey: npt.NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return grey


def _colour(score: float) -> tuple[int, int, int]:
    position = (score - _MIN_SCORE) / (1 - _MIN_SCORE)
    red, green, blue = (np.interp(position, (0, 0.5, 1), channel) for channel in _COLOURS.T)
    return int(red), int(green), int(blue)


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    zoom: int,
    scored: bool,
    pixel_size_um: float | None,
    caption: str,
) -> None:
    """Draw the legend from left to right: caption, colour scale of the scores, scale bar."""
    font = ImageFont.load_default(16)
    width, middle = size[0], size[1] - _LEGEND // 2
    draw.text((12, middle), caption, _FOREGROUND, font, anchor="lm")
    length, label = _scale_bar(zoom, pixel_size_um, width / 6)
    right = width - 16
    draw.rectangle((right - length, middle + 6, right, middle + 10), _FOREGROUND)
    draw.text((right - length / 2, middle - 6), label, _FOREGROUND, font, anchor="mm")
    if scored:
        right -= round(length) + 90
        for offset in range(100):
            draw.line((right - 100 + offset, middle - 6, right - 100 + offset, middle + 6), _colour(0.5 + offset / 200))
        draw.text((right - 108, middle), f"score {_MIN_SCORE}", _FOREGROUND, font, anchor="rm")
        draw.text((right + 8, middle), "1", _FOREGROUND, font, anchor="lm")


def _scale_bar(zoom: int, pixel_size_um: float | None, longest: float) -> tuple[float, str]:
    """Return the length of the scale bar in image px and its label: 1, 2 or 5 times a power of ten."""
    unit = zoom / pixel_size_um if pixel_size_um else float(zoom)  # image px per µm, or per px of the frame
    power = 10.0 ** math.floor(math.log10(longest / unit))
    value = max(step * power for step in (1, 2, 5) if step * power * unit <= longest)
    return value * unit, f"{value:g} {'um' if pixel_size_um else 'px'}"  # Pillow's font has no µ
