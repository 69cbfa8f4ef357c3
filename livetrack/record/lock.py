"""Lock of a recording's folder: shows that a recorder is at work, and its last sign of life if it was killed."""

from __future__ import annotations

import errno
import os
import platform
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import msgspec

from livetrack.wire import RecordingStatus

__all__ = ["LastSign", "RecordingLock", "is_being_recorded", "read_last_sign"]

_NAME = "recording.lock"
_BYTES = 512  # of a sign, padded
_LOCKED_BYTE = 1 << 30  # beyond the contents: what is locked cannot be read on Windows
_HELD = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
_SILENT_S = 10.0  # without a sign for so long, a recorder on a file system without locks is not running


class LastSign(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a recorder at one moment, as in `RecordingStatus`."""

    wall_ns: int
    process: int
    computer: str
    frames: int
    dropped: int
    offered: int
    rows_written: int
    rows_dropped: int
    rows_offered: int


class RecordingLock:
    """Lock that a recorder holds from start to end; the operating system releases it when the process ends.

    Nothing here raises: where a file system has no locks, the signs of life remain, and a full disk stops these.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._handle: int | None = None
        with suppress(OSError):
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            _lock(self._handle)

    def sign(self, status: RecordingStatus) -> None:
        """Write the present counts."""
        sign = LastSign(
            wall_ns=time.time_ns(),
            process=os.getpid(),
            computer=platform.node(),
            **{name: getattr(status, name) for name in LastSign.__struct_fields__[3:]},
        )
        if self._handle is not None:
            with suppress(OSError):
                os.lseek(self._handle, 0, os.SEEK_SET)
                os.write(self._handle, _encode(sign))

    def release(self, *, keep: bool = False) -> None:
        """Release the lock; delete its file, or keep it as the last sign."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            with suppress(OSError):
                os.close(handle)
            if not keep:
                with suppress(OSError):
                    self._path.unlink()


def is_being_recorded(folder: Path) -> bool:
    """Whether a recorder is writing into `folder` now."""
    try:
        handle = _open(folder / _NAME)
    except OSError:
        return False
    try:
        _lock(handle)
    except OSError as error:
        if error.errno in _HELD:
            return True
        sign = read_last_sign(folder)  # a file system without locks
        return sign is not None and abs(time.time_ns() - sign.wall_ns) < _SILENT_S * 1e9
    finally:
        os.close(handle)
    return False


def read_last_sign(folder: Path) -> LastSign | None:
    """Return the last sign of a recorder that did not end by itself; None if there is none."""
    try:
        with (folder / _NAME).open("rb") as file:
            return _decode(file.read(_BYTES))
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def _open(path: Path) -> int:
    binary = getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, os.O_RDWR | binary)
    except PermissionError:  # some file systems lock only what can be written to
        return os.open(path, os.O_RDONLY | binary)


def _encode(sign: LastSign) -> bytes:
    content = msgspec.json.encode(sign)
    return (f"{zlib.crc32(content):08x}".encode() + content).ljust(_BYTES)


def _decode(content: bytes) -> LastSign:
    checksum, text = int(content[:8], 16), content[8:].rstrip()
    if zlib.crc32(text) != checksum:
        raise ValueError("torn")
    return msgspec.json.decode(text, type=LastSign)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
