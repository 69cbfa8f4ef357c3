"""Tables of tracks, one row per localisation, for trackpy and spreadsheets: `.csv` or `.parquet`.

    with TrackTable("out.csv") as table:
        for index, image in enumerate(movie):
            table.append(index, tracker.update(image))

A further format is one entry in `FORMATS`. `livetrack.record.tables` writes those of recordings in the same formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from livetrack.errors import LivetrackError, UsageError, reason
from livetrack.particles import Flag, Rows
from livetrack.whole_file import rename_whole

__all__ = ["COLUMNS", "FORMATS", "TrackTable"]

COLUMNS = {
    "frame": "",
    "particle": "",
    "y": "px",
    "x": "px",
    "y_std": "px",
    "x_std": "px",
    "intensity": "grey levels",
    "score": "1",
}
"""The columns in order, with their units; `particle` is the id of the track."""

_INTEGERS = ("frame", "particle")
_BATCH_ROWS = 50_000

_SCHEMA = pa.schema(
    [
        pa.field(name, pa.int64() if name in _INTEGERS else pa.float64(), metadata={"unit": unit})
        for name, unit in COLUMNS.items()
    ]
)


class _Format(NamedTuple):
    """File format: `open(file, schema)` returns a context manager with `write_batch(record_batch)`."""

    open: Callable[[Any, Any], Any]
    decimals: int | None = None
    """Digits after the point; None keeps all."""


def _open_csv(file: Any, schema: Any) -> Any:
    file.write((",".join(schema.names) + "\n").encode())  # pyarrow would put the names in quotation marks
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
    return pa.csv.CSVWriter(file, schema, write_options=options)


FORMATS = {
    ".csv": _Format(_open_csv, decimals=5),  # px: a hundredth of the best precision that a camera allows
    ".parquet": _Format(pa.parquet.ParquetWriter),
}
"""File formats by file name suffix."""


class TrackTable:
    """Writes the localisations of each frame; coasted rows, which are predictions, are left out.

    While it grows, the table is `NAME.partial.SUFFIX` in the same folder; it gets its name at the end of the `with`
    block. If an error or Ctrl-C ends the block, the rows so far stay under the partial name, in a readable file, and
    an earlier file of the final name is not touched.

    Parameters
    ----------
    path
        File to write; its suffix selects the format, `.csv` or `.parquet`.

    Raises
    ------
    UsageError
        The suffix is not supported, or the folder is missing or not writable.
    LivetrackError
        Later: writing fails, for example because the disk is full.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in FORMATS:
            raise UsageError(
                f"{self.path}: unsupported output format {suffix or '(no suffix)'}; use {' or '.join(FORMATS)}"
            )
        if not self.path.parent.is_dir():
            raise UsageError(f"{self.path}: there is no folder {self.path.parent}; create it first")
        if self.path.is_dir():
            raise UsageError(f"{self.path}: this is a folder; name a file")
        self.partial_path = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")
        try:
            self._file = pa.OSFile(str(self.partial_path), "wb")
        except OSError as error:
            raise UsageError(f"{self.partial_path}: cannot be written: {reason(error)}") from None
        with self._report_write_errors():
            self._writer = FORMATS[suffix].open(self._file, _SCHEMA)
        self._decimals = FORMATS[suffix].decimals
        self._frames: list[int] = []
        self._rows: list[Rows] = []
        self._pending = 0  # rows
        self._written = 0

    def append(self, frame: int, rows: Rows) -> None:
        """Add the rows of one frame; `rows` is copied. Frames must come in order."""
        measured = rows[(rows["flags"] & Flag.COASTED) == 0]
        self._frames.append(frame)
        self._rows.append(measured)
        self._pending += len(measured)
        if self._pending >= _BATCH_ROWS:
            with self._report_write_errors():
                self._flush()

    def __enter__(self) -> TrackTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        complete = False
        try:
            with self._report_write_errors():
                with self._file, self._writer:
                    self._flush()
                if kind is None:
                    rename_whole(self.partial_path, self.path)
                    complete = True
        finally:
            if not complete and not self._written:
                with suppress(OSError):  # its folder may be gone
                    self.partial_path.unlink()

    def _flush(self) -> None:
        if not self._pending:
            return
        frames, parts, pending = self._frames, self._rows, self._pending
        self._frames, self._rows, self._pending = [], [], 0  # reset first: a failed batch is not retried at the end
        rows = np.concatenate(parts)
        columns = {
            "frame": np.repeat(frames, [len(part) for part in parts]),
            "particle": rows["id"],
            **{name: self._round(rows[name]) for name in COLUMNS if name not in _INTEGERS},
        }
        arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in _SCHEMA]  # NaN becomes null
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA))
        self._written += pending

    def _round(self, values: Any) -> Any:
        values = values.astype(np.float64)
        return values if self._decimals is None else values.round(self._decimals)

    @contextmanager
    def _report_write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LivetrackError(f"{self.path}: cannot be written: {reason(error)}") from error
