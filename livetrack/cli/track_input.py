"""What `livetrack track` is given: the numbered frames of a movie or of a recorded session."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt

from livetrack.cli.arguments import selection
from livetrack.cli.inputs import recording_hints
from livetrack.errors import UsageError

if TYPE_CHECKING:
    from livetrack.movies import Movie, Selection
    from livetrack.movies.mask import Mask
    from livetrack.table import Images

__all__ = ["InputFrame", "TrackInput", "open_input"]


class InputFrame(NamedTuple):
    """A frame to track."""

    number: int
    pixels: npt.NDArray[Any]
    t_s: float | None
    geometry: int
    """Changes where positions have another origin."""
    um_per_px: float | None
    filled: npt.NDArray[Any] | None = None
    """(H, W) bool: pixels that were not numbers; nothing is found there."""


@dataclass(frozen=True)
class TrackInput:
    """Frames to track, and what is known of them."""

    frames: Iterator[InputFrame]
    length: int | None
    """Expected number of frames."""
    images: Images
    problem: Callable[[], str | None]
    """Returns why frames are missing, once they have ended; None if none are."""
    notes: list[str]
    """What was assumed or left out; reading frames may add to it."""
    movie: Movie | None = None
    """None for a recorded session."""
    mask: Mask | None = None
    interval_s: float | None = None
    """Usual time between the frames; None if it is unknown, or follows from theirs."""
    step: int = 1
    """Usual difference between the numbers of successive frames."""


def open_input(args: argparse.Namespace, um_per_px: float | None) -> TrackInput:
    """Open the recorded session or the movie `args.movie`.

    Parameters
    ----------
    args
        With `movie`, `fps`, `mask` and the options of `add_selection`.
    um_per_px
        Pixel size of the settings, which comes before that of the file.

    Raises
    ------
    InputError
        The movie or the mask cannot be used.
    UsageError
        An option does not apply to a session.
    """
    from livetrack.record.inventory import is_session

    path, chosen = args.movie, selection(args)
    if path.is_dir() and is_session(path):
        options = [chosen.options, "--mask" if args.mask else "", "--fps" if args.fps else ""]
        if refused := " ".join(filter(None, options)):
            raise UsageError(f"{refused} applies to movies; a recorded session is tracked as a whole, at its times")
        return _open_session(path, um_per_px)
    return _open_movie(path, chosen, args.fps, args.mask, um_per_px)


def _open_movie(
    path: Path, chosen: Selection, fps: float | None, mask: Path | None, um_per_px: float | None
) -> TrackInput:
    from livetrack.movie_tracking import usual_interval_s
    from livetrack.movies import open_movie, open_selected
    from livetrack.movies.mask import Mask
    from livetrack.table import Images

    with recording_hints(path):
        movie = open_selected(path, chosen)
    step = 1 if chosen.frames is None else chosen.frames.step
    if fps is not None:
        movie = replace(movie, fps=fps, times=lambda: None)
    interval_s = usual_interval_s(movie)
    um_per_px = um_per_px or movie.pixel_size_um
    height, width = movie.full_shape or movie.shape
    images = Images(
        path=path.resolve(),
        width=width,
        height=height,
        pixel_size_um=um_per_px,
        interval_s=None if interval_s is None else interval_s / step,
        count=movie.length or 0 if movie.numbers is None else int(movie.numbers[-1]) + 1,
        origin=movie.origin,
    )

    def frames() -> Iterator[InputFrame]:
        for frame in movie.frames():
            t_s = frame.t_s if fps is None else frame.number / fps
            yield InputFrame(frame.number, frame.pixels, t_s, 0, um_per_px, frame.filled)

    return TrackInput(
        frames(),
        movie.length,
        images,
        lambda: movie.problem,
        movie.notes,
        movie,
        None if mask is None else Mask(open_movie(mask), movie),
        interval_s,
        step,
    )


def _open_session(path: Path, um_per_px: float | None) -> TrackInput:
    from livetrack.record import read_session
    from livetrack.record.damage import Damage
    from livetrack.record.scales import Scales

    session = read_session(path)
    damages: list[Damage] = []
    read = 0

    def frames() -> Iterator[InputFrame]:
        nonlocal read
        for frame in session.frames(damages.append):
            read += 1
            size = um_per_px or frame.geometry.pixel_size_um
            yield InputFrame(frame.index, frame.pixels, frame.t_s, frame.geometry_number, size)

    def problem() -> str | None:
        parts = [session.problem, *map(str, damages)]
        if session.frames_written not in (None, read):
            parts.append(f"{read} frames are in its files, of {session.frames_written} written")
        text = "; ".join(filter(None, parts))
        return f"{path}: {text}" if text else None

    images = Scales(path).images()
    images = replace(images, pixel_size_um=um_per_px or images.pixel_size_um)
    return TrackInput(frames(), session.frames_written, images, problem, [])
