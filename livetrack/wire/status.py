"""The heartbeat, sent about once per second: topic, then `Status` as JSON."""

from __future__ import annotations

import msgspec

from livetrack.particles import ROW
from livetrack.wire.common import NOT_JSON, TOPIC_SIZE, VERSION, WireError, check_version, dtype_schema
from livetrack.wire.positions import HEADER

__all__ = ["HEARTBEAT", "Latency", "RecordingStatus", "Status", "decode_status", "encode_status"]

HEARTBEAT = b"lt.beat\0"


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles of the duration of one stage over the session, µs."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class RecordingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of a recording."""

    folder: str
    seconds: float
    frames: int
    """Frames whose images are on disk."""
    dropped: int
    """Frames whose images are not, because the disk was too slow or full. Those that wait are in neither count."""
    bytes: int
    rows_dropped: int = 0
    """Tracked frames whose rows are not on disk."""
    problem: str = ""
    """Why the recording stopped by itself; empty if it did not."""
    offered: int = 0
    """Frames whose images were to be recorded: on disk, dropped or waiting."""
    rows_written: int = 0
    """Tracked frames whose rows are on disk."""
    rows_offered: int = 0
    """Tracked frames whose rows were to be recorded: on disk, dropped or waiting."""
    loss: str = ""
    """What is missing so far, and why; empty if nothing is."""
    seconds_left: float | None = None
    """Time until the disk is full at the present rate, but for a reserve; null if unknown."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The status of an engine, as sent with the heartbeat."""

    session: int
    state: str
    """`starting`, `running`, `paused` (frames are received but not tracked), `idle` (the camera was stopped by
    command), `stalled`, `waiting` (for a trigger) or `retrying`; in the last heartbeat `stopped`, `ended` (a movie) or
    `failed`."""
    message: str
    """Explains the state to the user; empty if all is well."""
    camera: str
    model: str
    provider: str
    preview_address: str
    uptime_s: float
    camera_fps: float
    """Frames received per second, averaged over about a second."""
    tracked_fps: float
    received: int
    tracked: int
    skipped: int
    lost: int
    particles: int
    """Number of rows in the newest message."""
    latency_us: dict[str, Latency]
    """By stage: `wait`, `localize`, `link`, `publish`, and `total`, from receipt to publication. Also `camera`, from
    the middle of the exposure to receipt, if the camera reports exposure times."""
    threads: str = ""
    """Threads of the localizer, such as "2 threads, spinning"."""
    search_scale: str = ""
    """Scale of the image that the localizer searches, such as "1/4"; with "auto", those of the newest particles."""
    repeated: int = 0
    """Frames delivered a second time by the camera, not counted in `received`."""
    blank: int = 0
    """Frames whose pixels all have the same value: published without rows, and no particle counts as missed."""
    wrong_metadata: int = 0
    """Numbers and times of frames that cannot be true: left out or estimated."""
    untimed: int = 0
    """Tracked frames whose time is estimated: they waited unread and have none of their own (`Flag.UNTIMED`)."""
    outages: int = 0
    """How often the camera was lost and opened again."""
    born: int = 0
    """Number of tracks started."""
    ended: int = 0
    """Number of tracks ended."""
    approximate_frames: int = msgspec.field(default=0, name="hurried")
    """Frames too crowded to examine every possible link; their rows have `Flag.APPROXIMATE`."""
    target: int | None = None
    """Id of the target's track; None if there is none, or it has ended."""
    stalls: int = msgspec.field(default=0, name="holdups")
    """Number of device commands that delayed the camera's frames, for example because both share one adapter."""
    stall_ms: float = msgspec.field(default=0.0, name="holdup_ms")
    """Sum of these delays."""
    halted: bool = False
    """Whether all motion is halted: moves are rejected until a client sends `allow_moves`."""
    command_address: str = ""
    """Address for `Remote`."""
    recording: RecordingStatus | None = None
    livetrack: str = ""
    wire_version: int = VERSION
    header: list[tuple[str, str, int]] = []
    """Schema of `HEADER`: name, NumPy type and offset of each field."""
    rows: list[tuple[str, str, int]] = []
    """Schema of a row."""


def encode_status(status: Status) -> bytes:
    """Return the message of a heartbeat, including the schema."""
    status = msgspec.structs.replace(status, header=dtype_schema(HEADER), rows=dtype_schema(ROW))
    return HEARTBEAT + msgspec.json.encode(status)


def decode_status(message: bytes) -> Status:
    """Return the status of a heartbeat; raises `WireError`, of another version `VersionError`."""
    if not message.startswith(HEARTBEAT):
        raise WireError(f"not a livetrack heartbeat: starts with {message[:TOPIC_SIZE]!r}")
    try:
        check_version(msgspec.json.decode(message[TOPIC_SIZE:], type=_Versioned).wire_version)  # whatever else changed
        return msgspec.json.decode(message[TOPIC_SIZE:], type=Status)
    except NOT_JSON as error:
        raise WireError(f"heartbeat cannot be read: {error}") from None


class _Versioned(msgspec.Struct):
    wire_version: int = VERSION
