"""Reads frame rate and pixel size from TIFF metadata of ImageJ, OME and tifffile."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import tifffile

__all__ = ["tiff_scales"]

_UM = {"nm": 1e-3, "um": 1.0, "micron": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_S = {"us": 1e-6, "ms": 1e-3, "msec": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "min": 60.0}


def tiff_scales(tif: tifffile.TiffFile) -> tuple[float | None, float | None]:
    """Return frames per second and µm per pixel, each None if the file does not contain it."""
    if tif.ome_metadata:
        return _ome(tif.ome_metadata)
    if tif.imagej_metadata:
        return _imagej(tif.imagej_metadata, tif.pages[0])
    if tif.shaped_metadata:  # the keywords given to tifffile.imwrite(..., metadata={"fps": 24.0})
        return _number(tif.shaped_metadata[0].get("fps")) or None, None
    return None, None


def _ome(text: str) -> tuple[float | None, float | None]:
    try:
        pixels = ElementTree.fromstring(text).find(".//{*}Pixels")
    except ElementTree.ParseError:
        return None, None
    attributes: dict[str, str] = {} if pixels is None else dict(pixels.attrib)
    interval_s = _number(attributes.get("TimeIncrement")) * _unit(_S, attributes.get("TimeIncrementUnit", "s"))
    size_um = _number(attributes.get("PhysicalSizeX")) * _unit(_UM, attributes.get("PhysicalSizeXUnit", "um"))
    return _rate(interval_s), size_um or None


def _imagej(metadata: dict[str, Any], page: Any) -> tuple[float | None, float | None]:
    interval_s = _number(metadata.get("finterval")) * _unit(_S, metadata.get("tunit", "s"))
    fps = _rate(interval_s) or _number(metadata.get("fps")) or None
    tag = page.tags.get("XResolution")
    pixels, units = tag.value if tag else (0, 1)  # a fraction: pixels per unit
    size_um = _unit(_UM, metadata.get("unit", "")) * units / pixels if pixels else 0.0
    return fps, size_um or None


def _number(text: Any) -> float:
    """Return a positive number, else 0."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return 0.0
    return number if 0 < number < float("inf") else 0.0


def _unit(units: dict[str, float], name: str) -> float:
    """Return the factor of a unit, 0 for one of another kind, such as "pixel"."""
    ascii_name = name.strip().replace("\\u00B5", "u").replace("µ", "u").replace("μ", "u")
    return units.get(ascii_name, 0.0)


def _rate(interval_s: float) -> float | None:
    return 1 / interval_s if interval_s else None
