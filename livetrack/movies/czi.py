"""Reads Zeiss' .czi files with the package pylibCZIrw."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

import numpy as np

from livetrack.movies.arrangement import Axis, Index
from livetrack.movies.container import Container, check_image_size
from livetrack.movies.formats import package
from livetrack.movies.movie import DamagedMovieError, Image
from livetrack.movies.selection import Selection

__all__ = ["opened"]

_OF_AN_IMAGE = "XY"
_BYTES = {"Gray8": 1, "Gray16": 2, "Gray32Float": 4, "Bgr24": 3, "Bgr48": 6, "Bgr96Float": 12}
_MAX_ENTRIES = 1 << 16
_MAX_TIMES = 1 << 24


@contextmanager
def opened(path: Path, selection: Selection) -> Iterator[Container]:
    """Open a file of any number of times, scenes (which are positions), planes and channels."""
    czi: Any = package("pylibCZIrw.czi", path)
    with czi.open_czi(str(path)) as document:
        box = document.total_bounding_box_no_pyramid
        begin = {name: first for name, (first, _) in box.items()}
        scenes = sorted(document.scenes_bounding_rectangle_no_pyramid)
        axes = [Axis(name, size) for name, (_, size) in box.items() if name not in _OF_AN_IMAGE]
        axes.append(Axis("P", max(1, len(scenes))))
        names = [axis.name for axis in axes]
        if not set(document.pixel_types.values()) <= set(_BYTES):
            raise DamagedMovieError(f"its pixels are {', '.join(document.pixel_types.values())}, which are not read")
        present = _present(document, names)
        position = names.index("P")

        def image(index: Index) -> Image:
            plane = {name: begin[name] + place for name, place in zip(names, index, strict=True) if name != "P"}
            scene = scenes[index[position]] if scenes else None
            if (*(plane.get(name, 0) for name in names if name != "P"), scene) not in present:
                raise DamagedMovieError("the file has no image of it")
            rectangle = (
                document.total_bounding_rectangle_no_pyramid
                if scene is None
                else document.scenes_bounding_rectangle_no_pyramid[scene]
            )
            check_image_size((rectangle.h, rectangle.w), max(_BYTES[each] for each in document.pixel_types.values()))
            pixels = np.asarray(document.read(plane=plane, scene=scene))
            return pixels[:, :, ::-1] if pixels.ndim == 3 and pixels.shape[2] == 3 else pixels  # stored as B, G, R

        root = _metadata(document)
        stated, interval_s = _stated_times(root)

        def times_s(indices: Sequence[Index]) -> list[float | None] | None:
            times = _attached_times(path) or stated
            if "T" not in names or len(times) < axes[names.index("T")].size:
                return None
            return [times[index[names.index("T")]] for index in indices]

        yield Container(tuple(axes), image, times_s, interval_s, _pixel_size_um(root))


def _present(document: Any, names: list[str]) -> set[tuple[int | None, ...]]:
    """Return which planes are in the file, with their scene: the package reads others as black, without a word."""
    present: set[tuple[int | None, ...]] = set()
    scenes = document.scenes_bounding_rectangle_no_pyramid

    def add(_: int, block: Any) -> bool:
        place = block.coordinate.to_dict()
        place = {getattr(name, "name", str(name)): value for name, value in place.items()}
        scene = place.get("S") if scenes else None
        present.add((*(place.get(name, 0) for name in names if name != "P"), scene))
        return True

    document.enumerate_subblocks(add)
    return present


def _metadata(document: Any) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(document.raw_metadata)
    except ElementTree.ParseError:
        return ElementTree.Element("ImageDocument")


def _stated_times(root: ElementTree.Element) -> tuple[list[float], float | None]:
    """Return the times of the frames and the interval, s, as the metadata state them: planned, not measured."""
    offsets = root.findtext(".//Image/Dimensions/T/Positions/List/Offsets") or ""
    return [_number(each) for each in offsets.split()], _positive(
        root.findtext(".//Image/Dimensions/T/Positions/Interval/Increment")
    )


def _pixel_size_um(root: ElementTree.Element) -> float | None:
    metres = _positive(root.findtext(".//Scaling/Items/Distance[@Id='X']/Value"))
    return None if metres is None else metres * 1e6


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _positive(text: str | None) -> float | None:
    number = _number(text or "")
    return number if 0 < number < float("inf") else None


def _attached_times(path: Path) -> list[float]:
    """Return the measured times of the frames, s, which the file has as an attachment; empty if it has none.

    Segments begin with an identifier of 16 bytes and two sizes. That of the file refers to the directory of
    attachments, whose entries have 128 bytes each and lie behind 256 bytes.
    """
    with path.open("rb") as file:
        header = _segment(file, 0, b"ZISRAWFILE", 80)
        (directory,) = struct.unpack_from("<q", header, 72) if len(header) == 80 else (0,)
        entries = _segment(file, directory, b"ZISRAWATTDIR", 4) if directory > 0 else b""
        (count,) = struct.unpack("<i", entries) if len(entries) == 4 else (0,)
        if not 0 < count <= _MAX_ENTRIES:
            return []
        file.seek(directory + 32 + 256)
        table = file.read(128 * count)
        for place in range(0, len(table) - 127, 128):
            (position,) = struct.unpack_from("<q", table, place + 12)
            if table[place + 48 : place + 128].rstrip(b"\0") == b"TimeStamps" and position > 0:
                return _times_at(file, position)
    return []


def _times_at(file: BinaryIO, position: int) -> list[float]:
    data = _segment(file, position, b"ZISRAWATTACH", 256 + 8)
    (count,) = struct.unpack_from("<i", data, 256 + 4) if len(data) == 264 else (0,)
    if not 0 < count <= _MAX_TIMES:
        return []
    values = np.frombuffer(file.read(8 * count), "<f8")
    return [float(value) for value in values] if len(values) == count else []


def _segment(file: BinaryIO, position: int, identifier: bytes, size: int) -> bytes:
    """Return the first bytes of a segment's contents; empty if it is not of this kind."""
    file.seek(position)
    head = file.read(32)
    return file.read(size) if head[:16].rstrip(b"\0") == identifier else b""
