"""The tool bar: a button for each frequent action, with its shortcut on a small key cap."""

from __future__ import annotations

from collections.abc import Sequence

from livetrack.viewer.image_actions import ImageActions
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.shortcuts import Shortcut
from livetrack.viewer.theme import Palette

__all__ = ["ActionButton", "ActionToolBar"]

HEIGHT = 28
MARGIN = 9
GAP = 7
CAP_MARGIN = 5
CAP_FONT_PX = 10


class ActionToolBar(QtWidgets.QToolBar):
    """Buttons for those of `shortcuts` with `in_tool_bar`, one section for each of their groups."""

    def __init__(self, shortcuts: Sequence[Shortcut], actions: ImageActions, palette: Palette) -> None:
        super().__init__("Actions")
        self.setMovable(False)
        self.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.PreventContextMenu)
        self._buttons: list[ActionButton] = []
        group = shortcuts[0].group
        for shortcut in shortcuts:
            if not shortcut.in_tool_bar:
                continue
            if shortcut.group != group:
                self.addSeparator()
                group = shortcut.group
            self._buttons.append(ActionButton(actions[shortcut.name], shortcut.keys.split()[0], palette))
            self.addWidget(self._buttons[-1])

    def apply_palette(self, palette: Palette) -> None:
        """Use the colours of `palette`."""
        for button in self._buttons:
            button.colours = palette
            button.update()


class ActionButton(QtWidgets.QToolButton):
    """The button of one action; `key` is printed on its key cap, and the text is lit while the action is on."""

    def __init__(self, action: QtGui.QAction, key: str, palette: Palette) -> None:
        super().__init__()
        self.colours = palette
        self._key = key
        self.setDefaultAction(action)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)

    def sizeHint(self) -> QtCore.QSize:  # noqa: D102, N802 - Qt's
        return QtCore.QSize(round(2 * MARGIN + self._text_width() + GAP + self._cap_width()), HEIGHT)

    def minimumSizeHint(self) -> QtCore.QSize:  # noqa: D102, N802 - Qt's
        return self.sizeHint()

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        colours = self.colours
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        area = QtCore.QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        on, hovered = self.isChecked(), self.underMouse() and self.isEnabled()
        if on or hovered:
            painter.setPen(QtGui.QColor(colours.line if on else colours.raised))
            painter.setBrush(QtGui.QColor(colours.raised))
            painter.drawRoundedRect(area, 5, 5)
        if not self.isEnabled():
            painter.setOpacity(0.4)
        lit = colours.record if "●" in self.text() else colours.accent
        emergency = "■" in self.text()
        painter.setPen(QtGui.QColor(colours.record if emergency else lit if on else colours.text))
        painter.setFont(self.font())
        left = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
        painter.drawText(area.adjusted(MARGIN, 0, 0, 0), left, self.text())
        width = self._cap_width()
        cap = QtCore.QRectF(area.right() - MARGIN + 2 - width, area.center().y() - 8, width, 16)
        painter.setPen(QtGui.QColor(colours.line))
        painter.setBrush(QtGui.QColor(colours.field))
        painter.drawRoundedRect(cap, 3, 3)
        painter.setPen(QtGui.QColor(colours.faint))
        painter.setFont(self._cap_font())
        painter.drawText(cap, QtCore.Qt.AlignmentFlag.AlignCenter, self._key)
        painter.end()

    def _text_width(self) -> float:
        return QtGui.QFontMetricsF(self.font()).horizontalAdvance(self.text())

    def _cap_width(self) -> float:
        return max(16.0, QtGui.QFontMetricsF(self._cap_font()).horizontalAdvance(self._key) + 2 * CAP_MARGIN)

    def _cap_font(self) -> QtGui.QFont:
        font = QtGui.QFont(self.font())
        font.setPixelSize(CAP_FONT_PX)
        return font
