"""File formats of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from livetrack.errors import UsageError
from livetrack.table.columns import as_text, text_schema
from livetrack.table.images import Images
from livetrack.table.layouts import LAYOUTS, select, selected_schema
from livetrack.table.trackmate import TrackMateWriter

__all__ = ["FORMATS", "LAYOUT_NAMES", "TRACKMATE", "BatchWriter", "choose_layout", "open_table"]

TRACKMATE = "trackmate"
"""The layout of `.xml` files."""
LAYOUT_NAMES = (*LAYOUTS, TRACKMATE)


class BatchWriter(Protocol):
    """Writes batches of rows, in order of time. Raises OSError, and LivetrackError for what the format cannot hold."""

    def write_batch(self, batch: Any) -> None:
        """Append a RecordBatch."""
        ...


def _open_csv(file: Any, schema: Any) -> Any:
    file.write((",".join(schema.names) + "\n").encode())  # pyarrow would put the names in quotation marks
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
    return pa.csv.CSVWriter(file, schema, write_options=options)


FORMATS: dict[str, Callable[[Any, Any], Any]] = {
    ".csv": _open_csv,
    ".parquet": pa.parquet.ParquetWriter,
    ".feather": pa.ipc.new_file,
}
"""`open(file, schema)` of a file format, by file name suffix; it returns a context manager with `write_batch`."""


def choose_layout(path: Path, layout: str) -> str:
    """Return the layout of the table `path`: the given one, or if that is empty the usual one of the suffix.

    Raises
    ------
    UsageError
        The suffix is not supported, or not in this layout.
    """
    suffix = path.suffix.lower()
    if suffix not in (*FORMATS, ".xml"):
        raise UsageError(
            f"{path}: unsupported output format {suffix or '(no suffix)'}; use {', '.join(FORMATS)}, or .xml for "
            "TrackMate"
        )
    if layout not in ("", *LAYOUT_NAMES):
        raise UsageError(f"unknown layout {layout!r}; there are {', '.join(LAYOUT_NAMES)}")
    usual = TRACKMATE if suffix == ".xml" else "livetrack"
    if layout and (layout == TRACKMATE) != (usual == TRACKMATE):
        suffixes = ".xml" if layout == TRACKMATE else f"{', '.join(FORMATS)}"
        raise UsageError(f"{path}: a table for {layout} cannot be {suffix}; use {suffixes}")
    return layout or usual


@contextmanager
def open_table(path: Path, suffix: str, layout: str, schema: Any, images: Images) -> Iterator[BatchWriter]:
    """Write a table in the format of `suffix`, whatever the name of the file: yield what takes batches of `schema`.

    The file is complete at the end of the `with` block.
    """
    if layout == TRACKMATE:
        with TrackMateWriter(path, images) as writer:
            yield writer
        return
    is_text = suffix == ".csv"
    written = text_schema(schema) if is_text else schema
    with (
        pa.OSFile(str(path), "wb") as file,
        FORMATS[suffix](file, selected_schema(written, layout)) as writer,
    ):
        yield _Selected(writer, layout, written if is_text else None)


class _Selected:
    """Reduces batches to a layout, and to the digits of a text if `text` is its schema."""

    def __init__(self, writer: BatchWriter, layout: str, text: Any) -> None:
        self._writer, self._layout, self._text = writer, layout, text

    def write_batch(self, batch: Any) -> None:
        """Append a RecordBatch."""
        batch = batch if self._text is None else as_text(batch, self._text)
        self._writer.write_batch(select(batch, self._layout))
