"""Reads Zeiss' .czi files; compressed pixels with the package imagecodecs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from livetrack.movies.arrangement import Axis, Index
from livetrack.movies.container import Container, check_image_size
from livetrack.movies.czi_blocks import Block, attached_times_s, read_blocks, read_metadata, read_pixels
from livetrack.movies.formats import package
from livetrack.movies.movie import DamagedMovieError, Image
from livetrack.movies.selection import Selection

__all__ = ["opened"]

_MAX_PLACES = 1000  # along the axes for each image, most of them empty
_NOT_OF_A_PLANE = "XYMS"  # columns, rows, tiles of a mosaic, and scenes


@contextmanager
def opened(path: Path, selection: Selection) -> Iterator[Container]:
    """Open a file of any number of times, scenes (which are positions), planes and channels."""
    with path.open("rb") as file:
        found, is_whole = read_blocks(file)
        blocks = [block for block in found if not block.is_reduced]
        if not blocks:
            raise DamagedMovieError("contains no image" if is_whole else "is cut short before its first image")
        imagecodecs: Any = package("imagecodecs", path) if any(block.compression for block in blocks) else None
        names = list(dict.fromkeys(name for block in blocks for name in block.begin if name not in _NOT_OF_A_PLANE))
        begin = {name: min(block.begin.get(name, 0) for block in blocks) for name in names}
        last = {name: max(block.begin.get(name, 0) for block in blocks) for name in names}
        scenes = sorted({block.begin.get("S", 0) for block in blocks})
        planes: dict[Index, list[Block]] = {}
        for block in blocks:
            place = tuple(block.begin.get(name, 0) - begin[name] for name in names)
            planes.setdefault((*place, scenes.index(block.begin.get("S", 0))), []).append(block)
        axes = (*(Axis(name, last[name] - begin[name] + 1) for name in names), Axis("P", len(scenes)))
        if math.prod(axis.size for axis in axes) > _MAX_PLACES * len(blocks):
            raise DamagedMovieError("the list of its images is damaged")
        rectangles = [_rectangle([block for block in blocks if block.begin.get("S", 0) == scene]) for scene in scenes]

        def image(index: Index) -> Image:
            if index not in planes:
                raise DamagedMovieError("the file has no image of it")
            left, top, width, height = rectangles[index[-1]]
            tiles = sorted(planes[index], key=lambda block: block.begin.get("M", 0))
            first = tiles[0]
            check_image_size((height, width, first.samples), first.dtype.itemsize)
            pixels = np.zeros((height, width, first.samples), first.dtype)
            for tile in tiles:
                row, column = tile.begin["Y"] - top, tile.begin["X"] - left
                pixels[row : row + tile.height, column : column + tile.width] = read_pixels(file, tile, imagecodecs)
            return pixels[:, :, ::-1]  # colours are stored as B, G, R

        root = _metadata(read_metadata(file))

        def times_s(indices: Sequence[Index]) -> list[float | None] | None:
            times = attached_times_s(file) or _planned_times_s(root)
            if "T" not in names or len(times) < axes[names.index("T")].size:
                return None
            return [times[index[names.index("T")]] for index in indices]

        interval_s = _positive(root.findtext(".//Image/Dimensions/T/Positions/Interval/Increment"))
        lacking = "" if is_whole else "it is cut short, or was never finished; the images that were found are read"
        yield Container(axes, image, times_s, interval_s, _pixel_size_um(root), lacking=lacking)


def _rectangle(blocks: list[Block]) -> tuple[int, int, int, int]:
    """Return the first column, the first row, and the size of what blocks cover."""
    left, top = (min(block.begin.get(name, 0) for block in blocks) for name in "XY")
    right = max(block.begin.get("X", 0) + block.width for block in blocks)
    bottom = max(block.begin.get("Y", 0) + block.height for block in blocks)
    return left, top, right - left, bottom - top


def _metadata(xml: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError, LookupError):
        return ElementTree.Element("ImageDocument")


def _planned_times_s(root: ElementTree.Element) -> list[float]:
    offsets = root.findtext(".//Image/Dimensions/T/Positions/List/Offsets") or ""
    return [_number(each) for each in offsets.split()]


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
