"""The histogram of the grey levels, with the marks for black and white that are dragged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["Histogram"]

HEIGHT = 114
STRIP = 10
"""Height of the strip of colours."""
MARK = 7
"""Half the width of a mark, and how near the mouse must come to take it."""
SIDE = 10


class Histogram(QtWidgets.QWidget):
    """Bars on a logarithmic scale, the curve from grey to brightness, and below them the colours in use."""

    levels_dragged = QtCore.Signal(float, float)
    """Black and white, in grey levels."""
    auto_wanted = QtCore.Signal()

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self.setMouseTracking(True)
        self.setToolTip("Drag the marks to set black and white; double click to follow the brightness again")
        self.colours = palette
        self._counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._edges = 0.0, 1.0
        self._span = 0.0, 1.0  # grey levels at the left and right end
        self._levels = 0.0, 1.0
        self._gamma = 1.0
        self._table: npt.NDArray[np.uint8] = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        self._held: int | None = None  # the mark in the hand: 0 black, 1 white

    def show_counts(self, counts: npt.NDArray[np.int64], low: float, high: float) -> None:
        """Show how many pixels there are in even bins from `low` to `high`."""
        self._counts, self._edges = counts, (low, high)
        self._fit_span()
        self.update()

    def show_levels(self, levels: tuple[float, float], gamma: float, table: npt.NDArray[np.uint8]) -> None:
        """Show where black and white are, the curve between them, and the colours, (256, 3)."""
        if levels == self._levels and gamma == self._gamma and table is self._table:
            return
        self._levels, self._gamma, self._table = levels, gamma, table
        self._fit_span()
        self.update()

    def place_of(self, grey: float) -> float:
        """Return where a grey level is, in this widget's pixels from the left."""
        low, high = self._span
        return SIDE + (grey - low) / (high - low) * (self.width() - 2 * SIDE)

    def grey_at(self, place: float) -> float:
        """Return the grey level at `place`."""
        low, high = self._span
        return low + (place - SIDE) / (self.width() - 2 * SIDE) * (high - low)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        if event.button() == QtCore.Qt.MouseButton.LeftButton:
            self._held = self._mark_near(event.position().x())

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        near = self._held if self._held is not None else self._mark_near(event.position().x())
        shape = QtCore.Qt.CursorShape
        self.setCursor(shape.ArrowCursor if near is None else shape.SizeHorCursor)
        if self._held is not None:
            grey = min(max(self.grey_at(event.position().x()), self._span[0]), self._span[1])
            least = (self._span[1] - self._span[0]) / 500
            black, white = self._levels
            if self._held == 0:
                self.levels_dragged.emit(min(grey, white - least), white)
            else:
                self.levels_dragged.emit(black, max(grey, black + least))

    def mouseReleaseEvent(self, _: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._held = None
        self._fit_span()
        self.update()

    def mouseDoubleClickEvent(self, _: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._held = None
        self.auto_wanted.emit()

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        bars = QtCore.QRectF(SIDE, 4, self.width() - 2 * SIDE, HEIGHT - STRIP - 26)
        self._paint_bars(painter, bars)
        self._paint_curve(painter, bars)
        strip = QtCore.QRectF(bars.left(), bars.bottom() + 2, bars.width(), STRIP)
        self._paint_strip(painter, strip)
        self._paint_marks(painter, strip.bottom())
        painter.end()

    def _paint_bars(self, painter: QtGui.QPainter, area: QtCore.QRectF) -> None:
        painter.fillRect(area, QtGui.QColor(self.colours.field))
        if not self._counts.size:
            return
        painter.save()
        painter.setClipRect(area)
        heights = np.log1p(self._counts) / max(1.0, float(np.log1p(self._counts.max()))) * (area.height() - 6)
        places = [self.place_of(grey) for grey in np.linspace(*self._edges, self._counts.size + 1)]
        outline = QtGui.QPolygonF([QtCore.QPointF(places[0], area.bottom())])
        for left, right, height in zip(places, places[1:], heights.tolist(), strict=False):
            outline.append(QtCore.QPointF(left, area.bottom() - height))
            outline.append(QtCore.QPointF(right, area.bottom() - height))
        outline.append(QtCore.QPointF(places[-1], area.bottom()))
        fill = QtGui.QColor(self.colours.accent)
        fill.setAlphaF(0.55)
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(outline)
        painter.restore()

    def _paint_curve(self, painter: QtGui.QPainter, area: QtCore.QRectF) -> None:
        """Draw brightness against grey: level below black, then rising as gamma says, level above white."""
        left, right = (self.place_of(level) for level in self._levels)
        shares = np.linspace(0.0, 1.0, 25)
        heights = shares**self._gamma * area.height()
        points = [
            QtCore.QPointF(left + share * (right - left), area.bottom() - height)
            for share, height in zip(shares.tolist(), heights.tolist(), strict=True)
        ]
        painter.save()
        painter.setClipRect(area)
        painter.setPen(QtGui.QPen(QtGui.QColor(self.colours.text), 1.2))
        painter.drawPolyline(points)
        painter.restore()

    def _paint_strip(self, painter: QtGui.QPainter, strip: QtCore.QRectF) -> None:
        left, right = (self.place_of(level) for level in self._levels)
        gradient = QtGui.QLinearGradient(left, 0, max(right, left + 1), 0)
        for index in range(0, 256, 15):
            gradient.setColorAt(index / 255, QtGui.QColor(*self._table[index].tolist()))
        painter.fillRect(strip, gradient)

    def _paint_marks(self, painter: QtGui.QPainter, top: float) -> None:
        painter.setPen(QtGui.QPen(QtGui.QColor(self.colours.faint), 1))
        for level, fill in zip(self._levels, ("#000000", "#ffffff"), strict=True):
            place = min(max(self.place_of(level), SIDE), self.width() - SIDE)
            painter.setBrush(QtGui.QColor(fill))
            corners = ((0.0, -3.0), (MARK, 7.0), (-MARK, 7.0))
            painter.drawPolygon(QtGui.QPolygonF([QtCore.QPointF(place + x, top + y) for x, y in corners]))

    def _mark_near(self, place: float) -> int | None:
        apart = [abs(self.place_of(level) - place) for level in self._levels]
        nearest = int(np.argmin(apart))
        return nearest if apart[nearest] <= 1.5 * MARK else None

    def _fit_span(self) -> None:
        """Have all greys and both levels in view; keep the scale while it will do, so that it does not dance."""
        if self._held is not None:
            return
        low, high = min(self._edges[0], self._levels[0]), max(self._edges[1], self._levels[1])
        left, right = self._span
        if not (left <= low and high <= right and right - left <= 1.4 * (high - low)):
            margin = 0.08 * (high - low)
            self._span = low - margin, high + margin
