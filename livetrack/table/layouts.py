"""Layouts: the columns that other programs expect, under the names that they have there."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

__all__ = ["LAYOUTS", "select", "selected_schema"]

LAYOUTS: dict[str, dict[str, str] | None] = {
    "livetrack": None,
    "trackpy": {
        "y": "y",
        "x": "x",
        "signal": "intensity",
        "ep_y": "y_std",
        "ep_x": "x_std",
        "frame": "frame",
        "particle": "particle",
    },
    "napari": {"track_id": "particle", "t": "frame", "y": "y", "x": "x"},
}
"""Column names of a layout, each with that of livetrack's own; None for all of these.

`trackpy`: what `trackpy.locate` and `trackpy.link` return, except for mass, size and eccentricity, which a refinement
by profile does not have. `napari`: the array of a tracks layer.
"""


def selected_schema(whole: Any, layout: str) -> Any:
    """Return the schema that `select` gives tables of the schema `whole`."""
    names = LAYOUTS[layout]
    if names is None:
        return whole
    return pa.schema([whole.field(source).with_name(name) for name, source in names.items()])


def select(batch: Any, layout: str) -> Any:
    """Return the columns of a layout."""
    names = LAYOUTS[layout]
    if names is None:
        return batch
    arrays = [batch.column(source) for source in names.values()]
    return pa.RecordBatch.from_arrays(arrays, schema=selected_schema(batch.schema, layout))
