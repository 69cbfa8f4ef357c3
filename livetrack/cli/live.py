"""Live sessions, for `livetrack demo` and `livetrack run`."""

from __future__ import annotations

import argparse
import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs
from rich.console import Console

from livetrack.camera import Camera
from livetrack.cli.arguments import add_json, add_overrides, add_seconds
from livetrack.cli.signals import default_sigint, stop_event
from livetrack.cli.terminal import make_console, spinner, warmup, write_json
from livetrack.client.address import DEFAULT_ADDRESS, resolve_address
from livetrack.config import Config
from livetrack.curve_keys import ENVIRONMENT
from livetrack.toml_file import assignment
from livetrack.wire import Latency, RecordingStatus, Status

if TYPE_CHECKING:
    from livetrack.session.engine import Engine

__all__ = ["add_session_options", "run_session", "session_overrides"]

_VERIFIED = ("CPUExecutionProvider", "OpenVINO", "OpenVINO bfloat16", "numba")  # by the tests

_STAGES = {
    "camera": "mid-exposure to receipt",
    "wait": "waiting",
    "localize": "localisation",
    "link": "linking",
    "publish": "publishing",
    "total": "receipt to publication",
}


def add_session_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a live session."""
    parser.add_argument("--headless", action="store_true", help="run without a window")
    add_seconds(parser)
    parser.add_argument("--record", metavar="FOLDER", help="record frames and tracks into a new folder inside FOLDER")
    add_overrides(parser)
    add_json(parser)


def session_overrides(args: argparse.Namespace) -> list[str]:
    """Return the settings that the command line overrides, as `SECTION.KEY=VALUE`."""
    record = [] if args.record is None else [assignment("record.folder", args.record)]
    return [*args.overrides, *record]


def run_session(config: Config, args: argparse.Namespace) -> int:
    """Run an engine until Ctrl-C, `--seconds` or the end of the camera's frames; print a summary."""
    with default_sigint():
        from livetrack.session.engine import Engine

    console = make_console()
    with stop_event() as stop, ExitStack() as opened:
        with warmup(console, "warming up: camera, network"):
            engine = opened.enter_context(Engine(config))
        status = _run_engine(engine, args, console, stop)
    _print_summary(status, console)
    for recording in engine.recordings:
        _print_recording(recording, console)
    schema = ("header", "rows")  # of no use in a summary
    write_json(args.json, {key: value for key, value in msgspec.to_builtins(status).items() if key not in schema})
    return 1 if any(recording.problem or recording.loss for recording in engine.recordings) else 0


def _run_engine(engine: Engine, args: argparse.Namespace, console: Console, stop: threading.Event) -> Status:
    from livetrack.cli.console import ConsoleView
    from livetrack.cli.window import WindowProcess

    config = engine.config
    _use_keys_of_engine(config.publish.curve_keys)
    address = resolve_address(engine.publisher.address, seen_at=DEFAULT_ADDRESS)
    localizer = engine.tracker.localizer
    opens_window = _opens_window(config, args, console)
    console.print(
        f"ready (Ctrl-C stops): camera {config.camera.driver}{_origin(engine.camera)}, model {localizer.name} at scale "
        f"{localizer.search_scale} on {_provider(localizer.provider)}, {localizer.threads}, positions at {address}",
    )
    if opens_window:
        with WindowProcess(address, config.view, console) as window:
            status = engine.run(seconds=args.seconds, stop=stop, on_status=window.on_status)
    else:
        console.print(f"positions in another terminal: livetrack listen {address}".removesuffix(f" {DEFAULT_ADDRESS}"))
        with ConsoleView(address, console):
            status = engine.run(seconds=args.seconds, stop=stop)
    if engine.recorder is not None:
        with spinner(console, "finishing the recording") as show:
            engine.recorder.on_tables = lambda name, rows: show(f"finishing the recording: {name}, {rows} rows")
            engine.close()
        recording = status.recording
        printed_below = recording is not None and status.message in (recording.problem, recording.loss)
        message = "" if printed_below else status.message
        status = structs.replace(status, message=message, recording=engine.recorder.status())
    return status


