"""Events: topic, then `EventMessage` as JSON. `seq` is consecutive, so that a client notices missed events."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from livetrack.camera import Geometry
from livetrack.wire.common import NOT_JSON, TOPIC_SIZE, WireError

__all__ = [
    "EVENT", "CameraEvent", "Event", "EventMessage", "GeometryEvent", "LogEvent", "TargetEvent", "TracksEvent",
    "decode_event", "encode_event",
]  # fmt: skip

EVENT = b"lt.event"


class TracksEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="tracks"):
    """Tracks started or ended with a frame."""

    frame: int
    t_s: float
    born: list[int] = []
    """Ids of the tracks started, in the order of the frame's rows."""
    ended: list[int] = []
    """Ids of the tracks ended, oldest first."""
    anew: bool = False
    """All tracks of earlier frames have ended, listed or not: the geometry changed, or tracking was paused."""


class GeometryEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="geometry"):
    """The geometry of the images changed with this frame."""

    frame: int
    number: int
    geometry: Geometry


class TargetEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="target"):
    """The target changed; None if it was cleared, or its track has ended."""

    particle: int | None


class CameraEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="camera"):
    """The state of the session changed: see `Status.state`."""

    state: str
    message: str


class LogEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="log"):
    """A line logged by livetrack or a driver."""

    level: str
    """DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    logger: str
    text: str


Event: TypeAlias = TracksEvent | GeometryEvent | TargetEvent | CameraEvent | LogEvent


class EventMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event and the time of its publication."""

    session: int
    seq: int
    """Consecutive number in the session, from 0."""
    t_ns: int
    """The engine's monotonic clock."""
    wall_ns: int
    """Since 1970-01-01 UTC."""
    event: Event
    gap: int = 0
    """Number of events missed just before this one. Set by the client, not sent."""


def encode_event(message: EventMessage) -> bytes:
    """Return the message of an event."""
    return EVENT + msgspec.json.encode(message)


def decode_event(message: bytes) -> EventMessage:
    """Return the event of a message; raises `WireError`."""
    if not message.startswith(EVENT):
        raise WireError(f"not a livetrack event: starts with {message[:TOPIC_SIZE]!r}")
    try:
        return _DECODER.decode(message[TOPIC_SIZE:])
    except NOT_JSON as error:
        raise WireError(f"event cannot be read: {error}") from None


_DECODER = msgspec.json.Decoder(EventMessage)
