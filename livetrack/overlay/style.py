"""A palette put on: Qt's own colours and the style sheet."""

from __future__ import annotations

from livetrack.overlay.palette import Palette
from livetrack.overlay.qt import QtGui, QtWidgets

__all__ = ["dress"]


def dress(window: QtWidgets.QWidget, palette: Palette) -> None:
    """Take the colours of `palette`, in `window` and in what Qt draws by itself."""
    roles, colours = QtGui.QPalette.ColorRole, QtGui.QPalette()
    for role, colour in (
        (roles.Window, palette.panel), (roles.WindowText, palette.text), (roles.Base, palette.field),
        (roles.AlternateBase, palette.panel), (roles.Text, palette.text), (roles.Button, palette.raised),
        (roles.ButtonText, palette.text), (roles.ToolTipBase, palette.panel), (roles.ToolTipText, palette.text),
        (roles.Highlight, palette.accent), (roles.HighlightedText, palette.panel), (roles.BrightText, palette.alarm),
        (roles.PlaceholderText, palette.faint), (roles.Mid, palette.line), (roles.Dark, palette.line),
    ):  # fmt: skip
        colours.setColor(role, QtGui.QColor(colour))
    QtWidgets.QApplication.setPalette(colours)
    window.setStyleSheet(palette.style_sheet())
