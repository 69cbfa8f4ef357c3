"""Reads the times of frames that programs around pymmcore-plus add to OME-Zarr, which itself has only a rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livetrack.movies.arrangement import Axis, Index

__all__ = ["frame_times_s"]


def frame_times_s(group: Mapping[str, Any], array: Mapping[str, Any], axes: tuple[Axis, ...]) -> dict[Index, float]:
    """Return the time of each image, s, by its place along the axes, from the attributes of a group and of its array.

    ome-writers stores them with the group, pymmcore-plus with the array. Empty if there are none.
    """
    times: dict[Index, float] = {}
    written = group.get("ome_writers")
    for frame in _list(written.get("frame_metadata") if isinstance(written, Mapping) else None):
        place, time_s = frame.get("storage_index"), frame.get("delta_t")
        if isinstance(place, list) and len(place) == len(axes) and isinstance(time_s, int | float):
            times[tuple(place)] = float(time_s)
    for frame in _list(array.get("frame_meta")):
        event, time_ms = frame.get("mda_event"), frame.get("runner_time_ms")
        if isinstance(event, Mapping) and isinstance(event.get("index"), Mapping) and isinstance(time_ms, int | float):
            times[tuple(event["index"].get(axis.name.lower(), 0) for axis in axes)] = time_ms / 1000
    return times


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
