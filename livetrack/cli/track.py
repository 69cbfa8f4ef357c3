"""`livetrack track`: a movie or a recorded session into a table of trajectories."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from livetrack.cli.output import terminal, write_json
from livetrack.config import Config, load_config

__all__ = ["track"]


class _Source(NamedTuple):
    images: Iterator[tuple[int, npt.NDArray[Any], float | None]]
    """The number of each frame, its pixels, and its time, s."""
    length: int | None
    movie: Any
    """What says in `.problem` how the file is damaged; None for a session."""


def track(args: argparse.Namespace) -> int:
    """Find and link the particles of every frame, with progress; tell what was found."""
    from livetrack.table import TrackTable
    from livetrack.tracker import Tracker

    console = terminal()
    config = _config(args)
    source = _open(args.movie)
    frames = particles = 0
    trajectories: set[int] = set()
    with TrackTable(args.output) as table:
        with console.status("warming up"):
            tracker = Tracker.of(config)
        started = time.perf_counter()
        with _progress(console) as progress:
            task = progress.add_task("tracking", total=source.length)
            for index, image, t_s in source.images:
                rows = tracker.update(image, t_s)
                table.append(index, rows)
                frames += 1
                particles += len(rows)
                trajectories.update(rows["id"].tolist())
                progress.update(task, advance=1, description=f"tracking, {len(rows)} particles")
    seconds = time.perf_counter() - started
    problem = source.movie.problem if source.movie is not None else None
    if problem:
        console.print(f"livetrack: {problem}")
    console.print(
        f"{frames} frames in {seconds:.1f} s ({frames / seconds:.1f} frames/s): {particles} particles in "
        f"{len(trajectories)} trajectories; {args.output}",
    )
    write_json(
        args.json,
        {
            "movie": str(args.movie),
            "output": str(args.output),
            "model": tracker.localizer.name,
            "frames": frames,
            "seconds": round(seconds, 3),
            "particles": particles,
            "trajectories": len(trajectories),
            "problem": problem,
        },
    )
    return 0


def _config(args: argparse.Namespace) -> Config:
    overrides = list(args.overrides)
    if args.model is not None:
        overrides.append(f"localizer.model={str(args.model)!r}")
    return load_config(args.config, overrides)


def _open(path: Path) -> _Source:
    """Open a recorded session's folder, or a movie."""
    from livetrack.movies import open_movie
    from livetrack.record import read_session

    if (path / "session.json").exists():
        session = read_session(path)
        return _Source(((frame.index, frame.pixels, frame.t_s) for frame in session.frames()), None, None)
    movie = open_movie(path)
    rate = movie.fps
    images = ((index, image, None if rate is None else index / rate) for index, image in enumerate(movie))
    return _Source(images, movie.length, movie)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )
