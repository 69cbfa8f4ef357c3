"""The lengths and times that are written on images."""

from __future__ import annotations

import math

__all__ = ["interval_decimals", "round_length", "time_text"]


def round_length(max_length: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that does not exceed `max_length`."""
    power = 10.0 ** math.floor(math.log10(max_length))
    return max(digit * power for digit in (1, 2, 5) if digit * power <= max_length * (1 + 1e-9))


def interval_decimals(interval_s: float) -> int:
    """Return the number of decimals of a second that distinguish frames taken every `interval_s`, at most 6."""
    return min(6, max(0, math.ceil(-math.log10(interval_s)))) if interval_s > 0 else 3


def time_text(t_s: float, decimals: int) -> str:
    """Return a time as `12.34 s`, from a minute on as `1:02.34` and from an hour on as `1:00:02.34`."""
    rounded = round(abs(t_s), decimals)
    sign = "-" if t_s < 0 and rounded else ""
    if rounded < 60:
        return f"{sign}{rounded:.{decimals}f} s"
    minutes, seconds = divmod(rounded, 60)
    width = 2 + (decimals + 1 if decimals else 0)
    hours, minutes = divmod(round(minutes), 60)
    clock = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{sign}{clock}:{seconds:0{width}.{decimals}f}"
