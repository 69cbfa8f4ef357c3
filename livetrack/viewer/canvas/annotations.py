"""What is drawn on the picture in screen pixels, whatever the zoom: labels, the choice, and the scale bar."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.particles import Rows, empty_rows
from livetrack.viewer.canvas.markers import MARKER_PX, OnPicture
from livetrack.viewer.data.trail_segments import drawable
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import TRAJECTORY_COLOURS

__all__ = ["Labels", "ScaleBar", "Selection", "round_length"]

MARGIN_PX = 24
"""Of the scale bar."""


class Selection(QtWidgets.QGraphicsObject):
    """Four corners about the chosen particle, and its number; its unit is a screen pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.setFlag(self.GraphicsItemFlag.ItemIgnoresTransformations)
        self.number: int | None = None
        """Whose place is shown; None while none is."""
        self.show_row(None)

    def show_row(self, row: np.void | None) -> None:
        """Stand about the particle of `row`; None hides."""
        self.setVisible(row is not None)
        before, self.number = self.number, None if row is None else int(row["id"])
        if row is not None:
            self.setPos(float(row["x"]), float(row["y"]))
        if self.number != before:
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
            painter.drawText(QtCore.QPointF(half + 5 + shift, -half + 7 + shift), f"#{self.number}")


class Labels(OnPicture):
    """The trajectories' numbers, beside the markers."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = empty_rows()

    def show_rows(self, rows: Rows, besides: int | None = None) -> None:
        """Write the numbers of one frame's particles, of all but the chosen one, which tells its own."""
        self._rows = rows[drawable(rows) & (rows["id"] >= 0) & (rows["id"] != (-1 if besides is None else besides))]
        self.update()

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        to_screen = painter.transform()
        painter.resetTransform()
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        right_of_marker = QtCore.QPointF(MARKER_PX * 0.75, -MARKER_PX * 0.4)
        for number, x, y in zip(*(self._rows[name].tolist() for name in ("id", "x", "y")), strict=True):
            place = to_screen.map(QtCore.QPointF(x, y)) + right_of_marker
            painter.setPen(QtCore.Qt.GlobalColor.black)
            painter.drawText(place + QtCore.QPointF(1, 1), str(number))
            painter.setPen(QtGui.QColor(TRAJECTORY_COLOURS[number % len(TRAJECTORY_COLOURS)]))
            painter.drawText(place, str(number))


class ScaleBar(QtWidgets.QGraphicsObject):
    """A bar of a round length in the picture's corner; its parent is the view box, whose unit is a screen pixel."""

    def __init__(self, view_box: Any) -> None:
        super().__init__(view_box)
        self._view_box = view_box
        self._frame = QtCore.QRectF()
        self._pixel_size_um: float | None = None
        self.setZValue(100)
        view_box.sigRangeChanged.connect(lambda: self.update())

    def set_frame(self, frame: QtCore.QRectF) -> None:
        """Say where the picture lies, in its own coordinates."""
        self._frame = frame
        self.update()

    def set_pixel_size(self, pixel_size_um: float | None) -> None:
        """Say how large a pixel is in the sample; None: the bar counts pixels."""
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


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not over `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(digit * power for digit in (1, 2, 5) if digit * power <= longest * (1 + 1e-9))
