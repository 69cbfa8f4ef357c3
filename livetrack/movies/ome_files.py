"""Finds the files of an OME-TIFF recording in several files, also if they were renamed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import tifffile

from livetrack.movies.tiff_planes import without_log_lines

__all__ = ["absent_files", "with_renamed_files"]

_MAX_FILES = 200  # in the folder, that are tried


def absent_files(tif: tifffile.TiffFile, path: Path) -> list[str]:
    """Return the names of the files of a recording that are not there, without its own, which may be another by now."""
    return sorted(set(_absent(tif, path).values()))


@without_log_lines()
def with_renamed_files(tif: tifffile.TiffFile, path: Path) -> str | None:
    """Return the metadata with the present names of files that were renamed; None if none was.

    They are recognised by the identifier that each has and the metadata of all name.
    """
    if not tif.is_ome or not (absent := _absent(tif, path)):
        return None
    metadata = tif.ome_metadata or ""
    renamed = metadata
    for file in sorted(path.parent.glob("*.tif*"))[:_MAX_FILES]:
        name = absent.get(_own_identifier(file)) if file != path else None
        if name is not None:
            renamed = renamed.replace(f'FileName="{name}"', f'FileName="{file.name}"')
    return None if renamed == metadata else renamed


def _absent(tif: tifffile.TiffFile, path: Path) -> dict[str, str]:
    """Return the files that are not there, as identifier and name."""
    try:
        root = ElementTree.fromstring(tif.ome_metadata or "")
        own = root.attrib.get("UUID", "")
        found = {each.text or "": each.attrib.get("FileName", "") for each in root.iterfind(".//{*}UUID")}
        return {
            identifier: name
            for identifier, name in found.items()
            if name and name != path.name and not (own and identifier == own) and not (path.parent / name).exists()
        }
    except (ElementTree.ParseError, OSError, ValueError):
        return {}


def _own_identifier(file: Path) -> str:
    try:
        with tifffile.TiffFile(file) as tif:
            return ElementTree.fromstring(tif.ome_metadata or "").attrib.get("UUID", "")
    except Exception:  # noqa: BLE001 - tifffile raises anything for damaged files
        return ""
