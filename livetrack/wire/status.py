"""The heartbeat, the state of the engine about once a second: topic, then `Status` as JSON."""

from __future__ import annotations

import msgspec

from livetrack.particles import ROW
from livetrack.wire.common import TOPIC_SIZE, VERSION, WireError, dtype_schema
from livetrack.wire.positions import HEADER

__all__ = ["HEARTBEAT", "Latency", "RecordingStatus", "Status", "decode_status", "encode_status"]

HEARTBEAT = b"lt.beat\0"


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """The spread of one stage's duration over the session, µs."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class RecordingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the recorder has done so far."""

    folder: str
    seconds: float
    frames: int
    """Frames whose pixels are on disk."""
    dropped: int
    """Frames whose pixels are not, because the disk was too slow or full."""
    bytes: int
    rows_dropped: int = 0
    """Tracked frames whose rows are not on disk."""
    problem: str = ""
    """Why the recording stopped by itself; empty while all is well."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an engine: what the heartbeat carries, as JSON."""

    session: int
    state: str
    """`starting`, `running`, `paused` (frames come and are not tracked), `idle` (the camera is closed by command),
    `stalled`, `retrying`; the last one says `stopped`, `ended` (a movie) or `failed`."""
    message: str
    """What a person should know of the state; empty when all is well."""
    camera: str
    model: str
    provider: str
    preview_address: str
    uptime_s: float
    camera_fps: float
    """Frames received a second, over the last second or so."""
    tracked_fps: float
    received: int
    tracked: int
    skipped: int
    lost: int
    particles: int
    """Rows in the newest message."""
    latency_us: dict[str, Latency]
    """By stage: `wait`, `localize`, `link`, `publish`, and `total`, from receipt to published; before them, where the
    camera says when it exposes, `camera`, from the middle of the exposure to receipt."""
    threads: str = ""
    """That the localizer works on, as "2 threads, spinning"."""
    repeated: int = 0
    """Frames that the camera delivered a second time; they are not among those received."""
    outages: int = 0
    """Times that the camera was lost and had to be opened again."""
    born: int = 0
    """Trajectories begun so far."""
    ended: int = 0
    """Of these, those that are over."""
    approximate_frames: int = msgspec.field(default=0, name="hurried")
    """Frames too crowded to weigh every possible link; their rows have `Flag.APPROXIMATE`."""
    target: int | None = None
    """The trajectory that was chosen; None where there is none, or it has ended."""
    stalls: int = msgspec.field(default=0, name="holdups")
    """Commands to a device that kept the camera's frames from coming, as where both share one adapter."""
    stall_ms: float = msgspec.field(default=0.0, name="holdup_ms")
    """For how long beyond the usual, the sum of all."""
    command_address: str = ""
    """Where `Remote` is answered."""
    recording: RecordingStatus | None = None
    livetrack: str = ""
    wire_version: int = VERSION
    header: list[tuple[str, str, int]] = []
    """Name, NumPy type and offset of each field of `HEADER`, and of `rows` below: the schema."""
    rows: list[tuple[str, str, int]] = []


def encode_status(status: Status) -> bytes:
    """Return the heartbeat's message, the schema filled in."""
    status = msgspec.structs.replace(status, header=dtype_schema(HEADER), rows=dtype_schema(ROW))
    return HEARTBEAT + msgspec.json.encode(status)


def decode_status(message: bytes) -> Status:
    """Return what a heartbeat says; raises `WireError`."""
    if not message.startswith(HEARTBEAT):
        raise WireError(f"not a livetrack heartbeat: starts with {message[:TOPIC_SIZE]!r}")
    try:
        return msgspec.json.decode(message[TOPIC_SIZE:], type=Status)
    except msgspec.DecodeError as error:
        raise WireError(f"heartbeat cannot be read: {error}") from None
