"""The free space of a recording's disk: how much pixels may use, and how long it will last."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from pathlib import Path

__all__ = ["DiskSpace"]

_WINDOW_S = 10.0  # over which the rate of writing is averaged
_MIN_S = 1.0
_MAX_RESERVE = 0.1  # of the disk's size


class DiskSpace:
    """Free space of the disk of `folder`, except for a reserve of `reserve_bytes`, at most a tenth of the disk.

    One thread calls `update`, another `take`.
    """

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._lock = threading.Lock()
        self._usable = self._free()  # None: unknown
        self._written: deque[tuple[float, int]] = deque()
        self.seconds_left: float | None = None
        """Time until the disk is full but for the reserve, at the present rate; None if unknown."""

    def update(self, written: int) -> None:
        """Look at the disk; `written` are the bytes written so far."""
        usable = self._free()
        with self._lock:
            self._usable = usable
        now = time.monotonic()
        self._written.append((now, written))
        while now - self._written[0][0] > _WINDOW_S:
            self._written.popleft()
        since, before = self._written[0]
        rate = (written - before) / (now - since) if now - since >= _MIN_S else 0.0
        self.seconds_left = None if usable is None or rate <= 0 else max(usable, 0) / rate

    @property
    def full(self) -> str:
        """What to say once `take` has returned False."""
        rest = "is almost full, and the rest is kept for the tables" if self._reserve_bytes else "is full"
        return f"the disk of {self._folder} {rest}"

    def take(self, size: int) -> bool:
        """Take `size` bytes for pixels; return whether there are as many outside the reserve."""
        with self._lock:
            if self._usable is not None and self._usable < size:
                self._usable = self._free()
            if self._usable is None:
                return True
            self._usable -= size
            return self._usable >= 0

    def _free(self) -> int | None:
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:
            return None
        return usage.free - min(self._reserve_bytes, int(usage.total * _MAX_RESERVE))
