"""Frames as pages of BigTIFF files, each labelled with its number, times and geometry."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.camera import Frame, Geometry
from livetrack.record.append_file import AppendFile
from livetrack.record.damage import Damage, Report, ignore
from livetrack.record.tiff_page import (
    FILE_HEADER,
    FIRST_LINK,
    Page,
    encode_header,
    encode_link,
    find_page,
    read_link,
    read_page,
)

__all__ = ["FoundPage", "PageWriter", "find_pages", "page_files", "read_pages"]

_PATTERN = "frames_*.tif"
_SEAL = re.compile(rb',"crc32":"[0-9a-f]{8}"}\Z')


class PageWriter:
    """Appends frames to `frames_0000.tif`, `frames_0001.tif`, ... in `folder`.

    A new file starts when the geometry or the pixel type changes, or when a file has grown to `file_bytes`. Each frame
    is passed to the operating system before `append` returns, and becomes a page of the file only once it is complete.
    Raises OSError, for example if the disk is full; the pages before stay readable. `complete` receives each file to
    which nothing will be added, to sync and close it.
    """

    def __init__(self, folder: Path, file_bytes: int, complete: Callable[[AppendFile], None]) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._complete = complete
        self.file: AppendFile | None = None
        """The current file."""
        self._layout: tuple[Any, ...] = ()
        self._files = 0
        self._count = 0  # pages in the current file
        self._link = 0  # where the offset of the next page belongs

    def append(self, frame: Frame) -> tuple[str, int]:
        """Write `frame`; return the name of the file and the page in it."""
        layout = frame.geometry_number, frame.pixels.shape, frame.pixels.dtype
        if self.file is None or layout != self._layout or self.file.size >= self._file_bytes:
            self._next_file(layout)
        file = self.file
        assert file is not None
        before = file.size
        pixels = np.ascontiguousarray(frame.pixels, frame.pixels.dtype.newbyteorder("<"))
        label = _seal(msgspec.json.encode(_PageLabel.of(frame)), pixels)
        header, page, link = encode_header(pixels, label, _per_cm(frame.geometry), before)
        try:
            file.append(header, pixels.data)
            file.patch(self._link, encode_link(page))
        except OSError:
            file.shorten(before)
            with suppress(OSError):
                file.patch(self._link, encode_link(0))
            raise
        self._link = link
        self._count += 1
        return file.path.name, self._count - 1

    def close(self) -> None:
        """Complete the current file."""
        if self.file is not None:
            file, self.file = self.file, None
            self._complete(file)

    def _next_file(self, layout: tuple[Any, ...]) -> None:
        self.close()
        file = AppendFile(self._folder / f"frames_{self._files:04d}.tif")
        try:
            file.append(FILE_HEADER)
        except OSError:
            file.close()
            raise
        self.file, self._layout, self._link = file, layout, FIRST_LINK
        self._files += 1
        self._count = 0


def page_files(folder: Path) -> list[Path]:
    """Return the TIFF files of a recording in order."""
    return sorted(folder.glob(_PATTERN), key=lambda path: (len(path.name), path.name))


def read_pages(path: Path, report: Report = ignore) -> Iterator[Frame]:
    """Yield the frames of one file, in order; see `find_pages`."""
    return (found.frame for found in find_pages(path, report))


def find_pages(path: Path, report: Report = ignore) -> Iterator[FoundPage]:
    """Yield the whole pages of one file, in order, and report what is damaged.

    A page whose checksum is wrong is left out, and the next whole page is looked for. A file that was written without
    checksums is read up to the first page that cannot be.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        link, end = FIRST_LINK, len(FILE_HEADER)  # of the page before
        usual = 0  # size of a page
        while end < size:
            expected = end + -end % 8
            found = _linked_page(file, link, end) or _next_page(file, expected, linked=read_link(file, link) != 0)
            start = size if found is None else found.start
            gap = start - expected
            if gap > 0 and (found is None or found.sealed):
                usual = usual or (found.page.end - start if found else gap)
                lost = max(1, ceil(0.99 * gap / usual))
                report(Damage(path.name, expected, gap, lost, "a page is torn or altered"))
            elif found and not found.linked:
                report(Damage(path.name, link, 8, 0, "the link to a page is torn or altered"))
            if found is None:
                return
            yield found
            usual = found.page.end - start
            link, end = found.page.link, found.page.end


class FoundPage(NamedTuple):
    """A whole page of a file."""

    start: int
    """Its offset."""
    page: Page
    frame: Frame
    sealed: bool
    """Whether it has a checksum."""
    linked: bool = True
    """Whether the page before leads to it, so that other programs find it."""


def _linked_page(file: BufferedReader, link: int, after: int) -> FoundPage | None:
    """Return the page to which the link at this offset leads, if it is whole."""
    with suppress(ValueError):
        start = read_link(file, link)
        if start >= after:
            page = read_page(file, start)
            return FoundPage(start, page, *_verify(page))
    return None


def _next_page(file: BufferedReader, start: int, *, linked: bool) -> FoundPage | None:
    """Return the next page with a right checksum, unless no link leads to or from it: it was never completed."""
    while (start := find_page(file, start)) >= 0:
        with suppress(ValueError):
            page = read_page(file, start)
            frame, sealed = _verify(page)
            if sealed and (linked or read_link(file, page.link)):
                return FoundPage(start, page, frame, sealed, linked=False)
        start += 1
    return None


def _seal(text: bytes, pixels: npt.NDArray[Any]) -> bytes:
    """Return a label, a JSON object, with the CRC-32 of itself and the pixels, their type and shape as last entry."""
    checksum = zlib.crc32(pixels.data, zlib.crc32(f"{pixels.dtype.str} {pixels.shape} ".encode() + text))
    return text[:-1] + b',"crc32":"%08x"}' % checksum


def _verify(page: Page) -> tuple[Frame, bool]:
    """Return the frame of a page, and whether it has a checksum. Raises ValueError if that is wrong."""
    text = _SEAL.sub(b"}", page.text)
    sealed = text != page.text
    if sealed and _seal(text, page.pixels) != page.text:
        raise ValueError("the checksum of a page is wrong")
    if not sealed and not text.endswith(b"}}"):  # as labels without a checksum do
        raise ValueError("the label of a page is altered")
    return msgspec.json.decode(text, type=_PageLabel).frame(page.pixels), sealed


class _PageLabel(msgspec.Struct, frozen=True, kw_only=True):
    """Label of a page: a `Frame` without its pixels."""

    frame_index: int
    camera_number: int | None
    t_s: float
    t_received_ns: int
    t_exposed_ns: int | None
    geometry_number: int
    geometry: Geometry

    @classmethod
    def of(cls, frame: Frame) -> _PageLabel:
        return cls(
            frame_index=frame.index,
            camera_number=frame.number,
            t_s=frame.t_s,
            t_received_ns=frame.t_received_ns,
            t_exposed_ns=frame.t_exposed_ns,
            geometry_number=frame.geometry_number,
            geometry=frame.geometry,
        )

    def frame(self, pixels: Any) -> Frame:
        return Frame(
            pixels=pixels,
            index=self.frame_index,
            number=self.camera_number,
            t_s=self.t_s,
            t_received_ns=self.t_received_ns,
            t_exposed_ns=self.t_exposed_ns,
            geometry_number=self.geometry_number,
            geometry=self.geometry,
        )


def _per_cm(geometry: Geometry) -> float | None:
    """Return the resolution, pixels per cm, from which other programs read the pixel size."""
    return None if geometry.pixel_size_um is None else 1e4 / geometry.pixel_size_um
