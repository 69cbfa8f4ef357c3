"""Overlays on the image, and the first of them: a ring of constant screen size around each particle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.annotate.colours import NO_ID_COLOUR, TRACK_COLOURS
from livetrack.annotate.trail_segments import drawable
from livetrack.particles import Flag, Rows
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets

__all__ = ["MARKER_PX", "Markers", "OverlayItem"]

MARKER_PX = 13
LINE_PX = 1.6
UNSURE_OPACITY = 0.4
"""Of a particle that is tentative, or was coasted in this frame."""
_COLOURS = (*TRACK_COLOURS, NO_ID_COLOUR)
_PIXMAP_PX = MARKER_PX + 4


class OverlayItem(QtWidgets.QGraphicsObject):
    """One graphics item that paints many objects, in image coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self._bounds = QtCore.QRectF()

    def set_bounds(self, bounds: QtCore.QRectF) -> None:
        """Set the area that is painted, px."""
        self.prepareGeometryChange()
        self._bounds = bounds

    def boundingRect(self) -> QtCore.QRectF:  # noqa: D102, N802 - Qt's
        return self._bounds


class Markers(OverlayItem):
    """Rings in the colours of the tracks.

    Each kind of ring is painted once into a pixmap, which is then copied to each particle. For a thousand particles
    this takes less than half the time of `pyqtgraph.ScatterPlotItem`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.positions: npt.NDArray[np.float64] = np.empty((0, 2))
        """(N, 2) x, y of the marked particles, px."""
        self._kinds: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._rings: list[QtGui.QPixmap] = []
        self._ratio = 0.0  # device pixels per screen pixel of the rings

    def show_rows(self, rows: Rows) -> None:
        """Mark the particles of one frame."""
        rows = rows[drawable(rows)]
        self.positions = np.stack((rows["x"], rows["y"]), axis=1).astype(np.float64)
        colour = np.where(rows["id"] < 0, len(TRACK_COLOURS), rows["id"] % len(TRACK_COLOURS))
        unsure = (rows["flags"] & (Flag.TENTATIVE | Flag.COASTED)) != 0
        self._kinds = 2 * colour + unsure
        self.update()

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        device = painter.device()
        if device.devicePixelRatioF() != self._ratio:
            self._ratio = device.devicePixelRatioF()
            self._rings = [
                _ring(colour, opacity, self._ratio) for colour in _COLOURS for opacity in (1.0, UNSURE_OPACITY)
            ]
        to_screen = painter.transform()
        x = self.positions[:, 0] * to_screen.m11() + to_screen.dx()
        y = self.positions[:, 1] * to_screen.m22() + to_screen.dy()
        visible = (
            (x > -MARKER_PX) & (x < device.width() + MARKER_PX) & (y > -MARKER_PX) & (y < device.height() + MARKER_PX)
        )
        left, top = x[visible] - _PIXMAP_PX / 2, y[visible] - _PIXMAP_PX / 2
        painter.resetTransform()
        draw, point, rings = painter.drawPixmap, QtCore.QPointF, self._rings
        for ring_x, ring_y, kind in zip(left.tolist(), top.tolist(), self._kinds[visible].tolist(), strict=True):
            draw(point(ring_x, ring_y), rings[kind])


def _ring(colour: str, opacity: float, ratio: float) -> QtGui.QPixmap:
    ring = QtGui.QPixmap(round(_PIXMAP_PX * ratio), round(_PIXMAP_PX * ratio))
    ring.setDevicePixelRatio(ratio)
    ring.fill(QtCore.Qt.GlobalColor.transparent)
    shade = QtGui.QColor(colour)
    shade.setAlphaF(opacity)
    painter = QtGui.QPainter(ring)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.setPen(QtGui.QPen(shade, LINE_PX))
    radius = (MARKER_PX - LINE_PX) / 2
    painter.drawEllipse(QtCore.QPointF(_PIXMAP_PX / 2, _PIXMAP_PX / 2), radius, radius)
    painter.end()
    return ring
