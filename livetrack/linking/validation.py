"""Checks of a linker's parameters: each returns the value or raises a `ConfigError` that says what is accepted."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import numpy.typing as npt

from livetrack.errors import ConfigError

__all__ = ["check_centres", "check_choice", "check_count", "check_drift", "check_interval", "check_length"]

# Far from where the squares of coordinates overflow or vanish.
_MAX_PX = 1e100
_MIN_PX = 1e-100
_MIN_S, _MAX_S = 1e-9, 1e9


def check_length(name: str, value: object) -> float:
    """Return a positive number of pixels."""
    if not isinstance(value, Real) or not _MIN_PX <= float(value) <= _MAX_PX:
        raise ConfigError(f"{name} must be a positive number of pixels, not {value!r}")
    return float(value)


def check_interval(value: object) -> float:
    """Return a positive number of seconds."""
    if not isinstance(value, Real) or not _MIN_S <= float(value) <= _MAX_S:
        raise ConfigError(f"the interval between frames must be a positive number of seconds, not {value!r}")
    return float(value)


def check_count(name: str, value: object, minimum: int) -> int:
    """Return a whole number of frames, `minimum` or more."""
    if not isinstance(value, Integral) or value < minimum:
        raise ConfigError(f"{name} must be a whole number of frames, {minimum} or more, not {value!r}")
    return int(value)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return one of `choices`."""
    if value not in choices:
        raise ConfigError(f"{name} must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}, not {value!r}")
    return value


def check_centres(value: npt.ArrayLike, motion: str) -> npt.NDArray[np.float64]:
    """Return trap centres as (K, 2) px; only `motion="trap"` may have any."""
    try:
        centres = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"trap_centres_px must be pairs of numbers, not {value!r}") from None
    if centres.size == 0:
        return np.zeros((0, 2))
    if centres.ndim != 2 or centres.shape[1] != 2 or not (np.abs(centres) <= _MAX_PX).all():
        raise ConfigError(f"trap_centres_px must be pairs of finite numbers [x, y], not {value!r}")
    if motion != "trap":
        raise ConfigError(f"trap_centres_px requires motion 'trap', not {motion!r}")
    return centres


def check_drift(value: object, motion: str) -> tuple[float, float]:
    """Return a displacement (x, y) in px; with `motion="trap"` there is none."""
    try:
        drift = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        drift = np.empty(0)
    if drift.shape != (2,) or not (np.abs(drift) <= _MAX_PX).all():
        raise ConfigError(f"drift_px must be two finite numbers [x, y], not {value!r}")
    if drift.any() and motion == "trap":
        raise ConfigError("drift_px requires motion 'velocity' or 'brownian', not 'trap'")
    return float(drift[0]), float(drift[1])
