"""Whether a window can be opened here, found out without loading Qt (which aborts the process when it cannot)."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["display_problem", "has_display"]


def has_display() -> bool:
    """Whether a window can be opened; quick, and loads no Qt."""
    return not display_problem()


def display_problem() -> str:
    """Why no window can be opened, in a line for a person; empty when one can."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    if not os.environ.get("DISPLAY"):
        return (
            "no display: neither DISPLAY nor WAYLAND_DISPLAY is set; use --headless, or `ssh -X` for a remote machine"
        )
    return _x11_problem()


def _x11_problem() -> str:
    try:
        ctypes.CDLL("libxcb-cursor.so.0")  # what Qt's own message calls "could not load the Qt platform plugin"
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError as error:
        return f"the window needs a library of the system: {error}; on Debian and Ubuntu: apt install libxcb-cursor0"
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"no display: nothing answers at DISPLAY={os.environ['DISPLAY']}; use --headless" if refused else ""
