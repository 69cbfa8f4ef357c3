"""Work that the window does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from livetrack.errors import LivetrackError

__all__ = ["Background"]

T = TypeVar("T")


class Background(Generic[T]):
    """Runs `work` in a thread; the window looks now and then whether it is `done`."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.result: T | None = None
        """What `work` returned; None if it failed."""
        self.problem = ""
        """Why it failed, in one line."""
        self._work = work
        self._thread = threading.Thread(target=self._run, name="livetrack-background", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether the work has ended."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Wait for the end of the work."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self.result = self._work()
        except (LivetrackError, OSError) as error:
            self.problem = str(error)
