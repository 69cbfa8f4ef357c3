"""Files of the formats that have a reader of their own, as `open_movie` reads them."""

from __future__ import annotations

import random
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from livetrack.movies import open_movie

from .changes import change_bytes
from .microscope_files import write_cine, write_czi, write_lif, write_nd2
from .target import Input
from .tiff import collected_log_lines

__all__ = ["FormatTarget"]

_BEGIN = tuple(range(0, 120, 2))  # of a file, where most numbers are
_FROM_THE_END = tuple(-place for place in range(8, 600, 8))


class FormatTarget:
    """Short movies of each format; of .nd2 and .lif where their packages are installed."""

    watched = ("livetrack/movies/", "/nd2/", "/liffile/")

    def inputs(self, folder: Path) -> list[Input]:
        """Return a movie of six frames of each format."""
        stack = np.random.default_rng(0).integers(90, 160, (6, 24, 32)).astype(np.uint16)
        np.save(folder / "movie.npy", stack)
        np.savez(folder / "movie.npz", movie=stack)
        first, *rest = (Image.fromarray(image.astype(np.uint8)).convert("RGB") for image in stack)
        first.save(folder / "movie.webp", save_all=True, append_images=rest, duration=40, lossless=True)
        write_cine(folder / "movie.cine", stack.astype(np.uint8), 500, [number / 500 for number in range(6)])
        write_czi(folder / "movie.czi", stack)
        if find_spec("nd2") is not None:
            write_nd2(folder / "movie.nd2", stack[..., None], times_ms=[40.0 * number for number in range(6)])
        if find_spec("liffile") is not None:
            write_lif(folder / "movie.lif", {"movie": stack[:, None]})
        return [_input(file) for file in sorted(folder.iterdir())]

    def change(self, one: Input, rng: random.Random) -> bytes:
        """Change any bytes, mostly those at the beginning and at the end, where lists of images are."""
        return change_bytes(one.data, rng, one.places, one.order)

    def read(self, folder: Path, name: str) -> str:
        """Read all frames."""
        with collected_log_lines():
            movie = open_movie(folder / name)
            frames = sum(1 for _ in islice(movie, 500))
        assert frames or movie.problem
        assert all("\n" not in note for note in movie.notes)
        return "read with a word" if movie.problem or movie.notes else "read"


def _input(file: Path) -> Input:
    data = file.read_bytes()
    places = (*_BEGIN, *(len(data) + place for place in _FROM_THE_END if len(data) + place > 0))
    return Input(file.name, data, places)
