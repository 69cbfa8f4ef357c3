"""The streams that an engine publishes, read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Generic, Self, TypeVar

import msgspec
import zmq

from livetrack.client.address import DEFAULT_ADDRESS, Keys, connect, connection_hint
from livetrack.particles import Rows
from livetrack.wire import (
    EVENT,
    FULL_PREVIEW,
    HEARTBEAT,
    POSITIONS,
    PREVIEW,
    EventMessage,
    Preview,
    Status,
    decode_event,
    decode_positions,
    decode_preview,
    decode_status,
)

__all__ = ["DEFAULT_ADDRESS", "EventSubscriber", "PreviewSubscriber", "StatusSubscriber", "Subscriber", "Update"]

_CTRL_C_MS = 200  # a wait without end is cut into such pieces: on Windows a longer one would not notice Ctrl-C

_SILENCE_S = 3.0  # at the start, after which somebody should know

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Update(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The particles of one frame, and when each stage was done with it.

    Times `t_..._ns` are on the engine's monotonic clock (`time.perf_counter_ns()`; on the same machine, this
    program's too); None where unknown.
    """

    particles: Rows
    """(N,) of `livetrack.particles.ROW`, read-only; x, y in px, integer = pixel centre."""
    gap: int
    """Messages of this session that went by unread just before this one."""
    t_client_ns: int
    """When this program received it."""
    session: int
    seq: int
    frame: int
    camera_number: int | None
    t_s: float
    t_exposed_ns: int | None
    t_received_ns: int
    t_started_ns: int
    t_localized_ns: int
    t_linked_ns: int
    t_published_ns: int
    wall_ns: int
    skipped: int
    """Frames received so far but not tracked."""
    lost: int
    """Frames that the camera took so far but never delivered."""
    geometry: int
    """Rises with every change of what follows."""
    width: int
    height: int
    x_origin: int
    y_origin: int
    binning: int
    pixel_size_um: float | None
    target: int | None = None
    """Id of the trajectory that was chosen (`Remote.choose_target`); None where there is none, or it has ended."""


class _Topic(Generic[T]):
    """One SUB socket on one topic: `receive`, iterate, `close`."""

    def __init__(
        self, address: str, topic: bytes, decode: Callable[[bytes], T], keys: Keys, *, newest: bool, queue: int
    ) -> None:
        self.address = address
        self._decode = decode
        self._quiet = topic == EVENT  # where nothing may happen for long, or once there was something
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, queue)
        self._socket.setsockopt(zmq.CONFLATE, newest)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        connect(self._socket, address, keys)

    def receive(self, timeout_s: float | None = None) -> T | None:
        """Return the next message, or None when none came within `timeout_s` (None waits for ever).

        Waiting for ever for the first one, it is logged as a warning after three seconds, which goes to stderr.

        Raises
        ------
        WireError
            The message is not livetrack's, or of another version.
        """
        if timeout_s is not None:
            if not self._socket.poll(max(0, round(timeout_s * 1000))):
                return None
        else:
            self._wait()
        self._quiet = True
        return self._decode(self._socket.recv())

    def has_message(self) -> bool:
        """Whether a message has come that was not received yet."""
        return bool(self._socket.poll(0))

    def __iter__(self) -> Iterator[T]:
        while (message := self.receive()) is not None:
            yield message

    def close(self) -> None:
        """Disconnect; harmless when done already."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self) -> None:
        started_s = time.monotonic()
        while not self._socket.poll(_CTRL_C_MS):
            if not self._quiet and time.monotonic() - started_s > _SILENCE_S:
                self._quiet = True
                _log.warning("%s: nothing has come from there yet: %s", self.address, connection_hint(self.address))


class Subscriber(_Topic[Update]):
    """The positions of every tracked frame, from an engine at `address`.

    Parameters
    ----------
    address
        The engine's `publish.address`.
    newest
        True: only the newest frame waits to be read, older ones go by (for control). False: every message
        waits its turn (for logging); what could not be kept shows in `Update.gap`.
    keys
        Folder of the client's keys, where the engine asks for them; None takes what the environment variable
        LIVETRACK_KEYS says, or none.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, newest: bool = True, keys: Keys = None) -> None:
        super().__init__(address, POSITIONS, self._update, keys, newest=newest, queue=100_000)
        self._last: tuple[int, int] | None = None  # session and seq of the last message

    def _update(self, message: bytes) -> Update:
        now = time.perf_counter_ns()
        fields, rows = decode_positions(message)
        for name in ("version", "header_size", "row_size", "row_count", "reserved", "reserved_2"):
            del fields[name]
        fields["camera_number"] = _known(fields["camera_number"])
        fields["t_exposed_ns"] = _known(fields["t_exposed_ns"])
        fields["target"] = _known(fields["target"])
        if fields["pixel_size_um"] != fields["pixel_size_um"]:  # NaN
            fields["pixel_size_um"] = None
        session, seq = fields["session"], fields["seq"]
        gap = seq - self._last[1] - 1 if self._last and self._last[0] == session else 0
        self._last = session, seq
        return Update(particles=rows, gap=gap, t_client_ns=now, **fields)


class PreviewSubscriber(_Topic[Preview]):
    """Pictures at display rate, newest only, from `Status.preview_address`.

    Parameters
    ----------
    address
        Of the pictures.
    full_resolution
        True: every pixel as the camera delivered it; False: thinned out to `publish.preview_max_px`, in 8 bits.
    """

    def __init__(self, address: str, full_resolution: bool = False, keys: Keys = None) -> None:
        super().__init__(
            address, FULL_PREVIEW if full_resolution else PREVIEW, decode_preview, keys, newest=True, queue=1
        )


class EventSubscriber(_Topic[EventMessage]):
    """What happens in the engine at `address`: every event, with those that could not be kept in `gap`."""

    def __init__(self, address: str = DEFAULT_ADDRESS, keys: Keys = None) -> None:
        super().__init__(address, EVENT, self._event, keys, newest=False, queue=100_000)
        self._last: tuple[int, int] | None = None  # session and seq of the last event

    def _event(self, message: bytes) -> EventMessage:
        event = decode_event(message)
        gap = event.seq - self._last[1] - 1 if self._last and self._last[0] == event.session else 0
        self._last = event.session, event.seq
        return msgspec.structs.replace(event, gap=gap)


class StatusSubscriber(_Topic[Status]):
    """The engine's state, about once a second, newest only."""

    def __init__(self, address: str = DEFAULT_ADDRESS, keys: Keys = None) -> None:
        super().__init__(address, HEARTBEAT, decode_status, keys, newest=True, queue=1)


def _known(value: int) -> int | None:
    return None if value < 0 else value
