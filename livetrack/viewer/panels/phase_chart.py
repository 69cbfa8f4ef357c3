"""The histograms of sub-pixel phase, x and y one above the other."""

from __future__ import annotations

from livetrack.viewer.analysis import PhaseCounts
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["PhaseChart"]

HEIGHT = 118
NAME_WIDTH = 20
FOOT = 18
ENOUGH = 200
"""Positions below which a histogram says nothing."""


class PhaseChart(QtWidgets.QWidget):
    """Bars against a line where all would stand if positions knew nothing of the pixels."""

    def __init__(self, phases: PhaseCounts, palette: Palette) -> None:
        super().__init__()
        self.colours = palette
        self._phases = phases
        self.setFixedHeight(HEIGHT)
        self.setToolTip(
            "Where within its pixel each position lies. Flat: positions know nothing of the pixel grid. A hill at 0\n"
            "is pixel locking. Particles that do not move make hills of their own."
        )

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        painter = QtGui.QPainter(self)
        if self._phases.positions < ENOUGH:
            painter.setPen(QtGui.QColor(self.colours.faint))
            painter.drawText(self.rect(), QtCore.Qt.AlignmentFlag.AlignCenter, "waiting for positions")
        else:
            height = (HEIGHT - FOOT) / 2
            for axis, colour in enumerate((self.colours.x, self.colours.y)):
                area = QtCore.QRectF(NAME_WIDTH, axis * height, self.width() - NAME_WIDTH, height - 5)
                self._paint_axis(painter, area, axis, QtGui.QColor(colour))
            self._paint_foot(painter)
        painter.end()

    def _paint_axis(self, painter: QtGui.QPainter, area: QtCore.QRectF, axis: int, colour: QtGui.QColor) -> None:
        counts = self._phases.counts[axis]
        even = counts.sum() / len(counts)
        highest = max(2.0 * even, float(counts.max()))
        painter.fillRect(area, QtGui.QColor(self.colours.field))
        width = area.width() / len(counts)
        colour.setAlphaF(0.8)
        for number, count in enumerate(counts.tolist()):
            height = count / highest * area.height()
            bar = QtCore.QRectF(area.left() + number * width + 0.5, area.bottom() - height, width - 1, height)
            painter.fillRect(bar, colour)
        line = area.bottom() - even / highest * area.height()
        painter.setPen(QtGui.QPen(QtGui.QColor(self.colours.faint), 1, QtCore.Qt.PenStyle.DashLine))
        painter.drawLine(QtCore.QPointF(area.left(), line), QtCore.QPointF(area.right(), line))
        painter.setPen(QtGui.QColor(self.colours.faint))
        painter.drawText(QtCore.QRectF(0, area.top(), NAME_WIDTH, area.height()), _LEFT, "xy"[axis])
        right = QtCore.QRectF(area.left(), area.top() + 1, area.width() - 5, 16)
        painter.drawText(right, QtCore.Qt.AlignmentFlag.AlignRight, f"{100 * self._phases.locking()[axis]:.1f} %")

    def _paint_foot(self, painter: QtGui.QPainter) -> None:
        painter.setPen(QtGui.QColor(self.colours.faint))
        foot = QtCore.QRectF(NAME_WIDTH, HEIGHT - FOOT, self.width() - NAME_WIDTH, FOOT)
        vertical = QtCore.Qt.AlignmentFlag.AlignVCenter
        sides = QtCore.Qt.AlignmentFlag
        for side, text in ((sides.AlignLeft, "-0.5"), (sides.AlignHCenter, "0 px"), (sides.AlignRight, "0.5")):
            painter.drawText(foot, side | vertical, text)


_LEFT = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
