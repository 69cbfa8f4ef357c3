"""Colours, and the style sheet that is made of them; no Qt."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PALETTES", "TRAJECTORY_COLOURS", "Palette"]

TRAJECTORY_COLOURS = (
    "#ff9f43", "#4dd0e1", "#ff6b81", "#a3e635", "#60a5fa", "#facc15",
    "#f472b6", "#34d399", "#c084fc", "#fb7185", "#7dd3fc", "#d6b48c",
)  # fmt: skip
"""One for each trajectory id modulo their number; neighbours in the list differ most."""


class Palette(NamedTuple):
    """The colours of everything but the particles."""

    canvas: str
    """Behind the picture."""
    panel: str
    line: str
    text: str
    faint: str
    raised: str
    alarm: str
    calm: str
    """The banner when something is awaited rather than wrong."""

    def style_sheet(self) -> str:
        """Return Qt's style sheet for the window."""
        return f"""
            QMainWindow, QToolBar, QStatusBar {{ background: {self.panel}; color: {self.text}; }}
            QToolBar {{ border: none; border-bottom: 1px solid {self.line}; padding: 4px; spacing: 4px; }}
            QToolButton {{ color: {self.text}; padding: 4px 10px; border: 1px solid transparent; border-radius: 4px; }}
            QToolButton:hover {{ background: {self.raised}; }}
            QToolButton:checked {{ background: {self.raised}; border-color: {self.line}; }}
            QStatusBar {{ border-top: 1px solid {self.line}; }}
            QStatusBar::item {{ border: none; }}
            QStatusBar QLabel {{ color: {self.text}; padding: 2px 6px; }}
            QLabel#recording {{ color: #e5484d; }}
            QLabel#banner {{ color: white; padding: 8px 16px; background: {self.calm}; }}
            QLabel#banner[alarm="true"] {{ background: {self.alarm}; }}
            QToolTip {{ background: {self.panel}; color: {self.text}; border: 1px solid {self.line}; }}
        """


PALETTES = {
    "dark": Palette("#0f1113", "#1b1d21", "#34373d", "#e4e6ea", "#8b919b", "#2c2f35", "#7f2d2d", "#24476b"),
    "light": Palette("#d9dce1", "#f4f5f7", "#c5c9d0", "#1d2025", "#646a73", "#e2e5ea", "#b3312f", "#2f6299"),
}
