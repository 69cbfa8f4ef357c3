"""Reads times and pixel sizes from the metadata of Micro-Manager's images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from livetrack.limits import FileTooLargeError, read_bytes_up_to

__all__ = ["FolderMetadata", "elapsed_s", "interval_s", "parse", "pixel_size_um", "read_folder"]

_ELAPSED = re.compile(rb'"ElapsedTime-ms"\s*:\s*(?:\{[^{}]*?"PropVal"\s*:\s*)?"?(-?[0-9.eE+]+)')
_OF_AN_IMAGE = re.compile(rb'"(?:Metadata-([^"]+)|FrameKey-[0-9-]+)"\s*:')
_FILE_NAME = re.compile(rb'"FileName"\s*:\s*"([^"]+)"')
_PIXEL_SIZES = re.compile(rb'"PixelSize_?[uU]m"\s*:\s*"?([0-9.eE+-]+)')
_INTERVAL = re.compile(rb'"Interval_ms"\s*:\s*"?([0-9.eE+-]+)')
_FOLDER_FILE = "metadata.txt"
_MAX_BYTES = 1 << 29
_PIXEL_SIZE = ("PixelSizeUm", "PixelSize_um")


class FolderMetadata(NamedTuple):
    """What a folder of single images says of them."""

    times_s: dict[str, float]
    """Time of each image, s, by the name of its file."""
    interval_s: float | None
    """Time between frames that was asked for."""
    pixel_size_um: float | None


def read_folder(folder: Path) -> FolderMetadata | None:
    """Return what metadata.txt says; None if there is none that can be read.

    It is searched, not parsed: that is fast, and it works where a recording was stopped in the middle.
    """
    try:
        text = read_bytes_up_to(folder / _FOLDER_FILE, _MAX_BYTES)
    except (OSError, FileTooLargeError):
        return None
    times: dict[str, float] = {}
    found = list(_OF_AN_IMAGE.finditer(text))
    for place, match in enumerate(found):
        until = found[place + 1].start() if place + 1 < len(found) else len(text)
        part = text[match.end() : until]
        named = _FILE_NAME.search(part)
        name, time_s = match[1] or (named[1] if named else b""), elapsed_s(part)
        if name and time_s is not None:
            times[name.decode(errors="replace").replace("\\", "/").rpartition("/")[2]] = time_s
    interval_ms = _positive(_first(_INTERVAL, text))
    return FolderMetadata(times, interval_ms / 1000 if interval_ms else None, _positive(_first(_PIXEL_SIZES, text)))


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


def _first(pattern: re.Pattern[bytes], text: bytes) -> str | None:
    """Return the first number that is not 0; None if there is none."""
    return next((match[1].decode() for match in pattern.finditer(text) if _positive(match[1].decode())), None)


def _positive(value: Any) -> float | None:
    if isinstance(value, Mapping):  # of the later versions: with its type
        value = value.get("PropVal", value.get("scalar"))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
