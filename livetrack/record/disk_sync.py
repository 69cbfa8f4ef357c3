"""Puts the files of a recording on the disk, in a thread of its own: a sync may take long, or never return."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from livetrack.record.append_file import AppendFile

__all__ = ["DiskSync"]


class DiskSync:
    """Syncs files one after another, in rounds: at most one sync is under way.

    A round starts `period_s` after the start of the last one, or once that has ended. It begins with the files that are
    complete, which it closes, and goes on with those of `files` in their order and those added, if they have changed.

    Parameters
    ----------
    files
        Returns the files that are being written.
    on_error
        Receives a file that could not be synced and the error, in the thread of the sync.
    """

    def __init__(
        self,
        files: Callable[[], Iterable[AppendFile]],
        on_error: Callable[[AppendFile, OSError], None],
        *,
        period_s: float,
    ) -> None:
        self._files, self._on_error, self._period_s = files, on_error, period_s
        self._added: list[AppendFile] = []
        self._complete: deque[AppendFile] = deque()
        self._stop = threading.Event()
        self._since: float | None = None
        self.count = 0
        """Syncs that have ended."""
        self._thread = threading.Thread(target=self._run, name="livetrack-recorder-sync", daemon=True)

    def start(self) -> None:
        """Begin with the first round."""
        self._thread.start()

    @property
    def busy_s(self) -> float:
        """For how long the present sync has lasted; 0 if none is under way."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def add(self, file: AppendFile) -> None:
        """Sync one more file in each round, until it is complete."""
        self._added = [*self._added, file]

    def complete(self, file: AppendFile) -> None:
        """Sync a file that will not grow any more, and close it."""
        self._added = [each for each in self._added if each is not file]
        self._complete.append(file)

    def finish(self) -> None:
        """Sync what was not synced yet, close the files that are complete, and end; waits for as long as that takes."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            start = time.monotonic()
            stopping = self._stop.is_set()
            while self._complete:
                file = self._complete.popleft()
                self._sync(file)
                file.close()
            for file in (*self._files(), *self._added):
                self._sync(file)
            self._stop.wait(max(0.0, start + self._period_s - time.monotonic()))

    def _sync(self, file: AppendFile) -> None:
        if file.is_synced:
            return
        self._since = time.monotonic()
        try:
            file.sync()
        except OSError as error:
            self._on_error(file, error)
        self._since = None
        self.count += 1
