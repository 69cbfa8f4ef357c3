"""The sheet of all keyboard shortcuts and mouse gestures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.shortcuts import Shortcut
from livetrack.viewer.theme import Palette

__all__ = ["ShortcutsSheet"]


class ShortcutsSheet(QtWidgets.QWidget):
    """A dimmed cover over the window with the sheet in its centre; any click closes it.

    Parameters
    ----------
    shortcuts, gestures
        What it lists.
    columns
        The groups of the shortcuts in each column.
    """

    closed = QtCore.Signal()

    def __init__(
        self,
        parent: QtWidgets.QWidget,
        palette: Palette,
        shortcuts: Sequence[Shortcut],
        gestures: Sequence[tuple[str, str]],
        columns: Sequence[Sequence[str]],
    ) -> None:
        super().__init__(parent)
        self._content = shortcuts, gestures, columns
        self._card = QtWidgets.QFrame()
        self._card.setObjectName("card")
        self._text = QtWidgets.QLabel()
        self._text.setTextFormat(QtCore.Qt.TextFormat.RichText)
        inside = QtWidgets.QVBoxLayout(self._card)
        inside.setContentsMargins(36, 26, 36, 28)
        inside.addWidget(self._text)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self._card, 0, QtCore.Qt.AlignmentFlag.AlignCenter)
        self.apply_palette(palette)
        self.hide()

    def apply_palette(self, palette: Palette) -> None:
        """Use the colours of `palette`."""
        self._text.setText(_sheet(palette, *self._content))

    def showEvent(self, event: QtGui.QShowEvent) -> None:  # noqa: D102, N802 - Qt's
        super().showEvent(event)
        self.raise_()

    def mousePressEvent(self, _: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        self.closed.emit()

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtGui.QColor(0, 0, 0, 150))
        painter.end()


def _sheet(
    palette: Palette,
    shortcuts: Sequence[Shortcut],
    gestures: Sequence[tuple[str, str]],
    columns: Sequence[Sequence[str]],
) -> str:
    """Return the sheet as rich text: columns, a heading for each group."""
    groups = {
        group: [(shortcut.keys.split(), shortcut.text.replace("● ", ""), shortcut.tip) for shortcut in members]
        for group, members in groupby(shortcuts, lambda shortcut: shortcut.group)
    }
    mouse = [([gesture], effect, "") for gesture, effect in gestures]
    cells = "".join(
        f"<td style='padding-right: 36px'>{''.join(_table(group, groups[group], palette) for group in column)}</td>"
        for column in columns
    )
    return (
        "<p style='font-size: 18px; font-weight: 600'>Shortcuts and mouse</p>"
        f"<table cellspacing='0'><tr>{cells}</tr></table>{_table('Mouse', mouse, palette)}"
    )


def _table(group: str, entries: list[tuple[list[str], str, str]], palette: Palette) -> str:
    """Return a heading, and a row for each entry: keys or gestures, text and tip."""
    rows = "".join(
        f"<tr><td style='color: {palette.accent}; padding-right: 16px'><b>{'</b> or <b>'.join(keys)}</b></td>"
        f"<td>{text}{_small(tip, palette)}</td></tr>"
        for keys, text, tip in entries
    )
    heading = f"<p style='color: {palette.faint}; font-size: 11px; font-weight: 600'><br>{group.upper()}</p>"
    return f"{heading}<table cellspacing='0' cellpadding='3'>{rows}</table>"


def _small(tip: str, palette: Palette) -> str:
    return f"<br><span style='color: {palette.faint}; font-size: 11px'>{tip}</span>" if tip else ""
