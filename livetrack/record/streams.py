"""Tables of a recording as Arrow IPC streams, readable up to the last complete batch after a crash."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from livetrack.camera import Frame
from livetrack.particles import ROW
from livetrack.record.append_file import AppendFile
from livetrack.record.arrow_record import END, seal

__all__ = [
    "RECEIVED",
    "ROW_UNITS",
    "TRACKED",
    "TRAJECTORIES",
    "ReceivedFrames",
    "TableStream",
    "as_array",
    "received_row",
]


def _field(name: str, kind: Any, unit: str, nullable: bool = False) -> Any:
    return pa.field(name, kind, nullable, metadata={"unit": unit})


ROW_UNITS = {
    "id": "1",
    "x": "px",
    "y": "px",
    "x_std": "px",
    "y_std": "px",
    "xy_cov": "px^2",
    "intensity": "grey levels",
    "score": "1",
    "angle": "rad",
    "vx": "px/s",
    "vy": "px/s",
    "flags": "bits of livetrack.particles.Flag",
}
"""Unit of each field of a row, in order."""

RECEIVED = pa.schema(
    [
        _field("frame", pa.int64(), "1"),
        _field("camera_number", pa.int64(), "1", nullable=True),
        _field("t_s", pa.float64(), "s"),
        _field("t_received_ns", pa.int64(), "ns, monotonic"),
        _field("t_exposed_ns", pa.int64(), "ns, monotonic", nullable=True),
        _field("geometry", pa.uint32(), "1"),
        _field("width", pa.uint32(), "px"),
        _field("height", pa.uint32(), "px"),
        _field("x_origin", pa.int32(), "sensor px"),
        _field("y_origin", pa.int32(), "sensor px"),
        _field("binning", pa.uint32(), "sensor px per px"),
        _field("pixel_size_um", pa.float64(), "um per px", nullable=True),
        _field("file", pa.string(), "", nullable=True),  # file and page are null for frames without pixels
        _field("page", pa.uint32(), "1", nullable=True),
    ]
)
"""`frames.arrow`: one row per received frame."""

TRACKED = pa.schema(
    [
        _field("frame", pa.int64(), "1"),
        _field("t_s", pa.float64(), "s"),
        _field("particles", pa.uint32(), "rows in trajectories.arrow"),
    ]
)
"""`tracked.arrow`: one row per tracked frame."""

TRAJECTORIES = pa.schema(
    [
        _field("frame", pa.int64(), "1"),
        _field("camera_number", pa.int64(), "1", nullable=True),
        _field("t_s", pa.float64(), "s"),
        _field("t_received_ns", pa.int64(), "ns, monotonic"),
        _field("particle", pa.int64(), ROW_UNITS["id"]),
        *(_field(name, pa.from_numpy_dtype(ROW[name]), unit) for name, unit in ROW_UNITS.items() if name != "id"),
    ]
)
"""`trajectories.arrow`: one row per particle and tracked frame. `particle` is the `id` of the row."""


def as_array(values: Any, kind: Any) -> Any:
    """Return an Arrow array of a type; `pa.array` would load pandas, which takes up to a second of a running session.

    Parameters
    ----------
    values
        NumPy array, with a mask where values are missing, or a sequence of numbers or texts, some of them None.
    """
    valid = None
    if isinstance(values, np.ma.MaskedArray):
        values, valid = values.data, ~np.ma.getmaskarray(values)
    elif not isinstance(values, np.ndarray):
        if None in values:
            valid = np.array([value is not None for value in values])
        if pa.types.is_string(kind):
            texts = [(value or "").encode() for value in values]
            content = [np.cumsum([0, *map(len, texts)], dtype=np.int32), b"".join(texts)]
        else:
            values = np.array([0 if value is None else value for value in values])
    if not pa.types.is_string(kind):
        content = [np.ascontiguousarray(values, kind.to_pandas_dtype())]
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bitmap, *map(pa.py_buffer, content)])


class TableStream:
    """Arrow stream on disk. Each batch is passed to the operating system before `write` returns.

    Raises OSError; a batch that cannot be written leaves no part of itself behind, and can be written later.
    """

    def __init__(self, path: Path, schema: Any, metadata: dict[str, str]) -> None:
        self.file = AppendFile(path)
        self.rows = 0
        """Rows written."""
        self._schema = schema.with_metadata(metadata)

    def write(self, columns: Iterable[Any]) -> None:
        """Append a batch: the columns in the order of the schema, as NumPy arrays or sequences."""
        self.start()
        arrays = [as_array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        if len(arrays[0]):
            self.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def append(self, batch: Any) -> None:
        """Append a RecordBatch."""
        self.file.append(*seal(batch.serialize(), self.rows))
        self.rows += batch.num_rows

    def start(self) -> None:
        """Write the schema, if it is not written yet."""
        if not self.file.size:
            self.file.append(*seal(self._schema.serialize(), 0))

    def shorten(self, size: int, rows: int) -> None:
        """Take back the batches beyond these bytes and rows; does not raise."""
        self.file.shorten(size)
        self.rows = rows

    def end(self) -> None:
        """Write the end marker, which readers do without."""
        self.start()
        self.file.append(END)


def received_row(frame: Frame, page: tuple[str, int] | None) -> tuple[Any, ...]:
    """Return the row of `frames.arrow` of a frame; `page` is the file and page of its pixels, None if not written."""
    geometry = frame.geometry
    return (
        frame.index,
        frame.number,
        frame.t_s,
        frame.t_received_ns,
        frame.t_exposed_ns,
        frame.geometry_number,
        geometry.width,
        geometry.height,
        geometry.x_origin,
        geometry.y_origin,
        geometry.binning,
        geometry.pixel_size_um,
        *(page or (None, None)),
    )


class ReceivedFrames:
    """Queued rows of `frames.arrow`; one thread adds while another flushes."""

    def __init__(self) -> None:
        self._queue: deque[Sequence[Any]] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, frame: Frame, page: tuple[str, int] | None) -> None:
        """Add a received frame and the file and page of its pixels, None if they are not written."""
        self._queue.append(received_row(frame, page))

    def flush(self, stream: TableStream) -> None:
        """Write the queued rows. What cannot be written stays queued, and OSError is raised."""
        rows = [self._queue.popleft() for _ in range(len(self._queue))]
        if rows:
            try:
                stream.write(zip(*rows, strict=True))
            except OSError:
                self._queue.extendleft(reversed(rows))
                raise
