"""The frame on display: the newest preview with the particles of the same frame, and the selected particle."""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from livetrack.client import Update
from livetrack.viewer.analysis import Trace
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.data.session_data import SessionData
from livetrack.viewer.data.streams import EngineStreams
from livetrack.viewer.image_presenter import ImagePresenter
from livetrack.viewer.layout import CentralWidget
from livetrack.wire import Preview

__all__ = ["FramePresenter"]

PHASE_FRAMES = 4
"""Frames of each refresh whose sub-pixel phases are counted; a sample is enough."""


class FramePresenter:
    """Reads `streams` into `session_data` and draws the newest frame on the widgets of `central`."""

    def __init__(
        self, central: CentralWidget, session_data: SessionData, streams: EngineStreams, levels: Levels
    ) -> None:
        self._central = central
        self._session_data = session_data
        self.streams = streams
        self.levels = levels
        self.shown: tuple[Preview | None, Update | None] = None, None
        """The preview and the positions on display."""
        self.frozen = False
        """The display stays as it is; incoming data are still read."""
        self.drawn_s: deque[float] = deque(maxlen=256)
        """Times of the last draws."""
        self._image = ImagePresenter(central.view, central.image_panel, levels)

    def fps(self, now_s: float) -> int:
        """Return the number of frames drawn in the last second."""
        return sum(now_s - drawn_s < 1.0 for drawn_s in self.drawn_s)

    def refresh(self, now_s: float) -> bool:
        """Read what has arrived, draw it unless frozen, and return whether a new session has begun."""
        batch = self.streams.read()
        new_session = self._session_data.add(batch, now_s)
        if new_session:
            self._clear()
        for update in batch.updates[-PHASE_FRAMES:]:
            self._central.diagnostics.phases.add(update.particles)
        if trace := self._central.particle_panel.trace:
            for update in batch.updates:
                trace.add(update)
        if not self.frozen:
            self._draw(now_s)
        return new_session

    def redraw_particles(self) -> None:
        """Draw the particles on display again, after an overlay was switched on or off."""
        if update := self.shown[1]:
            self._show_selection()
            self._central.view.show_particles(update, self._session_data.history.segments(update))

    def select(self, track_id: int | None) -> None:
        """Plot the track of this id, including its positions in memory; None plots nothing."""
        trace = None
        if track_id is not None:
            trace = Trace(track_id)
            for update in self._session_data.history.all():
                trace.add(update)
        self._central.particle_panel.select(trace)
        self._central.particle_panel.update_if_due(self.shown[1], time.perf_counter())
        self._show_selection()

    def _clear(self) -> None:
        self.shown = None, None
        self._image.clear()
        self.select(None)
        self._central.view.clear_all()
        self._central.diagnostics.clear()

    def _draw(self, now_s: float) -> None:
        """Draw the newest frame where it is not on display yet."""
        view, image_panel = self._central.view, self._central.image_panel
        preview, update = self._session_data.newest()
        new_preview, new_update = preview is not self.shown[0], update is not self.shown[1]
        self.shown = preview, update
        if preview and new_preview:
            self._image.show(preview, now_s)
        if update and new_update:
            self.redraw_particles()
        if new_preview or new_update:
            self.drawn_s.append(now_s)
        self._central.particle_panel.update_if_due(update, now_s)
        self.streams.request_full_resolution(image_panel.full_resolution.isChecked() or view.is_coarse())

    def _show_selection(self) -> None:
        trace, update = self._central.particle_panel.trace, self.shown[1]
        row = None
        if trace and update:
            found = np.flatnonzero(update.particles["id"] == trace.track_id)
            row = update.particles[found[0]] if len(found) else None
        self._central.view.selection.show_row(row)
