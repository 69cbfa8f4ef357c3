"""The sub-pixel phase chart: a histogram for x above one for y."""

from __future__ import annotations

from livetrack.viewer.analysis import PhaseCounts
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["PhaseChart"]

HEIGHT = 118
NAME_WIDTH = 20
AXIS_HEIGHT = 18
MIN_POSITIONS = 200
"""With fewer, no histogram is shown."""


class PhaseChart(QtWidgets.QWidget):
    """Bars, with a dashed line where all would end without pixel locking."""

    def __init__(self, phases: PhaseCounts, palette: Palette) -> None:
        super().__init__()
        self.colours = palette
        self._phases = phases
        self.setFixedHeight(HEIGHT)
        self.setToolTip(
            "Distance of the positions from the nearest pixel centre, and the strength of pixel locking in percent.\n"
            "Flat: no pixel locking. A peak at 0: pixel locking. Particles that do not move cause peaks as well."
        )

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        painter = QtGui.QPainter(self)
        if self._phases.positions < MIN_POSITIONS:
            painter.setPen(QtGui.QColor(self.colours.faint))
            painter.drawText(self.rect(), QtCore.Qt.AlignmentFlag.AlignCenter, "waiting for positions")
        else:
            height = (HEIGHT - AXIS_HEIGHT) / 2
            for axis, colour in enumerate((self.colours.x, self.colours.y)):
                area = QtCore.QRectF(NAME_WIDTH, axis * height, self.width() - NAME_WIDTH, height - 5)
                self._paint_axis(painter, area, axis, QtGui.QColor(colour))
            self._paint_scale(painter)
        painter.end()

    def _paint_axis(self, painter: QtGui.QPainter, area: QtCore.QRectF, axis: int, colour: QtGui.QColor) -> None:
        counts = self._phases.counts[axis]
        expected = counts.sum() / len(counts)
        max_count = max(2.0 * expected, float(counts.max()))
        painter.fillRect(area, QtGui.QColor(self.colours.field))
        width = area.width() / len(counts)
        colour.setAlphaF(0.8)
        for number, count in enumerate(counts.tolist()):
            height = count / max_count * area.height()
            bar = QtCore.QRectF(area.left() + number * width + 0.5, area.bottom() - height, width - 1, height)
            painter.fillRect(bar, colour)
        line = area.bottom() - expected / max_count * area.height()
        painter.setPen(QtGui.QPen(QtGui.QColor(self.colours.faint), 1, QtCore.Qt.PenStyle.DashLine))
        painter.drawLine(QtCore.QPointF(area.left(), line), QtCore.QPointF(area.right(), line))
        painter.setPen(QtGui.QColor(self.colours.faint))
        painter.drawText(QtCore.QRectF(0, area.top(), NAME_WIDTH, area.height()), _LEFT, "xy"[axis])
        right = QtCore.QRectF(area.left(), area.top() + 1, area.width() - 5, 16)
        painter.drawText(right, QtCore.Qt.AlignmentFlag.AlignRight, f"{100 * self._phases.locking()[axis]:.1f} %")

    def _paint_scale(self, painter: QtGui.QPainter) -> None:
        painter.setPen(QtGui.QColor(self.colours.faint))
        scale = QtCore.QRectF(NAME_WIDTH, HEIGHT - AXIS_HEIGHT, self.width() - NAME_WIDTH, AXIS_HEIGHT)
        vertical = QtCore.Qt.AlignmentFlag.AlignVCenter
        sides = QtCore.Qt.AlignmentFlag
        for side, text in ((sides.AlignLeft, "-0.5"), (sides.AlignHCenter, "0 px"), (sides.AlignRight, "0.5")):
            painter.drawText(scale, side | vertical, text)


_LEFT = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
