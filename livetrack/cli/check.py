"""`livetrack check`: inspects a movie and suggests settings, or tests the settings of a live session."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from livetrack.camera import Frame, load_driver
from livetrack.cli.arguments import add_channel, add_json, add_overrides, new_file
from livetrack.cli.inputs import load_command_config, recording_hints
from livetrack.cli.terminal import make_console, warmup, write_json
from livetrack.config import Config
from livetrack.errors import LivetrackError, UsageError
from livetrack.session.acquisition import Acquisition

__all__ = ["add_arguments", "run"]

_CAMERA_S = 2.0  # beyond the exposure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("target", nargs="?", type=Path, help="a movie, or a settings file (default: as for `run`)")
    parser.add_argument(
        "--picture", type=new_file, metavar="PNG", help="annotated image to write (default: NAME-check.png)"
    )
    add_channel(parser)
    add_overrides(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Check a movie; or, for a settings file, try its camera and its model."""
    if args.target is None or args.target.suffix.lower() == ".toml":
        return _check_settings(args)
    with recording_hints(args.target):
        return _check_movie(args.target, args)


def _check_movie(movie: Path, args: argparse.Namespace) -> int:
    from livetrack.check import check_movie, report_text

    if args.overrides:
        raise UsageError("--set applies to the check of a settings file; a movie is checked without settings")
    with warmup(make_console(), "checking a few frames"):
        report = check_movie(movie, args.picture or Path(f"{movie.stem}-check.png"), channel=args.channel)
    make_console(stderr=False).print(report_text(report))
    write_json(args.json, report)
    return 0


def _check_settings(args: argparse.Namespace) -> int:
    from livetrack.tracker import Tracker

    config, name = load_command_config(args.target, args.overrides)
    with warmup(make_console(), "testing model and camera"):
        tracker = Tracker.from_config(config)
        frame, rate, acquisition = _try_camera(config)
        rows = tracker.update(frame.pixels)
    geometry, localizer = frame.geometry, tracker.localizer
    scale = geometry.pixel_size_um
    lines = [
        f"settings    {name}: valid",
        f"camera      {config.camera.driver}: {geometry.width}x{geometry.height} px, {frame.pixels.dtype}, "
        f"origin {geometry.x_origin}, {geometry.y_origin}, binning {geometry.binning}",
        "pixel size  " + ("unknown; set calibration.pixel_size_um" if scale is None else f"{scale:g} µm"),
        "rate        " + ("a single frame" if rate is None else f"{rate:.1f} frames/s, {acquisition.lost} lost"),
        f"grey levels {np.min(frame.pixels):g} to {np.max(frame.pixels):g}, median {np.median(frame.pixels):g}",
        f"model       {localizer.name} on {localizer.provider}: {len(rows)} particles in the last frame",
    ]
    make_console(stderr=False).print("\n".join(lines))
    results = {"settings": name, "geometry": geometry, "dtype": str(frame.pixels.dtype)}
    counts = {"frames": acquisition.received, "lost": acquisition.lost, "particles": len(rows)}
    write_json(args.json, {**results, "fps": rate, **counts})
    return 0


def _try_camera(config: Config) -> tuple[Frame, float | None, Acquisition]:
    """Run the camera for a moment; return the newest frame, the rate (None for a single frame), and the counts."""
    camera = load_driver(config.camera.driver)(config.driver_settings)
    acquisition = Acquisition(camera, config.camera, pixel_size_um=config.calibration.pixel_size_um)
    first = newest = None
    try:
        acquisition.open()
        acquisition.start()
        timing = acquisition.timing()
        seconds = _CAMERA_S + timing.interval_s
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not acquisition.ended:
            if frame := acquisition.next_frame(0.1):
                first, newest = first or frame, frame
    finally:
        acquisition.close()
    if first is None or newest is None:
        why = acquisition.message or "it is open but sends nothing; is it waiting for a trigger?"
        if timing.trigger:
            why = f"it waits for a trigger ({timing.trigger}): send triggers, or let it run by itself"
        raise LivetrackError(f"camera {config.camera.driver}: no frame within {seconds:g} s; {why}")
    seconds = (newest.t_received_ns - first.t_received_ns) * 1e-9
    return newest, (newest.index - first.index) / seconds if seconds > 0 else None, acquisition
