"""livetrack: real-time particle tracking inside the acquisition loop of a live microscope.

Names are loaded on first use, so that `import livetrack` costs next to nothing and a feedback
client never loads Numba, ONNX Runtime or Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livetrack.client import Remote, Subscriber, Update
    from livetrack.config import load_config
    from livetrack.linking import Linker
    from livetrack.localize import load_localizer
    from livetrack.tracker import Tracker

__all__ = ["Linker", "Remote", "Subscriber", "Tracker", "Update", "__version__", "load_config", "load_localizer"]

__version__ = "0.1.0"

_HOME = {
    "Linker": "livetrack.linking",
    "Remote": "livetrack.client",
    "Subscriber": "livetrack.client",
    "Tracker": "livetrack.tracker",
    "Update": "livetrack.client",
    "load_config": "livetrack.config",
    "load_localizer": "livetrack.localize",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'livetrack' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
