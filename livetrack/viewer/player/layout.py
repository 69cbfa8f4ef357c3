"""The player's central widget: banner, image, particle bar, transport bar, panels and shortcut sheet."""

from __future__ import annotations

from collections.abc import Callable

from livetrack.config import LocalizerSettings
from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.panels.banner import BannerBar
from livetrack.viewer.panels.image import ImagePanel
from livetrack.viewer.panels.shortcuts_sheet import ShortcutsSheet
from livetrack.viewer.panels.sidebar import Sidebar
from livetrack.viewer.player.particle_bar import ParticleBar
from livetrack.viewer.player.shortcuts import PLAYER_GESTURES, PLAYER_SHEET_COLUMNS, PLAYER_SHORTCUTS
from livetrack.viewer.player.tracks_panel import TracksPanel
from livetrack.viewer.player.transport import Transport
from livetrack.viewer.qt import QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["PlayerCentral"]


class PlayerCentral(QtWidgets.QWidget):
    """Creates the widgets and lays them out; the window connects them."""

    def __init__(
        self, levels: Levels, palette: Palette, settings: LocalizerSettings, describe: Callable[[int], str]
    ) -> None:
        super().__init__()
        self.banner = BannerBar()
        self.view = ParticleView(palette)
        self.view.hint.setText("Drop a movie here, or press Ctrl+O")
        self.particle_bar = ParticleBar()
        self.transport = Transport(palette, describe)
        self.image_panel = ImagePanel(levels, palette)
        self.image_panel.full_resolution.hide()  # a movie has no other
        self.sidebar = Sidebar()
        self.sidebar.add("Image", self.image_panel)
        self.tracks_panel = TracksPanel(settings)
        self.sidebar.add("Tracks", self.tracks_panel)
        left = QtWidgets.QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.banner)
        left.addWidget(self.view, 1)
        left.addWidget(self.particle_bar)
        left.addWidget(self.transport)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(left, 1)
        row.addWidget(self.sidebar)
        self.shortcuts_sheet = ShortcutsSheet(self, palette, PLAYER_SHORTCUTS, PLAYER_GESTURES, PLAYER_SHEET_COLUMNS)

    def apply_palette(self, palette: Palette) -> None:
        """Use the colours of `palette`."""
        self.view.setBackground(palette.canvas)
        self.image_panel.histogram.colours = palette
        self.image_panel.histogram.update()
        self.transport.apply_palette(palette)
        self.shortcuts_sheet.apply_palette(palette)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:  # noqa: D102, N802 - Qt's
        super().resizeEvent(event)
        self.shortcuts_sheet.setGeometry(self.rect())
