"""Positions: topic, `HEADER`, then the rows (`livetrack.particles.ROW`)."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from livetrack.particles import ROW, Rows
from livetrack.wire.common import TOPIC_SIZE, VERSION, WireError, decode_header

__all__ = ["HEADER", "POSITIONS", "PositionsEncoder", "decode_positions"]

POSITIONS = b"lt.pos\0\0"

HEADER = np.dtype(
    [
        ("version", "<u2"),
        ("header_size", "<u2"),  # bytes
        ("row_size", "<u2"),  # bytes
        ("reserved", "<u2"),
        ("session", "<u8"),  # random number, new at each start of an engine
        ("seq", "<u8"),  # number of the message, from 0
        ("frame", "<u8"),  # number of the received frame, from 0
        ("camera_number", "<i8"),  # the camera's own counter; -1: none
        ("t_s", "<f8"),  # time of the frame, s, from which velocities are computed
        # this and the next five: the host's monotonic clock
        ("t_exposed_ns", "<i8"),  # middle of the exposure; -1: unknown
        ("t_received_ns", "<i8"),
        ("t_started_ns", "<i8"),
        ("t_localized_ns", "<i8"),
        ("t_linked_ns", "<i8"),
        ("t_published_ns", "<i8"),
        ("wall_ns", "<i8"),  # when published, since 1970-01-01 UTC
        ("skipped", "<u8"),  # frames received but not tracked so far
        ("lost", "<u8"),  # frames taken by the camera but never received so far
        ("geometry", "<u4"),  # increases with every change of the next six, of the objective and of the orientation
        ("width", "<u4"),  # px
        ("height", "<u4"),  # px
        ("x_origin", "<i4"),  # sensor pixel of the image's first pixel
        ("y_origin", "<i4"),
        ("binning", "<u4"),
        ("pixel_size_um", "<f8"),  # NaN: unknown
        ("row_count", "<u4"),
        ("reserved_2", "<u4"),
        ("target", "<i8"),  # id of the target's track; -1: none, or it has ended
    ]
)

# `struct` fills a header several times faster than a NumPy record
_FORMATS = {"<u2": "H", "<u4": "I", "<i4": "i", "<u8": "Q", "<i8": "q", "<f8": "d"}
_PACK_HEADER = struct.Struct("<" + "".join(_FORMATS[HEADER[name].str] for name in HEADER.names or ())).pack_into
_START = TOPIC_SIZE + HEADER.itemsize


class PositionsEncoder:
    """Encodes positions into one buffer, which is reused for every frame and grows as needed."""

    def __init__(self, session: int) -> None:
        self._seq = 0
        self._fields: dict[str, Any] = dict.fromkeys(HEADER.names or (), 0)
        self._fields.update(version=VERSION, header_size=HEADER.itemsize, row_size=ROW.itemsize, session=session)
        self._make_buffer(256)

    def encode(self, rows: Rows, **fields: Any) -> memoryview:
        """Return the message of `rows`, valid until the next call.

        `fields` are those of `HEADER` that describe the frame; sizes, session, seq and row count are set here.
        """
        if len(rows) > self._capacity:
            self._make_buffer(2 * len(rows))
        self._fields.update(fields, seq=self._seq, row_count=len(rows))
        _PACK_HEADER(self._message, TOPIC_SIZE, *self._fields.values())
        end = _START + rows.nbytes
        # by way of bytes, because NumPy copies padded records field by field
        self._message[_START:end] = rows.tobytes()
        self._seq += 1
        return self._message[:end]

    def _make_buffer(self, capacity: int) -> None:
        buffer = np.zeros(_START + capacity * ROW.itemsize, np.uint8)
        buffer[:TOPIC_SIZE] = np.frombuffer(POSITIONS, np.uint8)
        self._capacity = capacity
        self._message = buffer.data


def decode_positions(message: bytes) -> tuple[dict[str, Any], Rows]:
    """Return the header's fields by name and the rows (a read-only view of `message`).

    Raises
    ------
    WireError
        Not a positions message, truncated, or of another version.
    """
    header = decode_header(message, POSITIONS, HEADER)
    count, row_size, start = header["row_count"], header["row_size"], TOPIC_SIZE + header["header_size"]
    if row_size < ROW.itemsize or len(message) < start + count * row_size:
        raise WireError(f"positions message of {len(message)} bytes is too short for {count} rows of {row_size} bytes")
    return header, np.frombuffer(message, _row_type(row_size), count, start)


def _row_type(row_size: int) -> np.dtype[np.void]:
    """Return `ROW`, padded if a later livetrack has appended fields."""
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
