"""Reads when the frames of a TIFF file were taken: OME, Micro-Manager, LSM, STK, and recordings of livetrack."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from livetrack.movies import micro_manager
from livetrack.movies.arrangement import Arrangement, Index
from livetrack.movies.assembly import ABSENT, image_numbers
from livetrack.movies.scales import SECONDS, unit
from livetrack.movies.tiff_directories import read_directory
from livetrack.movies.tiff_layout import Layout

__all__ = ["tiff_times_s"]

_MICRO_MANAGER, _DESCRIPTION = 51123, 270  # tags
_RECORDED = re.compile(rb'^\{"frame_index":.*?"t_s":(-?[0-9.eE+-]+)')
_MAX_METADATA_BYTES = 1 << 20  # of one image


def tiff_times_s(tif: tifffile.TiffFile, layout: Layout, arrangement: Arrangement) -> list[float | None] | None:
    """Return when the frames were taken, s, from any origin; None where it is unknown, or for all."""
    times = _of_ome(tif, layout, arrangement) if tif.is_ome else None
    if times is None and layout.pages is not None and (tag := _tag_of_times(tif)):
        numbers = image_numbers(layout.order, arrangement)[:, 0].tolist()
        times = [None if number == ABSENT else _of_page(layout.pages[number], tag) for number in numbers]
    if times is None and (tif.is_lsm or tif.is_stk):
        times = _of_file(tif, layout, arrangement)
    return times


def _of_ome(tif: tifffile.TiffFile, layout: Layout, arrangement: Arrangement) -> list[float | None] | None:
    """Return the times of planes in OME-XML, which has them for each position, time, channel and depth."""
    try:
        root = ElementTree.fromstring(tif.ome_metadata or "")
    except ElementTree.ParseError:
        return None
    images = root.findall("{*}Image")
    names = [axis.name for axis in layout.axes]
    if "P" not in names and len(images) not in (1, len(tif.series)):
        return None
    of_all = layout.series if len(images) > 1 else 0
    times: dict[tuple[int, ...], float] = {}
    for number, image in enumerate(images):
        for plane in image.iterfind("{*}Pixels/{*}Plane"):
            attributes = plane.attrib
            try:
                seconds = float(attributes["DeltaT"]) * unit(SECONDS, attributes.get("DeltaTUnit", "s"))
                place = tuple(int(attributes.get(f"The{name}", 0)) for name in "TCZ")
            except (KeyError, ValueError):
                continue
            times[number, *place] = seconds
    if not times:
        return None

    def key(place: Index) -> tuple[int, ...]:
        along = dict(zip(names, place, strict=True))
        return (along.get("P", of_all), *(along.get(name, 0) for name in "TCZ"))

    return [times.get(key(place)) for place in arrangement.first_images()]


def _tag_of_times(tif: tifffile.TiffFile) -> int:
    """Return the tag that has the time of each image; 0 if there is none."""
    if _MICRO_MANAGER in tif.pages.first.tags:
        return _MICRO_MANAGER
    return _DESCRIPTION if _RECORDED.search(tif.pages.first.description.encode()) else 0


def _of_page(page: Any, tag: int) -> float | None:
    """Return the time in the metadata that Micro-Manager or a recording of livetrack has of an image."""
    if page is None:
        return None
    handle = page.parent.filehandle
    was_closed = handle.closed
    if was_closed:  # a further file of a recording
        handle.open()
    try:
        directory = read_directory(page.parent, page.offset)
        entry = None if directory is None else directory.entries.get(tag)
        if entry is None:
            return None
        _, size, value = entry
        if size > len(value):
            handle.seek(int.from_bytes(value, "little" if page.parent.byteorder == "<" else "big"))
            value = handle.read(min(size, _MAX_METADATA_BYTES))
        if tag == _MICRO_MANAGER:
            return micro_manager.elapsed_s(value)
        recorded = _RECORDED.search(value)
        return None if recorded is None else float(recorded[1])
    except (OSError, ValueError):
        return None
    finally:
        if was_closed:
            handle.close()


def _of_file(tif: tifffile.TiffFile, layout: Layout, arrangement: Arrangement) -> list[float | None] | None:
    """Return the times that LSM and STK files have in a list."""
    try:
        if tif.is_lsm:
            stamps = np.asarray((tif.lsm_metadata or {})["TimeStamps"], np.float64)
        else:
            created = np.asarray((tif.stk_metadata or {})["DatetimeCreated"], "datetime64[ms]")
            stamps = (created - created[0]) / np.timedelta64(1, "s")
    except (KeyError, ValueError, IndexError, TypeError):
        return None
    along = next((place for place, axis in enumerate(layout.axes) if axis.name == "T"), None)
    numbers = [0 if along is None else place[along] for place in arrangement.first_images()]
    return [float(stamps[number]) if number < len(stamps) else None for number in numbers]
