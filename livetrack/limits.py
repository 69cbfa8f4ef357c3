"""Limits of what livetrack reads from outside: one number for each kind of file, and one way to hold it.

All are far above what livetrack writes. A file beyond its limit is refused in one line, before it costs memory.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "CALIBRATIONS_BYTES",
    "CARD_BYTES",
    "EVENT_BYTES",
    "IMAGE_BYTES",
    "KEY_BYTES",
    "LINKER_BYTES",
    "MODEL_BYTES",
    "SESSION_INFO_BYTES",
    "SETTINGS_BYTES",
    "FileTooLargeError",
    "read_bytes_up_to",
]

IMAGE_BYTES = 1 << 29
"""Of one frame of a movie or one image, unpacked."""
SETTINGS_BYTES = 1 << 17
"""Of a settings file or a recipe."""
KEY_BYTES = 1 << 14
"""Of the file of a key."""
MODEL_BYTES = 1 << 28
"""Of a model file; those that livetrack trains have 1 MB or less."""
CARD_BYTES = 1 << 24
"""Of a model card."""
CALIBRATIONS_BYTES = 1 << 24
"""Of the file of an engine's calibrations."""
SESSION_INFO_BYTES = 1 << 24
"""Of `session.json`."""
EVENT_BYTES = 1 << 22
"""Of a line of a recording's events."""
LINKER_BYTES = 1 << 28
"""Of a linker's state, unpacked."""


class FileTooLargeError(OSError):
    """A file is larger than anything of its kind; its text states the limit."""


def read_bytes_up_to(path: Path, most: int) -> bytes:
    """Return the contents of a file of at most `most` bytes.

    Raises
    ------
    FileTooLargeError
        It has more. Not all of it was read, however large it is.
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise FileTooLargeError(f"it is larger than {most >> 10:,} KB, the limit for its kind")
    return content
