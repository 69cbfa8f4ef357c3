"""The layout of messages; no other room knows it. `docs/wire.md` tells it byte by byte.

Every message that is published is one part (so that subscribers may conflate) and starts with an 8-byte topic:

- `POSITIONS`: topic, `HEADER`, then the rows (`livetrack.particles.ROW`);
- `PREVIEW`, a picture for windows: topic, `PREVIEW_HEADER`, then the pixels, row by row; `FULL_PREVIEW`, the same
  with every pixel as the camera delivered it;
- `HEARTBEAT`, the state of the engine about once a second: topic, then `Status` as JSON;
- `EVENT`, what happens: topic, then `EventMessage` as JSON.

Commands are requests and replies on a socket of their own: `livetrack.wire.commands` is what can be asked,
`livetrack.wire.exchange` how it travels.

All numbers are little-endian and lie on their natural boundaries. Headers say their own size and that of a
row, so that fields can be added behind the last one without a new version: a reader skips what it does not know.
"""

from livetrack.wire.common import VERSION, WireError
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
    "WireError",
    "decode_event",
    "decode_positions",
    "decode_preview",
    "decode_status",
    "encode_event",
    "encode_preview",
    "encode_status",
]
