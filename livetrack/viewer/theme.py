"""The colours of the window: dark and light theme, colours of tracks and of the latency chart, colour maps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg

from livetrack.viewer.qt import QtGui, QtWidgets

__all__ = [
    "COLORMAPS", "PALETTES", "STAGE_COLOURS", "Palette", "apply_theme", "lookup_table",
]  # fmt: skip


class Palette(NamedTuple):
    """The colours of one theme, as `#rrggbb`; those of the tracks are the same in all themes."""

    canvas: str
    """Behind the image."""
    panel: str
    raised: str
    """Buttons; those that are pressed or on have the accent."""
    field: str
    """Input fields."""
    line: str
    text: str
    faint: str
    accent: str
    """Highlights."""
    x: str
    """The x coordinate in plots; below, the y coordinate."""
    y: str
    alarm: str
    calm: str
    """The banner when nothing is wrong."""
    record: str

    @staticmethod
    def _translucent(colour: str) -> str:
        return f"rgba({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))}, 0.85)"

    def style_sheet(self) -> str:
        """Return the window's Qt style sheet."""
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
                background: {self.raised}; border: 1px solid {self.line}; border-radius: 5px; padding: 3px 7px;
            }}
            QPushButton:hover {{ border-color: {self.accent}; }}
            QPushButton:pressed, QPushButton:checked {{ background: {self.accent}; color: {self.panel}; }}
            QPushButton:disabled {{ color: {self.faint}; background: {self.panel}; }}
            QPushButton#record:checked {{ background: {self.record}; color: white; border-color: {self.record}; }}
            QProgressBar {{
                background: {self.field}; border: 1px solid {self.line}; border-radius: 4px; max-height: 12px;
                font-size: 9px; text-align: center;
            }}
            QProgressBar::chunk {{ background: {self.accent}; border-radius: 3px; }}
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
            QLabel#dropSign {{
                background: {self._translucent(self.panel)}; border: 2px dashed {self.accent}; border-radius: 14px;
                font-size: 20px;
            }}
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


def apply_theme(window: QtWidgets.QWidget, palette: Palette) -> None:
    """Use the colours of `palette` in `window` and in everything that Qt draws itself."""
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


STAGE_COLOURS = {
    "camera": "#8b95a3", "wait": "#d9a441", "localize": "#4f9cf0", "link": "#b483e8", "publish": "#3fbf8f",
    "total": "#8b95a3",
}  # fmt: skip
"""The steps of processing a frame, in the latency chart; not microscope stages."""

COLORMAPS = ("grey", "inverted", "HiLo", "inferno", "viridis", "cividis", "turbo")
"""`HiLo` is grey with black shown blue and white shown red, which reveals clipped pixels."""

_GREY_LEVELS = 256


def lookup_table(name: str, gamma: float = 1.0) -> npt.NDArray[np.uint8]:
    """Return the (256, 3) red, green and blue values from the black level to the white one.

    Parameters
    ----------
    name
        One of `COLORMAPS`.
    gamma
        Exponent applied to the fraction of the way from black to white; below 1 it brightens faint objects.
    """
    fractions = np.linspace(0.0, 1.0, _GREY_LEVELS) ** gamma
    if name == "inverted":
        fractions = 1.0 - fractions
    if name in ("grey", "inverted", "HiLo"):
        table = np.repeat(np.round(255 * fractions).astype(np.uint8)[:, None], 3, axis=1)
        if name == "HiLo":
            table[0], table[-1] = (40, 90, 255), (255, 50, 50)
        return table
    colours: npt.NDArray[np.uint8] = pg.colormap.get(name).map(fractions, mode="byte")[:, :3]
    return colours
