"""Subscribers to the streams of an engine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, Self, TypeVar

import msgspec
import zmq

from livetrack.client.address import DEFAULT_ADDRESS, Keys, connect
from livetrack.client.diagnosis import Silence, diagnose
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

_CTRL_C_MS = 200  # longest single wait: on Windows a longer one would not notice Ctrl-C

_ZERO_COPY_RECV = 10  # an option of ZeroMQ's contexts that has no name in pyzmq

_SILENCE_S = 3.0  # without a first message, then a warning is logged

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Update(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The particles of one frame, and the times at which each stage finished.

    Times `t_..._ns` are on the engine's monotonic clock, `time.perf_counter_ns()`, which is shared by programs on the
    same machine; None if unknown.
    """

    particles: Rows
    """(N,) of `livetrack.particles.ROW`, read-only; x, y in px, integer = pixel centre."""
    gap: int
    """Number of messages of this session missed just before this one."""
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
    """Frames received but not tracked so far."""
    lost: int
    """Frames taken by the camera but never received so far."""
    geometry: int
    """Increases with every change of the next six fields, of the objective, and of the image's orientation."""
    width: int
    height: int
    x_origin: int
    y_origin: int
    binning: int
    pixel_size_um: float | None
    target: int | None = None
    """Id of the target's track (`Remote.choose_target`); None if there is none, or it has ended."""


class _TopicSubscriber(Generic[T]):
    """A SUB socket for one topic: `receive`, iterate, `close`."""

    def __init__(
        self, address: str, topic: bytes, decode: Callable[[bytes], T], keys: Keys, *, newest: bool, queue: int
    ) -> None:
        self.address = address
        self._keys = keys
        self._decode = decode
        self._silence_expected = topic == EVENT  # also after the first message, or the warning
        self._socket: zmq.Socket[bytes] = _context().socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, queue)
        self._socket.setsockopt(zmq.CONFLATE, newest)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        connect(self._socket, address, keys)

    def receive(self, timeout_s: float | None = None) -> T | None:
        """Return the next message, or None if none arrived within `timeout_s`; None waits forever.

        When waiting forever for the first message, a warning is logged after three seconds.

        Raises
        ------
        WireError
            The message is not from livetrack, or of another version.
        """
        if timeout_s is not None:
            if not self._socket.poll(max(0, round(timeout_s * 1000))):
                return None
        else:
            self._wait()
        self._silence_expected = True
        return self._decode(self._socket.recv())

    def has_message(self) -> bool:
        """Return whether a message is waiting to be received."""
        return bool(self._socket.poll(0))

    def __iter__(self) -> Iterator[T]:
        while (message := self.receive()) is not None:
            yield message

    def diagnose(self) -> Silence:
        """Return why nothing arrives, such as wrong keys; takes up to a second."""
        return diagnose(self.address, self._keys)

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self) -> None:
        started_s = time.monotonic()
        while not self._socket.poll(_CTRL_C_MS):
            if not self._silence_expected and time.monotonic() - started_s > _SILENCE_S:
                self._silence_expected = True
                _log.warning("%s: nothing received yet: %s", self.address, self.diagnose().hint)


def _context() -> zmq.Context[zmq.Socket[bytes]]:
    """Return the context of this process, with sockets that copy small messages.

    Otherwise each message that waits holds the 8 kB that were read with it, while it may have one: 100,000 that a slow
    client has not read would fill 0.9 GB, now 0.15 GB.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    with suppress(zmq.ZMQError):  # a version of ZeroMQ without the option
        context.set(_ZERO_COPY_RECV, 0)
    return context


class Subscriber(_TopicSubscriber[Update]):
    """Positions of every tracked frame, from the engine at `address`.

    Parameters
    ----------
    address
        The engine's `publish.address`.
    newest
        True: only the newest frame is kept for reading, older ones are dropped (for control). False: all messages are
        queued (for logging); `Update.gap` counts those that did not fit.
    keys
        Folder of the client's keys, if the engine requires keys; None for the one in the environment variable
        LIVETRACK_KEYS, or no keys.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, newest: bool = True, keys: Keys = None) -> None:
        super().__init__(address, POSITIONS, self._update, keys, newest=newest, queue=100_000)
        self._last: tuple[int, int] | None = None  # session and seq of the last message

    def _update(self, message: bytes) -> Update:
        now = time.perf_counter_ns()
        fields, rows = decode_positions(message)
        for name in ("version", "header_size", "row_size", "row_count", "reserved", "reserved_2"):
            del fields[name]
        fields["camera_number"] = _none_if_negative(fields["camera_number"])
        fields["t_exposed_ns"] = _none_if_negative(fields["t_exposed_ns"])
        fields["target"] = _none_if_negative(fields["target"])
        if fields["pixel_size_um"] != fields["pixel_size_um"]:  # NaN
            fields["pixel_size_um"] = None
        session, seq = fields["session"], fields["seq"]
        gap = seq - self._last[1] - 1 if self._last and self._last[0] == session else 0
        self._last = session, seq
        return Update(particles=rows, gap=gap, t_client_ns=now, **fields)


class PreviewSubscriber(_TopicSubscriber[Preview]):
    """Previews at display rate, newest only.

    Parameters
    ----------
    address
        The engine's `Status.preview_address`.
    full_resolution
        True: full resolution and bit depth. False: subsampled to `publish.preview_max_px`, in 8 bits.
    """

    def __init__(self, address: str, full_resolution: bool = False, keys: Keys = None) -> None:
        super().__init__(
            address, FULL_PREVIEW if full_resolution else PREVIEW, decode_preview, keys, newest=True, queue=1
        )


class EventSubscriber(_TopicSubscriber[EventMessage]):
    """All events of the engine at `address`; `EventMessage.gap` counts those missed."""

    def __init__(self, address: str = DEFAULT_ADDRESS, keys: Keys = None) -> None:
        super().__init__(address, EVENT, self._event, keys, newest=False, queue=100_000)
        self._last: tuple[int, int] | None = None  # session and seq of the last event

    def _event(self, message: bytes) -> EventMessage:
        event = decode_event(message)
        gap = event.seq - self._last[1] - 1 if self._last and self._last[0] == event.session else 0
        self._last = event.session, event.seq
        return msgspec.structs.replace(event, gap=gap)


class StatusSubscriber(_TopicSubscriber[Status]):
    """Status of the engine at `address`, about once per second, newest only."""

    def __init__(self, address: str = DEFAULT_ADDRESS, keys: Keys = None) -> None:
        super().__init__(address, HEARTBEAT, decode_status, keys, newest=True, queue=1)


def _none_if_negative(value: int) -> int | None:
    return None if value < 0 else value
