"""The central widget: banner, image, plots, side panels, tour and shortcut sheet."""

from __future__ import annotations

from livetrack.viewer.canvas.roi_selector import RoiSelector
from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.data.async_remote import AsyncRemote
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.panels.banner import BannerBar
from livetrack.viewer.panels.controls import ControlPanel
from livetrack.viewer.panels.diagnostics import DiagnosticsPanel
from livetrack.viewer.panels.image import ImagePanel
from livetrack.viewer.panels.learn import LearnBar
from livetrack.viewer.panels.microscope import MicroscopePanel
from livetrack.viewer.panels.particle import ParticlePanel
from livetrack.viewer.panels.shortcuts_sheet import ShortcutsSheet
from livetrack.viewer.panels.sidebar import Sidebar
from livetrack.viewer.panels.tour import Tour
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.shortcuts import MOUSE_GESTURES, SHEET_COLUMNS, SHORTCUTS
from livetrack.viewer.theme import Palette

__all__ = ["CentralWidget"]


class CentralWidget(QtWidgets.QWidget):
    """Creates the widgets and lays them out; the window connects them."""

    def __init__(self, levels: Levels, remote: AsyncRemote, palette: Palette, store: QtCore.QSettings) -> None:
        super().__init__()
        self.banner = BannerBar()
        self.view = ParticleView(palette)
        self.particle_panel = ParticlePanel(palette)
        self.learn_bar = LearnBar()
        self.image_panel = ImagePanel(levels, palette)
        self.control_panel = ControlPanel(remote)
        self.microscope_panel = MicroscopePanel(remote)
        self.diagnostics = DiagnosticsPanel(palette)
        self.sidebar = Sidebar()
        self.sidebar.add("Controls", self.control_panel)
        self.sidebar.add("Microscope", self.microscope_panel)
        self.sidebar.sections["Microscope"].hide()  # until the engine has something of it
        self.microscope_panel.available.connect(self.sidebar.sections["Microscope"].setVisible)
        self.sidebar.add("Image", self.image_panel)
        self.sidebar.add("Diagnostics", self.diagnostics)
        self.tour = Tour(self.view, store)
        self.roi_selector = RoiSelector(self.view)
        left = QtWidgets.QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.banner)
        left.addWidget(self.view, 1)
        left.addWidget(self.learn_bar)
        left.addWidget(self.particle_panel)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(left, 1)
        row.addWidget(self.sidebar)
        self.shortcuts_sheet = ShortcutsSheet(self, palette, SHORTCUTS, MOUSE_GESTURES, SHEET_COLUMNS)

    def apply_palette(self, palette: Palette) -> None:
        """Use the colours of `palette`."""
        self.view.setBackground(palette.canvas)
        for widget in (self.image_panel.histogram, self.diagnostics.latency_chart, self.diagnostics.phase_chart):
            widget.colours = palette
            widget.update()
        self.particle_panel.plots.apply_palette(palette)
        self.shortcuts_sheet.apply_palette(palette)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:  # noqa: D102, N802 - Qt's
        super().resizeEvent(event)
        self.shortcuts_sheet.setGeometry(self.rect())
