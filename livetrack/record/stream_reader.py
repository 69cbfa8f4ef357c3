"""Reads the tables of a recording batch by batch, without what is damaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import pyarrow as pa

from livetrack.record.arrow_message import read_batch, read_message, read_schema
from livetrack.record.arrow_record import END, find_sealed, is_sealed, read_sealed
from livetrack.record.damage import Damage, Report, ignore

__all__ = ["FileBytes", "read_batches", "read_stream", "stream_schema"]

_CHUNK = 1 << 20


def read_stream(path: Path, schema: Any, report: Report = ignore) -> Any:
    """Return the table at `path`, without its damaged batches, which are reported; without a file, an empty table."""
    batches = list(read_batches(path, schema, report))
    return pa.Table.from_batches(batches, batches[0].schema if batches else stream_schema(path, schema))


def stream_schema(path: Path, schema: Any) -> Any:
    """Return the schema of the table at `path` with its metadata; `schema` if it cannot be read."""
    try:
        with path.open("rb") as file:
            data = FileBytes(file)
            first = read_sealed(data, 0)
            if first is None and is_sealed(data):
                return schema
            return read_schema(read_message(data, 0) if first is None else first.content, schema)
    except (OSError, pa.ArrowException):
        return schema


def read_batches(path: Path, schema: Any, report: Report = ignore) -> Iterator[Any]:
    """Yield the whole batches of the table at `path` as pyarrow RecordBatches, and report the damaged ones.

    `schema` is that of a file whose beginning is damaged. A stream that was written without checksums is read up to
    the first batch that cannot be; without a file there are no batches.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        data = FileBytes(file)
        if is_sealed(data):
            yield from _read_sealed(path.name, data, stream_schema(path, schema), report)
        elif len(data):
            yield from _read_plain(path.name, data, schema, report)


class FileBytes:
    """The bytes of an open file, as far as `read_sealed` and `find_sealed` use those of a `bytes` object."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._start, self._chunk = 0, b""  # read last

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        if stop - start > _CHUNK:
            return self._read(start, stop - start)
        self._load(start, stop)
        return self._chunk[start - self._start : max(start, stop) - self._start]

    def find(self, pattern: bytes, start: int) -> int:
        """As `bytes.find`."""
        while start + len(pattern) <= self._size:
            self._load(start, start + len(pattern))
            at = self._chunk.find(pattern, start - self._start)
            if at >= 0:
                return self._start + at
            if len(self._chunk) < len(pattern):
                break  # the file has become shorter
            start = self._start + len(self._chunk) - len(pattern) + 1
        return -1

    def _load(self, start: int, stop: int) -> None:
        if not self._start <= start <= stop <= self._start + len(self._chunk):
            self._start, self._chunk = start, self._read(start, _CHUNK)

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        return self._file.read(size)


def _read_sealed(name: str, data: FileBytes, schema: Any, report: Report) -> Iterator[Any]:
    rows = at = 0
    while at < len(data) and data[at : at + len(END)] != END:
        message = read_sealed(data, at) or find_sealed(data, at + 1)
        start, lost = (len(data), None) if message is None else (message.start, message.rows_before - rows)
        if start > at or lost:
            report(Damage(name, at, start - at, lost, "a batch is torn, altered or missing"))
        if message is None:
            return
        if start > 0:  # the first is the schema
            try:
                batch = read_batch(message.content, schema)
            except pa.ArrowException as error:  # a checksum that is right, around something else
                report(Damage(name, start, message.end - start, None, f"a batch cannot be read: {_line(error)}"))
            else:
                rows = message.rows_before + batch.num_rows
                yield batch
        at = message.end


def _read_plain(name: str, data: FileBytes, schema: Any, report: Report) -> Iterator[Any]:
    at = 0
    try:
        message = read_message(data, 0)
        schema = read_schema(message, schema)
        while (at := at + len(message)) < len(data) and data[at : at + len(END)] != END:
            message = read_message(data, at)
            yield read_batch(message, schema)
    except (OSError, pa.ArrowException) as error:  # such as: the process was killed while it wrote the next batch
        what = "a batch is torn or altered"
        report(Damage(name, at, len(data) - at, None, f"{what}: {_line(error)}"))


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
