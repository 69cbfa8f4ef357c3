"""The layout of messages; no other file knows it.

Every message is one part (so that subscribers may conflate) and starts with an 8-byte topic:

- `POSITIONS`: topic, `HEADER`, then the rows (`livetrack.particles.ROW`);
- `PREVIEW`, a picture for windows: topic, `PREVIEW_HEADER`, then the pixels, row by row;
- `HEARTBEAT`, the state of the engine about once a second: topic, then `Status` as JSON.

All numbers are little-endian and lie on their natural boundaries. Headers say their own size and that of a
row, so that fields can be added behind the last one without a new version: a reader skips what it does not know.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.errors import LivetrackError
from livetrack.particles import ROW, Rows

__all__ = [
    "HEADER",
    "HEARTBEAT",
    "POSITIONS",
    "PREVIEW",
    "PREVIEW_HEADER",
    "VERSION",
    "Latency",
    "PositionsEncoder",
    "Preview",
    "RecordingStatus",
    "Status",
    "WireError",
    "decode_positions",
    "decode_preview",
    "decode_status",
    "encode_preview",
    "encode_status",
]

VERSION = 1
POSITIONS = b"lt.pos\0\0"
PREVIEW = b"lt.img\0\0"
HEARTBEAT = b"lt.beat\0"

HEADER = np.dtype(
    [
        ("version", "<u2"),
        ("header_size", "<u2"),  # bytes
        ("row_size", "<u2"),  # bytes
        ("reserved", "<u2"),
        ("session", "<u8"),  # a random number for each start of an engine
        ("seq", "<u8"),  # counts messages from 0, without a hole
        ("frame", "<u8"),  # counts received frames from 0
        ("camera_number", "<i8"),  # the camera's own counter; -1: it has none
        ("t_s", "<f8"),  # the time that motion is reckoned with, s
        # this and the next five: the host's monotonic clock
        ("t_exposed_ns", "<i8"),  # middle of the exposure; -1: unknown
        ("t_received_ns", "<i8"),
        ("t_started_ns", "<i8"),
        ("t_localized_ns", "<i8"),
        ("t_linked_ns", "<i8"),
        ("t_published_ns", "<i8"),
        ("wall_ns", "<i8"),  # when published, since 1970-01-01 UTC
        ("skipped", "<u8"),  # frames received so far but not tracked
        ("lost", "<u8"),  # frames that the camera took so far but never delivered
        ("geometry", "<u4"),  # rises with every change of the next six
        ("width", "<u4"),  # px
        ("height", "<u4"),  # px
        ("x_origin", "<i4"),  # sensor pixel of the image's first pixel
        ("y_origin", "<i4"),
        ("binning", "<u4"),
        ("pixel_size_um", "<f8"),  # NaN: unknown
        ("row_count", "<u4"),
        ("reserved_2", "<u4"),
    ]
)

PREVIEW_HEADER = np.dtype(
    [
        ("version", "<u2"),
        ("header_size", "<u2"),
        ("step", "<u2"),  # every step-th pixel of the frame, along each axis
        ("reserved", "<u2"),
        ("session", "<u8"),
        ("frame", "<u8"),
        ("width", "<u4"),  # of this picture
        ("height", "<u4"),
        ("dtype", "S8"),  # NumPy's name of the pixels' type, as "<u2"
    ]
)

_PIXEL_TYPES = {
    np.dtype(name).str.encode(): np.dtype(name)
    for name in ("u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
}

_TOPIC_SIZE = 8
# `struct` fills a header several times faster than NumPy's records do: its format is HEADER's, field by field
_FORMATS = {"<u2": "H", "<u4": "I", "<i4": "i", "<u8": "Q", "<i8": "q", "<f8": "d"}
_PACK_HEADER = struct.Struct("<" + "".join(_FORMATS[HEADER[name].str] for name in HEADER.names or ())).pack_into
_START = _TOPIC_SIZE + HEADER.itemsize


class WireError(LivetrackError):
    """A message that is not livetrack's, is cut short, or is of a version that this client cannot read."""


class PositionsEncoder:
    """Packs positions into one buffer that is used again for every frame, and grows when it must."""

    def __init__(self, session: int) -> None:
        self._seq = 0
        self._fields: dict[str, Any] = dict.fromkeys(HEADER.names or (), 0)
        self._fields.update(version=VERSION, header_size=HEADER.itemsize, row_size=ROW.itemsize, session=session)
        self._make_buffer(256)

    def encode(self, rows: Rows, **fields: Any) -> memoryview:
        """Return the message of `rows`; `fields` are those of `HEADER` that describe the frame.

        The bytes are valid until the next call. Sizes, session, seq and row count are filled in here.
        """
        if len(rows) > self._capacity:
            self._make_buffer(2 * len(rows))
        self._fields.update(fields, seq=self._seq, row_count=len(rows))
        _PACK_HEADER(self._message, _TOPIC_SIZE, *self._fields.values())
        end = _START + rows.nbytes
        # as bytes: copying padded records takes NumPy field by field
        self._message[_START:end] = np.ascontiguousarray(rows).view(np.uint8).data
        self._seq += 1
        return self._message[:end]

    def _make_buffer(self, capacity: int) -> None:
        buffer = np.zeros(_START + capacity * ROW.itemsize, np.uint8)
        buffer[:_TOPIC_SIZE] = np.frombuffer(POSITIONS, np.uint8)
        self._capacity = capacity
        self._message = buffer.data


