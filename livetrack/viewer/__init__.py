"""The window: a client like any other, in a process of its own. Importing this loads no Qt."""

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
        The engine's `publish.address`; it need not run yet.
    view
        The settings `[view]`.
    seconds
        Close by itself after so long.
    screenshot
        Where a PNG of the window is written just before it closes.

    Raises
    ------
    UsageError
        There is no display, Qt lacks a library, `address` is none, or the screenshot cannot be written.
    """
    if problem := display_problem():
        raise UsageError(problem)
    try:
        from livetrack.viewer.app import run
    except ImportError as error:
        raise UsageError(f"the window cannot be opened, Qt does not load here: {error}") from None
    return run(address, view, seconds=seconds, screenshot=screenshot)
