"""The tool bar and the shortcuts, made from the keys."""

from __future__ import annotations

from livetrack.viewer.actions import Doings
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.shortcuts import KEYS
from livetrack.viewer.theme import Palette

__all__ = ["Bar", "KeyButton"]


class Bar(QtWidgets.QToolBar):
    """One action of `window` for each of `KEYS`, which calls the method of that name of `doings`."""

    def __init__(self, window: QtWidgets.QMainWindow, doings: Doings, palette: Palette) -> None:
        super().__init__("Keys")
        self.setMovable(False)
        self.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.PreventContextMenu)
        self.keys: dict[str, QtGui.QAction] = {}
        self._buttons: list[KeyButton] = []
        group = KEYS[0].group
        for key in KEYS:
            action = QtGui.QAction(key.text, window)
            action.setShortcuts([QtGui.QKeySequence(each) for each in key.key.split()])
            action.setToolTip(f"{key.tip} ({key.key.split()[0]})")
            method = getattr(doings, key.name)
            if key.switch:
                action.setCheckable(True)
                action.toggled.connect(method)
            else:
                action.triggered.connect(lambda _checked=False, method=method: method())
            self.keys[key.name] = action
            window.addAction(action)
            if key.in_bar:
                if key.group != group:
                    self.addSeparator()
                    group = key.group
                self._buttons.append(KeyButton(action, key.key.split()[0], palette))
                self.addWidget(self._buttons[-1])

    def paint(self, palette: Palette) -> None:
        """Take the colours of `palette`."""
        for button in self._buttons:
            button.colours = palette
            button.update()

    def show_state(self, name: str, on: bool) -> None:
        """Show a switch as on or off without doing what it does: the engine has done it."""
        action = self.keys[name]
        if action.isChecked() != on:
            action.blockSignals(True)
            action.setChecked(on)
            action.blockSignals(False)
            for button in self._buttons:
                button.update()


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
