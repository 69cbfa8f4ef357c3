"""Identity and motion: which particle of one frame is which of the next."""

from __future__ import annotations

from livetrack.linking.linker import Linker

__all__ = ["Linker"]