def _origin(camera: Camera) -> str:
    from livetrack.devices.lifecycle import HasOrigin

    return f" ({camera.origin()})" if isinstance(camera, HasOrigin) else ""


def _use_keys_of_engine(folder: str) -> None:
    """Set the keys of the clients opened here, the console view or the window: those of the engine, or none.

    The environment may name keys for the engine of another computer. They are used only where the client's keys were
    taken out of the engine's folder.
    """
    if not folder:
        os.environ.pop(ENVIRONMENT, None)
    elif (Path(folder) / "client").is_dir():
        os.environ[ENVIRONMENT] = folder
    else:
        os.environ.setdefault(ENVIRONMENT, folder)


def _provider(name: str) -> str:
    """Return the execution provider's name, marked if livetrack was never tested with it."""
    return name if name in _VERIFIED else f"{name} (not verified)"


def _opens_window(config: Config, args: argparse.Namespace, console: Console) -> bool:
    from livetrack.viewer import display_problem

    if args.headless or not config.view.open:
        return False
    if problem := display_problem():
        console.print(f"{problem}; continuing without a window")
        return False
    return True


def _print_summary(status: Status, console: Console) -> None:
    counts = (
        f"{status.state} after {status.uptime_s:.1f} s: {status.received} frames received, {status.tracked} tracked, "
        f"{status.skipped} skipped, {status.lost} lost"
    )
    console.print(counts + _camera_problems(status))
    if status.tracked:
        crowded = status.approximate_frames
        note = f"; linking was approximate in {crowded} crowded frames" if crowded else ""
        console.print(f"{status.born} tracks started, {status.ended} ended{note}")
        _print_latency(status.latency_us, console)
    if reason := _skip_reason(status):
        console.print(reason)
    if status.message:
        console.print(status.message)


def _print_recording(recording: RecordingStatus, console: Console) -> None:
    console.print(
        f"recorded {recording.frames} frames, {recording.bytes / 1e6:.1f} MB, {recording.dropped} dropped: "
        f"{recording.folder}",
    )
    if lost := "; ".join(filter(None, (recording.problem, recording.loss))):
        console.print(f"incomplete: {lost}")


def _camera_problems(status: Status) -> str:
    """Return the camera's faults, to append to the counts; empty if there were none."""
    repeated = f", {status.repeated} delivered twice" if status.repeated else ""
    times = "once" if status.outages == 1 else f"{status.outages} times"
    return repeated + (f", camera disconnected {times}" if status.outages else "")


def _print_latency(latency_us: dict[str, Latency], console: Console) -> None:
    """Print percentiles of each stage's duration."""
    console.print(f"{'latency, ms':24}{'p50':>9}{'p90':>9}{'p99':>9}{'p99.9':>9}{'max':>9}")
    for stage, name in _STAGES.items():
        if latency := latency_us.get(stage):
            values = (latency.p50, latency.p90, latency.p99, latency.p999, latency.max)
            console.print(f"{name:24}" + "".join(f"{value / 1e3:9.3f}" for value in values))


def _skip_reason(status: Status) -> str:
    """Return why most frames were skipped; empty if they were not, or if tracking was fast enough."""
    needed_ms = sum(status.latency_us[stage].p50 for stage in ("localize", "link", "publish")) * 1e-3
    if not status.tracked or status.skipped <= 0.5 * status.received:
        return ""
    interval_ms = status.uptime_s * 1e3 / status.received
    if needed_ms <= interval_ms:
        return ""
    return (
        f"tracking takes {needed_ms:.1f} ms per frame and the camera sends one every {interval_ms:.1f} ms, so only the "
        "newest were tracked; a smaller ROI or a lower frame rate skips fewer"
    )
