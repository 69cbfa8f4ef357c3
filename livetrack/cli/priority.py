"""Lowers the priority of this process: what it does can wait for a live session."""

from __future__ import annotations

import os
import sys

__all__ = ["lower_priority"]

_NICENESS = 19  # the lowest


def lower_priority() -> None:
    """Give this process the lowest ordinary CPU priority; on Windows, one below normal."""
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), 0x00004000)  # BELOW_NORMAL_PRIORITY_CLASS
    else:
        os.nice(_NICENESS)
