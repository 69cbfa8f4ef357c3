"""What the window is made of, laid out: banner, picture, graphs, panels, guide and help."""

from __future__ import annotations

from livetrack.viewer.canvas.roi_selector import Region
from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.data.async_remote import Line
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.panels.banner import BannerBar
from livetrack.viewer.panels.controls import Controls
from livetrack.viewer.panels.diagnostics import Instruments
from livetrack.viewer.panels.particle import ParticlePane
from livetrack.viewer.panels.picture import PicturePanel
from livetrack.viewer.panels.shortcuts_sheet import HelpSheet
from livetrack.viewer.panels.sidebar import Sidebar
from livetrack.viewer.panels.tour import Guide
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["Body"]


class Body(QtWidgets.QWidget):
    """The widgets, by name; what they do is the window's."""

    def __init__(self, levels: Levels, line: Line, palette: Palette, store: QtCore.QSettings) -> None:
        super().__init__()
        self.banner = BannerBar()
        self.view = ParticleView(palette)
        self.pane = ParticlePane(palette)
        self.picture = PicturePanel(levels, palette)
        self.controls = Controls(line)
        self.instruments = Instruments(palette)
        self.sidebar = Sidebar()
        self.sidebar.add("Controls", self.controls)
        self.sidebar.add("Picture", self.picture)
        self.sidebar.add("Instruments", self.instruments)
        self.guide = Guide(self.view, store)
        self.region = Region(self.view)
        left = QtWidgets.QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.banner)
        left.addWidget(self.view, 1)
        left.addWidget(self.pane)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(left, 1)
        row.addWidget(self.sidebar)
        self.help = HelpSheet(self, palette)

    def paint(self, palette: Palette) -> None:
        """Take the colours of `palette`."""
        self.view.setBackground(palette.canvas)
        for widget in (self.picture.histogram, self.instruments.stages, self.instruments.phase_chart):
            widget.colours = palette
            widget.update()
        self.pane.plots.paint(palette)
        self.help.paint(palette)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:  # noqa: D102, N802 - Qt's
        super().resizeEvent(event)
        self.help.setGeometry(self.rect())
