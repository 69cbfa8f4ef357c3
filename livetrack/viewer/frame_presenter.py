"""What is drawn: the newest picture with its own frame's particles on it, and what is chosen of them."""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from livetrack.client import Update
from livetrack.viewer.analysis import Trace
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.data.session_data import Received
from livetrack.viewer.data.streams import Feed, News
from livetrack.viewer.layout import Body
from livetrack.viewer.theme import LOOKUPS
from livetrack.wire import Preview

__all__ = ["Scene"]

COUNTED = 4
"""Frames of each refresh whose sub-pixel phases are counted: a sample will do."""


class Scene:
    """Brings what was `received` before the eyes, in the widgets of `body`; asks `feed` for the pictures it needs."""

    def __init__(self, body: Body, received: Received, feed: Feed, levels: Levels) -> None:
        self._body = body
        self._received = received
        self.feed = feed
        self.levels = levels
        self.shown: tuple[Preview | None, Update | None] = None, None
        """The picture and the positions that are drawn."""
        self.frozen = False
        """Nothing new is drawn; what comes is still read."""
        self.drawn_s: deque[float] = deque(maxlen=256)
        """When the last pictures were drawn."""
        body.picture.levels_changed.connect(self._show_levels)
        body.picture.table_changed.connect(self._show_table)

    def fps(self, now_s: float) -> int:
        """Return how many pictures were drawn in the last second."""
        return sum(now_s - drawn_s < 1.0 for drawn_s in self.drawn_s)

    def take(self, news: News, now_s: float) -> bool:
        """Take what has come, draw it unless frozen, and return whether another engine speaks."""
        another = self._received.take(news, now_s)
        if another:
            self._forget()
        for update in news.updates[-COUNTED:]:
            self._body.instruments.phases.add(update.particles)
        if trace := self._body.pane.trace:
            for update in news.updates:
                trace.add(update)
        if not self.frozen:
            self._draw(now_s)
        return another

    def draw_again(self) -> None:
        """Draw the particles that are shown, with what is to be seen of them now."""
        if update := self.shown[1]:
            self._show_choice()
            self._body.view.show_particles(update, self._received.history.tail(update))

    def choose(self, number: int | None) -> None:
        """Follow the trajectory of this id in the graphs, from what is known of it on; None: no longer."""
        trace = None
        if number is not None:
            trace = Trace(number)
            for update in self._received.history.all():
                trace.add(update)
        self._body.pane.choose(trace)
        self._body.pane.look(self.shown[1], time.perf_counter())
        self._show_choice()

    def _forget(self) -> None:
        self.shown = None, None
        self.levels.reset()
        self.choose(None)
        self._body.view.clear_all()
        self._body.instruments.clear()

    def _draw(self, now_s: float) -> None:
        """Draw the newest, unless that is what is shown already."""
        preview, update = self._received.newest()
        new_preview, new_update = preview is not self.shown[0], update is not self.shown[1]
        self.shown = preview, update
        if preview and new_preview:
            levels = self.levels.of(preview, now_s)
            self._body.view.show_picture(preview, levels)
            self._body.picture.show_levels(levels)
            self._body.picture.look(preview, now_s)
        if update and new_update:
            self.draw_again()
        if new_preview or new_update:
            self.drawn_s.append(now_s)
        self._body.pane.look(update, now_s)
        self.feed.ask_whole(self._body.picture.whole.isChecked() or self._body.view.is_coarse())

    def _show_choice(self) -> None:
        trace, update = self._body.pane.trace, self.shown[1]
        row = None
        if trace and update:
            found = np.flatnonzero(update.particles["id"] == trace.number)
            row = update.particles[found[0]] if len(found) else None
        self._body.view.selection.show_row(row)

    def _show_levels(self) -> None:
        """Show the levels that were set by hand, also while frozen."""
        if preview := self.shown[0]:
            levels = self.levels.of(preview, time.perf_counter())
            self._body.view.show_levels(levels)
            self._body.picture.show_levels(levels)

    def _show_table(self) -> None:
        panel = self._body.picture
        plain = panel.lookup.currentText() == LOOKUPS[0] and panel.gamma == 1.0
        self._body.view.show_table(None if plain else panel.table)
        self._show_levels()
