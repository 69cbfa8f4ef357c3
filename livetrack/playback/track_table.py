"""Reads tables of tracks, those of `livetrack track` and of recordings, and others with the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from livetrack.errors import InputError
from livetrack.particles import Rows, empty_rows
from livetrack.playback.track_store import TrackStore
from livetrack.record.stream_reader import read_batches
from livetrack.record.streams import TRAJECTORIES

__all__ = ["TABLE_SUFFIXES", "TrackTableFile", "open_track_table"]

_NAMES = {"id": ("particle", "id", "track_id"), "frame": ("frame", "t")}
"""Columns by which the id and the frame go, here, in recordings, in trackpy and in napari."""
_REQUIRED = ("frame", "id", "x", "y")
_OPTIONAL = ("x_std", "y_std", "xy_cov", "intensity", "score", "angle", "vx", "vy", "flags")
_CSV_BLOCK = 1 << 22
_MAX_NUMBER = 1 << 53  # up to which floats are whole
_ARROW_ERRORS = (pa.ArrowException, ValueError, UnicodeDecodeError)


class _Batch(NamedTuple):
    frames: npt.NDArray[np.int64]
    rows: Rows


class TrackTableFile:
    """A table of tracks that can be read."""

    def __init__(self, path: Path, batches: Callable[[], Iterator[Any]]) -> None:
        self.path = path
        self._batches = batches

    def fill(self, store: TrackStore, stop: Callable[[], bool]) -> None:
        """Copy the table to `store`, until `stop()`.

        A table in the order of frames is read batch by batch, another one as a whole.

        Raises
        ------
        InputError
            It is damaged.
        OSError
            The disk is full.
        """
        batches = self._converted() if self._in_order() else self._sorted()
        for number, rows in _by_frame(batches):
            if stop():
                return
            store.append(number, rows)
        store.finish()

    def _in_order(self) -> bool:
        last = -1
        for frames, _ in self._converted():
            if len(frames) and (frames[0] < last or (np.diff(frames) < 0).any()):
                return False
            last = int(frames[-1]) if len(frames) else last
        return True

    def _sorted(self) -> Iterator[_Batch]:
        batches = list(self._converted())
        frames = np.concatenate([batch.frames for batch in batches])
        order = np.argsort(frames, kind="stable")
        yield _Batch(frames[order], np.concatenate([batch.rows for batch in batches])[order])

    def _converted(self) -> Iterator[_Batch]:
        try:
            for batch in self._batches():
                yield _converted(batch, self.path)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {_line(error)}") from error
        except _ARROW_ERRORS as error:
            raise InputError(f"{self.path}: cannot be read as a table: {_line(error)}") from error


def open_track_table(path: Path) -> TrackTableFile:
    """Open a table with the columns frame, particle, x and y.

    Parameters
    ----------
    path
        .csv, .parquet or .feather, as `livetrack track` writes them; or `trajectories.arrow` of a recording.

    Raises
    ------
    InputError
        The file is missing, is no table, or lacks a column.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise InputError(f"{path}: unsupported format of a table of tracks; use {', '.join(TABLE_SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    table = TrackTableFile(path, lambda: _READERS[suffix](path))
    next(table._converted(), None)  # raises if it is of no use
    return table


def _by_frame(batches: Iterator[_Batch]) -> Iterator[tuple[int, Rows]]:
    """Yield the rows of each frame; those of one frame may be in several batches."""
    number, parts = -1, list[Rows]()
    for frames, rows in batches:
        if not len(frames):
            continue
        starts = np.flatnonzero(np.diff(frames, prepend=frames[0] - 1))
        for begin, end in zip(starts, [*starts[1:], len(frames)], strict=True):
            if parts and frames[begin] != number:
                yield number, np.concatenate(parts)
                parts = []
            number = int(frames[begin])
            parts.append(rows[begin:end])
    if parts:
        yield number, np.concatenate(parts)


def _read_csv(path: Path) -> Iterator[Any]:
    options = pa.csv.ReadOptions(block_size=_CSV_BLOCK)
    with pa.csv.open_csv(path, read_options=options) as reader:
        yield from reader


def _read_parquet(path: Path) -> Iterator[Any]:
    with pa.parquet.ParquetFile(path) as file:
        yield from file.iter_batches()


def _read_feather(path: Path) -> Iterator[Any]:
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_file(source) as file:
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            batch.validate(full=True)  # that its columns lie in the file
            yield batch


_READERS: dict[str, Callable[[Path], Iterator[Any]]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".feather": _read_feather,
    ".arrow": lambda path: read_batches(path, TRAJECTORIES),
}
TABLE_SUFFIXES = tuple(_READERS)


def _converted(batch: Any, path: Path) -> _Batch:
    columns = {}
    for name in (*_REQUIRED, *_OPTIONAL):
        known = [each for each in _NAMES.get(name, (name,)) if each in batch.schema.names]
        if known:
            columns[name] = batch.column(known[0])
    if missing := [_NAMES.get(name, (name,))[0] for name in _REQUIRED if name not in columns]:
        plural = "s" if len(missing) > 1 else ""
        raise InputError(f"{path}: not a table of tracks: it has no column{plural} {', '.join(missing)}")
    rows = empty_rows(batch.num_rows)
    for name, column in columns.items():
        if name != "frame":
            with np.errstate(over="ignore"):  # to float32: not drawn
                rows[name] = _numbers(column, name, path)
    return _Batch(_numbers(columns["frame"], "frame", path).astype(np.int64), rows)


def _numbers(column: Any, name: str, path: Path) -> npt.NDArray[Any]:
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise InputError(f"{path}: column {name} contains {kind}, not numbers")
    if column.null_count:
        if name in ("frame", "id"):
            raise InputError(f"{path}: column {name} has empty fields")
        column = column.cast(pa.float64())
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    if name in ("frame", "id") and not (np.abs(values.astype(np.float64)) < _MAX_NUMBER).all():
        raise InputError(f"{path}: column {name} contains values that are no whole numbers")
    return values


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
