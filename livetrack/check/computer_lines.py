"""Lines about the computer: the disk for a recording, and the addresses of a session."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import zmq

from livetrack.check.lines import Line, fault, fine, warn
from livetrack.config import PublishSettings, RecordSettings, is_open
from livetrack.errors import UsageError, reason
from livetrack.session.sockets import SocketFactory

__all__ = ["check_addresses", "check_disk"]

_MIN_S, _SHORT_S = 60.0, 1800.0
_TABLES_BYTES_S = 1e6  # of a recording without frames, at most: 200 particles at 100 frames/s
_SOCKETS = (
    ("publish.address", "address", zmq.PUB),
    ("publish.preview_address", "preview_address", zmq.XPUB),
    ("publish.command_address", "command_address", zmq.ROUTER),
)


def check_disk(settings: RecordSettings, bytes_per_s: float | None) -> Line:
    """Return how long a recording at `bytes_per_s` of frames can last; None if the rate is unknown.

    Nothing is written: that the disk is fast enough shows in the count of dropped frames.
    """
    asked = bool(settings.folder)
    folder = Path(settings.folder or ".").absolute()
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    choose = "choose another record.folder"
    if existing is None:
        return fault("disk", f"{folder}: there is no such disk", choose)
    if not existing.is_dir():
        return fault("disk", f"{existing} is a file, not a folder", choose)
    if asked and not os.access(existing, os.W_OK):
        return fault("disk", f"{existing} cannot be written to", f"{choose}, or change its permissions")
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return fault("disk", f"{existing} cannot be read: {reason(error)}", choose)
    name = str(folder) if asked else "no recording is set; this folder"
    if not settings.frames:
        bytes_per_s = _TABLES_BYTES_S
    text = f"{name}: {_size(free)} free"
    if bytes_per_s is None:
        return fine("disk", text)
    seconds = free / bytes_per_s
    what = "frames and tracks" if settings.frames else "tracks, without frames"
    text += f"; {what} at {_size(bytes_per_s)}/s fill it in {_duration(seconds)}"
    if asked and seconds < _SHORT_S:
        grade = fault if seconds < _MIN_S else warn
        return grade("disk", text, "free some space, record to another disk, or use a smaller ROI")
    if asked and existing not in (folder, folder.parent):
        return warn("disk", f"{text}; {folder} does not exist", f"it will be made in {existing}: is a disk missing?")
    return fine("disk", text)


def check_addresses(settings: PublishSettings) -> list[Line]:
    """Return for each address whether it is free, and who can reach it; binds all of them for a moment."""
    try:
        sockets = SocketFactory(settings)
    except UsageError as error:
        return [fault("addresses", str(error))]
    lines, bound = [], []
    try:
        for key, field, kind in _SOCKETS:
            address = getattr(settings, field)
            try:
                bound.append(sockets.bind(kind, address, key, 1))
                lines.append(fine("address", f"{key} = {address}: free, {_reach(address, settings.curve_keys)}"))
            except UsageError as error:
                lines.append(fault("address", str(error)))
    finally:
        for socket in bound:
            socket.close(linger=0)
        sockets.close()
    return lines


def _reach(address: str, keys: str) -> str:
    who = "other computers can reach it" if is_open(address) else "for programs on this computer"
    return f"{who}, with the keys of {keys}" if keys else who


def _size(count: float) -> str:
    for unit, value in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= value:
            return f"{count / value:.3g} {unit}"
    return f"{count / 1e3:.3g} kB"


def _duration(seconds: float) -> str:
    for unit, value in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * value:
            return f"{seconds / value:.0f} {unit}"
    return f"{seconds:.0f} s"
