"""The latency chart: for each stage a bar up to the median, and a line to the 99th percentile."""

from __future__ import annotations

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import STAGE_COLOURS, Palette
from livetrack.wire import Latency

__all__ = ["STAGES", "LatencyChart", "milliseconds"]

STAGES = {
    "camera": ("camera", "From the middle of the exposure to receipt"),
    "wait": ("wait", "From receipt until the tracker is free"),
    "localize": ("find", "Finding the particles"),
    "link": ("link", "Linking them to tracks"),
    "publish": ("publish", "Publishing the positions"),
    "total": ("total", "From receipt to publication; percentiles of the stages do not add up to it"),
}
"""For each stage, its name in the chart and its tooltip."""

ROW_HEIGHT = 19
STRIP_HEIGHT = 12
NAME_WIDTH = 52
NUMBER_WIDTH = 48


class LatencyChart(QtWidgets.QWidget):
    """The medians end to end at the top; below, p50 and p99 of each stage in ms."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.colours = palette
        self._latency: dict[str, Latency] = {}
        self.setToolTip("\n".join(f"{name}: {tip}" for name, tip in STAGES.values()))
        self._set_height()

    def show_latency(self, latency: dict[str, Latency]) -> None:
        """Show the latency of these stages, µs."""
        latency = {stage: latency[stage] for stage in STAGES if stage in latency}
        if latency != self._latency:
            self._latency = latency
            self._set_height()
            self.update()

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        if not self._latency:
            painter.setPen(QtGui.QColor(self.colours.faint))
            painter.drawText(self.rect(), QtCore.Qt.AlignmentFlag.AlignCenter, "no frame tracked yet")
        else:
            self._paint_strip(painter)
            self._paint_heading(painter)
            for number, stage in enumerate(self._latency):
                self._paint_row(painter, stage, STRIP_HEIGHT + (number + 1) * ROW_HEIGHT + 8)
        painter.end()

    def _paint_strip(self, painter: QtGui.QPainter) -> None:
        """Draw the medians of the stages from receipt to publication, end to end."""
        stages = [stage for stage in self._latency if stage not in ("camera", "total")]
        total = sum(self._latency[stage].p50 for stage in stages) or 1.0
        outline = QtGui.QPainterPath()
        outline.addRoundedRect(QtCore.QRectF(0, 0, self.width(), STRIP_HEIGHT), 3, 3)
        painter.save()
        painter.setClipPath(outline)
        left = 0.0
        for stage in stages:
            width = self._latency[stage].p50 / total * self.width()
            painter.fillRect(QtCore.QRectF(left, 0, width, STRIP_HEIGHT), QtGui.QColor(STAGE_COLOURS[stage]))
            left += width
        painter.restore()

    def _paint_heading(self, painter: QtGui.QPainter) -> None:
        painter.setPen(QtGui.QColor(self.colours.faint))
        for column, text in ((2, "p50"), (1, "p99")):
            painter.drawText(self._number_area(STRIP_HEIGHT + 8, column), _RIGHT, text)

    def _paint_row(self, painter: QtGui.QPainter, stage: str, top: float) -> None:
        latency, colour = self._latency[stage], QtGui.QColor(STAGE_COLOURS[stage])
        max_us = max(each.p99 for each in self._latency.values()) or 1.0
        left, width = float(NAME_WIDTH), self.width() - NAME_WIDTH - 2 * NUMBER_WIDTH - 4.0
        middle = top + ROW_HEIGHT / 2
        painter.setPen(QtGui.QColor(self.colours.text if stage == "total" else self.colours.faint))
        painter.drawText(QtCore.QRectF(0, top, NAME_WIDTH, ROW_HEIGHT), _LEFT, STAGES[stage][0])
        painter.setPen(QtGui.QPen(colour, 1.5))
        painter.drawLine(QtCore.QPointF(left, middle), QtCore.QPointF(left + latency.p99 / max_us * width, middle))
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        bar = QtCore.QRectF(left, middle - 3.5, max(2.0, latency.p50 / max_us * width), 7)
        painter.drawRoundedRect(bar, 2, 2)
        painter.setPen(QtGui.QColor(self.colours.text))
        for column, value in ((2, latency.p50), (1, latency.p99)):
            painter.drawText(self._number_area(top, column), _RIGHT, milliseconds(value))

    def _number_area(self, top: float, column: int) -> QtCore.QRectF:
        return QtCore.QRectF(self.width() - column * NUMBER_WIDTH, top, NUMBER_WIDTH, ROW_HEIGHT)

    def _set_height(self) -> None:
        self.setFixedHeight(STRIP_HEIGHT + (max(1, len(self._latency)) + 1) * ROW_HEIGHT + 8)


_LEFT = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
_RIGHT = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter


def milliseconds(microseconds: float) -> str:
    """Return a duration as ms with about three digits."""
    value = microseconds / 1000
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3}f}"
