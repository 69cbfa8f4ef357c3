"""What a linker can be told: each check returns the value, or names the parameter and what would be right."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import numpy.typing as npt

from livetrack.errors import ConfigError

__all__ = ["check_centres", "check_choice", "check_count", "check_length"]

# Radii stay far from where their squares overflow or vanish.
_LARGEST_PX = 1e100
_SMALLEST_PX = 1e-100


def check_length(name: str, value: object) -> float:
    """Return a positive number of pixels. Raises `ConfigError`, as all of these."""
    if not isinstance(value, Real) or not _SMALLEST_PX <= float(value) <= _LARGEST_PX:
        raise ConfigError(f"{name} must be a positive number of pixels, not {value!r}")
    return float(value)


def check_count(name: str, value: object, least: int) -> int:
    """Return a whole number of frames, no less than `least`."""
    if not isinstance(value, Integral) or value < least:
        raise ConfigError(f"{name} must be a whole number of frames, {least} or more, not {value!r}")
    return int(value)


def check_choice(name: str, value: str, known: tuple[str, ...]) -> str:
    """Return one of the words that are known."""
    if value not in known:
        raise ConfigError(f"{name} must be {', '.join(map(repr, known[:-1]))} or {known[-1]!r}, not {value!r}")
    return value


def check_centres(value: npt.ArrayLike, motion: str) -> npt.NDArray[np.float64]:
    """Return (K, 2) centres of traps, px; none where the motion has no traps."""
    try:
        centres = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"trap_centres_px must be pairs of numbers, not {value!r}") from None
    if centres.size == 0:
        return np.zeros((0, 2))
    if centres.ndim != 2 or centres.shape[1] != 2 or not (np.abs(centres) <= _LARGEST_PX).all():
        raise ConfigError(f"trap_centres_px must be pairs of finite numbers [x, y], not {value!r}")
    if motion != "trap":
        raise ConfigError(f"trap_centres_px goes with motion 'trap', not {motion!r}")
    return centres
