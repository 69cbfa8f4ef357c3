"""A file that grows by whole records, also where writing fails."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from livetrack.whole_file import sync

__all__ = ["AppendFile", "is_there"]

Bytes = bytes | memoryview
_SMALL = 65_536  # bytes that are faster copied than written in two calls


class AppendFile:
    """A new file, to which records are appended.

    A record that cannot be written leaves no part of itself behind: its beginning is cut off, at the latest before the
    next record. `append`, `patch` and `sync` raise OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        """Bytes of the whole records."""
        self._changes = self._synced = 0
        self._torn = False  # the file is longer than `size`
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        self._handle = os.open(path, flags, 0o666)
        self._links = os.fstat(self._handle).st_nlink

    def append(self, *parts: Bytes) -> None:
        """Append one record, made of `parts`, and pass it to the operating system; a small one in a single call."""
        if sum(memoryview(part).nbytes for part in parts) <= _SMALL:
            parts = (b"".join(parts),)
        if self._torn:
            self._cut()
        self._torn = True
        try:
            size = sum(_write(self._handle, part) for part in parts)
        except OSError:
            with suppress(OSError):
                self._cut()
            raise
        self._torn = False
        self.size += size
        self._changes += 1

    def patch(self, offset: int, content: Bytes) -> None:
        """Overwrite bytes of an earlier record."""
        os.lseek(self._handle, offset, os.SEEK_SET)
        try:
            _write(self._handle, content)
            self._changes += 1
        finally:
            os.lseek(self._handle, self.size, os.SEEK_SET)

    def shorten(self, size: int) -> None:
        """Take back the records beyond `size`; does not raise."""
        self.size, self._torn = size, True
        with suppress(OSError):
            self._cut()

    def sync(self) -> None:
        """Wait until the records are on the disk."""
        self._synced = self._changes
        sync(self._handle)

    @property
    def is_synced(self) -> bool:
        """Whether nothing was written since the start of the last `sync`."""
        return self._synced == self._changes

    def is_in_place(self) -> bool:
        """Whether the file still has its name."""
        return is_there(self.path) and not self.is_deleted()

    def is_deleted(self) -> bool:
        """Whether the file is gone for good; always false on Windows, which does not delete open files."""
        try:
            return os.fstat(self._handle).st_nlink < self._links
        except OSError:  # closed, or on a share that does not respond
            return False

    def close(self) -> None:
        """Close the file."""
        handle, self._handle = self._handle, -1
        with suppress(OSError):  # everything was passed on, or its failure was reported
            os.close(handle)

    def _cut(self) -> None:
        os.ftruncate(self._handle, self.size)
        os.lseek(self._handle, self.size, os.SEEK_SET)
        self._torn = False


def is_there(path: Path) -> bool:
    """Whether there is a file at `path`; true if that cannot be found out, as for a share that does not respond."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _write(handle: int, content: Bytes) -> int:
    """Write all of `content`; return its size."""
    left = memoryview(content).cast("B")
    while left:
        written = os.write(handle, left)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[written:]
    return memoryview(content).nbytes
