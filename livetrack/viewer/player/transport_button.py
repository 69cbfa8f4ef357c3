"""The buttons of the transport bar, drawn in the colours of the theme."""

from __future__ import annotations

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["BUTTONS", "TransportButton"]

BUTTONS = ("first", "step_back", "play", "step", "last")
"""The actions that have one, from left to right."""
WIDTH, HEIGHT = 30, 28
HALF = 6.0
"""Of the height of a symbol."""


class TransportButton(QtWidgets.QToolButton):
    """The button of one action of `BUTTONS`; that of "play" shows a pause while it is on."""

    def __init__(self, action: QtGui.QAction, name: str, palette: Palette) -> None:
        super().__init__()
        self.colours = palette
        self._name = name
        self.setDefaultAction(action)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setFixedSize(WIDTH, HEIGHT)

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        colours = self.colours
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        if self._name == "play" or self.underMouse():
            painter.setPen(QtGui.QColor(colours.line))
            painter.setBrush(QtGui.QColor(colours.raised))
            painter.drawRoundedRect(QtCore.QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QColor(colours.accent if self._name == "play" else colours.text))
        painter.translate(QtCore.QRectF(self.rect()).center())
        if self._name in ("first", "step_back"):
            painter.scale(-1, 1)
        if self._name == "play" and self.isChecked():
            for left in (-5.0, 1.5):
                painter.drawRect(QtCore.QRectF(left, -HALF, 3.5, 2 * HALF))
        elif self._name == "play":
            painter.drawPolygon(_triangle(-4.5, 10.0))
        elif self._name in ("step", "step_back"):
            painter.drawRect(QtCore.QRectF(-5.0, -HALF, 2.5, 2 * HALF))
            painter.drawPolygon(_triangle(-1.0, 8.0))
        else:
            painter.drawPolygon(_triangle(-6.0, 9.0))
            painter.drawRect(QtCore.QRectF(3.5, -HALF, 2.5, 2 * HALF))
        painter.end()


def _triangle(left: float, width: float) -> QtGui.QPolygonF:
    """Return a triangle that points to the right."""
    corners = ((left, -HALF), (left + width, 0.0), (left, HALF))
    return QtGui.QPolygonF([QtCore.QPointF(x, y) for x, y in corners])
