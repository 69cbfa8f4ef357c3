"""Events: topic, then `EventMessage` as JSON. Each has the next `seq`, so that a reader sees what it has missed."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from livetrack.camera import Geometry
from livetrack.wire.common import TOPIC_SIZE, WireError

__all__ = [
    "EVENT", "CameraEvent", "Event", "EventMessage", "GeometryEvent", "LogEvent", "TargetEvent", "TracksEvent",
    "decode_event", "encode_event",
]  # fmt: skip

EVENT = b"lt.event"


class TracksEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="tracks"):
    """Trajectories began or ended with a frame."""

    frame: int
    t_s: float
    born: list[int] = []
    """Ids, in the order of the frame's rows."""
    ended: list[int] = []
    """Ids, the oldest first."""
    anew: bool = False
    """All trajectories of the frames before have ended, listed or not: another geometry, or tracking was paused."""


class GeometryEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="geometry"):
    """From this frame on the pixels lie elsewhere."""

    frame: int
    number: int
    geometry: Geometry


class TargetEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="target"):
    """Another trajectory is the target, or none any more: it was cleared, or has ended."""

    particle: int | None


class CameraEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="camera"):
    """The session's state has changed: see `Status.state`."""

    state: str
    message: str


class LogEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="log"):
    """A line that livetrack or a driver has logged."""

    level: str
    """DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    logger: str
    text: str


Event: TypeAlias = TracksEvent | GeometryEvent | TargetEvent | CameraEvent | LogEvent


class EventMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event, and when it was told."""

    session: int
    seq: int
    """Counts the session's events from 0, without a hole."""
    t_ns: int
    """The engine's monotonic clock; `wall_ns` since 1970-01-01 UTC."""
    wall_ns: int
    event: Event
    gap: int = 0
    """Events that went by unread just before this one; the reader's, not on the wire."""


def encode_event(message: EventMessage) -> bytes:
    """Return the message of an event."""
    return EVENT + msgspec.json.encode(message)


def decode_event(message: bytes) -> EventMessage:
    """Return the event of a message; raises `WireError`."""
    if not message.startswith(EVENT):
        raise WireError(f"not a livetrack event: starts with {message[:TOPIC_SIZE]!r}")
    try:
        return _DECODER.decode(message[TOPIC_SIZE:])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"event cannot be read: {error}") from None


_DECODER = msgspec.json.Decoder(EventMessage)
