"""A video of a movie with its particles and trails."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy.typing as npt

from livetrack.annotate.drawing import FrameDrawing
from livetrack.annotate.labels import interval_decimals, time_text
from livetrack.annotate.video_file import VideoFile, require_video_name
from livetrack.particles import Rows

__all__ = ["AnnotatedVideo", "playable_rate"]

_PLAYABLE_FPS = 1.0, 240.0
_USUAL_FPS = 25.0


class AnnotatedVideo:
    """Writes the frames of a movie, with rings, trails, scale bar and time, one after another to a video.

    As a context manager; `VideoFile` describes how the file is written. Its size is that of the first frame; later
    ones of another size are cropped or get a black border.

    Parameters
    ----------
    path
        Video to write, with one of `VIDEO_SUFFIXES`.
    fps
        Of the movie; None if unknown. `playable_rate` is that of the video.
    pixel_size_um
        µm per pixel; None if unknown.
    trail_frames
        Length of the trails.
    ids
        Write the id next to each particle.

    Raises
    ------
    UsageError
        A video of this name cannot be written.
    LivetrackError
        Later: writing fails.
    """

    def __init__(
        self, path: Path, fps: float | None, pixel_size_um: float | None, *, trail_frames: int = 50, ids: bool = False
    ) -> None:
        require_video_name(path)
        self.path = path
        self.fps = playable_rate(fps)
        self.is_recorded_rate = self.fps == fps
        self.frames = 0
        """Written so far."""
        self._pixel_size_um = pixel_size_um
        self._trail_frames = trail_frames
        self._ids = ids
        self._decimals = interval_decimals(1 / fps) if fps else 3
        self._drawing: FrameDrawing | None = None
        self._file: VideoFile | None = None

    def add(self, number: int, image: npt.NDArray[Any], t_s: float | None, rows: Rows) -> None:
        """Append the frame `number`, (H, W), with its particles; `t_s`, its time, is None if unknown."""
        if self._drawing is None or self._file is None:
            self._drawing = FrameDrawing(
                image.shape[:2], self._pixel_size_um, trail_frames=self._trail_frames, ids=self._ids
            )
            self._file = VideoFile(self.path, self._drawing.size, self.fps)
        text = f"frame {number}" if t_s is None else time_text(t_s, self._decimals)
        self._file.write(self._drawing.draw(image, rows, text))
        self.frames += 1

    def __enter__(self) -> AnnotatedVideo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.__exit__(kind, error, trace)


def playable_rate(fps: float | None) -> float:
    """Return the rate of the video of a movie: its own, or 25 if that is unknown, below 1 or above 240 frames/s."""
    low, high = _PLAYABLE_FPS
    return fps if fps is not None and low <= fps <= high else _USUAL_FPS
