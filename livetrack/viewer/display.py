"""Checks for a usable display without loading Qt into this process, which it aborts where there is none."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import Any

__all__ = ["display_problem"]

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

_VARIABLES = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")
_TRIAL = (
    "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); "  # an abort leaves no core dump
    "from PySide6.QtGui import QGuiApplication; QGuiApplication([])"
)
_TRIAL_S = 20.0  # a display that does not respond; others take a fraction of a second


def display_problem(alternatives: str = "") -> str:
    """Return in one line why no window can be opened; empty when one can. `alternatives` says what needs none."""
    problem = _display_problem()
    return f"{problem}; {alternatives}" if alternatives and problem.startswith("no display") else problem


def _display_problem() -> str:
    if not sys.platform.startswith("linux"):
        return ""
    given = [f"{name}={value}" for name in _VARIABLES if (value := os.environ.get(name))]
    if not given:
        return "no display: neither DISPLAY nor WAYLAND_DISPLAY is set"
    if given[0].startswith("DISPLAY") and (problem := _x11_problem()):
        return problem
    return _qt_problem(" and ".join(given))


def _x11_problem() -> str:
    if missing := [package for library, package in X11_LIBRARIES.items() if not _load(library)]:
        return f"the window needs missing system libraries (Debian, Ubuntu: apt install {' '.join(missing)})"
    xcb: Any = _load("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"no display: no X server at DISPLAY={os.environ['DISPLAY']}" if refused else ""


def _qt_problem(given: str) -> str:
    """Return why Qt cannot use the display of the variables `given`, tried in a process of its own (0.2 s)."""
    try:
        trial = subprocess.run(
            [sys.executable, "-P", "-c", _TRIAL],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no display: nothing responds at {given}"
    if trial.returncode < 0:  # killed by a signal: Qt aborts
        return f"no display: Qt can open no window with {given}"
    if trial.returncode:
        error = trial.stderr.strip().rpartition("\n")[2]
        return f"the window cannot be opened because Qt does not load: {error}"
    return ""


def _load(library: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(library)
    except OSError:
        return None
