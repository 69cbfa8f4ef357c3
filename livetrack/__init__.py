"""livetrack: real-time particle tracking inside the acquisition loop of a live microscope.

Names are loaded on first use, so that `import livetrack` costs next to nothing and a feedback
client never loads Numba, ONNX Runtime or Qt.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livetrack.client import Remote, Subscriber, Update
    from livetrack.config import load_config
    from livetrack.errors import LivetrackError
    from livetrack.linking import Linker
    from livetrack.localize import Localizer, load_localizer
    from livetrack.movies import open_movie
    from livetrack.particles import Flag
    from livetrack.record import read_session
    from livetrack.session.engine import Engine
    from livetrack.table import TrackTable
    from livetrack.tracker import Tracker

__all__ = [
    "Engine", "Flag", "Linker", "LivetrackError", "Localizer", "Remote", "Subscriber", "TrackTable", "Tracker",
    "Update", "__version__", "load_config", "load_localizer", "open_movie", "read_session",
]  # fmt: skip

__version__ = "0.1.0"

# Nothing leaves the microscope's computer. ONNX Runtime reads this variable when it is loaded, which no process of
# livetrack does before this line. Without it, it sends reports and keeps an id of the computer in the user's cache.
if "onnxruntime" in sys.modules and os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
    import logging

    logging.getLogger(__name__).warning(
        "onnxruntime was imported before livetrack, with its telemetry on: import livetrack first, or set "
        "ORT_DISABLE_TELEMETRY=1"
    )
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_HOME = {
    "Engine": "livetrack.session.engine",
    "Flag": "livetrack.particles",
    "Linker": "livetrack.linking",
    "LivetrackError": "livetrack.errors",
    "Localizer": "livetrack.localize",
    "Remote": "livetrack.client",
    "Subscriber": "livetrack.client",
    "TrackTable": "livetrack.table",
    "Tracker": "livetrack.tracker",
    "Update": "livetrack.client",
    "load_config": "livetrack.config",
    "load_localizer": "livetrack.localize",
    "open_movie": "livetrack.movies",
    "read_session": "livetrack.record",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'livetrack' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
