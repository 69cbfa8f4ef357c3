"""The positions of a file that have names: whether one must be chosen, and the list to choose from."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["must_choose", "numbered"]

_MAX_NAMED = 6


def must_choose(count: int, position: int | None) -> bool:
    """Return whether `position` does not say which of `count` positions is read."""
    return count > 1 if position is None else position >= count


def numbered(names: Sequence[str]) -> str:
    """Return the first names with their numbers, and how many more there are."""
    more = f", and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(f"{place} {name}" for place, name in enumerate(names[:_MAX_NAMED])) + more
