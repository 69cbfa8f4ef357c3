"""Tables of a recording's tracks for other programs, made of `trajectories.arrow` batch by batch.

They have the columns of `livetrack track`, and further ones; coasted rows, which are predictions, are left out as
there. Files and layouts are those of `livetrack.table`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from livetrack.table.columns import COLUMNS, as_column, schema
from livetrack.table.files import choose_layout, open_table
from livetrack.whole_file import replacing

__all__ = ["MAX_BYTES", "TABLE_FILES", "write_final_tables", "write_tables"]

_log = logging.getLogger(__name__)

TABLE_FILES = {
    "parquet": "trajectories.parquet",
    "csv": "trajectories.csv",
    "feather": "trajectories.feather",
    "trackmate": "trajectories.xml",
    "trackpy": "trajectories_trackpy.csv",
    "napari": "trajectories_napari.csv",
}
"""The names of the files, by format."""
MAX_BYTES = 1_700_000_000
"""Size of `trajectories.arrow`, 20 million rows, beyond which the tables are made on request only: it takes minutes."""
_QUICK_BYTES = 170_000_000
"""The same for a recording that ends during a session, whose tracking goes on meanwhile."""

_BATCH_ROWS = 50_000
_SCHEMA = schema(
    COLUMNS
    | {
        "xy_cov": "px^2",
        "vx": "px/s",
        "vy": "px/s",
        "flags": "bits of livetrack.particles.Flag",
        "geometry": "1",
        "camera_number": "1",
        "t_received_ns": "ns, monotonic",
    }
)


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
    layout = choose_layout(path, name if name in ("napari", "trackpy") else "")
    rows = 0
    with replacing(path) as unfinished, open_table(unfinished, path.suffix, layout, _SCHEMA, scales.images()) as table:
        for batch in _merged(read_batches(source, TRAJECTORIES)):
            rows += batch.num_rows
            try:
                table.write_batch(_measured(batch, scales))
            except LivetrackError as error:
                raise LivetrackError(f"{path}: not written: {error}") from None
            progress(path.name, rows)


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


def _measured(batch: Any, scales: Scales) -> Any:
    """Return a batch of the tables: with positions in µm where the pixel size is known, without predictions."""
    batch = batch.filter(pc.equal(pc.bit_wise_and(batch.column("flags"), int(Flag.COASTED)), 0))
    geometry, um_per_px = scales.of_frames(np.asarray(batch.column("frame")))
    columns: dict[str, Any] = {name: batch.column(name) for name in batch.schema.names}
    columns["geometry"] = geometry
    for axis in ("x", "y"):
        columns[f"{axis}_um"] = np.asarray(columns[axis], np.float64) * um_per_px
    arrays = [as_column(columns[field.name], field.type) for field in _SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)
