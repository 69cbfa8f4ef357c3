"""The speeds at which a movie can be played."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Speed", "speeds_of"]

_FACTORS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_RATES = (1.0, 5.0, 10.0, 25.0, 50.0)
_WATCHABLE_FPS = 2.0, 60.0
_USUAL_FPS = 25.0


class Speed(NamedTuple):
    """A speed, and what the player calls it."""

    text: str
    rate: float
    """Frames per second, or, if `recorded`, how many times as fast as recorded."""
    recorded: bool
    is_factor: bool
    """It is a multiple of the rate at which the movie was recorded."""


def speeds_of(fps: float | None, *, timed: bool) -> tuple[list[Speed], int]:
    """Return the speeds for a movie, and the place of the one to begin with.

    That is the one at which it was recorded, where that can be watched.

    Parameters
    ----------
    fps
        Its mean rate, frames per second; None if unknown.
    timed
        The time of each frame is known.
    """
    speeds = []
    if fps:
        for factor in _FACTORS:
            text = "as recorded" if factor == 1 else f"{factor:g}x"
            speeds.append(Speed(text, factor if timed else factor * fps, timed, True))
    rates = [Speed(f"{rate:g} frame{'s' if rate > 1 else ''}/s", rate, False, False) for rate in _RATES]
    if fps and _WATCHABLE_FPS[0] <= fps <= _WATCHABLE_FPS[1]:
        first = _FACTORS.index(1.0)
    else:
        first = len(speeds) + _RATES.index(_USUAL_FPS)
    return speeds + rates, first
