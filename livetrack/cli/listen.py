"""`livetrack listen`: prints the positions of a running engine."""

from __future__ import annotations

import argparse
import math
import sys

from livetrack.cli.arguments import add_address, add_json, add_seconds, add_timeout
from livetrack.cli.position_stream import PositionStream
from livetrack.cli.terminal import write_json
from livetrack.cli.trap_monitor import TrapReadout
from livetrack.client import Update
from livetrack.session.stage_latency import LatencyHistogram

__all__ = ["add_arguments", "run"]

_MAX_LISTED = 4  # particles per line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_address(parser)
    parser.add_argument("--newest", action="store_true", help="receive only the newest frame, as a control loop does")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--csv", action="store_true", help="print every localisation as a line of CSV")
    output.add_argument("--quiet", action="store_true", help="print only the summary")
    output.add_argument(
        "--trap",
        action="store_true",
        help="print stiffness and diffusion of the target, or else of the particle nearest to the image centre",
    )
    add_seconds(parser)
    add_timeout(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print positions until Ctrl-C, `--seconds` or `--timeout`; then the counts and the latency."""
    messages = missed = particles = 0
    latency = LatencyHistogram()
    readout = TrapReadout(args.address) if args.trap else None
    stream = PositionStream(args.address, args.newest)
    if args.csv:
        print("frame,t_s,particle,x,y,x_std,y_std,intensity,score")
    try:
        for update in stream.updates(args.timeout, math.inf if args.seconds is None else args.seconds):
            messages += 1
            missed += update.gap
            particles += len(update.particles)
            latency.record(update.t_client_ns - update.t_received_ns)
            if readout is not None:
                if line := readout.update(update):
                    print(line)
            elif args.csv:
                _print_csv(update)
            elif not args.quiet:
                print(_line(update))
    except KeyboardInterrupt:
        pass
    else:
        if not messages:
            stream.report_silence(args.timeout, args.seconds)
    finally:
        stream.close()
    delay = latency.latency()
    summary = f"{messages} frames received, {missed} missed, {particles} localisations"
    if messages:
        summary += f"; latency from camera to here: p50 {delay.p50 / 1e3:.2f} ms, p99 {delay.p99 / 1e3:.2f} ms"
    print(summary, file=sys.stderr)
    results = {"messages": messages, "missed": missed, "particles": particles, "latency_us": delay}
    if readout is not None:
        results["trap"] = readout.reading
    write_json(args.json, results)
    return 0 if messages else 1


def _line(update: Update) -> str:
    rows = update.particles
    listed = "  ".join(f"#{row['id']} ({row['x']:.2f}, {row['y']:.2f})" for row in rows[:_MAX_LISTED])
    more = f"  and {len(rows) - _MAX_LISTED} more" if len(rows) > _MAX_LISTED else ""
    gap = f"  [{update.gap} missed]" if update.gap else ""
    latency_ms = (update.t_client_ns - update.t_received_ns) * 1e-6
    return f"frame {update.frame}  {latency_ms:.1f} ms  {len(rows)} particles  {listed}{more}{gap}"


def _print_csv(update: Update) -> None:
    for row in update.particles:
        print(
            f"{update.frame},{update.t_s:.6f},{row['id']},{row['x']:.4f},{row['y']:.4f},"
            f"{row['x_std']:.4f},{row['y_std']:.4f},{row['intensity']:.2f},{row['score']:.4f}"
        )
