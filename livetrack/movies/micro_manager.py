"""Reads times and pixel sizes from the metadata of Micro-Manager's images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["elapsed_s", "interval_s", "parse", "pixel_size_um"]

_ELAPSED = re.compile(rb'"ElapsedTime-ms"\s*:\s*(?:\{[^{}]*?"PropVal"\s*:\s*)?"?(-?[0-9.eE+]+)')
_PIXEL_SIZE = ("PixelSizeUm", "PixelSize_um")


def elapsed_s(text: bytes) -> float | None:
    """Return the time of an image since the begin of its recording, s, from its metadata; None if they state none."""
    found = _ELAPSED.search(text)  # ten times as fast as parsing all of it, which counts for 100,000 frames
    try:
        return None if found is None else float(found[1]) / 1000
    except ValueError:
        return None


def pixel_size_um(*metadata: Mapping[str, Any]) -> float | None:
    """Return µm per pixel, from the first metadata that state it: of an image, or of the recording."""
    for each in metadata:
        for name in _PIXEL_SIZE:
            size = _positive(each.get(name))
            if size is not None:
                return size
    return None


def interval_s(summary: Mapping[str, Any]) -> float | None:
    """Return the time between frames that was asked for, s; None if none was."""
    milliseconds = _positive(summary.get("Interval_ms"))
    return None if milliseconds is None else milliseconds / 1000


def parse(text: bytes) -> dict[str, Any]:
    """Return metadata; empty if they cannot be read."""
    try:
        metadata = json.loads(text)
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _positive(value: Any) -> float | None:
    if isinstance(value, Mapping):  # of the later versions: with its type
        value = value.get("PropVal", value.get("scalar"))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
