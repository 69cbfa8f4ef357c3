"""Layout of TIFF files that say little or nothing reliable of their images: all that are found, in their order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import tifffile

from livetrack.errors import InputError
from livetrack.movies.arrangement import Axis
from livetrack.movies.assembly import ABSENT
from livetrack.movies.movie import DamagedMovieError
from livetrack.movies.selection import Selection
from livetrack.movies.tiff_axes import are_samples_images, colour_note, order_of_all
from livetrack.movies.tiff_directories import all_directories
from livetrack.movies.tiff_layout import Layout, check_sides
from livetrack.movies.tiff_missing import unread
from livetrack.movies.tiff_planes import check_size, planes_in_a_row, planes_of_pages, samples_apart

__all__ = ["layout_of_cut_stack", "layout_of_pages", "layout_of_truncated"]


def layout_of_pages(tif: tifffile.TiffFile, selection: Selection) -> Layout:
    """Return all images of a file that says nothing else of them: those of one kind, from the first on.

    That is the most frequent kind, or the one whose place among the kinds is selected as a position. Images of other
    kinds before or after them are left out; one in between is a lost frame.
    """
    kinds = [directory.layout for directory in all_directories(tif)]
    if not kinds:
        raise DamagedMovieError("it contains no image")
    different = list(dict.fromkeys(kinds))
    if selection.position is not None and selection.position >= len(different):
        raise InputError(f"has images of {len(different)} kinds; choose one with --position 0 to {len(different) - 1}")
    most = Counter(kinds).most_common(1)[0][0] if selection.position is None else different[selection.position]
    begin, end = kinds.index(most), len(kinds) - kinds[::-1].index(most)
    outside = [kind for kind in (*kinds[:begin], *kinds[end:]) if kind != most]  # such as a thumbnail
    notes: tuple[str, ...] = ()
    if outside and selection.position is None:
        notes = (f"contains images of {len(different)} kinds; the most frequent are read: --position N reads others",)
    first: Any = tif.pages.get(begin)
    check_size(end - begin, first.nbytes)
    check_sides(first.axes, first.shape)
    axes, order = order_of_all(tif, begin, end)
    whole = end - begin
    pages: _EachPage | None = _EachPage(tif)
    planes = planes_of_pages(pages, first.axes, first)
    if are_samples_images(first, axes, selection.axes):
        samples, pages = first.shape[0], None
        axes = (*axes, Axis("T", samples))
        order = np.where(order == ABSENT, ABSENT, order * samples)[..., None] + np.arange(samples)
        planes = samples_apart(planes, samples)
    elif first.axes == "SYX" and selection.channel is None:
        notes = (*notes, colour_note(axes, first.shape[0]))
    return Layout(axes, order, planes, lambda: unread(tif, whole), notes=notes, pages=pages)


class _EachPage:
    """Pages of a file, read as if none were like another."""

    def __init__(self, tif: tifffile.TiffFile) -> None:
        self._tif = tif

    def __getitem__(self, index: int) -> Any:
        return self._tif.pages.get(int(index))


def layout_of_truncated(tif: tifffile.TiffFile, broken: int) -> Layout:
    """Return the images of a file whose chain of directories breaks off.

    Many programs write all images contiguously after the first directory, followed by the other directories. Then the
    offset of the second directory gives the number of images.
    """
    first: Any = tif.pages[0]
    images = (broken - first.dataoffsets[0]) // first.nbytes if first.is_contiguous else 0
    check_size(images, first.nbytes)
    in_a_row = len(tif.pages) == 1 and images > 1
    axes, order = order_of_all(tif, 0, images if in_a_row else len(tif.pages))
    planes = planes_in_a_row(tif, first) if in_a_row else planes_of_pages(tif.pages, first.axes, first)
    pages = None if in_a_row else tif.pages
    return Layout(axes, order, planes, lambda: "the file is truncated", in_a_row, pages=pages)


def layout_of_cut_stack(tif: tifffile.TiffFile) -> Layout:
    """Return the images of an ImageJ stack that has one directory for all images and lacks some of them."""
    first: Any = tif.pages[0]
    check_size(1, first.nbytes)
    images = (tif.filehandle.size - first.dataoffsets[0]) // first.nbytes
    check_size(images, first.nbytes)
    axes, order = order_of_all(tif, 0, images)
    return Layout(axes, order, planes_in_a_row(tif, first), lambda: "the file is cut short")
