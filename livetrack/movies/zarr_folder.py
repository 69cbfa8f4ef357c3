"""Reads OME-Zarr folders, of versions 2 and 3 of Zarr, and plain arrays, with the package zarr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from livetrack.errors import InputError
from livetrack.movies.arrangement import Axis, Index
from livetrack.movies.container import Container, check_image_size
from livetrack.movies.formats import package
from livetrack.movies.movie import DamagedMovieError, Image
from livetrack.movies.positions import must_choose, numbered
from livetrack.movies.selection import Selection
from livetrack.movies.unnamed_axes import guess_dimensions
from livetrack.movies.zarr_chunks import check_chunk_size, check_chunks
from livetrack.movies.zarr_times import frame_times_s

__all__ = ["opened"]

_KEPT_BYTES = 1 << 28  # of frames that lie in one chunk, which is unpacked as a whole
_MAX_POSITIONS = 1 << 16
_UM = {"angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6}
_S = {"nanosecond": 1e-9, "microsecond": 1e-6, "millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0}


class _Series(NamedTuple):
    """One array of images, and what is stated of it."""

    name: str
    array: Any
    axes: list[dict[str, Any]]
    """Name, type and unit of each dimension; empty if unnamed."""
    scale: list[float]
    """Step along each dimension, in its unit; empty if not stated."""
    attributes: Mapping[str, Any] = MappingProxyType({})
    """Of the group that the array is in."""


@contextmanager
def opened(path: Path, selection: Selection) -> Iterator[Container]:
    """Open one array; the fields of a plate and the images of a group are its positions."""
    zarr: Any = package("zarr", path)
    series = list(_series(zarr, zarr.open(str(path), mode="r"), path.name))
    yield _container(_chosen(path, series, selection.position), bool(selection.axes))


def _series(zarr: Any, node: Any, name: str) -> Iterator[_Series]:
    """Yield the images of a group or an array, each in full resolution."""
    if isinstance(node, zarr.Array):
        named = node.attrs.get("_ARRAY_DIMENSIONS") or getattr(node.metadata, "dimension_names", None) or []
        yield _Series(name, node, [{"name": str(each)} for each in named], [])
        return
    attributes = dict(node.attrs)
    ome: Mapping[str, Any] = attributes.get("ome", attributes)
    if ome.get("multiscales"):
        for place, image in enumerate(ome["multiscales"]):
            yield _of_multiscales(node, image, str(image.get("name") or f"{name} {place}"))
    elif "plate" in ome:
        for well in ome["plate"]["wells"][:_MAX_POSITIONS]:
            group = node[well["path"]]
            inner = dict(group.attrs)
            for field in inner.get("ome", inner)["well"]["images"]:
                yield from _series(zarr, group[field["path"]], f"{well['path']}/{field['path']}")
    else:
        members = [member for member in node.members() if member[0] != "OME"]
        for inner, member in sorted(members, key=lambda each: (len(each[0]), each[0]))[:_MAX_POSITIONS]:
            yield from _series(zarr, member, inner)


def _of_multiscales(node: Any, image: Mapping[str, Any], name: str) -> _Series:
    dataset = image["datasets"][0]
    array = node[dataset["path"]]
    axes = [each if isinstance(each, dict) else {"name": str(each)} for each in image.get("axes", [])]
    if not axes and array.ndim == 5:  # before version 0.3
        axes = [{"name": each} for each in "tczyx"]
    if len(axes) != array.ndim:
        raise DamagedMovieError(f"its metadata name {len(axes)} axes, but its images have {array.ndim}")
    scale = np.ones(array.ndim)
    for step in [*dataset.get("coordinateTransformations", []), *image.get("coordinateTransformations", [])]:
        if step.get("type") == "scale" and len(step.get("scale", [])) == array.ndim:
            scale *= np.array(step["scale"], np.float64)
    return _Series(name, array, axes, scale.tolist(), dict(node.attrs))


def _chosen(path: Path, series: list[_Series], position: int | None) -> _Series:
    if not series:
        raise InputError(f"{path}: contains no image")
    if must_choose(len(series), position):
        names = numbered([each.name for each in series])
        raise InputError(f"{path}: contains {len(series)} images; choose one with --position: {names}")
    return series[position or 0]


def _container(series: _Series, has_names: bool) -> Container:
    array = series.array
    if not series.axes:
        dimensions = guess_dimensions(array.shape)
        places = [place for place, size in enumerate(array.shape) if size != 1]
        axes, notes = dimensions.axes, dimensions.notes
        of_axes = [*places[: len(axes) - dimensions.channels_last], *(places[-1:] if dimensions.channels_last else [])]
    else:
        names = [str(axis.get("name", "")).upper() for axis in series.axes]
        rows = [place for place, name in enumerate(names) if name in ("Y", "X")]
        if len(rows) != 2:
            raise DamagedMovieError(f"its axes are {' '.join(names)}, without rows and columns called y and x")
        of_axes = [place for place in range(array.ndim) if place not in rows]
        axes, notes = tuple(Axis(_axis_name(series.axes[place]), array.shape[place]) for place in of_axes), ()
    of_image = [place for place in range(array.ndim) if place not in of_axes]
    check_chunk_size(array)
    check_image_size([array.shape[place] for place in of_image], array.dtype.itemsize)
    times = frame_times_s(series.attributes, dict(array.attrs), axes)
    return Container(
        axes,
        _images(array, axes, of_axes),
        times_s=(lambda places: [times.get(place) for place in places]) if times else None,
        interval_s=_step(series, "T", _S),
        pixel_size_um=_step(series, "X", _UM),
        notes=() if has_names else notes,
        is_of_position=True,
    )


def _images(array: Any, axes: tuple[Axis, ...], of_axes: list[int]) -> Any:
    """Return a function that reads images; frames that lie in one chunk are read together and kept."""
    frames = next((place for place, axis in zip(of_axes, axes, strict=True) if axis.name == "T"), None)
    chunk = 1 if frames is None else int(array.chunks[frames])
    image_bytes = array.dtype.itemsize * int(np.prod([array.shape[i] for i in range(array.ndim) if i not in of_axes]))
    chunk = max(1, min(chunk, _KEPT_BYTES // max(1, image_bytes)))
    kept: dict[tuple[Any, ...], Any] = {}

    @cache
    def has_all_chunks() -> bool:
        return bool(array.nchunks_initialized >= array.nchunks)

    def present(pixels: Image) -> Image:
        """Return an image that is in the files, of which those that are missing read as the fill value."""
        if (pixels == (array.fill_value or 0)).all() and not has_all_chunks():
            raise DamagedMovieError("the files have no image of it, or only an empty one")
        return pixels

    def image(index: Index) -> Image:
        where: list[Any] = [slice(None) if array.shape[place] != 1 else 0 for place in range(array.ndim)]
        for place, number in zip(of_axes, index, strict=True):
            where[place] = number
        if frames is None or chunk == 1:
            check_chunks(array, where)
            return present(np.asarray(array[tuple(where)]))
        begin, within = where[frames] // chunk * chunk, where[frames] % chunk
        where[frames] = slice(begin, begin + chunk)
        key = tuple(each if isinstance(each, int) else (each.start, each.stop) for each in where)
        if key not in kept:
            kept.clear()
            check_chunks(array, where)
            kept[key] = np.asarray(array[tuple(where)])
        axis = sum(isinstance(each, slice) for each in where[:frames])
        return present(np.array(np.take(kept[key], within, axis=axis)))

    return image


def _axis_name(axis: Mapping[str, Any]) -> str:
    kinds = {"time": "T", "channel": "C"}
    return kinds.get(str(axis.get("type")), str(axis.get("name", "")).upper())


def _step(series: _Series, name: str, units: Mapping[str, float]) -> float | None:
    """Return the step along an axis in s or µm; None if it has no unit of this kind."""
    for axis, step in zip(series.axes, series.scale, strict=False):
        if name in (_axis_name(axis), str(axis.get("name", "")).upper()):
            size = step * units.get(str(axis.get("unit", "")), 0.0)
            return size if 0 < size < float("inf") else None
    return None
