"""Colours, and the style sheet that is made of them; no Qt."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg

from livetrack.viewer.qt import QtGui, QtWidgets

__all__ = ["LOOKUPS", "PALETTES", "STAGE_COLOURS", "TRAJECTORY_COLOURS", "Palette", "dress", "lookup_table"]

TRAJECTORY_COLOURS = (
    "#ff9f43", "#4dd0e1", "#ff6b81", "#a3e635", "#60a5fa", "#facc15",
    "#f472b6", "#34d399", "#c084fc", "#fb7185", "#7dd3fc", "#d6b48c",
)  # fmt: skip
"""One for each trajectory id modulo their number; neighbours in the list differ most."""

STAGE_COLOURS = {
    "camera": "#8b95a3", "wait": "#d9a441", "localize": "#4f9cf0", "link": "#b483e8", "publish": "#3fbf8f",
    "total": "#8b95a3",
}  # fmt: skip
"""Of the stages of a frame's way."""


class Palette(NamedTuple):
    """The colours of everything but the particles."""

    canvas: str
    """Behind the picture."""
    panel: str
    raised: str
    """Buttons that are on, and under the mouse."""
    field: str
    """What is typed into."""
    line: str
    text: str
    faint: str
    accent: str
    """The one colour that says: here."""
    x: str
    """Of what belongs to the x axis in graphs, and of y."""
    y: str
    alarm: str
    calm: str
    """The banner when something is awaited rather than wrong."""
    record: str

    def style_sheet(self) -> str:
        """Return Qt's style sheet for the window."""
        return f"""
            QMainWindow, QToolBar, QStatusBar, #sidebar, #sidebar QWidget#column {{ background: {self.panel}; }}
            QWidget {{ color: {self.text}; font-size: 12px; }}
            QWidget:disabled {{ color: {self.faint}; }}
            QLabel#hint {{ color: {self.faint}; font-size: 15px; }}
            QToolBar {{ border: none; border-bottom: 1px solid {self.line}; padding: 5px 8px; spacing: 2px; }}
            QToolBar::separator {{ background: {self.line}; width: 1px; margin: 5px 6px; }}
            QStatusBar {{ border-top: 1px solid {self.line}; min-height: 26px; }}
            QStatusBar::item {{ border: none; }}
            QStatusBar QLabel {{ padding: 2px 8px; }}
            QLabel#recording, QLabel#recordingState[on="true"] {{ color: {self.record}; font-weight: bold; }}
            QFrame#banner {{ background: {self.calm}; }}
            QFrame#banner[alarm="true"] {{ background: {self.alarm}; }}
            QFrame#banner QLabel, QFrame#banner QToolButton {{ color: white; border: none; }}
            QLabel#faint, QLabel#note {{ color: {self.faint}; }}
            QLabel#note {{ font-size: 11px; }}
            QLabel#figure {{ font-size: 19px; font-weight: 600; }}
            QLabel#title {{ font-size: 17px; font-weight: 600; }}
            QLabel#empty {{ color: {self.faint}; font-size: 13px; }}
            QToolButton#section {{
                border: none; border-top: 1px solid {self.line}; padding: 9px 10px 7px 8px;
                color: {self.faint}; font-size: 11px; font-weight: 600; text-align: left;
            }}
            QToolButton#section:hover {{ color: {self.text}; }}
            QPushButton {{
                background: {self.raised}; border: 1px solid {self.line}; border-radius: 5px; padding: 3px 9px;
            }}
            QPushButton:hover {{ border-color: {self.accent}; }}
            QPushButton:pressed, QPushButton:checked {{ background: {self.accent}; color: {self.panel}; }}
            QPushButton:disabled {{ color: {self.faint}; background: {self.panel}; }}
            QPushButton#record:checked {{ background: {self.record}; color: white; border-color: {self.record}; }}
            QCheckBox::indicator {{
                width: 13px; height: 13px; border: 1px solid {self.line}; border-radius: 3px; background: {self.field};
            }}
            QCheckBox::indicator:checked {{ background: {self.accent}; border-color: {self.accent}; }}
            QScrollArea {{ border: none; background: {self.panel}; }}
            QScrollBar:vertical {{ background: transparent; width: 8px; margin: 0; }}
            QScrollBar::handle:vertical {{ background: {self.line}; border-radius: 4px; min-height: 30px; }}
            QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{
                background: none; height: 0;
            }}
            QSplitter::handle {{ background: {self.line}; }}
            QFrame#card {{ background: {self.panel}; border: 1px solid {self.line}; border-radius: 10px; }}
            QFrame#pane {{ background: {self.panel}; border-top: 1px solid {self.line}; }}
            QToolTip {{ background: {self.panel}; color: {self.text}; border: 1px solid {self.line}; padding: 3px; }}
        """


PALETTES = {
    "dark": Palette(
        canvas="#0b0d10", panel="#15181d", raised="#232830", field="#0e1115", line="#2b313a", text="#e4e8ee",
        faint="#8a94a3", accent="#5cb8ff", x="#5cb8ff", y="#ffb454", alarm="#8c2f2f", calm="#21466b", record="#ff5d62",
    ),
    "light": Palette(
        canvas="#cfd4db", panel="#f6f7f9", raised="#e6eaef", field="#ffffff", line="#cbd1d9", text="#1b2028",
        faint="#626c7a", accent="#1a73c9", x="#1a73c9", y="#c46a00", alarm="#b3312f", calm="#2f6299", record="#d12f36",
    ),
}  # fmt: skip


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


LOOKUPS = ("grey", "inverted", "limits", "inferno", "viridis", "cividis", "turbo")
"""`limits` is grey with blue for black and red for white: what is cut off at either end shows at a glance."""

_LEVELS = 256


def lookup_table(name: str, gamma: float = 1.0) -> npt.NDArray[np.uint8]:
    """Return (256, 3) of red, green, blue, from the black level to the white one.

    Parameters
    ----------
    name
        Of `LOOKUPS`.
    gamma
        The share of the way from black to white is raised to this power: below 1, faint things are brightened.
    """
    shares = np.linspace(0.0, 1.0, _LEVELS) ** gamma
    if name == "inverted":
        shares = 1.0 - shares
    if name in ("grey", "inverted", "limits"):
        table = np.repeat(np.round(255 * shares).astype(np.uint8)[:, None], 3, axis=1)
        if name == "limits":
            table[0], table[-1] = (40, 90, 255), (255, 50, 50)
        return table
    colours: npt.NDArray[np.uint8] = pg.colormap.get(name).map(shares, mode="byte")[:, :3]
    return colours
