"""Trails: the fading past positions behind each particle, drawn by one item."""

from __future__ import annotations

from typing import Any

from pyqtgraph.functions import arrayToQPath

from livetrack.annotate.colours import TRACK_COLOURS
from livetrack.annotate.trail_segments import OPACITIES, TrailSegments, segments_by_pen
from livetrack.viewer.canvas.markers import OverlayItem
from livetrack.viewer.qt import QtGui

__all__ = ["Trails"]


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


def _pen(colour: str, opacity: float) -> QtGui.QPen:
    shade = QtGui.QColor(colour)
    shade.setAlphaF(opacity)
    pen = QtGui.QPen(shade, 1)
    pen.setCosmetic(True)
    return pen
