"""Reads all pages of a recording: which frames have images, and what keeps other programs from finding them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.errors import reason
from livetrack.record.damage import Damage
from livetrack.record.pages import find_pages, page_files
from livetrack.record.streams import received_row
from livetrack.record.tiff_page import FILE_HEADER, FIRST_LINK, encode_link, read_link

__all__ = ["Mend", "PageSurvey", "survey_pages"]

_MAGIC = FILE_HEADER[:FIRST_LINK]


@dataclass(frozen=True, slots=True)
class Mend:
    """Bytes of a TIFF file that are not as they should be."""

    file: str
    offset: int
    content: bytes


@dataclass(slots=True)
class PageSurvey:
    """All whole pages of a recording, in order."""

    frames: list[int] = field(default_factory=list)
    """Frame numbers."""
    times_ns: list[int] = field(default_factory=list)
    """`t_received_ns` of each."""
    unlisted: list[tuple[Any, ...]] = field(default_factory=list)
    """Rows of `frames.arrow` of the frames that are not in it."""
    mends: list[Mend] = field(default_factory=list)
    """What makes them accessible to other programs."""


def survey_pages(
    folder: Path, listed: npt.NDArray[np.int64], damages: list[Damage], advance: Callable[[int], None]
) -> PageSurvey:
    """Read all pages in `folder`.

    Parameters
    ----------
    listed
        Frame numbers in `frames.arrow`, sorted.
    damages
        Receives what is damaged.
    advance
        Receives the size of each page that was read.
    """
    survey = PageSurvey()
    for path in page_files(folder):
        found_damages: list[Damage] = []
        try:
            _survey_file(path, survey, listed, found_damages, advance)
        except OSError as error:
            found_damages.append(Damage(path.name, 0, 0, None, f"cannot be read: {reason(error)}"))
        damages += found_damages
    return survey


def _survey_file(
    path: Path,
    survey: PageSurvey,
    listed: npt.NDArray[np.int64],
    damages: list[Damage],
    advance: Callable[[int], None],
) -> None:
    link, sealed, pages = FIRST_LINK, True, 0
    mends = []
    for found in find_pages(path, damages.append):
        frame = found.frame
        survey.frames.append(frame.index)
        survey.times_ns.append(frame.t_received_ns)
        at = np.searchsorted(listed, frame.index)
        if at == len(listed) or listed[at] != frame.index:
            survey.unlisted.append(received_row(frame, (path.name, pages)))
        if not found.linked and not _leads_to(path, link, found.start):
            mends.append(Mend(path.name, link, encode_link(found.start)))
        link, sealed = found.page.link, found.sealed
        pages += 1
        advance(found.page.end - found.start)
    with path.open("rb") as file:
        magic = file.read(len(_MAGIC))
        file.seek(link)
        last = file.read(8)
    if pages and magic != _MAGIC:
        mends.append(Mend(path.name, 0, _MAGIC))
    # without checksums, what follows the last page that can be read may be whole
    if (sealed or not damages or damages[-1].lost == 1) and len(last) == 8 and last != encode_link(0):
        mends.append(Mend(path.name, link, encode_link(0)))
    survey.mends += mends


def _leads_to(path: Path, link: int, page: int) -> bool:
    """Whether the link at an offset leads to a page, over pages whose contents are damaged."""
    with path.open("rb") as file, suppress(ValueError):
        while link < page:
            start = read_link(file, link)
            if start == page:
                return True
            if start <= link:
                break
            link = start + 8 + 20 * read_link(file, start)  # bytes of the count of tags, and of each
    return False
