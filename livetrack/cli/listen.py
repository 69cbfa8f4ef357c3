"""`livetrack listen`: the stream, for eyes, pipes and figures."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator

from livetrack.cli.output import write_json
from livetrack.client import PreviewSubscriber, StatusSubscriber, Subscriber, Update
from livetrack.errors import LivetrackError
from livetrack.timing import Histogram
from livetrack.wire import Status

__all__ = ["listen"]

_SHOWN = 4  # particles to a line
_LOOK_S = 0.5  # without positions for so long, it is looked what the engine says
_SILENCE_S = 2.0  # without even a heartbeat


def listen(args: argparse.Namespace) -> int:
    """Print messages until Ctrl-C, `--seconds`, or silence; then what was received, missed, and how late."""
    messages = missed = particles = 0
    latency = Histogram()
    stream = _Stream(args.address, args.newest)
    if args.csv:
        print("frame,t_s,id,x,y,x_std,y_std,intensity,score")
    try:
        for update in stream.updates(args.timeout, math.inf if args.seconds is None else args.seconds):
            messages += 1
            missed += update.gap
            particles += len(update.particles)
            latency.record(update.t_client_ns - update.t_received_ns)
            if args.csv:
                _print_csv(update)
            elif not args.quiet:
                print(_line(update))
    except KeyboardInterrupt:
        pass
    else:
        if not messages and args.seconds is None:
            raise LivetrackError(f"{args.address}: no positions for {args.timeout:g} s; {stream.why()}")
    finally:
        stream.close()
    spread = latency.latency()
    late = f"; from receipt of the frame to receipt here p50 {spread.p50 / 1e3:.2f} ms, p99 {spread.p99 / 1e3:.2f} ms"
    print(
        f"{messages} messages, {particles} particles, {missed} messages missed" + (late if messages else ""),
        file=sys.stderr,
    )
    write_json(args.json, {"messages": messages, "missed": missed, "particles": particles, "latency_us": spread})
    return 0 if messages else 1


class _Stream:
    """The positions, with a word on stderr when the engine is not there, stops, or comes back."""

    def __init__(self, address: str, newest: bool) -> None:
        self._address = address
        self._positions = Subscriber(address, newest=newest)
        self._beats = StatusSubscriber(address)
        self._pictures: PreviewSubscriber | None = None
        self._status: Status | None = None
        self._session: int | None = None

    def updates(self, timeout_s: float, seconds: float) -> Iterator[Update]:
        """Yield what comes within `seconds`; end when no positions come for `timeout_s`."""
        came = alive = time.monotonic()
        deadline = came + seconds
        while (left_s := min(deadline, came + timeout_s) - time.monotonic()) > 0:
            update = self._positions.receive(min(left_s, _LOOK_S))
            if update is not None:
                came = alive = time.monotonic()
                self._notice_start(update.session)
                yield update
            elif status := self._beats.receive(0):
                alive = time.monotonic()
                self._status = status
                if status.state in ("stopped", "ended", "failed"):
                    self._tell(f"the engine's session is over: {status.state}")
                    alive = math.inf  # no silence to be told
            elif time.monotonic() - alive > _SILENCE_S:
                self._tell(f"waiting for an engine at {self._address}")
                alive = math.inf
                self._pictures = self._pictures or PreviewSubscriber(self._address)
            elif self._pictures and self._pictures.receive(0):
                raise LivetrackError(
                    f"{self._address}: pictures come from there: it is an engine's publish.preview_address; "
                    "positions come from its publish.address"
                )

    def why(self) -> str:
        """Say why no positions came."""
        if self._status is None:
            return "is an engine running there? Start one with `livetrack demo`"
        return f"the engine there says: {self._status.state}. {self._status.message}".rstrip(". ")

    def close(self) -> None:
        """Disconnect."""
        for stream in (self._positions, self._beats, self._pictures):
            if stream is not None:
                stream.close()

    def _notice_start(self, session: int) -> None:
        if self._session not in (None, session):
            self._tell("the engine was started anew: frames and ids count from 0 again")
        self._session = session

    def _tell(self, text: str) -> None:
        print(text, file=sys.stderr)


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
