"""The sheet of all keys, made from the same data as the shortcuts."""

from __future__ import annotations

from itertools import groupby

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.shortcuts import KEYS, MOUSE
from livetrack.viewer.theme import Palette

__all__ = ["HelpSheet"]


class HelpSheet(QtWidgets.QWidget):
    """Covers the window, dimmed, with the sheet in its middle; any click closes it."""

    closed = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget, palette: Palette) -> None:
        super().__init__(parent)
        self._card = QtWidgets.QFrame()
        self._card.setObjectName("card")
        self._text = QtWidgets.QLabel()
        self._text.setTextFormat(QtCore.Qt.TextFormat.RichText)
        inside = QtWidgets.QVBoxLayout(self._card)
        inside.setContentsMargins(36, 26, 36, 28)
        inside.addWidget(self._text)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self._card, 0, QtCore.Qt.AlignmentFlag.AlignCenter)
        self.paint(palette)
        self.hide()

    def paint(self, palette: Palette) -> None:
        """Take the colours of `palette`."""
        self._text.setText(sheet(palette))

    def showEvent(self, event: QtGui.QShowEvent) -> None:  # noqa: D102, N802 - Qt's
        super().showEvent(event)
        self.raise_()

    def mousePressEvent(self, _: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        self.closed.emit()

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtGui.QColor(0, 0, 0, 150))
        painter.end()


def sheet(palette: Palette) -> str:
    """Return the sheet as rich text: three columns, a heading for each group."""
    groups = {
        group: [(key.key.split(), key.text.replace("● ", ""), key.tip) for key in keys]
        for group, keys in groupby(KEYS, lambda key: key.group)
    }
    mouse = [([gesture], what, "") for gesture, what in MOUSE]
    columns = (("Engine", "Keep"), ("Picture",), ("Window",))
    cells = "".join(
        f"<td style='padding-right: 36px'>{''.join(_table(group, groups[group], palette) for group in column)}</td>"
        for column in columns
    )
    return (
        "<p style='font-size: 18px; font-weight: 600'>Keys and mouse</p>"
        f"<table cellspacing='0'><tr>{cells}</tr></table>{_table('Mouse', mouse, palette)}"
    )


def _table(group: str, keys: list[tuple[list[str], str, str]], palette: Palette) -> str:
    """Return a heading, and a row for each key or gesture with what it does."""
    rows = "".join(
        f"<tr><td style='color: {palette.accent}; padding-right: 16px'><b>{'</b> or <b>'.join(caps)}</b></td>"
        f"<td>{text}{_small(tip, palette)}</td></tr>"
        for caps, text, tip in keys
    )
    heading = f"<p style='color: {palette.faint}; font-size: 11px; font-weight: 600'><br>{group.upper()}</p>"
    return f"{heading}<table cellspacing='0' cellpadding='3'>{rows}</table>"


def _small(tip: str, palette: Palette) -> str:
    return f"<br><span style='color: {palette.faint}; font-size: 11px'>{tip}</span>" if tip else ""