def decode_positions(message: bytes) -> tuple[dict[str, Any], Rows]:
    """Return the header's fields by name and the rows (a read-only view of `message`).

    Raises
    ------
    WireError
        Not a positions message, cut short, or of another version.
    """
    header = _decode_header(message, POSITIONS, HEADER)
    count, row_size, start = header["row_count"], header["row_size"], _TOPIC_SIZE + header["header_size"]
    if row_size < ROW.itemsize or len(message) < start + count * row_size:
        raise WireError(f"positions message of {len(message)} bytes is too short for {count} rows of {row_size} bytes")
    return header, np.frombuffer(message, _row_type(row_size), count, start)


class Preview(NamedTuple):
    """A picture for a window: every `step`-th pixel of frame `frame`; `pixels` is (H, W), read-only."""

    session: int
    frame: int
    step: int
    pixels: npt.NDArray[Any]


def encode_preview(preview: Preview) -> bytes:
    """Return the message of a picture."""
    pixels = np.ascontiguousarray(preview.pixels)
    pixels = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    header = np.zeros(1, PREVIEW_HEADER)
    height, width = pixels.shape
    header[0] = (
        VERSION,
        PREVIEW_HEADER.itemsize,
        preview.step,
        0,
        preview.session,
        preview.frame,
        width,
        height,
        pixels.dtype.str.encode(),
    )
    return b"".join((PREVIEW, header.tobytes(), pixels.data))


def decode_preview(message: bytes) -> Preview:
    """Return the picture of a preview message; raises `WireError` as `decode_positions` does."""
    header = _decode_header(message, PREVIEW, PREVIEW_HEADER)
    start, shape, step = _TOPIC_SIZE + header["header_size"], (header["height"], header["width"]), header["step"]
    kind = _PIXEL_TYPES.get(header["dtype"])
    if kind is None:
        raise WireError(f"preview message cannot be read: pixels of an unknown type {header['dtype']!r}")
    if not (step and shape[0] and shape[1]) or len(message) < start + shape[0] * shape[1] * kind.itemsize:
        size = f"{shape[1]} x {shape[0]} pixels of {kind}, step {step}"
        raise WireError(f"preview message cannot be read: {size} in {len(message)} bytes")
    pixels = np.frombuffer(message, kind, shape[0] * shape[1], start).reshape(shape)
    return Preview(header["session"], header["frame"], step, pixels)


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
    """`starting`, `running`, `stalled`, `retrying`; the last one says `stopped`, `ended` (a movie) or `failed`."""
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
    recording: RecordingStatus | None = None
    livetrack: str = ""
    wire_version: int = VERSION
    header: list[tuple[str, str, int]] = []
    """Name, NumPy type and offset of each field of `HEADER`, and of `rows` below: the schema."""
    rows: list[tuple[str, str, int]] = []


def encode_status(status: Status) -> bytes:
    """Return the heartbeat's message, the schema filled in."""
    status = msgspec.structs.replace(status, header=_schema(HEADER), rows=_schema(ROW))
    return HEARTBEAT + msgspec.json.encode(status)


def decode_status(message: bytes) -> Status:
    """Return what a heartbeat says; raises `WireError`."""
    if not message.startswith(HEARTBEAT):
        raise WireError(f"not a livetrack heartbeat: starts with {message[:_TOPIC_SIZE]!r}")
    try:
        return msgspec.json.decode(message[_TOPIC_SIZE:], type=Status)
    except msgspec.DecodeError as error:
        raise WireError(f"heartbeat cannot be read: {error}") from None


def _decode_header(message: bytes, topic: bytes, header: np.dtype[np.void]) -> dict[str, Any]:
    if not message.startswith(topic):
        raise WireError(f"not a livetrack message: starts with {message[:_TOPIC_SIZE]!r}, expected {topic!r}")
    if len(message) < _TOPIC_SIZE + header.itemsize:
        raise WireError(f"message of {len(message)} bytes is cut short: its header takes {header.itemsize}")
    values = np.frombuffer(message, header, 1, _TOPIC_SIZE)[0].item()
    fields = dict(zip(header.names or (), values, strict=True))
    if fields["version"] != VERSION:
        raise WireError(
            f"the engine speaks version {fields['version']} of the wire format, this client version {VERSION}: "
            "install the same livetrack on both sides"
        )
    if fields["header_size"] < header.itemsize:
        raise WireError(
            f"message says that its header takes {fields['header_size']} bytes, at least {header.itemsize} do"
        )
    return fields


def _row_type(row_size: int) -> np.dtype[np.void]:
    """`ROW`, widened where a later livetrack has added fields behind it."""
    if row_size == ROW.itemsize:
        return ROW
    names = list(ROW.names or ())
    fields: Any = ROW.fields
    return np.dtype(
        {
            "names": names,
            "formats": [fields[name][0] for name in names],
            "offsets": [fields[name][1] for name in names],
            "itemsize": row_size,
        }
    )


def _schema(kind: np.dtype[np.void]) -> list[tuple[str, str, int]]:
    return [(name, field[0].str, field[1]) for name, field in (kind.fields or {}).items()]
