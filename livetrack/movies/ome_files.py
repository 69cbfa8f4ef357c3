"""Finds the files of an OME-TIFF recording in several files, also if they were renamed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import tifffile

from livetrack.movies.left_out import listed
from livetrack.movies.movie import DamagedMovieError
from livetrack.movies.quiet import quiet_tifffile

__all__ = ["Metadata", "absent_files", "metadata_elsewhere"]

_MAX_FILES = 200  # in the folder, that are tried
_MAX_BYTES = 1 << 28  # of a file of metadata: a kilobyte an image


def absent_files(tif: tifffile.TiffFile, path: Path) -> list[str]:
    """Return the names of the files of a recording that are not there, without its own, which may be another by now."""
    return sorted(set(_absent(tif.ome_metadata or "", path).values()))


class Metadata(NamedTuple):
    """OME metadata that are not those of the file itself."""

    text: str
    note: str
    """Where they are from, or what was changed; empty for those of another file of the recording."""


@quiet_tifffile()
def metadata_elsewhere(tif: tifffile.TiffFile, path: Path) -> Metadata | None:
    """Return the metadata of a recording that are in another file, or name files that were renamed since; else None.

    Such files are recognised by the identifier that each has and the metadata of all name.
    """
    if not tif.is_ome or tif.is_mmstack:
        return None
    text = own = tif.ome_metadata or ""
    try:
        root = ElementTree.fromstring(own)
    except ElementTree.ParseError:
        return None
    identifier = root.attrib.get("UUID", "")
    reference = root.find("{*}BinaryOnly")
    if reference is not None:
        name = reference.attrib.get("MetadataFile", "")
        try:
            text = _of_this_file(_read_metadata(path.parent / name), identifier)
        except DamagedMovieError as damage:
            return Metadata(own, f"its metadata are in {name}, {damage}: the images of this file alone are read")
    absent = _absent(text, path)
    found = {}
    for file in sorted(path.parent.glob("*.tif*"))[:_MAX_FILES] if absent else ():
        then = absent.get(_identifier(file)) if file != path else None
        if then is not None:
            found[then] = file.name
            text = text.replace(f'FileName="{then}"', f'FileName="{file.name}"')
    if text == own:
        return None
    names = listed([f"{now} was {then}" for then, now in sorted(found.items())])
    return Metadata(text, f"files of this recording were renamed: {names}" if found else "")


def _read_metadata(file: Path) -> str:
    """Return the OME metadata in an OME-TIFF, or in a file of its own."""
    try:
        if file.suffix.lower() not in (".tif", ".tiff"):
            if file.stat().st_size > _MAX_BYTES:
                raise DamagedMovieError(f"which has more than {_MAX_BYTES:,} bytes")
            return file.read_text(encoding="utf-8")
        with tifffile.TiffFile(file) as tif:
            if tif.ome_metadata:
                return tif.ome_metadata
    except DamagedMovieError:
        raise
    except Exception as error:  # tifffile raises anything for damaged files
        missing = "cannot be read" if file.exists() else "is missing"
        raise DamagedMovieError(f"which {missing}") from error
    raise DamagedMovieError("which contains none")


def _of_this_file(text: str, identifier: str) -> str:
    """Return metadata that take the file of this identifier for the one that they are in, as tifffile expects."""
    return re.sub(r'(<(?:\w+:)?OME\b[^>]*?\sUUID=")[^"]*"', rf'\g<1>{identifier}"', text, count=1)


def _absent(text: str, path: Path) -> dict[str, str]:
    """Return the files that are not there, as identifier and name."""
    try:
        root = ElementTree.fromstring(text)
        own = root.attrib.get("UUID", "")
        found = {each.text or "": each.attrib.get("FileName", "") for each in root.iterfind(".//{*}UUID")}
        return {
            identifier: name
            for identifier, name in found.items()
            if name and name != path.name and not (own and identifier == own) and not (path.parent / name).exists()
        }
    except (ElementTree.ParseError, OSError, ValueError):
        return {}


def _identifier(file: Path) -> str:
    try:
        with tifffile.TiffFile(file) as tif:
            return ElementTree.fromstring(tif.ome_metadata or "").attrib.get("UUID", "")
    except Exception:  # noqa: BLE001 - tifffile raises anything for damaged files
        return ""
