"""`livetrack bridge`: forwards positions as text over UDP, for MATLAB, LabVIEW and others."""

from __future__ import annotations

import argparse
import math
import socket
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from livetrack.cli.arguments import add_address, add_seconds, add_timeout
from livetrack.cli.position_stream import PositionStream
from livetrack.client import Update
from livetrack.errors import LivetrackError, UsageError

__all__ = ["add_arguments", "datagrams", "run"]

_MAX_LINES = 400  # particles per datagram: about 40 kB; UDP carries 65 kB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_address(parser)
    parser.add_argument(
        "--to",
        metavar="HOST:PORT",
        default="127.0.0.1:5560",
        help="destination of the datagrams (default: %(default)s)",
    )
    parser.add_argument("--target", action="store_true", help="send only the target, the particle chosen for control")
    add_seconds(parser)
    add_timeout(parser)


def run(args: argparse.Namespace) -> int:
    """Forward the newest frame until Ctrl-C, `--seconds` or `--timeout`."""
    family, destination = _destination(args.to)
    stream = PositionStream(args.address, newest=True)
    frames = 0
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        try:
            for update in stream.updates(args.timeout, math.inf if args.seconds is None else args.seconds):
                for datagram in datagrams(update, target_only=args.target):
                    out.sendto(datagram, destination)
                frames += 1
        except KeyboardInterrupt:
            pass
        except OSError as error:
            raise LivetrackError(f"cannot send to {args.to}: {error}") from None
        else:
            if not frames:
                stream.report_silence(args.timeout, args.seconds)
        finally:
            stream.close()
    print(f"{frames} frames sent to {args.to}", file=sys.stderr)
    return 0 if frames else 1


def datagrams(update: Update, *, target_only: bool = False) -> Iterator[bytes]:
    """Yield the datagrams of one frame, in the format of `docs/wire.md`."""
    rows = update.particles
    if target_only:
        rows = rows[rows["id"] == (-1 if update.target is None else update.target)]
    target = -1 if update.target is None else update.target
    for first in range(0, max(len(rows), 1), _MAX_LINES):
        lines = [f"{update.frame},{update.t_s:.6f},{len(rows)},{first},{target}"]
        lines += [_line(row) for row in rows[first : first + _MAX_LINES]]
        yield ("\n".join(lines) + "\n").encode()


def _line(row: np.void) -> str:
    particle, x, y, x_std, y_std, _, intensity, score, _, vx, vy, flags = row.item()
    return f"{particle},{x:.4f},{y:.4f},{x_std:.4f},{y_std:.4f},{vx:.3f},{vy:.3f},{intensity:.2f},{score:.4f},{flags}"


def _destination(text: str) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Return the address of `HOST:PORT` or `[IPV6]:PORT` with its family, IPv4 for a host that has both."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--to {text}: expected HOST:PORT, for example 127.0.0.1:5560")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: not a valid host name
        raise UsageError(f"--to {text}: unknown host {host!r} ({error})") from None
    family, _, _, _, destination = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, destination
