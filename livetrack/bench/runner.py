"""What every bench begins with: which of its parts to run, and on what machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection

from livetrack.errors import UsageError

__all__ = ["check_parts", "machine"]


def check_parts(only: Collection[str], parts: tuple[str, ...]) -> None:
    """Raise `UsageError` where `only` names a part that is not among `parts`."""
    if unknown := [part for part in only if part not in parts]:
        raise UsageError(f"--only {unknown[0]}: there is no such part; there are {', '.join(parts)}")


def machine() -> str:
    """Return what the figures are of, in words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
