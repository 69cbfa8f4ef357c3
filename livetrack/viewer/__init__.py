"""The viewer: a client that shows the engine's frames and tracks in a window, in a process of its own; and the player.

Importing this package loads no Qt. Only the names listed here are public; the modules below are internal.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from livetrack.config import Config, ViewSettings
from livetrack.errors import UsageError
from livetrack.viewer.display import display_problem

if TYPE_CHECKING:
    from livetrack.movies import Selection

__all__ = ["display_problem", "main", "play"]


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
    _require_display("`livetrack run --headless` and `livetrack listen` need none")
    try:
        from livetrack.viewer.app import run
    except ImportError as error:
        raise UsageError(_NOT_LOADED.format(error)) from None
    return run(address, view, seconds=seconds, screenshot=screenshot)


def play(
    path: Path,
    config: Config,
    *,
    tracks: Path | None = None,
    selection: Selection | None = None,
    fps: float | None = None,
    stateless: bool = False,
    anew: bool = False,
    seconds: float | None = None,
    screenshot: Path | None = None,
) -> int:
    """Show a movie or a recorded session with its tracks until the window is closed; return the exit code.

    Parameters
    ----------
    path
        The movie, or the folder of a session.
    config
        The settings by which it is tracked, and `[view]`.
    tracks
        A table of its tracks; None: those of the session, or the movie is tracked.
    selection
        The part of the movie; None: all of it.
    fps
        Frames per second; None: as the movie says.
    stateless
        As for `Tracker`.
    anew
        Track a session again.
    seconds, screenshot
        As for `main`.

    Raises
    ------
    UsageError
        There is no display, Qt lacks a library, the movie or the table cannot be read, or the screenshot cannot be
        written.
    """
    from livetrack.movies import EVERYTHING
    from livetrack.playback.playback import open_source, open_tracks

    _require_display("`livetrack play --video FILE` and `livetrack track` need none")
    part = selection or EVERYTHING
    movie = open_source(path, part, fps=fps, um_per_px=config.calibration.pixel_size_um)
    source = open_tracks(path, movie, config, table=tracks, frames=part.frames, anew=anew, stateless=stateless)
    try:
        from livetrack.viewer.app import run_player
        from livetrack.viewer.player.opening import Opened, PlayerOptions
    except ImportError as error:
        raise UsageError(_NOT_LOADED.format(error)) from None
    options = PlayerOptions(config, part, stateless, anew)
    return run_player(Opened(path, movie, source, part), options, seconds=seconds, screenshot=screenshot)


_NOT_LOADED = "cannot open the window because Qt does not load: {}"


def _require_display(alternatives: str) -> None:
    if problem := display_problem(alternatives):
        raise UsageError(problem)
