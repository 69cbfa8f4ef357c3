"""`livetrack track`: tracks the particles of a movie or a recorded session."""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from livetrack.cli.arguments import add_json, add_overrides, add_selection
from livetrack.cli.model_options import add_model_options, model_config
from livetrack.cli.signals import default_sigint
from livetrack.cli.terminal import frame_progress, make_console, warmup, write_json
from livetrack.cli.track_input import TrackInput, open_input
from livetrack.cli.video import add_video_options, annotated_video, print_video
from livetrack.config import Config
from livetrack.errors import InputError

if TYPE_CHECKING:
    from livetrack.annotate.annotated_video import AnnotatedVideo
    from livetrack.table import Images, TrackTable

__all__ = ["add_arguments", "run"]


class _Counts(NamedTuple):
    frames: int
    particles: int
    trajectories: int
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("movie", type=Path, help="movie, folder of images, or a recorded session's folder")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="table to write: .csv, .parquet, .feather, or .xml for TrackMate",
    )
    parser.add_argument(
        "--format",
        choices=["livetrack", "napari", "trackpy", "trackmate"],
        default="",
        help="columns of the table, as a program expects them (default: livetrack, which trackpy reads; trackmate "
        "for .xml)",
    )
    add_model_options(parser)
    add_video_options(parser)
    add_overrides(parser)
    add_json(parser)
    add_selection(parser).add_argument(
        "--mask", type=Path, metavar="FILE", help="image of the movie's size: particles count where it is not 0"
    )


def run(args: argparse.Namespace) -> int:
    """Find and link the particles of every frame; print the counts, and what was left out."""
    with default_sigint():
        from livetrack.movies.quiet import quiet_movies
        from livetrack.table import TrackTable

    console = make_console()
    config = model_config(args)
    source = open_input(args, config.calibration.pixel_size_um)
    table = TrackTable(args.output, source.images, args.format)
    try:
        with table:
            with quiet_movies(), annotated_video(args, config, source) as video:  # damage is printed at the end
                model, scale, counts = _track_all(source, config, args.stateless, table, video, console)
            if not counts.frames:
                raise InputError(source.problem() or f"{args.movie}: contains no frames to track")
    except BaseException:
        if table.partial_path.exists():
            console.print(f"stopped early; the tracks so far are in {table.partial_path}")
        raise
    console.print(
        f"{counts.frames} frames in {counts.seconds:.1f} s ({counts.frames / counts.seconds:.1f} frames/s): "
        f"{counts.particles} localisations in {counts.trajectories} tracks by {model} at scale {scale}; {args.output}",
    )
    if video is not None:
        print_video(console, video)
    if table.layout == "livetrack" and (empty := _empty_columns(source.images)):
        console.print(f"empty columns: {empty}")
    names = {"movie": str(args.movie), "output": str(args.output), "model": model, "search_scale": scale}
    problem = source.problem()
    write_json(args.json, {**names, **counts._asdict(), "problem": problem, "notes": source.notes})
    for note in source.notes:
        console.print(f"note: {note}")
    if problem:
        console.print(f"incomplete: {problem}")
    return 0


def _track_all(
    source: TrackInput,
    config: Config,
    stateless: bool,
    table: TrackTable,
    video: AnnotatedVideo | None,
    console: Console,
) -> tuple[str, str, _Counts]:
    """Fill the table; return the model's name, the scales of the last frame and the counts."""
    with default_sigint():
        from livetrack.movie_tracking import SequenceTracker
        from livetrack.movies.fill import rows_outside
        from livetrack.tracker import Tracker

    frames = particles = masked = geometry = 0
    ids: set[int] = set()
    with warmup(console, "warming up"):
        tracker = Tracker.from_config(config, stateless=stateless)
        if source.movie is not None:
            tracker.warmup(source.movie.shape, (source.movie.dtype,))
            if not config.localizer.threads:
                tracker.choose_threads(source.movie.shape)
        gc.collect()
        gc.freeze()  # spares later collections what is loaded now
    sequence = SequenceTracker(tracker, source.interval_s, source.step)
    started = time.perf_counter()
    with frame_progress(console) as progress:
        task = progress.add_task("tracking", total=source.length)
        for frame in source.frames:
            if frame.geometry != geometry:
                sequence.reset()  # another ROI: positions have another origin
                geometry = frame.geometry
            rows = sequence.update(frame.number, frame.pixels, frame.t_s)
            if frame.filled is not None:
                rows = rows_outside(rows, frame.filled)
            if source.mask is not None:
                found, rows = len(rows), source.mask.inside(rows)
                masked += found - len(rows)
            table.append(frame.number, rows, frame.t_s, frame.um_per_px)
            if video is not None:
                video.add(frame.number, frame.pixels, frame.t_s, rows)
            frames += 1
            particles += len(rows)
            ids.update(rows["id"].tolist())
            progress.update(task, advance=1, description=f"tracking, {len(rows)} particles")
    gc.unfreeze()
    seconds = round(time.perf_counter() - started, 3)
    if source.mask is not None:
        source.notes.append(f"{masked} localisations outside of the mask {source.mask.path} are left out")
    if sequence.backward:
        source.notes.append(
            f"the times of {sequence.backward} frames are before those of the frame before; for linking they count as "
            "one interval later (--fps N replaces all times)"
        )
    return tracker.localizer.name, tracker.localizer.search_scale, _Counts(frames, particles, len(ids), seconds)


def _empty_columns(images: Images) -> str:
    """Return which columns of livetrack's layout are empty, and the options that fill them."""
    unknown = {"x_um, y_um (give --pixel-size UM)": images.pixel_size_um, "t_s (give --fps N)": images.interval_s}
    return ", ".join(name for name, value in unknown.items() if value is None)
