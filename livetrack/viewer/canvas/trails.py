"""Trails: the fading past positions behind each particle, drawn by one item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pyqtgraph.functions import arrayToQPath

from livetrack.viewer.canvas.markers import OverlayItem
from livetrack.viewer.data.trail_segments import TrailSegments
from livetrack.viewer.qt import QtGui
from livetrack.viewer.theme import TRACK_COLOURS

__all__ = ["Trails", "segments_by_pen"]

OPACITIES = 1.0, 0.75, 0.5, 0.3
"""Of the quarters of a trail, the newest first."""
MAX_SEGMENTS = 50_000
"""Beyond this number, the oldest segments are not drawn."""


class Trails(OverlayItem):
    """All trails in the colours of their tracks, in image coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self._pens = [_pen(colour, opacity) for colour in TRACK_COLOURS for opacity in OPACITIES]
        self._paths: list[tuple[QtGui.QPen, QtGui.QPainterPath]] = []

    def show_segments(self, frames: list[TrailSegments]) -> None:
        """Draw the segments of `frames`, oldest first."""
        self._paths = [
            (self._pens[pen], arrayToQPath(ends[:, 0], ends[:, 1], connect="pairs", finiteCheck=False))
            for pen, ends in segments_by_pen(frames)
        ]
        self.update()

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        for pen, path in self._paths:
            painter.setPen(pen)
            painter.drawPath(path)


def segments_by_pen(frames: list[TrailSegments]) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Yield the segments of `frames`, oldest first, grouped by pen: by colour and by quarter of the trail.

    Each item is the pen's number, colour * len(OPACITIES) + quarter, and (2 n, 2) x, y in px: the two ends of n
    segments in turn. Of more than `MAX_SEGMENTS` only the newest are used.
    """
    counts = np.cumsum([len(frame.ids) for frame in frames[::-1]], dtype=int)
    used = frames[max(0, len(frames) - int(np.searchsorted(counts, MAX_SEGMENTS, side="right"))) :]
    if not used:
        return
    age = np.repeat(np.arange(len(used))[::-1], [len(frame.ids) for frame in used])
    ids = np.concatenate([frame.ids for frame in used])
    segments = np.concatenate([frame.segments for frame in used])
    pen = ids % len(TRACK_COLOURS) * len(OPACITIES) + age * len(OPACITIES) // len(used)
    order = np.argsort(pen, kind="stable")
    ends = np.cumsum(np.bincount(pen, minlength=len(TRACK_COLOURS) * len(OPACITIES)))
    for number, group in enumerate(np.split(segments[order], ends[:-1])):
        if len(group):
            yield number, group.reshape(-1, 2)


def _pen(colour: str, opacity: float) -> QtGui.QPen:
    shade = QtGui.QColor(colour)
    shade.setAlphaF(opacity)
    pen = QtGui.QPen(shade, 1)
    pen.setCosmetic(True)
    return pen
