"""Live sessions, for `livetrack demo` and `livetrack run`."""

from __future__ import annotations

import argparse
import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs
from rich.console import Console

from livetrack.cli.arguments import add_json, add_overrides, add_seconds
from livetrack.cli.signals import default_sigint, stop_event
from livetrack.cli.terminal import make_console, spinner, warmup, write_json
from livetrack.client.address import DEFAULT_ADDRESS, resolve_address
from livetrack.config import Config
from livetrack.curve_keys import ENVIRONMENT
from livetrack.toml_file import assignment
from livetrack.wire import Latency, Status

if TYPE_CHECKING:
    from livetrack.session.engine import Engine

__all__ = ["add_session_options", "run_session", "session_overrides"]


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
    schema = ("header", "rows")  # the heartbeat's alone
    write_json(args.json, {key: value for key, value in msgspec.to_builtins(status).items() if key not in schema})
    return 1 if status.recording and status.recording.problem else 0


def _run_engine(engine: Engine, args: argparse.Namespace, console: Console, stop: threading.Event) -> Status:
    from livetrack.cli.console import ConsoleView
    from livetrack.cli.window import WindowProcess

    config = engine.config
    if config.publish.curve_keys:
        os.environ.setdefault(ENVIRONMENT, config.publish.curve_keys)  # for this console, and the window's process
    address = resolve_address(engine.publisher.address, seen_at=DEFAULT_ADDRESS)
    localizer = engine.tracker.localizer
    console.print(
        f"ready, Ctrl-C stops: camera {config.camera.driver}, model {localizer.name} on "
        f"{_provider(localizer.provider)}, {localizer.threads}, positions at {address}",
    )
    if _window_wanted(config, args, console):
        with WindowProcess(address, config.view, console) as window:
            status = engine.run(seconds=args.seconds, stop=stop, on_status=window.on_status)
    else:
        with ConsoleView(address, console):
            status = engine.run(seconds=args.seconds, stop=stop)
    if engine.recorder is not None:
        with spinner(console, "writing what is recorded"):
            engine.close()
        status = structs.replace(status, recording=engine.recorder.status())
    return status


def _provider(name: str) -> str:
    """Return the execution provider's name, with a doubt where livetrack was never tried on it."""
    return name if name in _VERIFIED else f"{name} (not verified)"


def _window_wanted(config: Config, args: argparse.Namespace, console: Console) -> bool:
    from livetrack.viewer import display_problem

    if args.headless or not config.view.open:
        return False
    if problem := display_problem():
        console.print(f"{problem}: going on in the console")
        return False
    return True


def _print_summary(status: Status, console: Console) -> None:
    counts = (
        f"{status.state} after {status.uptime_s:.1f} s: {status.received} frames received, {status.tracked} tracked, "
        f"{status.skipped} skipped, {status.lost} lost"
    )
    console.print(counts + _of_the_camera(status))
    if status.tracked:
        crowded = status.approximate_frames
        note = f", {crowded} frames too crowded for the best links" if crowded else ""
        console.print(f"{status.born} trajectories, {status.ended} of them ended{note}")
    if status.tracked:
        _print_latency(status.latency_us, console)
    if why := _why_skipped(status):
        console.print(why)
    if status.message:
        console.print(status.message)
    if recording := status.recording:
        console.print(
            f"recorded {recording.frames} frames, {recording.bytes / 1e6:.1f} MB, "
            f"{recording.dropped} dropped: {recording.folder}",
        )
        if recording.problem and recording.problem != status.message:
            console.print(recording.problem)


def _of_the_camera(status: Status) -> str:
    """Say what was amiss with the camera; nothing where all was well."""
    repeated = f", {status.repeated} delivered twice" if status.repeated else ""
    times = "once" if status.outages == 1 else f"{status.outages} times"
    return repeated + (f", camera lost {times}" if status.outages else "")


_VERIFIED = ("CPUExecutionProvider", "numba")  # what tests run on

_STAGES = {
    "camera": "middle of exposure to receipt",
    "wait": "waiting for the tracker",
    "localize": "finding",
    "link": "linking",
    "publish": "publishing",
    "total": "from receipt to published",
}


def _print_latency(latency_us: dict[str, Latency], console: Console) -> None:
    """Print the spread of each stage's duration."""
    console.print(f"{'latency, ms':32}{'p50':>9}{'p90':>9}{'p99':>9}{'p99.9':>9}{'most':>9}")
    for stage, words in _STAGES.items():
        if each := latency_us.get(stage):
            values = (each.p50, each.p90, each.p99, each.p999, each.max)
            console.print(f"{words:32}" + "".join(f"{value / 1e3:9.3f}" for value in values))


def _why_skipped(status: Status) -> str:
    """Say why most frames went by untracked; nothing when most did not, or the tracker was not what was slow."""
    needed_ms = sum(status.latency_us[stage].p50 for stage in ("localize", "link", "publish")) * 1e-3
    if not status.tracked or status.skipped <= 0.5 * status.received:
        return ""
    given_ms = status.uptime_s * 1e3 / status.received
    if needed_ms <= given_ms:
        return ""
    return (
        f"to track a frame takes {needed_ms:.1f} ms here and the camera sends one every {given_ms:.1f} ms: "
        "the newest were tracked; a smaller ROI or a lower frame rate would keep more"
    )
