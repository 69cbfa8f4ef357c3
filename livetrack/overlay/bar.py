"""The tool bar and the shortcuts, made from the keys."""

from __future__ import annotations

from livetrack.overlay.doings import Doings
from livetrack.overlay.key_button import KeyButton
from livetrack.overlay.keys import KEYS
from livetrack.overlay.palette import Palette
from livetrack.overlay.qt import QtCore, QtGui, QtWidgets

__all__ = ["Bar"]


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
