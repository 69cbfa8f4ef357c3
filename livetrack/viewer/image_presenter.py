"""The image on display with its contrast: view, image panel and levels kept in step."""

from __future__ import annotations

import time

from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.panels.image import ImagePanel
from livetrack.viewer.theme import COLORMAPS
from livetrack.wire import Preview

__all__ = ["ImagePresenter"]


class ImagePresenter:
    """Shows images in `view` with the levels and colours that are chosen in `panel`."""

    def __init__(self, view: ParticleView, panel: ImagePanel, levels: Levels) -> None:
        self._view = view
        self._panel = panel
        self.levels = levels
        self._shown: Preview | None = None
        panel.levels_changed.connect(self._show_levels)
        panel.colormap_changed.connect(self._show_colormap)

    def show(self, preview: Preview, now_s: float) -> None:
        """Show an image."""
        self._shown = preview
        levels = self.levels.of(preview, now_s)
        self._view.show_preview(preview, levels)
        self._panel.show_levels(levels)
        self._panel.update_if_due(preview, now_s)

    def clear(self) -> None:
        """Forget the image on display."""
        self._shown = None
        self.levels.reset()

    def _show_levels(self) -> None:
        """Apply levels that were set by hand to the image on display."""
        if self._shown is not None:
            levels = self.levels.of(self._shown, time.perf_counter())
            self._view.show_levels(levels)
            self._panel.show_levels(levels)

    def _show_colormap(self) -> None:
        plain = self._panel.colormap.currentText() == COLORMAPS[0] and self._panel.gamma == 1.0
        self._view.show_lookup_table(None if plain else self._panel.lookup_table)
        self._show_levels()
