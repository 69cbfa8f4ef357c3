"""View of a session without a window: a map of the particles and the rates, in the terminal."""

from __future__ import annotations

import threading

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from livetrack.cli.terminal import make_console
from livetrack.client import StatusSubscriber, Subscriber, Update
from livetrack.errors import LivetrackError
from livetrack.wire import Status

__all__ = ["ConsoleView", "braille_map", "status_line"]

_REFRESH_S = 0.25
_LINE_INTERVAL_S = 5.0  # where the output is not a terminal
_MAX_COLUMNS, _MAX_ROWS = 48, 16  # of the map
_BORDER = 2
_TEXT_ROWS = 6  # for the status line, wrapped, and the last line
_LAST_LINE = Text("Ctrl-C stops ")  # short: the terminal prints ^C after it, which must not start another line


class ConsoleView:
    """A client of the engine, in a thread of its own while the `with` block runs."""

    def __init__(self, address: str, console: Console) -> None:
        self._address = address
        self._console = console
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._show, name="livetrack-console", daemon=True)

    def __enter__(self) -> ConsoleView:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _show(self) -> None:
        with Subscriber(self._address) as positions, StatusSubscriber(self._address) as heartbeats:
            if self._console.is_terminal:
                self._show_map(positions, heartbeats)
            else:
                self._print_lines(heartbeats)

    def _show_map(self, positions: Subscriber, heartbeats: StatusSubscriber) -> None:
        status: Status | None = None
        update: Update | None = None
        console = make_console(wrap=True)  # rich then counts, and erases, every line that a long one occupies
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not self._stop.wait(_REFRESH_S):
                try:
                    newest_status, newest_update = heartbeats.receive(0), positions.receive(0)
                except LivetrackError:
                    continue
                if newest_status is None and newest_update is None:
                    continue
                status, update = newest_status or status, newest_update or update
                line = Text(status_line(status, update))
                particles = [] if update is None else [_map(update, console)]
                live.update(Group(*particles, line, _LAST_LINE), refresh=True)

    def _print_lines(self, heartbeats: StatusSubscriber) -> None:
        while not self._stop.wait(_LINE_INTERVAL_S):
            if status := heartbeats.receive(0):
                self._console.print(status_line(status, None))


def _map(update: Update, console: Console) -> Text:
    """Return the largest map that fits the terminal."""
    columns, rows = min(_MAX_COLUMNS, console.width - _BORDER), min(_MAX_ROWS, console.height - _BORDER - _TEXT_ROWS)
    return braille_map(update, max(columns, 1), max(rows, 1))


def status_line(status: Status | None, update: Update | None) -> str:
    """Return the session in one line."""
    frame = f"frame {update.frame}  {len(update.particles)} particles  " if update else ""
    if status is None:
        return frame
    total = status.latency_us["total"]
    line = (
        f"{frame}{status.state}  camera {status.camera_fps:.1f} fps  tracked {status.tracked_fps:.1f} fps  "
        f"latency {total.p50 / 1e3:.1f} ms (p99 {total.p99 / 1e3:.1f})  skipped {status.skipped}  lost {status.lost}"
    )
    if status.recording:
        line += f"  recorded {status.recording.frames} frames"
    return f"{line}  {status.message}".rstrip()


def braille_map(update: Update, columns: int, rows: int) -> Text:
    """Return a map of the particles, 2 x 4 dots per character, framed."""
    x, y = update.particles["x"], update.particles["y"]
    inside = (x >= -0.5) & (x < update.width - 0.5) & (y >= -0.5) & (y < update.height - 0.5)
    across = ((x[inside] + 0.5) * (2 * columns / update.width)).astype(int)
    down = ((y[inside] + 0.5) * (4 * rows / update.height)).astype(int)
    bits = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # of the dots, in Unicode
    cells = np.zeros((rows, columns), int)
    np.bitwise_or.at(cells, (down // 4, across // 2), bits[down % 4, across % 2])
    lines = ["│" + "".join(chr(0x2800 + cell) for cell in row) + "│" for row in cells]
    return Text("\n".join(["┌" + "─" * columns + "┐", *lines, "└" + "─" * columns + "┘"]))
