"""The frame on display in the player, with its particles, their trails, and the selected one."""

from __future__ import annotations

import numpy as np

from livetrack.annotate.trail_segments import MAX_MISSED, drawable
from livetrack.client import Update
from livetrack.movies import MovieFrame
from livetrack.particles import Rows, empty_rows
from livetrack.playback.playback import Playback
from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.data.history import History
from livetrack.viewer.image_presenter import ImagePresenter
from livetrack.wire import Preview

__all__ = ["PlayerPresenter"]


class PlayerPresenter:
    """Draws the frames of `playback` on `view`; trails cover `trail_frames`."""

    def __init__(self, view: ParticleView, image: ImagePresenter, trail_frames: int) -> None:
        self._view = view
        self._image = image
        self._trail_frames = trail_frames
        self._history = History(trail_frames)
        self._playback: Playback | None = None
        self._begin, self._newest = 0, -1  # indices of the first and the last frame that were added to it
        self._index = -1  # of the frame on display
        self.frame: MovieFrame | None = None
        """On display."""
        self.update: Update | None = None
        """The particles on display; None while those of the frame are not known."""
        self.selected: int | None = None
        """Id of the selected track."""

    def use(self, playback: Playback | None) -> None:
        """Show another movie."""
        self._playback = playback
        self.frame, self._index = None, -1
        self.selected = None
        self._image.clear()
        self._view.clear_all()
        self._view.origin = playback.movie.origin if playback else (0, 0)
        self.forget_particles()

    def forget_particles(self) -> None:
        """Show no particles until they are drawn again."""
        self.update = None
        self._history.clear()
        self._newest = -1
        if self.frame is not None:
            self._view.show_particles(self._update_of(self.frame.number, empty_rows()), [])
            self._show_selection()

    def shows(self, index: int) -> bool:
        """Whether the frame at `index` is on display, or is shown as lost."""
        return index == self._index

    def show_frame(self, index: int, frame: MovieFrame, now_s: float) -> None:
        """Show the image of the frame at `index`; particles follow with `show_particles`."""
        self._index, self.frame, self.update = index, frame, None
        self._image.show(Preview(0, frame.number, 1, frame.pixels), now_s)
        self._view.show_particles(self._update_of(frame.number, empty_rows()), [])
        self._show_selection()

    def show_lost(self, index: int, number: int) -> None:
        """Show that a frame cannot be read."""
        self._index, self.frame = index, None
        self._view.clear_all()
        self._view.hint.setText(f"Frame {number:,} cannot be read")
        self.update = self._update_of(number, empty_rows())

    def show_particles(self) -> bool:
        """Show the particles of the frame on display; return False if they are not known yet."""
        playback, frame = self._playback, self.frame
        if playback is None or frame is None or playback.feed.store.rows(frame.number) is None:
            return False
        self.update = self._remembered(self._index, frame.number)
        self.redraw_particles()
        return True

    def redraw_particles(self) -> None:
        """Draw the particles on display again."""
        if self.update is not None:
            self._show_selection()
            self._view.show_particles(self.update, self._history.segments(self.update))

    def select(self, track_id: int | None) -> None:
        """Select the track of this id; None deselects."""
        self.selected = track_id
        self.redraw_particles()

    def selected_row(self) -> np.void | None:
        """Return the selected particle in the frame on display; None if it is not there."""
        if self.update is None or self.selected is None:
            return None
        found = np.flatnonzero((self.update.particles["id"] == self.selected) & drawable(self.update.particles))
        return self.update.particles[found[0]] if len(found) else None

    def _remembered(self, index: int, number: int) -> Update:
        """Return the particles of a frame, after those of all frames that its trails need were added to the history."""
        lead = self._trail_frames + MAX_MISSED
        begin = max(0, index - lead)
        if index > self._newest + self._trail_frames + 1 or begin < self._begin:
            self._restart(begin)
        self._add_up_to(index)
        update = self._history.at(number)
        if update is None or update.frame != number:  # dropped in the meantime
            self._restart(begin)
            self._add_up_to(index)
            update = self._history.at(number)
        return self._update_of(number, empty_rows()) if update is None else update

    def _restart(self, begin: int) -> None:
        self._history.clear()
        self._begin, self._newest = begin, begin - 1

    def _add_up_to(self, index: int) -> None:
        playback = self._playback
        assert playback is not None
        for each in range(self._newest + 1, index + 1):
            number = playback.number(each)
            rows = playback.feed.store.rows(number)
            self._history.add(self._update_of(number, empty_rows() if rows is None else rows))
        self._newest = max(self._newest, index)

    def _show_selection(self) -> None:
        self._view.selection.show_row(self.selected_row())

    def _update_of(self, number: int, rows: Rows) -> Update:
        assert self._playback is not None
        movie = self._playback.movie
        return Update(
            particles=rows, gap=0, t_client_ns=0, session=0, seq=number, frame=number, camera_number=None, t_s=0.0,
            t_exposed_ns=None, t_received_ns=0, t_started_ns=0, t_localized_ns=0, t_linked_ns=0, t_published_ns=0,
            wall_ns=0, skipped=0, lost=0, geometry=0, width=movie.shape[1], height=movie.shape[0], x_origin=0,
            y_origin=0, binning=1, pixel_size_um=movie.pixel_size_um,
        )  # fmt: skip
