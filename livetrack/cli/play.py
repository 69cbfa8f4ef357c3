"""`livetrack play`: shows a movie or a recorded session with its tracks, or writes it as a video."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from livetrack.cli.arguments import add_overrides, add_selection, new_file, positive, selection
from livetrack.cli.inputs import recording_hints
from livetrack.cli.model_options import add_model_options, model_config
from livetrack.cli.signals import default_sigint
from livetrack.cli.terminal import frame_progress, make_console
from livetrack.cli.video import add_video_options, new_video, print_video
from livetrack.errors import UsageError

if TYPE_CHECKING:
    from livetrack.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("movie", type=Path, help="movie, folder of images, or a recorded session's folder")
    parser.add_argument(
        "--tracks",
        type=Path,
        metavar="TABLE",
        help="table of its tracks, .csv, .parquet or .feather (default: those of the session, or the movie is tracked)",
    )
    add_model_options(parser)
    add_video_options(parser)
    parser.add_argument("--seconds", type=positive, metavar="S", help="close the window after S seconds")
    parser.add_argument("--screenshot", type=new_file, metavar="PNG", help="save a screenshot before the window closes")
    add_overrides(parser)
    add_selection(parser)


def run(args: argparse.Namespace) -> int:
    """Open the player, or write the video."""
    if args.ids:
        args.overrides.append("view.labels=true")
    config = model_config(args)
    anew = args.model is not None or args.scale is not None or args.drift is not None
    if args.tracks is not None and anew:
        raise UsageError(f"--tracks {args.tracks}: has been tracked already; leave out --model, --scale and --drift")
    if args.video is not None:
        return _write_video(args, config, anew)
    from livetrack import viewer
    from livetrack.movies.quiet import quiet_movies

    with recording_hints(args.movie), quiet_movies(), default_sigint():
        return viewer.play(
            args.movie,
            config,
            tracks=args.tracks,
            selection=selection(args),
            fps=args.fps,
            stateless=args.stateless,
            anew=anew,
            seconds=args.seconds,
            screenshot=args.screenshot,
        )


def _write_video(args: argparse.Namespace, config: Config, anew: bool) -> int:
    """Write the movie with its tracks as a video, without a window."""
    if args.seconds is not None or args.screenshot is not None:
        raise UsageError("--seconds and --screenshot apply to the window; leave them out with --video")
    with default_sigint():
        from livetrack.movies.quiet import quiet_movies
        from livetrack.playback.export import write_video
        from livetrack.playback.playback import open_source, open_tracks, recorded_rate
        from livetrack.playback.track_feed import TrackFeed
    console = make_console()
    with recording_hints(args.movie):
        part = selection(args)
        movie = open_source(args.movie, part, fps=args.fps, um_per_px=config.calibration.pixel_size_um)
    tracks = open_tracks(
        args.movie, movie, config, table=args.tracks, frames=part.frames, anew=anew, stateless=args.stateless
    )
    video = new_video(args, config, recorded_rate(movie), movie.pixel_size_um)
    with closing(TrackFeed(tracks)) as feed, quiet_movies(), frame_progress(console) as progress:
        task = progress.add_task("writing", total=movie.length)

        def show(written: int) -> bool:
            progress.update(task, completed=written)
            return True

        problem = write_video(movie, feed, video, show)
    print_video(console, video)
    for note in movie.notes:
        console.print(f"note: {note}")
    if problem:
        console.print(f"incomplete: {problem}")
    return 0
