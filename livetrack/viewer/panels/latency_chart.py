"""Where a frame's time goes: for each stage a bar as long as the median, and a line to the 99th percentile."""

from __future__ import annotations

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import STAGE_COLOURS, Palette
from livetrack.wire import Latency

__all__ = ["STAGES", "StageChart", "milliseconds"]

STAGES = {
    "camera": ("camera", "Middle of the exposure to receipt"),
    "wait": ("wait", "Receipt until the tracker is free"),
    "localize": ("find", "Finding the particles"),
    "link": ("link", "Joining them to trajectories"),
    "publish": ("publish", "Sending"),
    "total": ("total", "From receipt to published; the stages' percentiles do not add up to it"),
}
"""Each stage's name in the chart, and what it is."""

ROW = 19
STRIP = 12
NAME_WIDTH = 52
FIGURE_WIDTH = 48


class StageChart(QtWidgets.QWidget):
    """On top, the medians end to end; below, stage by stage, p50 and p99 in ms."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.colours = palette
        self._latency: dict[str, Latency] = {}
        self.setToolTip("\n".join(f"{name}: {tip}" for name, tip in STAGES.values()))
        self._set_height()

    def show_latency(self, latency: dict[str, Latency]) -> None:
        """Show these stages, µs."""
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
                self._paint_row(painter, stage, STRIP + (number + 1) * ROW + 8)
        painter.end()

    def _paint_strip(self, painter: QtGui.QPainter) -> None:
        """Draw the medians of the stages from receipt to published end to end."""
        stages = [stage for stage in self._latency if stage not in ("camera", "total")]
        whole = sum(self._latency[stage].p50 for stage in stages) or 1.0
        outline = QtGui.QPainterPath()
        outline.addRoundedRect(QtCore.QRectF(0, 0, self.width(), STRIP), 3, 3)
        painter.save()
        painter.setClipPath(outline)
        left = 0.0
        for stage in stages:
            width = self._latency[stage].p50 / whole * self.width()
            painter.fillRect(QtCore.QRectF(left, 0, width, STRIP), QtGui.QColor(STAGE_COLOURS[stage]))
            left += width
        painter.restore()

    def _paint_heading(self, painter: QtGui.QPainter) -> None:
        painter.setPen(QtGui.QColor(self.colours.faint))
        for place, text in ((2, "p50"), (1, "p99")):
            painter.drawText(self._figure_area(STRIP + 8, place), _RIGHT, text)

    def _paint_row(self, painter: QtGui.QPainter, stage: str, top: float) -> None:
        latency, colour = self._latency[stage], QtGui.QColor(STAGE_COLOURS[stage])
        longest = max(each.p99 for each in self._latency.values()) or 1.0
        left, width = float(NAME_WIDTH), self.width() - NAME_WIDTH - 2 * FIGURE_WIDTH - 4.0
        middle = top + ROW / 2
        painter.setPen(QtGui.QColor(self.colours.text if stage == "total" else self.colours.faint))
        painter.drawText(QtCore.QRectF(0, top, NAME_WIDTH, ROW), _LEFT, STAGES[stage][0])
        painter.setPen(QtGui.QPen(colour, 1.5))
        painter.drawLine(QtCore.QPointF(left, middle), QtCore.QPointF(left + latency.p99 / longest * width, middle))
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        bar = QtCore.QRectF(left, middle - 3.5, max(2.0, latency.p50 / longest * width), 7)
        painter.drawRoundedRect(bar, 2, 2)
        painter.setPen(QtGui.QColor(self.colours.text))
        for place, value in ((2, latency.p50), (1, latency.p99)):
            painter.drawText(self._figure_area(top, place), _RIGHT, milliseconds(value))

    def _figure_area(self, top: float, place: int) -> QtCore.QRectF:
        return QtCore.QRectF(self.width() - place * FIGURE_WIDTH, top, FIGURE_WIDTH, ROW)

    def _set_height(self) -> None:
        self.setFixedHeight(STRIP + (max(1, len(self._latency)) + 1) * ROW + 8)


_LEFT = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
_RIGHT = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter


def milliseconds(microseconds: float) -> str:
    """Return a duration in ms in about three digits."""
    value = microseconds / 1000
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3}f}"
