"""The message formats, documented byte by byte in `docs/wire.md`.

Each published message is a single part, so that subscribers may conflate, and starts with an 8-byte topic:

- `POSITIONS`: topic, `HEADER`, then the rows (`livetrack.particles.ROW`);
- `PREVIEW`, a reduced image for viewers: topic, `PREVIEW_HEADER`, then the pixels row by row; `FULL_PREVIEW`, the same
  at full resolution and bit depth;
- `HEARTBEAT`, the status of the engine, about once per second: topic, then `Status` as JSON;
- `EVENT`: topic, then `EventMessage` as JSON.

Commands are requests and replies on a separate socket: see `livetrack.wire.commands` for the commands and
`livetrack.wire.exchange` for their encoding.

Numbers are little-endian and naturally aligned. Headers contain their own size and that of a row, so that fields can
be appended without a new version: readers skip fields that they do not know.
"""

from livetrack.wire.accounting import accounting_errors
from livetrack.wire.common import VERSION, VersionError, WireError
from livetrack.wire.events import EVENT, EventMessage, decode_event, encode_event
from livetrack.wire.positions import HEADER, POSITIONS, PositionsEncoder, decode_positions
from livetrack.wire.preview import FULL_PREVIEW, PREVIEW, PREVIEW_HEADER, Preview, decode_preview, encode_preview
from livetrack.wire.status import HEARTBEAT, Latency, RecordingStatus, Status, decode_status, encode_status

__all__ = [
    "EVENT",
    "FULL_PREVIEW",
    "HEADER",
    "HEARTBEAT",
    "POSITIONS",
    "PREVIEW",
    "PREVIEW_HEADER",
    "VERSION",
    "EventMessage",
    "Latency",
    "PositionsEncoder",
    "Preview",
    "RecordingStatus",
    "Status",
    "VersionError",
    "WireError",
    "accounting_errors",
    "decode_event",
    "decode_positions",
    "decode_preview",
    "decode_status",
    "encode_event",
    "encode_preview",
    "encode_status",
]
