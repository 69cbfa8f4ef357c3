"""Axes of the images in a TIFF file, as its metadata declare them."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from livetrack.movies.arrangement import Axis
from livetrack.movies.assembly import ABSENT, Numbers
from livetrack.movies.tiff_planes import MAX_IMAGES

__all__ = ["are_samples_images", "colour_note", "declared_images", "declared_shape", "named_axes", "order_of_all"]

_UNNAMED = "IQ"  # what tifffile calls an axis of which nothing is known
_POSITIONS = "PRM"  # positions, regions, tiles of a mosaic
_IMAGEJ_SIZES = {"T": "frames", "Z": "slices", "C": "channels"}
_IMAGEJ_ORDERS = {"czt": "TZC", "ctz": "ZTC", "zct": "TCZ", "ztc": "CTZ", "tcz": "ZCT", "tzc": "CZT"}


def named_axes(names: str, shape: tuple[int, ...]) -> tuple[Axis, ...]:
    """Return axes from tifffile's letters: one of which nothing is known is that of the frames, if no other is."""
    unnamed = [axis for axis, name in enumerate(names) if name in _UNNAMED and shape[axis] > 1]
    frames = [axis for axis, name in enumerate(names) if name == "T" and shape[axis] > 1]
    letters = ["P" if name in _POSITIONS else name for name in names]
    if len(unnamed) == 1 and not frames:
        letters[unnamed[0]] = "T"
    return tuple(map(Axis, letters, shape))


def order_of_all(tif: tifffile.TiffFile, begin: int, end: int) -> tuple[tuple[Axis, ...], Numbers]:
    """Return axes and numbers of the images from `begin` to `end`, of a file whose images were listed otherwise.

    The axes are those that the metadata declare; images that they declare beyond `end` are absent.
    """
    images = end - begin
    try:
        axes = _declared_axes(tif)
    except Exception:  # noqa: BLE001 - anything may be written there
        axes = ()
    inner, declared = math.prod(axis.size for axis in axes[1:]), math.prod(axis.size for axis in axes)
    if axes and declared < images and axes[0].name == "T" and not images % inner:
        axes = (axes[0]._replace(size=images // inner), *axes[1:])
    elif not axes or declared < images or declared > MAX_IMAGES:
        return (Axis("T", images),), np.arange(begin, end, dtype=np.int64)
    numbers = np.arange(math.prod(axis.size for axis in axes), dtype=np.int64)
    numbers = np.where(numbers < images, numbers + begin, ABSENT)
    return axes, numbers.reshape([axis.size for axis in axes])


def declared_images(tif: tifffile.TiffFile) -> int:
    """Return how many images the first description declares, 0 if none or if it cannot be read."""
    first: Any = tif.pages[0]
    try:
        if tif.is_imagej:
            return int((tif.imagej_metadata or {}).get("images", 0))
        if tif.is_shaped:
            return math.prod(declared_shape(first)) // int(math.prod(first.shape))
    except Exception:  # noqa: BLE001 - likewise
        return 0
    return 0


def declared_shape(page: Any) -> tuple[int, ...]:
    """Return the shape of the movie in the description that tifffile writes. Raises if there is none."""
    return tuple(map(int, tifffile.tifffile.shaped_description_metadata(page.shaped_description)["shape"]))


def colour_note(axes: tuple[Axis, ...], samples: int) -> str:
    """Return what the planes of an image are taken for, and how to read them as images of their own."""
    along = [axis for axis in axes if axis.size > 1]
    images = "its" if not along else "in each of its images,"
    return f"{images} {samples} planes are read as colours; if they are frames: --axes {'T' * (len(along) + 1)}"


def are_samples_images(page: Any, axes: tuple[Axis, ...], letters: str) -> bool:
    """Return whether the samples of an image, one behind the other, are images of their own.

    That is so if the selected letters name an axis more than there are, or the metadata name none of samples.
    """
    if page.axes != "SYX":
        return False
    if letters:
        return len(letters) == 1 + sum(axis.size > 1 for axis in axes)
    try:
        metadata = tifffile.tifffile.shaped_description_metadata(page.shaped_description)
    except Exception:  # noqa: BLE001 - there is none, or anything may be written there
        return False
    return "axes" in metadata and "S" not in metadata["axes"]


def _declared_axes(tif: tifffile.TiffFile) -> tuple[Axis, ...]:
    """Return the axes in the metadata, without those of the images; () if there are none. Raises anything."""
    if tif.is_imagej:
        metadata = tif.imagej_metadata or {}
        sizes = {letter: int(metadata.get(name, 1)) for letter, name in _IMAGEJ_SIZES.items()}
        if sizes["T"] == sizes["Z"] == 1:
            sizes["T"] = max(1, int(metadata.get("images", 1)) // sizes["C"])
        names = _IMAGEJ_ORDERS.get(str(metadata.get("order", "czt")), "TZC")
        return tuple(Axis(name, sizes[name]) for name in names)
    if tif.is_ome:
        pixels = ElementTree.fromstring(tif.ome_metadata or "").find(".//{*}Pixels")
        assert pixels is not None
        samples = int(getattr(pixels.find("{*}Channel"), "attrib", {}).get("SamplesPerPixel", 1))
        names = pixels.attrib["DimensionOrder"][:1:-1]
        sizes = {name: int(pixels.attrib[f"Size{name}"]) for name in names}
        sizes["C"] //= samples
        return tuple(Axis(name, sizes[name]) for name in names)
    if tif.is_shaped:
        metadata = tifffile.tifffile.shaped_description_metadata(tif.pages.first.shaped_description or "")
        shape, names = tuple(map(int, metadata["shape"])), str(metadata.get("axes", ""))
        of_images = tif.pages.first.axes
        if len(names) == len(shape) and names.rstrip("S").endswith(of_images.rstrip("S")):
            outer = len(names.rstrip("S")) - len(of_images.rstrip("S"))
            return named_axes(names[:outer], shape[:outer])
    return ()
