"""Overlays of constant screen size: track ids, the selection, and the scale bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.annotate.colours import track_colour
from livetrack.annotate.labels import round_length
from livetrack.annotate.trail_segments import drawable
from livetrack.particles import Rows, empty_rows
from livetrack.viewer.canvas.markers import MARKER_PX, OverlayItem
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets

__all__ = ["Labels", "ScaleBar", "Selection"]

MARGIN_PX = 24
"""Between the scale bar and the edges."""


class Selection(QtWidgets.QGraphicsObject):
    """Four corners around the selected particle, and its track id; its unit is a screen pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.setFlag(self.GraphicsItemFlag.ItemIgnoresTransformations)
        self.track_id: int | None = None
        """Of the particle that is marked; None while none is."""
        self.show_row(None)

    def show_row(self, row: np.void | None) -> None:
        """Mark the particle of `row`; None hides the selection."""
        self.setVisible(row is not None)
        before, self.track_id = self.track_id, None if row is None else int(row["id"])
        if row is not None:
            self.setPos(float(row["x"]), float(row["y"]))
        if self.track_id != before:
            self.update()

    def boundingRect(self) -> QtCore.QRectF:  # noqa: D102, N802 - Qt's
        return QtCore.QRectF(-20, -20, 120, 40)

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        half, arm = 13.0, 6.0
        corners = [
            QtGui.QPolygonF([QtCore.QPointF(x * half, y * (half - arm)), QtCore.QPointF(x * half, y * half),
                             QtCore.QPointF(x * (half - arm), y * half)])
            for x in (-1, 1) for y in (-1, 1)
        ]  # fmt: skip
        font = painter.font()
        font.setPixelSize(12)
        font.setBold(True)
        painter.setFont(font)
        for colour, width in ((QtCore.Qt.GlobalColor.black, 3.5), (QtCore.Qt.GlobalColor.white, 1.6)):
            painter.setPen(QtGui.QPen(colour, width))
            for corner in corners:
                painter.drawPolyline(corner)
        for colour, shift in ((QtCore.Qt.GlobalColor.black, 1), (QtCore.Qt.GlobalColor.white, 0)):
            painter.setPen(colour)
            painter.drawText(QtCore.QPointF(half + 5 + shift, -half + 7 + shift), f"#{self.track_id}")


class Labels(OverlayItem):
    """The track ids next to the markers."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = empty_rows()

    def show_rows(self, rows: Rows, selected: int | None = None) -> None:
        """Label the particles of one frame, except the `selected` track, whose id the selection shows."""
        self._rows = rows[drawable(rows) & (rows["id"] >= 0) & (rows["id"] != (-1 if selected is None else selected))]
        self.update()

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        to_screen = painter.transform()
        painter.resetTransform()
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        right_of_marker = QtCore.QPointF(MARKER_PX * 0.75, -MARKER_PX * 0.4)
        for track_id, x, y in zip(*(self._rows[name].tolist() for name in ("id", "x", "y")), strict=True):
            position = to_screen.map(QtCore.QPointF(x, y)) + right_of_marker
            painter.setPen(QtCore.Qt.GlobalColor.black)
            painter.drawText(position + QtCore.QPointF(1, 1), str(track_id))
            painter.setPen(QtGui.QColor(track_colour(track_id)))
            painter.drawText(position, str(track_id))


class ScaleBar(QtWidgets.QGraphicsObject):
    """A bar of round length in the corner of the image; its parent is the view box, whose unit is a screen pixel."""

    def __init__(self, view_box: Any) -> None:
        super().__init__(view_box)
        self._view_box = view_box
        self._frame = QtCore.QRectF()
        self._pixel_size_um: float | None = None
        self.setZValue(100)
        view_box.sigRangeChanged.connect(lambda: self.update())

    def set_frame(self, frame: QtCore.QRectF) -> None:
        """Set the area of the image, in its own pixels."""
        self._frame = frame
        self.update()

    def set_pixel_size(self, pixel_size_um: float | None) -> None:
        """Set the size of a pixel in the sample; with None the bar is labelled in pixels."""
        self._pixel_size_um = pixel_size_um
        self.update()

    def boundingRect(self) -> QtCore.QRectF:  # noqa: D102, N802 - Qt's
        rect: QtCore.QRectF = self._view_box.rect()
        return rect

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        rect = self._view_box.mapFromView(self._frame).boundingRect() & self.boundingRect()
        if rect.width() < 2 * MARGIN_PX:
            return
        per_screen_pixel = self._view_box.viewPixelSize()[0] * (self._pixel_size_um or 1.0)
        length = round_length(per_screen_pixel * rect.width() / 5)
        width = length / per_screen_pixel
        bar = QtCore.QRectF(rect.right() - width - MARGIN_PX, rect.bottom() - MARGIN_PX, width, 4)
        text = QtCore.QRectF(bar.center().x() - 100, bar.top() - 24, 200, 20)
        painter.setFont(QtGui.QFont(painter.font().family(), 10))
        for colour, shift in ((QtCore.Qt.GlobalColor.black, 1), (QtCore.Qt.GlobalColor.white, 0)):
            painter.fillRect(bar.translated(shift, shift), colour)
            painter.setPen(colour)
            unit = "µm" if self._pixel_size_um else "px"
            painter.drawText(text.translated(shift, shift), QtCore.Qt.AlignmentFlag.AlignCenter, f"{length:g} {unit}")
