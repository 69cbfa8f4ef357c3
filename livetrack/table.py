"""Trajectories as a table that trackpy, napari and spreadsheets read: `.csv` or `.parquet`.

::

    with TrackTable("out.csv") as table:
        for index, image in enumerate(movie):
            table.append(index, tracker.update(image))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from livetrack.errors import LivetrackError, UsageError, reason
from livetrack.particles import Flag, Rows

__all__ = ["COLUMNS", "TrackTable"]

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
"""The columns in order, with their units; `particle` is the trajectory."""

_WHOLE = ("frame", "particle")
_DECIMALS = 5  # of CSV: a hundredth of the best precision that a camera allows
_BATCH_ROWS = 50_000

_SCHEMA = pa.schema(
    [
        pa.field(name, pa.int64() if name in _WHOLE else pa.float64(), metadata={"unit": unit})
        for name, unit in COLUMNS.items()
    ]
)


class TrackTable:
    """Writes the measured particles of each frame; rows that only coast are left out.

    The table grows as `NAME.partial.ENDING` beside its place and takes its name when the `with` block ends. When
    the block is left by an error or Ctrl-C, what is there stays under the partial name, closed and readable, and
    what had the name before is untouched.

    Parameters
    ----------
    path
        Where the table goes; its ending says the format, `.csv` or `.parquet`.

    Raises
    ------
    UsageError
        The ending is another one, or the folder is missing or cannot be written to.
    LivetrackError
        Later: it cannot be written any further, as when the disk is full.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        ending = self.path.suffix.lower()
        if ending not in _WRITERS:
            raise UsageError(f"{self.path}: a table ends in {' or '.join(_WRITERS)}, not in {ending or 'nothing'!r}")
        if not self.path.parent.is_dir():
            raise UsageError(f"{self.path}: there is no folder {self.path.parent}; make it first")
        if self.path.is_dir():
            raise UsageError(f"{self.path}: that is a folder; name a file")
        self.partial_path = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")
        try:
            self._file = pa.OSFile(str(self.partial_path), "wb")
        except OSError as error:
            raise UsageError(f"{self.partial_path}: cannot be written: {reason(error)}") from None
        with self._report_write_errors():
            self._writer = _WRITERS[ending](self._file)
        self._decimals = _DECIMALS if ending == ".csv" else None
        self._frames: list[int] = []
        self._rows: list[Rows] = []
        self._waiting = 0
        self._written = 0

    def append(self, frame: int, rows: Rows) -> None:
        """Add the particles of one frame; `rows` is copied. Frames come in order."""
        measured = rows[(rows["flags"] & Flag.COASTED) == 0]
        self._frames.append(frame)
        self._rows.append(measured)
        self._waiting += len(measured)
        if self._waiting >= _BATCH_ROWS:
            with self._report_write_errors():
                self._flush()

    def __enter__(self) -> TrackTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        whole = False
        try:
            with self._report_write_errors():
                with self._file, self._writer:
                    self._flush()
                if kind is None:
                    self.partial_path.replace(self.path)
                    whole = True
        finally:
            if not whole and not self._written:
                self.partial_path.unlink()

    def _flush(self) -> None:
        if not self._waiting:
            return
        frames, parts, waiting = self._frames, self._rows, self._waiting
        self._frames, self._rows, self._waiting = [], [], 0  # now: a batch that fails is not tried again at the end
        rows = np.concatenate(parts)
        columns = {
            "frame": np.repeat(frames, [len(part) for part in parts]),
            "particle": rows["id"],
            **{name: self._column(rows[name]) for name in COLUMNS if name not in _WHOLE},
        }
        arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in _SCHEMA]  # NaN: no value
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA))
        self._written += waiting

    @contextmanager
    def _report_write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LivetrackError(f"{self.path}: cannot be written: {reason(error)}") from error

    def _column(self, values: Any) -> Any:
        values = values.astype(np.float64)
        return values if self._decimals is None else values.round(self._decimals)


def _csv_writer(sink: Any) -> Any:
    sink.write((",".join(COLUMNS) + "\n").encode())  # pyarrow's own header comes in quotation marks
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
    return pa.csv.CSVWriter(sink, _SCHEMA, write_options=options)


def _parquet_writer(sink: Any) -> Any:
    return pa.parquet.ParquetWriter(sink, _SCHEMA)


_WRITERS: dict[str, Callable[[Any], Any]] = {".csv": _csv_writer, ".parquet": _parquet_writer}
