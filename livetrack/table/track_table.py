"""The table of a movie, written while it is tracked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from livetrack.errors import LivetrackError, UsageError, reason
from livetrack.particles import Flag, Rows
from livetrack.table.columns import COLUMNS, as_column, schema
from livetrack.table.files import choose_layout, open_table
from livetrack.table.images import Images
from livetrack.whole_file import rename_whole

__all__ = ["TrackTable"]

_BATCH_ROWS = 50_000
_SCHEMA = schema(COLUMNS)
_MEASURED = ("y", "x", "y_std", "x_std", "intensity", "score", "angle")


class TrackTable:
    """Writes the localisations of each frame; coasted rows, which are predictions, are left out.

    While it grows, the table is `NAME.partial.SUFFIX` in the same folder; it gets its name at the end of the `with`
    block. If an error or Ctrl-C ends the block, the rows so far stay under the partial name, in a readable file, and
    an earlier file of the final name is not touched.

    Parameters
    ----------
    path
        File to write; its suffix selects the format: `.csv`, `.parquet`, `.feather`, or `.xml` for TrackMate.
    images
        The images that the positions belong to: with their pixel size, the table has positions in µm.
    layout
        `"livetrack"`, `"napari"`, `"trackpy"` or `"trackmate"`; empty for that of the suffix.

    Raises
    ------
    UsageError
        The suffix is not supported, or not in this layout, or the folder is missing or not writable.
    LivetrackError
        Later: writing fails, for example because the disk is full.
    """

    def __init__(self, path: str | Path, images: Images | None = None, layout: str = "") -> None:
        images = Images() if images is None else images
        self.path = Path(path)
        self.layout = choose_layout(self.path, layout)
        if not self.path.parent.is_dir():
            raise UsageError(f"{self.path}: there is no folder {self.path.parent}; create it first")
        if self.path.is_dir():
            raise UsageError(f"{self.path}: this is a folder; name a file")
        self.partial_path = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")
        self._images = images
        self._frames: list[tuple[int, float, float]] = []  # number, time, pixel size
        self._rows: list[Rows] = []
        self._pending = 0  # rows
        self._written = 0
        self._open = ExitStack()
        try:
            table = open_table(self.partial_path, self.path.suffix.lower(), self.layout, _SCHEMA, images)
            self._writer = self._open.enter_context(table)
        except OSError as error:
            raise UsageError(f"{self.partial_path}: cannot be written: {reason(error)}") from None

    def append(self, frame: int, rows: Rows, t_s: float | None = None, um_per_px: float | None = None) -> None:
        """Add the rows of one frame, taken at `t_s`; `rows` is copied. Frames must come in order.

        `um_per_px` is the pixel size where it changes from frame to frame; None for that of the images.
        """
        measured = rows[(rows["flags"] & Flag.COASTED) == 0]
        um_per_px = um_per_px or self._images.pixel_size_um
        self._frames.append((frame, math.nan if t_s is None else t_s, math.nan if um_per_px is None else um_per_px))
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
                with self._open:
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
        self._writer.write_batch(self._batch(frames, parts))
        self._written += pending

    def _batch(self, frames: list[tuple[int, float, float]], parts: list[Rows]) -> Any:
        rows, counts = np.concatenate(parts), [len(part) for part in parts]
        columns: dict[str, Any] = {name: rows[name].astype(np.float64) for name in _MEASURED}
        numbers, times_s, um_per_px = (np.repeat(values, counts) for values in zip(*frames, strict=True))
        columns |= {"frame": numbers, "t_s": times_s, "particle": rows["id"]}
        for axis, first in zip("xy", self._images.origin, strict=True):
            columns[axis] += first
            columns[f"{axis}_um"] = columns[axis] * um_per_px
        arrays = [as_column(columns[field.name], field.type) for field in _SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)

    @contextmanager
    def _report_write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LivetrackError(f"{self.path}: cannot be written: {reason(error)}") from error
        except LivetrackError as error:
            raise LivetrackError(f"{self.path}: cannot be written: {error}") from error
