"""Saving of the movie on display as a video, while the window goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from livetrack.annotate.annotated_video import AnnotatedVideo
from livetrack.annotate.video_file import VIDEO_SUFFIXES
from livetrack.errors import LivetrackError
from livetrack.playback.export import write_video
from livetrack.playback.playback import Playback
from livetrack.viewer.background import Background
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["Saved", "VideoSaving"]

POLL_MS = 100


class Saved(Protocol):
    """Whose movie is saved."""

    playback: Playback | None


class VideoSaving(QtCore.QObject):
    """Saves the movie of `player` with the tracks on display, one video at a time; trails cover `trail_frames`."""

    message = QtCore.Signal(str)
    failed = QtCore.Signal(str)
    """Why there is no video, in one line."""

    def __init__(self, player: Saved, trail_frames: int) -> None:
        super().__init__()
        self._player = player
        self._trail_frames = trail_frames
        self._work: Background[str] | None = None
        self._path = Path()
        self._written, self._total = 0, 0
        self._stop = False
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._poll)

    def ask(self, parent: QtWidgets.QWidget, movie: Path, *, ids: bool) -> None:
        """Ask for the name of the video, and save it."""
        if self._player.playback is None:
            return
        kinds = "Videos (" + " ".join(f"*{suffix}" for suffix in VIDEO_SUFFIXES) + ")"
        suggested = movie.with_name(f"{movie.stem}-tracks.mp4")
        name, _ = QtWidgets.QFileDialog.getSaveFileName(parent, "Save a video", str(suggested), kinds)
        if name:
            self.save(Path(name), movie, ids=ids)

    def save(self, path: Path, movie: Path, *, ids: bool) -> None:
        """Save the video of the movie that was opened as `movie`, without waiting for it."""
        playback = self._player.playback
        if playback is None or self._work is not None:
            self.failed.emit("another video is being saved" if self._work else "there is no movie to save")
            return
        try:
            if path.resolve() == movie.resolve():
                raise LivetrackError(f"{path}: is the movie itself; choose another name")
            source, feed = playback.movie, playback.feed
            video = AnnotatedVideo(path, playback.fps(), source.pixel_size_um, trail_frames=self._trail_frames, ids=ids)
        except LivetrackError as error:
            self.failed.emit(str(error))
            return

        def note(written: int) -> bool:
            self._written = written
            return not self._stop

        self._path, self._written, self._total = path, 0, playback.frames.read_to
        self._work = Background(lambda: write_video(source, feed, video, note))
        self._timer.start(POLL_MS)

    def close(self) -> None:
        """Stop; what is unfinished is deleted."""
        self._stop = True
        self._timer.stop()
        if self._work is not None:
            self._work.wait()
            self._work = None

    def _poll(self) -> None:
        if self._work is None:
            return
        if not self._work.done:
            self.message.emit(f"saving {self._path.name}: {self._written:,} of {self._total:,} frames")
            return
        work, self._work = self._work, None
        self._timer.stop()
        if work.problem:
            self.failed.emit(work.problem)
        else:
            self.message.emit(f"saved {self._path}, {self._written:,} frames")
