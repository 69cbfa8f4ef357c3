"""Waiting for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["until", "wait_for"]

T = TypeVar("T")


def wait_for(condition: Callable[[], T], timeout_s: float = 30.0) -> T:
    """Return the condition's value once it is true; fail if it is not in time."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)
    return result


def until(qtbot, window, condition, timeout_ms=15_000):
    """Refresh a window, its status too, until the condition holds."""

    def reached():
        window.status_presenter.updated_s = 0.0
        window.refresh()
        return bool(condition())

    qtbot.waitUntil(reached, timeout=timeout_ms)
