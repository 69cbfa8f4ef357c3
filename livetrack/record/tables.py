"""Tables of a recording's tracks for other programs, made of `trajectories.arrow` batch by batch.

`trajectories.csv` and `trajectories.parquet` have the columns of `livetrack track`, and further ones; coasted rows,
which are predictions, are left out as there. `trajectories.xml` is for TrackMate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from livetrack.errors import LivetrackError, reason
from livetrack.particles import Flag
from livetrack.record.scales import Scales
from livetrack.record.stream_reader import read_batches
from livetrack.record.streams import TRAJECTORIES
from livetrack.record.trackmate import MAX_SPOTS, TrackMateWriter
from livetrack.table import COLUMNS, FORMATS
from livetrack.whole_file import replacing

__all__ = ["MAX_BYTES", "TABLE_FILES", "write_final_tables", "write_tables"]

_log = logging.getLogger(__name__)

TABLE_FILES = {
    "parquet": "trajectories.parquet",
    "csv": "trajectories.csv",
    "trackmate": "trajectories.xml",
}
"""The names of the files, by format."""
MAX_BYTES = 1_700_000_000
"""Size of `trajectories.arrow`, 20 million rows, beyond which the tables are made on request only: it takes minutes."""
_QUICK_BYTES = 170_000_000
"""The same for a recording that ends during a session, whose tracking goes on meanwhile."""

_BATCH_ROWS = 50_000
_UNITS = COLUMNS | {
    "t_s": "s",
    "x_um": "um",
    "y_um": "um",
    "xy_cov": "px^2",
    "angle": "rad",
    "vx": "px/s",
    "vy": "px/s",
    "flags": "bits of livetrack.particles.Flag",
    "geometry": "1",
    "camera_number": "1",
    "t_received_ns": "ns, monotonic",
}
_TYPES = {name: pa.int64() for name in ("frame", "particle", "camera_number", "t_received_ns")}
_TYPES |= {name: pa.float64() for name in ("t_s", "x_um", "y_um")}
_TYPES |= {name: pa.uint32() for name in ("flags", "geometry")}
_SCHEMA = pa.schema(
    [pa.field(name, _TYPES.get(name, pa.float64()), metadata={"unit": unit}) for name, unit in _UNITS.items()]
)
"""Double precision throughout: sums over many frames, as of trackpy, need it."""
_TEXT_SCHEMA = pa.schema([pa.field(name, _TYPES.get(name, pa.float32())) for name in _UNITS])
"""The digits that recordings have, and no more."""


def write_tables(
    folder: Path,
    formats: Iterable[str],
    *,
    max_bytes: int | None = None,
    progress: Callable[[str, int], None] = lambda name, rows: None,
) -> list[Path]:
    """Write tables of the recording in `folder`, one after the other; return their paths.

    Each file is written as a whole or not at all; an earlier one stays if that fails, or if `progress` raises. Memory
    does not grow with the size of the recording, except for TrackMate.

    Parameters
    ----------
    formats
        Keys of `TABLE_FILES`.
    max_bytes
        Max size of `trajectories.arrow`.
    progress
        Receives the name of the file and the rows read so far.

    Raises
    ------
    LivetrackError
        Some could not be written, for example because the disk is full, or the recording is too large.
    """
    source = folder / "trajectories.arrow"
    formats = list(dict.fromkeys(formats))
    if not formats or not source.exists():
        return []
    size = source.stat().st_size
    if max_bytes is not None and size > max_bytes:
        raise LivetrackError(f"{source}: {size / 1e6:.0f} MB are made into other tables on request only")
    scales = Scales(folder)
    errors = []
    for name in formats:
        try:
            _write_table(source, name, scales, progress)
        except OSError as error:
            errors.append(f"{folder / TABLE_FILES[name]}: cannot be written: {reason(error)}")
        except LivetrackError as error:
            errors.append(str(error))
    if errors:
        raise LivetrackError("; ".join(errors))
    return [folder / TABLE_FILES[name] for name in formats]


def write_final_tables(
    folder: Path, formats: Sequence[str], *, quick: bool, progress: Callable[[str, int], None]
) -> None:
    """Write the tables at the end of a recording, which is complete without them: log it if they fail, or on Ctrl-C.

    `quick`: of a small recording only.
    """
    cure = f"`livetrack recover {folder} --tables {','.join(formats)}` writes them"
    try:
        write_tables(folder, formats, max_bytes=_QUICK_BYTES if quick else MAX_BYTES, progress=progress)
    except LivetrackError as error:
        _log.warning("%s; %s", error, cure)
    except KeyboardInterrupt:
        _log.warning("stopped before the tables for other programs were written; %s", cure)


def _write_table(source: Path, name: str, scales: Scales, progress: Callable[[str, int], None]) -> None:
    path = source.with_name(TABLE_FILES[name])
    rows = 0
    with replacing(path) as unfinished, _open(name, unfinished, scales) as writer:
        for batch in _merged(read_batches(source, TRAJECTORIES)):
            rows += batch.num_rows
            if name == "trackmate" and rows > MAX_SPOTS:
                raise LivetrackError(f"{path}: not written: TrackMate cannot load more than {MAX_SPOTS} spots")
            writer.write_batch(_measured(batch, scales, _schema(name)))
            progress(path.name, rows)


@contextmanager
def _open(name: str, path: Path, scales: Scales) -> Iterator[Any]:
    """Yield a writer with `write_batch(record_batch)`."""
    if name == "trackmate":
        with TrackMateWriter(path, scales) as writer:
            yield writer
        return
    with pa.OSFile(str(path), "wb") as file, FORMATS[f".{name}"].open(file, _schema(name)) as writer:
        yield writer


def _schema(name: str) -> Any:
    return _TEXT_SCHEMA if name == "csv" else _SCHEMA


def _merged(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches of at least so many rows, but the last: a recording has two each second."""
    waiting: list[Any] = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.num_rows for each in waiting) >= _BATCH_ROWS:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[Any]) -> Any:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _measured(batch: Any, scales: Scales, schema: Any) -> Any:
    """Return a batch of the tables: with positions in µm where the pixel size is known, without predictions."""
    batch = batch.filter(pc.equal(pc.bit_wise_and(batch.column("flags"), int(Flag.COASTED)), 0))
    geometry, um_per_px = scales.of_frames(np.asarray(batch.column("frame")))
    columns: dict[str, Any] = {name: batch.column(name) for name in batch.schema.names}
    columns["particle"] = columns["id"]
    columns["geometry"] = geometry
    for axis in ("x", "y"):
        columns[f"{axis}_um"] = np.round(np.asarray(columns[axis], np.float64) * um_per_px, 7)
    arrays = [_column(columns[field.name]).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _column(values: Any) -> Any:
    """Return a column as an Arrow array, null where it is NaN."""
    is_float = isinstance(values, np.ndarray) or pa.types.is_floating(values.type)
    return pa.array(np.asarray(values), from_pandas=True) if is_float else values
