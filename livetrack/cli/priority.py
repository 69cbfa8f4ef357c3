"""Makes way for a live session: what this process does can wait."""

from __future__ import annotations

import os
import sys

__all__ = ["lower_priority"]

_NICENESS = 19  # the lowest


def lower_priority() -> None:
    """Give this process the lowest ordinary CPU priority; on Windows, one below normal. On Linux, keep it on one core.

    Priority alone is not enough: on two cores, the 99th percentile of a session's latency was 1.4 times that of the
    session alone; with the training on one of them, it was the same.
    """
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), 0x00004000)  # BELOW_NORMAL_PRIORITY_CLASS
        return
    os.nice(_NICENESS)
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
