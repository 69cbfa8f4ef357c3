"""The options and the writing of annotated videos."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console

from livetrack.cli.arguments import new_file
from livetrack.cli.signals import default_sigint
from livetrack.config import Config
from livetrack.errors import UsageError

if TYPE_CHECKING:
    from livetrack.annotate.annotated_video import AnnotatedVideo
    from livetrack.cli.track_input import TrackInput

__all__ = ["add_video_options", "annotated_video", "new_video", "print_video"]


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """Add `--video` and `--ids`."""
    parser.add_argument(
        "--video",
        type=new_file,
        metavar="FILE",
        help="write the movie with its tracks to FILE, .mp4, .mkv, .mov, .avi, .gif or .webp",
    )
    parser.add_argument("--ids", action="store_true", help="write the id of its track next to each particle")


def annotated_video(
    args: argparse.Namespace, config: Config, source: TrackInput
) -> AbstractContextManager[AnnotatedVideo | None]:
    """Return the video that was asked for, to which each frame is added; None if none was.

    Raises
    ------
    UsageError
        A video of this name cannot be written, or would replace the movie.
    """
    if args.video is None:
        return nullcontext()
    interval_s = source.interval_s or source.images.interval_s
    return new_video(args, config, None if interval_s is None else 1 / interval_s, source.images.pixel_size_um)


def new_video(
    args: argparse.Namespace, config: Config, fps: float | None, pixel_size_um: float | None
) -> AnnotatedVideo:
    """Return the video `args.video` of a movie that was recorded at `fps`. Raises `UsageError`."""
    with default_sigint():
        from livetrack.annotate.annotated_video import AnnotatedVideo
        from livetrack.record.inventory import is_session

    video, movie = args.video.resolve(), args.movie.resolve()
    if video == movie:
        raise UsageError(f"--video {args.video}: is the movie itself; name another file")
    if video.parent == movie and is_session(movie):
        raise UsageError(f"--video {args.video}: is inside the recorded session, which is left as it is")
    return AnnotatedVideo(args.video, fps, pixel_size_um, trail_frames=config.view.tail_frames, ids=args.ids)


def print_video(console: Console, video: AnnotatedVideo) -> None:
    """Print what was written."""
    which = "that of the movie" if video.is_recorded_rate else "as that of the movie is unknown or cannot be played"
    frames = "1 frame" if video.frames == 1 else f"{video.frames} frames"
    console.print(f"{frames} at {video.fps:g} frames/s, {which}; {video.path}")
