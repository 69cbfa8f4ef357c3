"""A button of the tool bar: its name, and its key beside it as a small cap."""

from __future__ import annotations

from livetrack.overlay.palette import Palette
from livetrack.overlay.qt import QtCore, QtGui, QtWidgets

__all__ = ["KeyButton"]

HEIGHT = 28
SIDE = 9
GAP = 7
CAP_SIDE = 5
KEY_PX = 10


class KeyButton(QtWidgets.QToolButton):
    """Shows an action; lit while it is on."""

    def __init__(self, action: QtGui.QAction, key: str, palette: Palette) -> None:
        super().__init__()
        self.colours = palette
        self._key = key
        self.setDefaultAction(action)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setToolTip(action.toolTip())

    def sizeHint(self) -> QtCore.QSize:  # noqa: D102, N802 - Qt's
        return QtCore.QSize(round(2 * SIDE + self._name_width() + GAP + self._cap_width()), HEIGHT)

    def minimumSizeHint(self) -> QtCore.QSize:  # noqa: D102, N802 - Qt's
        return self.sizeHint()

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        colours = self.colours
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        area = QtCore.QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        on, over = self.isChecked(), self.underMouse() and self.isEnabled()
        if on or over:
            painter.setPen(QtGui.QColor(colours.line if on else colours.raised))
            painter.setBrush(QtGui.QColor(colours.raised))
            painter.drawRoundedRect(area, 5, 5)
        if not self.isEnabled():
            painter.setOpacity(0.4)
        lit = colours.record if "●" in self.text() else colours.accent
        painter.setPen(QtGui.QColor(lit if on else colours.text))
        painter.setFont(self.font())
        left = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
        painter.drawText(area.adjusted(SIDE, 0, 0, 0), left, self.text())
        cap = QtCore.QRectF(area.right() - SIDE + 2 - self._cap_width(), area.center().y() - 8, self._cap_width(), 16)
        painter.setPen(QtGui.QColor(colours.line))
        painter.setBrush(QtGui.QColor(colours.field))
        painter.drawRoundedRect(cap, 3, 3)
        painter.setPen(QtGui.QColor(colours.faint))
        painter.setFont(self._key_font())
        painter.drawText(cap, QtCore.Qt.AlignmentFlag.AlignCenter, self._key)
        painter.end()

    def _name_width(self) -> float:
        return QtGui.QFontMetricsF(self.font()).horizontalAdvance(self.text())

    def _cap_width(self) -> float:
        return max(16.0, QtGui.QFontMetricsF(self._key_font()).horizontalAdvance(self._key) + 2 * CAP_SIDE)

    def _key_font(self) -> QtGui.QFont:
        font = QtGui.QFont(self.font())
        font.setPixelSize(KEY_PX)
        return font
