"""The columns of tables, their units, and the digits that they have in text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["COLUMNS", "as_column", "as_text", "schema", "text_schema"]

COLUMNS = {
    "frame": "",
    "particle": "",
    "y": "px",
    "x": "px",
    "y_std": "px",
    "x_std": "px",
    "intensity": "grey levels",
    "score": "1",
    "t_s": "s",
    "x_um": "um",
    "y_um": "um",
    "angle": "rad",
}
"""The columns in order, with their units; `particle` is the id of the track. What is unknown is empty."""

_INTEGERS = {
    "frame": pa.int64(),
    "particle": pa.int64(),
    "camera_number": pa.int64(),
    "t_received_ns": pa.int64(),
    "flags": pa.uint32(),
    "geometry": pa.uint32(),
}
_DECIMALS = {"y": 5, "x": 5, "y_std": 5, "x_std": 5, "score": 5, "t_s": 9, "x_um": 7, "y_um": 7, "angle": 5}
"""Digits after the point in text: for px, a hundredth of the best precision that a camera allows. Others keep all."""
_DOUBLE = ("t_s", "x_um", "y_um")
"""Columns with more digits than single precision has. The others are measured in single precision."""


def schema(units: Mapping[str, str]) -> Any:
    """Return the schema of a table with these columns and units.

    It has double precision throughout: sums over many frames, as in trackpy, need it.
    """
    return pa.schema(
        [pa.field(name, _INTEGERS.get(name, pa.float64()), metadata={"unit": unit}) for name, unit in units.items()]
    )


def text_schema(whole: Any) -> Any:
    """Return the schema of the same table in text, which has the digits that were measured, and no more."""
    single = [field.name for field in whole if field.name not in _INTEGERS and field.name not in _DOUBLE]
    return pa.schema([field.with_type(pa.float32()) if field.name in single else field for field in whole])


def as_text(batch: Any, schema: Any) -> Any:
    """Return a batch of the `text_schema`."""
    arrays = []
    for field in schema:
        column = batch.column(field.name)
        if field.name in _DECIMALS:
            values = column.to_numpy(zero_copy_only=False)
            column = as_column(values.round(_DECIMALS[field.name]), field.type)
        arrays.append(column.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def as_column(values: Any, kind: Any) -> Any:
    """Return NumPy values or an Arrow array as an Arrow array of a type, null where it is NaN."""
    if isinstance(values, np.ndarray) or pa.types.is_floating(values.type):
        values = pa.array(np.asarray(values), from_pandas=True)
    return values.cast(kind)
