"""A ring about each particle, as large on the screen whatever the zoom."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.particles import Flag, Rows
from livetrack.viewer.data.trail_segments import drawable
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import TRAJECTORY_COLOURS

__all__ = ["MARKER_PX", "Markers", "OnPicture"]

MARKER_PX = 13
WIDTH_PX = 1.6
UNSURE = 0.4
"""Opacity of a particle that is tentative, or was not seen in this frame."""
NO_COLOUR = "#9aa0a6"
"""Of a particle without an id."""


class OnPicture(QtWidgets.QGraphicsObject):
    """One item that draws many things; it paints itself."""

    def __init__(self) -> None:
        super().__init__()
        self._bounds = QtCore.QRectF()

    def set_bounds(self, bounds: QtCore.QRectF) -> None:
        """Say where particles can be."""
        self.prepareGeometryChange()
        self._bounds = bounds

    def boundingRect(self) -> QtCore.QRectF:  # noqa: D102, N802 - Qt's
        return self._bounds


class Markers(OnPicture):
    """Rings in the trajectories' colours, each kind painted once and then copied.

    Copying a small picture a thousand times takes less than half of what `pyqtgraph.ScatterPlotItem` does about it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places: npt.NDArray[np.float64] = np.empty((0, 2))
        """(N, 2) x, y of what is marked, px of the picture."""
        self._kinds: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._rings: list[QtGui.QPixmap] = []
        self._ratio = 0.0

    def show_rows(self, rows: Rows) -> None:
        """Mark the particles of one frame."""
        rows = rows[drawable(rows)]
        self.places = np.stack((rows["x"], rows["y"]), axis=1).astype(np.float64)
        colour = np.where(rows["id"] < 0, len(TRAJECTORY_COLOURS), rows["id"] % len(TRAJECTORY_COLOURS))
        unsure = (rows["flags"] & (Flag.TENTATIVE | Flag.COASTED)) != 0
        self._kinds = 2 * colour + unsure
        self.update()

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        device = painter.device()
        if device.devicePixelRatioF() != self._ratio:
            self._ratio = device.devicePixelRatioF()
            self._rings = [_ring(colour, opacity, self._ratio) for colour in _COLOURS for opacity in (1.0, UNSURE)]
        to_screen = painter.transform()
        x = self.places[:, 0] * to_screen.m11() + to_screen.dx()
        y = self.places[:, 1] * to_screen.m22() + to_screen.dy()
        seen = (
            (x > -MARKER_PX) & (x < device.width() + MARKER_PX) & (y > -MARKER_PX) & (y < device.height() + MARKER_PX)
        )
        left, top = x[seen] - _SIDE_PX / 2, y[seen] - _SIDE_PX / 2
        painter.resetTransform()
        copy, point, rings = painter.drawPixmap, QtCore.QPointF, self._rings
        for place_x, place_y, kind in zip(left.tolist(), top.tolist(), self._kinds[seen].tolist(), strict=True):
            copy(point(place_x, place_y), rings[kind])


_COLOURS = (*TRAJECTORY_COLOURS, NO_COLOUR)
_SIDE_PX = MARKER_PX + 4
_NEAR = 1.1  # of half the screen, from its middle


def _ring(colour: str, opacity: float, ratio: float) -> QtGui.QPixmap:
    ring = QtGui.QPixmap(round(_SIDE_PX * ratio), round(_SIDE_PX * ratio))
    ring.setDevicePixelRatio(ratio)
    ring.fill(QtCore.Qt.GlobalColor.transparent)
    shade = QtGui.QColor(colour)
    shade.setAlphaF(opacity)
    painter = QtGui.QPainter(ring)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.setPen(QtGui.QPen(shade, WIDTH_PX))
    radius = (MARKER_PX - WIDTH_PX) / 2
    painter.drawEllipse(QtCore.QPointF(_SIDE_PX / 2, _SIDE_PX / 2), radius, radius)
    painter.end()
    return ring
