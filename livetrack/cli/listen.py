"""`livetrack listen`: the stream, for eyes, pipes and figures."""

from __future__ import annotations

import argparse
import math
import sys

from livetrack.cli.arguments import add_address, add_json, add_seconds, add_timeout
from livetrack.cli.position_stream import PositionStream
from livetrack.cli.terminal import write_json
from livetrack.cli.trap_monitor import TrapReadout
from livetrack.client import Update
from livetrack.errors import LivetrackError
from livetrack.session.stage_latency import LatencyHistogram

__all__ = ["add_arguments", "run"]

_SHOWN = 4  # particles to a line


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
    """Print messages until Ctrl-C, `--seconds`, or silence; then what was received, missed, and how late."""
    messages = missed = particles = 0
    latency = LatencyHistogram()
    readout = TrapReadout(args.address) if args.trap else None
    stream = PositionStream(args.address, args.newest)
    if args.csv:
        print("frame,t_s,id,x,y,x_std,y_std,intensity,score")
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
        if not messages and args.seconds is None:
            raise LivetrackError(f"{args.address}: no positions for {args.timeout:g} s; {stream.explain_silence()}")
    finally:
        stream.close()
    spread = latency.latency()
    late = f"; from receipt of the frame to receipt here p50 {spread.p50 / 1e3:.2f} ms, p99 {spread.p99 / 1e3:.2f} ms"
    print(
        f"{messages} messages, {particles} particles, {missed} messages missed" + (late if messages else ""),
        file=sys.stderr,
    )
    figures = {"messages": messages, "missed": missed, "particles": particles, "latency_us": spread}
    if readout is not None:
        figures["trap"] = readout.reading
    write_json(args.json, figures)
    return 0 if messages else 1


def _line(update: Update) -> str:
    rows = update.particles
    shown = "  ".join(f"#{row['id']} ({row['x']:.2f}, {row['y']:.2f})" for row in rows[:_SHOWN])
    more = f"  and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    gap = f"  [{update.gap} missed]" if update.gap else ""
    late_ms = (update.t_client_ns - update.t_received_ns) * 1e-6
    return f"frame {update.frame}  {late_ms:.1f} ms  {len(rows)} particles  {shown}{more}{gap}"


def _print_csv(update: Update) -> None:
    for row in update.particles:
        print(
            f"{update.frame},{update.t_s:.6f},{row['id']},{row['x']:.4f},{row['y']:.4f},"
            f"{row['x_std']:.4f},{row['y_std']:.4f},{row['intensity']:.2f},{row['score']:.4f}"
        )
