"""The grey-level histogram, with two markers that are dragged to set black and white."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["Histogram"]

HEIGHT = 114
STRIP_HEIGHT = 10
"""Of the colour scale."""
MARKER = 7
"""Half the width of a marker."""
GRAB_DISTANCE = 1.5 * MARKER
"""Within which the mouse grabs a marker."""
MARGIN = 10


class Histogram(QtWidgets.QWidget):
    """Bars on a logarithmic scale, the curve from grey level to brightness, and the colour scale below."""

    levels_dragged = QtCore.Signal(float, float)
    """Black and white, in grey levels."""
    auto_requested = QtCore.Signal()

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self.setMouseTracking(True)
        self.setToolTip("Drag the markers to set black and white; double-click for auto contrast")
        self.colours = palette
        self._counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._edges = 0.0, 1.0
        self._span = 0.0, 1.0  # grey levels at the left and right edge
        self._levels = 0.0, 1.0
        self._gamma = 1.0
        self._table: npt.NDArray[np.uint8] = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        self._dragged: int | None = None  # the marker: 0 black, 1 white

    def show_counts(self, counts: npt.NDArray[np.int64], low: float, high: float) -> None:
        """Show the pixel counts in bins of equal width from `low` to `high`."""
        self._counts, self._edges = counts, (low, high)
        self._fit_span()
        self.update()

    def show_levels(self, levels: tuple[float, float], gamma: float, table: npt.NDArray[np.uint8]) -> None:
        """Show black and white, the curve between them, and the (256, 3) colours."""
        if levels == self._levels and gamma == self._gamma and table is self._table:
            return
        self._levels, self._gamma, self._table = levels, gamma, table
        self._fit_span()
        self.update()

    def x_of(self, grey: float) -> float:
        """Return the x coordinate of a grey level in this widget, pixels."""
        low, high = self._span
        return MARGIN + (grey - low) / (high - low) * (self.width() - 2 * MARGIN)

    def grey_at(self, x: float) -> float:
        """Return the grey level at the x coordinate `x`."""
        low, high = self._span
        return low + (x - MARGIN) / (self.width() - 2 * MARGIN) * (high - low)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        if event.button() == QtCore.Qt.MouseButton.LeftButton:
            self._dragged = self._marker_at(event.position().x())

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        near = self._dragged if self._dragged is not None else self._marker_at(event.position().x())
        shape = QtCore.Qt.CursorShape
        self.setCursor(shape.ArrowCursor if near is None else shape.SizeHorCursor)
        if self._dragged is not None:
            grey = min(max(self.grey_at(event.position().x()), self._span[0]), self._span[1])
            gap = (self._span[1] - self._span[0]) / 500
            black, white = self._levels
            if self._dragged == 0:
                self.levels_dragged.emit(min(grey, white - gap), white)
            else:
                self.levels_dragged.emit(black, max(grey, black + gap))

    def mouseReleaseEvent(self, _: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._dragged = None
        self._fit_span()
        self.update()

    def mouseDoubleClickEvent(self, _: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        self._dragged = None
        self.auto_requested.emit()

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        bars = QtCore.QRectF(MARGIN, 4, self.width() - 2 * MARGIN, HEIGHT - STRIP_HEIGHT - 26)
        self._paint_bars(painter, bars)
        self._paint_curve(painter, bars)
        strip = QtCore.QRectF(bars.left(), bars.bottom() + 2, bars.width(), STRIP_HEIGHT)
        self._paint_strip(painter, strip)
        self._paint_markers(painter, strip.bottom())
        painter.end()

    def _paint_bars(self, painter: QtGui.QPainter, area: QtCore.QRectF) -> None:
        painter.fillRect(area, QtGui.QColor(self.colours.field))
        if not self._counts.size:
            return
        painter.save()
        painter.setClipRect(area)
        heights = np.log1p(self._counts) / max(1.0, float(np.log1p(self._counts.max()))) * (area.height() - 6)
        edges = [self.x_of(grey) for grey in np.linspace(*self._edges, self._counts.size + 1)]
        outline = QtGui.QPolygonF([QtCore.QPointF(edges[0], area.bottom())])
        for left, right, height in zip(edges, edges[1:], heights.tolist(), strict=False):
            outline.append(QtCore.QPointF(left, area.bottom() - height))
            outline.append(QtCore.QPointF(right, area.bottom() - height))
        outline.append(QtCore.QPointF(edges[-1], area.bottom()))
        fill = QtGui.QColor(self.colours.accent)
        fill.setAlphaF(0.55)
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(outline)
        painter.restore()

    def _paint_curve(self, painter: QtGui.QPainter, area: QtCore.QRectF) -> None:
        """Draw brightness against grey level: a power law with exponent gamma from black to white."""
        left, right = (self.x_of(level) for level in self._levels)
        fractions = np.linspace(0.0, 1.0, 25)
        heights = fractions**self._gamma * area.height()
        points = [
            QtCore.QPointF(left + fraction * (right - left), area.bottom() - height)
            for fraction, height in zip(fractions.tolist(), heights.tolist(), strict=True)
        ]
        painter.save()
        painter.setClipRect(area)
        painter.setPen(QtGui.QPen(QtGui.QColor(self.colours.text), 1.2))
        painter.drawPolyline(points)
        painter.restore()

    def _paint_strip(self, painter: QtGui.QPainter, strip: QtCore.QRectF) -> None:
        left, right = (self.x_of(level) for level in self._levels)
        gradient = QtGui.QLinearGradient(left, 0, max(right, left + 1), 0)
        for index in range(0, 256, 15):
            gradient.setColorAt(index / 255, QtGui.QColor(*self._table[index].tolist()))
        painter.fillRect(strip, gradient)

    def _paint_markers(self, painter: QtGui.QPainter, top: float) -> None:
        painter.setPen(QtGui.QPen(QtGui.QColor(self.colours.faint), 1))
        for level, fill in zip(self._levels, ("#000000", "#ffffff"), strict=True):
            centre = min(max(self.x_of(level), MARGIN), self.width() - MARGIN)
            painter.setBrush(QtGui.QColor(fill))
            corners = ((0.0, -3.0), (MARKER, 7.0), (-MARKER, 7.0))
            painter.drawPolygon(QtGui.QPolygonF([QtCore.QPointF(centre + x, top + y) for x, y in corners]))

    def _marker_at(self, x: float) -> int | None:
        distances = [abs(self.x_of(level) - x) for level in self._levels]
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] <= GRAB_DISTANCE else None

    def _fit_span(self) -> None:
        """Fit all grey levels and both markers; keep a scale that is still suitable, so that it does not jitter."""
        if self._dragged is not None:
            return
        low, high = min(self._edges[0], self._levels[0]), max(self._edges[1], self._levels[1])
        left, right = self._span
        if not (left <= low and high <= right and right - left <= 1.4 * (high - low)):
            margin = 0.08 * (high - low)
            self._span = low - margin, high + margin
