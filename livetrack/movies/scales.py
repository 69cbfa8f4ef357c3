"""Reads frame interval and pixel size from TIFF metadata: ImageJ, OME, Micro-Manager, Zeiss, MetaMorph, tifffile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree

import tifffile

from livetrack.movies import micro_manager
from livetrack.movies.timing import pixel_size_doubts

__all__ = ["SECONDS", "Scales", "tiff_scales", "unit"]

SECONDS = {
    "ns": 1e-9, "us": 1e-6, "usec": 1e-6, "ms": 1e-3, "msec": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "min": 60.0, "h": 3600.0,
}  # fmt: skip
"""Factors of units of time."""
_UM = {"nm": 1e-3, "um": 1.0, "micron": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_RECORDED_SIZE = re.compile(r'^\{"frame_index":.*"pixel_size_um":([0-9.eE+-]+)')  # of livetrack


class Scales(NamedTuple):
    """What a file states for all of its frames."""

    interval_s: float | None = None
    """Time between frames."""
    pixel_size_um: float | None = None
    notes: tuple[str, ...] = ()
    """What may not be meant so."""


def tiff_scales(tif: tifffile.TiffFile) -> Scales:
    """Return frame interval and pixel size, each None if the file does not contain it."""
    scales = _stated(tif)
    return scales._replace(notes=(*scales.notes, *pixel_size_doubts(scales.pixel_size_um)))


def unit(units: Mapping[str, float], name: str) -> float:
    """Return the factor of a unit, 0 for one of another kind, such as "pixel"."""
    ascii_name = name.strip().replace("\\u00B5", "u").replace("µ", "u").replace("μ", "u")
    return units.get(ascii_name, 0.0)


def _stated(tif: tifffile.TiffFile) -> Scales:
    if tif.ome_metadata:
        return _ome(tif.ome_metadata)
    if tif.is_micromanager:
        return _micro_manager(tif)
    if tif.imagej_metadata:
        return _imagej(tif.imagej_metadata, tif.pages[0])
    if tif.is_lsm:
        metadata = tif.lsm_metadata or {}
        interval_s, size_m = (_number(metadata.get(name)) for name in ("TimeIntervall", "VoxelSizeX"))
        return Scales(interval_s or None, size_m * 1e6 or None)
    if tif.is_stk:
        metadata = tif.stk_metadata or {}
        size_um = _number(metadata.get("XCalibration")) * unit(_UM, str(metadata.get("CalibrationUnits", "")))
        return Scales(None, size_um or None)
    if (recorded := _RECORDED_SIZE.search(tif.pages.first.description)) is not None:
        return Scales(None, _number(recorded[1]) or None)
    if tif.shaped_metadata:  # the keywords given to tifffile.imwrite(..., metadata={"fps": 24.0})
        return Scales(_inverse(tif.shaped_metadata[0].get("fps")))
    return Scales()


def _ome(text: str) -> Scales:
    try:
        pixels = ElementTree.fromstring(text).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return Scales()
    attributes: dict[str, str] = {} if pixels is None else dict(pixels.attrib)
    interval_s = _number(attributes.get("TimeIncrement")) * unit(SECONDS, attributes.get("TimeIncrementUnit", "s"))
    size_um = _number(attributes.get("PhysicalSizeX")) * unit(_UM, attributes.get("PhysicalSizeXUnit", "um"))
    return Scales(interval_s or None, size_um or None)


def _micro_manager(tif: tifffile.TiffFile) -> Scales:
    summary = (tif.micromanager_metadata or {}).get("Summary") or {}
    tag = tif.pages.first.tags.get(51123)
    first = tag.value if tag is not None and isinstance(tag.value, dict) else {}
    return Scales(micro_manager.interval_s(summary), micro_manager.pixel_size_um(first, summary))


def _imagej(metadata: dict[str, Any], page: Any) -> Scales:
    interval_s = _number(metadata.get("finterval")) * unit(SECONDS, metadata.get("tunit", "s"))
    shown_s = _inverse(metadata.get("fps"))
    notes: tuple[str, ...] = ()
    if not interval_s and shown_s:
        notes = (
            f"states only how fast ImageJ shows it, {1 / shown_s:.4g} frames/s, which is used; --fps N replaces it",
        )
    tag = page.tags.get("XResolution")
    pixels, units = tag.value if tag else (0, 1)  # a fraction: pixels per unit
    size_um = unit(_UM, metadata.get("unit", "")) * units / pixels if pixels else 0.0
    return Scales(interval_s or shown_s, size_um or None, notes)


def _number(text: Any) -> float:
    """Return a positive number, else 0."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return 0.0
    return number if 0 < number < float("inf") else 0.0


def _inverse(text: Any) -> float | None:
    return 1 / _number(text) if _number(text) else None
