"""The viewer: a client that shows the engine's frames and tracks in a window, in a process of its own.

Importing this package loads no Qt. Only the names listed here are public; the modules below are internal.
"""

from __future__ import annotations

from pathlib import Path

from livetrack.config import ViewSettings
from livetrack.errors import UsageError
from livetrack.viewer.display import display_problem

__all__ = ["display_problem", "main"]


def main(address: str, view: ViewSettings, *, seconds: float | None = None, screenshot: Path | None = None) -> int:
    """Show the engine at `address` until the window is closed; return the exit code.

    Parameters
    ----------
    address
        The engine's `publish.address`; the engine may start later.
    view
        The settings `[view]`.
    seconds
        Close the window after this time.
    screenshot
        Save a PNG of the window here just before it closes.

    Raises
    ------
    UsageError
        There is no display, Qt lacks a library, `address` is not an address, or the screenshot cannot be written.
    """
    if problem := display_problem():
        raise UsageError(problem)
    try:
        from livetrack.viewer.app import run
    except ImportError as error:
        raise UsageError(f"cannot open the window because Qt does not load: {error}") from None
    return run(address, view, seconds=seconds, screenshot=screenshot)
