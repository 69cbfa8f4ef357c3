"""`livetrack track`: tracks the particles of a movie or a recorded session."""

from __future__ import annotations

import argparse
import gc
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from livetrack.cli.arguments import add_json, add_overrides, add_selection, selection
from livetrack.cli.inputs import recording_hints
from livetrack.cli.signals import default_sigint
from livetrack.cli.terminal import ProgressBars, make_console, warmup, write_json
from livetrack.config import Config, load_config
from livetrack.errors import InputError, UsageError
from livetrack.toml_file import assignment

if TYPE_CHECKING:
    from livetrack.movies import Movie, Selection
    from livetrack.particles import Rows
    from livetrack.table import TrackTable

__all__ = ["add_arguments", "run"]


class _Source(NamedTuple):
    images: Iterator[tuple[int, npt.NDArray[Any], float | None, int]]
    """Frame number, pixels, time in s, and geometry number of each frame."""
    length: int | None
    problem: Callable[[], str | None]
    """Returns why the images ended early, once they have ended; None if they did not."""
    movie: Movie | None
    """None for a recorded session."""


class _Counts(NamedTuple):
    frames: int
    particles: int
    trajectories: int
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("movie", type=Path, help="TIFF stack, folder of images, video, or a recorded session's folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="table to write, .csv or .parquet")
    parser.add_argument("--model", help="name of a model, or an ONNX file (default: localizer.model of the settings)")
    parser.add_argument(
        "--scale",
        help="scale of the searched image: 0.5, 0.25 ... 0.03125 for particles larger than the model's, 2 for smaller "
        "ones, auto for any size (default: localizer.scale of the settings)",
    )
    parser.add_argument("--config", type=Path, help="settings file, .toml (default: the default settings)")
    parser.add_argument(
        "--stateless", action="store_true", help="refine each frame from itself alone, without learning from the others"
    )
    add_overrides(parser)
    add_json(parser)
    add_selection(parser)


def run(args: argparse.Namespace) -> int:
    """Find and link the particles of every frame; print the counts."""
    with default_sigint():
        from livetrack.table import TrackTable

    console = make_console()
    config = _config(args)
    source = _open(args.movie, selection(args))
    table = TrackTable(args.output)
    try:
        with table:
            with _silent(logging.getLogger("livetrack.movies.movie")):  # damage is printed at the end
                model, scale, counts = _track_all(source, config, args.stateless, table, console)
            if not counts.frames:
                raise InputError(f"{args.movie}: contains no frames to track")
    except BaseException:
        if table.partial_path.exists():
            console.print(f"stopped early; the tracks so far are in {table.partial_path}")
        raise
    console.print(
        f"{counts.frames} frames in {counts.seconds:.1f} s ({counts.frames / counts.seconds:.1f} frames/s): "
        f"{counts.particles} localisations in {counts.trajectories} tracks by {model} at scale {scale}; {args.output}",
    )
    names = {"movie": str(args.movie), "output": str(args.output), "model": model, "search_scale": scale}
    results = {**names, **counts._asdict()}
    problem = source.problem()
    notes = [] if source.movie is None else source.movie.notes
    write_json(args.json, {**results, "problem": problem, "notes": notes})
    for note in notes:
        console.print(f"note: {note}")
    if problem:
        console.print(f"incomplete: {problem}")
    return 0


def _track_all(
    source: _Source, config: Config, stateless: bool, table: TrackTable, console: Console
) -> tuple[str, str, _Counts]:
    """Fill the table; return the model's name, the scales of the last frame and the counts."""
    with default_sigint():
        from livetrack.tracker import Tracker

    frames = particles = geometry = 0
    ids: set[int] = set()
    with warmup(console, "warming up"):
        tracker = Tracker.from_config(config, stateless=stateless)
        if source.movie is not None:
            tracker.warmup(source.movie.shape, (source.movie.dtype,))
            if not config.localizer.threads:
                tracker.choose_threads(source.movie.shape)
        gc.collect()
        gc.freeze()  # spares later collections what is loaded now
    started = time.perf_counter()
    with _progress(console) as progress:
        task = progress.add_task("tracking", total=source.length)
        for index, image, t_s, image_geometry in source.images:
            if image_geometry != geometry:
                tracker.reset()  # another ROI: positions have another origin
                geometry = image_geometry
            rows = tracker.update(image, t_s)
            table.append(index, _in_the_whole_image(rows, source))
            frames += 1
            particles += len(rows)
            ids.update(rows["id"].tolist())
            progress.update(task, advance=1, description=f"tracking, {len(rows)} particles")
    gc.unfreeze()
    seconds = round(time.perf_counter() - started, 3)
    return tracker.localizer.name, tracker.localizer.search_scale, _Counts(frames, particles, len(ids), seconds)


def _in_the_whole_image(rows: Rows, source: _Source) -> Rows:
    """Return rows with positions in the images of the file, of which only a region may have been tracked."""
    if source.movie is None or source.movie.origin == (0, 0):
        return rows
    moved = rows.copy()
    moved["x"] += source.movie.origin[0]
    moved["y"] += source.movie.origin[1]
    return moved


def _config(args: argparse.Namespace) -> Config:
    overrides = list(args.overrides)
    if args.model is not None:
        overrides.append(assignment("localizer.model", args.model))
    if args.scale is not None:
        overrides.append(f"localizer.scale={args.scale}")
    return load_config(args.config, overrides)


def _open(path: Path, selection: Selection) -> _Source:
    """Open a recorded session or a movie."""
    from livetrack.movies import open_selected
    from livetrack.record.inventory import is_session

    if path.is_dir() and is_session(path):
        if selection.options:
            raise UsageError(f"{selection.options} applies to movies; a recorded session is tracked as a whole")
        return _open_session(path)
    with recording_hints(path):
        movie = open_selected(path, selection)
    numbered = ((frame.number, frame.pixels, frame.t_s, 0) for frame in movie.frames())
    return _Source(numbered, movie.length, lambda: movie.problem, movie)


def _open_session(path: Path) -> _Source:
    from livetrack.record import read_session
    from livetrack.record.damage import Damage

    session = read_session(path)
    damages: list[Damage] = []
    read = 0

    def images() -> Iterator[tuple[int, npt.NDArray[Any], float | None, int]]:
        nonlocal read
        for frame in session.frames(damages.append):
            read += 1
            yield frame.index, frame.pixels, frame.t_s, frame.geometry_number

    def problem() -> str | None:
        parts = [session.problem, *map(str, damages)]
        if session.frames_written not in (None, read):
            parts.append(f"{read} frames are in its files, of {session.frames_written} written")
        text = "; ".join(filter(None, parts))
        return f"{path}: {text}" if text else None

    return _Source(images(), session.frames_written, problem, None)


def _progress(console: Console) -> ProgressBars:
    return ProgressBars(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )


@contextmanager
def _silent(log: logging.Logger) -> Iterator[None]:
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
