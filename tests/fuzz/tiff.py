"""TIFF stacks, as `open_movie` reads them."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from livetrack.movies import Movie, open_movie

from .changes import change_bytes
from .target import Input

__all__ = ["TiffTarget", "collected_log_lines"]

_MOST_FRAMES = 500


class TiffTarget:
    """Movies of 6 frames of many kinds: whole, or a line says what is missing."""

    watched = ("livetrack/movies/", "tifffile/tifffile.py")

    def inputs(self, folder: Path) -> list[Input]:
        """Return stacks of every kind, with the places of the numbers in their directories."""
        source = folder / "whole"
        source.mkdir()
        stack = np.random.default_rng(0).integers(90, 160, (6, 24, 32)).astype(np.uint16)
        colours = np.stack([stack.astype(np.uint8)] * 3, -1)
        um = {"unit": "um", "finterval": 0.1}
        kinds: dict[str, tuple[Any, dict[str, Any]]] = {
            "shaped.tif": (stack, {}),
            "imagej.tif": (stack, {"imagej": True, "metadata": {"axes": "TYX", **um}, "resolution": (10, 10)}),
            "ome.ome.tif": (stack, {"metadata": {"axes": "TYX", "TimeIncrement": 0.1, "PhysicalSizeX": 0.1}}),
            "big.tif": (stack, {"bigtiff": True}),
            "zlib.tif": (stack, {"compression": "zlib", "predictor": True}),
            "tiled.tif": (stack, {"tile": (16, 16)}),
            "colours.tif": (colours, {"photometric": "rgb"}),
            "planes.tif": (np.moveaxis(colours, -1, 1), {"photometric": "rgb", "planarconfig": "separate"}),
            "bigendian.tif": (stack, {"byteorder": ">"}),
            "one.tif": (stack, {"truncate": True}),
            "float.tif": (stack.astype(np.float32), {}),
            "mask.tif": (stack > 120, {}),
            "few.tif": (stack[:3], {"photometric": "rgb", "planarconfig": "separate", "metadata": {"axes": "TYX"}}),
        }
        for name, (data, options) in kinds.items():
            tifffile.imwrite(source / name, data, **options)
        for name, options in {"pages.tif": {}, "bigpages.tif": {"bigtiff": True}}.items():
            with tifffile.TiffWriter(source / name, **options) as writer:
                for image in stack:
                    writer.write(image, contiguous=False, metadata=None)
        with tifffile.TiffWriter(source / "loop.tif") as writer:
            for image in stack:
                writer.write(image)
        self._frames = {path.name: len(list(open_movie(path))) for path in source.iterdir()}
        inputs = [_with_places(path) for path in sorted(source.iterdir())]
        self._whole = {one.data for one in inputs}
        self._one_change = False
        return inputs

    def change(self, one: Input, rng: random.Random) -> bytes:
        """Change mostly the directories."""
        count = rng.choice((1, 1, 1, 2, 3, 6))
        self._one_change = count == 1 and one.data in self._whole
        return change_bytes(one.data, rng, one.places, one.order, count)

    def read(self, folder: Path, name: str) -> str:
        """Read all frames; fewer than there were need a word, unless several changes have hidden what there was."""
        with collected_log_lines() as lines:
            movie: Movie = open_movie(folder / name)
            frames = sum(1 for _ in islice(movie, _MOST_FRAMES))
        if movie.problem or movie.notes or lines:
            assert "\n" not in (movie.problem or ""), movie.problem
            return "read with a word"
        assert frames >= self._frames[name] or not self._one_change, (
            f"short: {frames} frames of {self._frames[name]} without a word"
        )
        return "read"


@contextmanager
def collected_log_lines() -> Iterator[list[str]]:
    """Collect what is logged about a movie, and show none of it; there must be nothing of tifffile's."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert record.name.startswith("livetrack."), record.getMessage()
            lines.append(record.getMessage())

    logs = [logging.getLogger("livetrack.movies"), logging.getLogger("tifffile")]
    handler = Handler()
    before = [(log.propagate, log.handlers[:]) for log in logs]
    for log in logs:
        log.propagate, log.handlers = False, [handler]
    try:
        yield lines
    finally:
        for log, (propagate, handlers) in zip(logs, before, strict=True):
            log.propagate, log.handlers = propagate, handlers


def _with_places(path: Path) -> Input:
    places, order = [], "<"
    with tifffile.TiffFile(path) as file:
        order = file.byteorder
        for number in range(len(file.pages)):
            page: Any = file.pages.get(number)
            places += [tag.offset for tag in page.tags]
            places += 2 * [page.offset + file.tiff.tagnosize + len(page.tags) * file.tiff.tagsize]  # the next directory
    return Input(path.name, path.read_bytes(), tuple(places), order)
