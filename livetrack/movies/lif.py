"""Reads Leica's .lif files with the package liffile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from livetrack.errors import InputError
from livetrack.movies.arrangement import Axis, Index
from livetrack.movies.container import Container, check_image_size
from livetrack.movies.formats import package
from livetrack.movies.movie import Image
from livetrack.movies.positions import must_choose, numbered
from livetrack.movies.selection import Selection

__all__ = ["opened"]


@contextmanager
def opened(path: Path, selection: Selection) -> Iterator[Container]:
    """Open one image of a file: those that it contains, of any sizes, are its positions."""
    liffile: Any = package("liffile", path)
    with liffile.LifFile(path) as file:
        images = list(file.images)
        image = _chosen(path, images, selection.position)
        dims = [name for name in image.dims if name != "S"]
        axes = tuple(Axis(_name(name), image.sizes[name]) for name in dims[:-2])
        check_image_size([image.sizes[name] for name in (*dims[-2:], *(["S"] if "S" in image.dims else []))], 1)

        def read(index: Index) -> Image:
            return np.asarray(image.frame(**dict(zip(dims, index, strict=False))))

        def times_s(indices: Sequence[Index]) -> list[float | None] | None:
            stamps = image.timestamps
            shape = tuple(axis.size for axis in axes)
            if stamps is None or len(stamps) != int(np.prod(shape)):
                return _planned(image, dims, indices)
            seconds = stamps.astype("datetime64[ms]").astype(np.int64).reshape(shape) / 1000.0
            return [float(seconds[index]) for index in indices]

        yield Container(axes, read, times_s, None, _pixel_size_um(image, dims), is_of_position=True)


def _chosen(path: Path, images: list[Any], position: int | None) -> Any:
    if not images:
        raise InputError(f"{path}: contains no image")
    if must_choose(len(images), position):
        names = numbered([f"{image.name} ({_size(image)})" for image in images])
        beyond = "" if position is None else f", not {position}"
        raise InputError(
            f"{path}: contains {len(images)} images; choose one with --position 0 to {len(images) - 1}{beyond}: {names}"
        )
    return images[position or 0]


def _size(image: Any) -> str:
    return " x ".join(f"{size} {name}" for name, size in image.sizes.items())


def _name(dimension: str) -> str:
    """Return the name of an axis; λ and Λ are the wavelengths of emission and excitation."""
    return {"λ": "C", "Λ": "C"}.get(dimension, dimension)


def _planned(image: Any, dims: list[str], indices: Sequence[Index]) -> list[float | None] | None:
    """Return the times as the settings of the recording give them; None if it has no axis of times."""
    times = image.coords.get("T")
    if "T" not in dims[:-2] or times is None:
        return None
    return [float(times[index[dims.index("T")]]) for index in indices]


def _pixel_size_um(image: Any, dims: list[str]) -> float | None:
    """Return the distance of neighbouring columns; the package gives their places in m."""
    places = image.coords.get(dims[-1])
    if dims[-1] not in "XYZ" or places is None or len(places) < 2:
        return None
    size_um = abs(float(places[-1] - places[0])) / (len(places) - 1) * 1e6
    return size_um if 0 < size_um < float("inf") else None
