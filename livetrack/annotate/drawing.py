"""Draws particles, trails, scale bar and time on the frames of a movie, without a window."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

from livetrack.annotate.colours import NO_ID_COLOUR, TRACK_COLOURS, track_colour
from livetrack.annotate.grey import grey_sample, levels_of, to_bytes
from livetrack.annotate.labels import round_length
from livetrack.annotate.trail_segments import (
    MAX_MISSED,
    OPACITIES,
    TrailSegments,
    drawable,
    segments_by_pen,
    trail_segments,
)
from livetrack.particles import Flag, Rows

__all__ = ["MAX_SIDE", "FrameDrawing", "drawn_size"]

MAX_SIDE = 2160
"""px: larger frames are reduced to it, and smaller ones enlarged by a whole factor to half of it or more."""
_SMOOTH = 2  # everything is drawn at twice the size and then reduced, for smooth edges
_RING_PX = 13.0
_RING_OF_IMAGE_PX = 5.0  # diameter of a ring is this many pixels of an enlarged image, if that is more
_LINE_PX = 2.0
_TRAIL_PX = 1.6
_UNSURE_OPACITY = 0.4  # of tentative and coasted particles
_MARGIN_PX = 16
_ADAPTATION = 0.1  # part of the way that black and white go with each frame
_WHITE, _BLACK = (255, 255, 255, 255), (0, 0, 0, 255)


class FrameDrawing:
    """Draws one frame after another, as the window shows them.

    Black and white follow the frames slowly, so that the brightness does not flicker.

    Parameters
    ----------
    shape
        (H, W) of the frames.
    pixel_size_um
        µm per pixel, for the scale bar; None labels it in px.
    trail_frames
        Length of the trails; 0 draws none.
    ids
        Write the id next to each particle.
    """

    def __init__(
        self, shape: tuple[int, int], pixel_size_um: float | None, *, trail_frames: int = 50, ids: bool = False
    ) -> None:
        self.size, self._zoom = drawn_size(shape)
        self._pixel_size_um = pixel_size_um
        self._ids = ids
        self._trail_frames = trail_frames
        self._ring = _SMOOTH * max(_RING_PX, _RING_OF_IMAGE_PX * self._zoom)
        self._segments: deque[TrailSegments] = deque(maxlen=max(trail_frames, MAX_MISSED + 1))
        self._levels: tuple[float, float] | None = None
        self._font, self._small_font = (ImageFont.load_default(_SMOOTH * size) for size in (18, 12))

    def draw(self, image: npt.NDArray[Any], rows: Rows, text: str) -> npt.NDArray[np.uint8]:
        """Return the next frame, (H, W, 3) red, green and blue of size `size`, which is even.

        Parameters
        ----------
        image
            (H, W).
        rows
            Its particles, with their track ids; x, y in px of `image`.
        text
            Written in the upper left corner.
        """
        canvas = self._enlarged(image)
        draw = ImageDraw.Draw(canvas, "RGBA")
        if self._trail_frames:
            self._segments.append(trail_segments(rows, list(self._segments)[: -MAX_MISSED - 1 : -1]))
            self._draw_trails(draw, list(self._segments)[-self._trail_frames :])
        rows = rows[drawable(rows)]
        self._draw_rings(draw, rows)
        if self._ids:
            self._draw_ids(draw, rows)
        self._draw_scale_bar(draw, canvas.size)
        _outlined(draw, (_SMOOTH * _MARGIN_PX, _SMOOTH * _MARGIN_PX), text, self._font, "lt")
        drawn = canvas.reduce(_SMOOTH)
        width, height = self.size
        padded: npt.NDArray[np.uint8] = np.zeros((height, width, 3), np.uint8)
        padded[: drawn.height, : drawn.width] = np.asarray(drawn)[:height, :width]
        return padded

    def _enlarged(self, image: npt.NDArray[Any]) -> Image.Image:
        levels = levels_of(grey_sample(image))
        if self._levels is not None:
            black, white = (
                (1 - _ADAPTATION) * old + _ADAPTATION * new for old, new in zip(self._levels, levels, strict=True)
            )
            levels = black, white
        self._levels = levels
        height, width = (max(1, round(self._zoom * side)) for side in image.shape)
        grey = Image.fromarray(to_bytes(image, levels))
        if self._zoom >= 1:  # pixels stay square pixels
            return grey.resize((_SMOOTH * width, _SMOOTH * height), Image.Resampling.NEAREST).convert("RGB")
        return grey.resize((_SMOOTH * width, _SMOOTH * height), Image.Resampling.BILINEAR).convert("RGB")

    def _on_canvas(self, px: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return coordinates in the image as those on the canvas, whose integers are edges of pixels, not centres."""
        return (px.astype(np.float64) + 0.5) * (_SMOOTH * self._zoom)

    def _draw_trails(self, draw: ImageDraw.ImageDraw, segments: list[TrailSegments]) -> None:
        width = round(_SMOOTH * _TRAIL_PX)
        for pen, ends in reversed(list(segments_by_pen(segments))):
            colour, quarter = divmod(pen, len(OPACITIES))
            fill = _shade(TRACK_COLOURS[colour], OPACITIES[quarter])
            for line in self._on_canvas(ends.reshape(-1, 4)).tolist():
                draw.line(line, fill, width)

    def _draw_rings(self, draw: ImageDraw.ImageDraw, rows: Rows) -> None:
        radius, width = self._ring / 2, round(_SMOOTH * _LINE_PX)
        unsure = (rows["flags"] & (Flag.TENTATIVE | Flag.COASTED)) != 0
        places = zip(*(self._on_canvas(rows[axis]).tolist() for axis in ("x", "y")), strict=True)
        for (x, y), track_id, weak in zip(places, rows["id"].tolist(), unsure.tolist(), strict=True):
            colour = NO_ID_COLOUR if track_id < 0 else track_colour(track_id)
            outline = _shade(colour, _UNSURE_OPACITY if weak else 1.0)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=outline, width=width)

    def _draw_ids(self, draw: ImageDraw.ImageDraw, rows: Rows) -> None:
        rows = rows[rows["id"] >= 0]
        right, up = 0.7 * self._ring, 0.4 * self._ring
        places = zip(*(self._on_canvas(rows[axis]).tolist() for axis in ("x", "y")), strict=True)
        for (x, y), track_id in zip(places, rows["id"].tolist(), strict=True):
            colour = _shade(track_colour(track_id), 1.0)
            _outlined(draw, (x + right, y - up), str(track_id), self._small_font, "lm", colour)

    def _draw_scale_bar(self, draw: ImageDraw.ImageDraw, size: tuple[int, int]) -> None:
        unit = _SMOOTH * self._zoom / (self._pixel_size_um or 1.0)  # canvas px per µm, or per px of the image
        length = round_length(size[0] / 5 / unit)
        margin = _SMOOTH * _MARGIN_PX
        right, bottom, left = size[0] - margin, size[1] - margin, size[0] - margin - length * unit
        draw.rectangle((left - 2, bottom - 10, right + 2, bottom + 2), _BLACK)
        draw.rectangle((left, bottom - 8, right, bottom), _WHITE)
        text = f"{length:g} {'um' if self._pixel_size_um else 'px'}"  # Pillow's font has no µ
        _outlined(draw, ((left + right) / 2, bottom - 16), text, self._font, "mb")


def drawn_size(shape: tuple[int, int]) -> tuple[tuple[int, int], float]:
    """Return the even (width, height) at which frames of this (H, W) are drawn, and how much they are enlarged."""
    long_side = max(shape)
    zoom = float(max(1, MAX_SIDE // 2 // long_side)) if long_side <= MAX_SIDE else MAX_SIDE / long_side
    height, width = (2 * -(-max(1, round(zoom * side)) // 2) for side in shape)
    return (width, height), zoom


def _shade(colour: str, opacity: float) -> tuple[int, int, int, int]:
    red, green, blue = ImageColor.getrgb(colour)[:3]
    return red, green, blue, round(255 * opacity)


def _outlined(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    font: Any,
    anchor: str,
    colour: tuple[int, int, int, int] = _WHITE,
) -> None:
    draw.text(place, text, colour, font, anchor=anchor, stroke_width=_SMOOTH, stroke_fill=_BLACK)
