"""Writes small files as a whole or not at all: a full disk or a power cut leaves the earlier contents."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["rename_whole", "replacing", "sync", "write_whole"]

_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # by the file system, such as some network shares


@contextmanager
def replacing(path: str | Path, *, private: bool = False) -> Iterator[Path]:
    """Yield an empty file next to `path` to be written, which replaces `path` once it is complete and on the disk.

    If the block raises, `path` is left as it was. A link is followed; what is not a file, such as a pipe, is written
    directly.

    Parameters
    ----------
    path
        The file to write. If it exists, it keeps its permissions.
    private
        Whether a new file is readable by its owner only, from its first byte on.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        yield path
        return
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))
        yield unfinished
        with suppress(FileNotFoundError):
            shutil.copymode(path, unfinished)
        rename_whole(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def write_whole(path: str | Path, content: bytes | str, *, private: bool = False) -> None:
    """Write `content`, text as UTF-8, to `path`: all of it, or nothing; see `replacing`. Raises OSError."""
    with replacing(path, private=private) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


def rename_whole(unfinished: Path, path: Path) -> None:
    """Give a complete file its final name, in place of an earlier file, once it is on the disk. Raises OSError."""
    handle = os.open(unfinished, os.O_RDWR)  # Windows syncs only what can be written to
    try:
        sync(handle)
    finally:
        os.close(handle)
    os.replace(unfinished, path)
    _sync_folder(path.parent)


def sync(handle: int) -> None:
    """Wait until what was written to an open file is on the disk, where the file system can tell. Raises OSError."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def _sync_folder(path: Path) -> None:
    """Make the new name of a file last. Windows has no such call; where it fails, the file itself is complete."""
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
