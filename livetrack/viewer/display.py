"""Checks for a usable display without loading Qt, which aborts the process where there is none."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

__all__ = ["display_problem"]

ALTERNATIVES = "`livetrack run --headless` and `livetrack listen` need none"
X11_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""System libraries that Qt needs for X11, with the Debian package of each."""


def display_problem() -> str:
    """Return in one line why no window can be opened; empty when one can."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    if not os.environ.get("DISPLAY"):
        return f"no display: neither DISPLAY nor WAYLAND_DISPLAY is set; {ALTERNATIVES}"
    return _x11_problem()


def _x11_problem() -> str:
    if missing := [package for library, package in X11_LIBRARIES.items() if not _load(library)]:
        return f"the window needs missing system libraries (Debian, Ubuntu: apt install {' '.join(missing)})"
    xcb: Any = _load("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"no display: no X server at DISPLAY={os.environ['DISPLAY']}; {ALTERNATIVES}" if refused else ""


def _load(library: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(library)
    except OSError:
        return None
