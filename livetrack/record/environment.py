"""The computer that a session runs on, and the versions of what it runs."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from livetrack import __version__

__all__ = ["environment"]

_PACKAGES = {  # by the module that is loaded if the package is used
    "numpy": "numpy",
    "numba": "numba",
    "llvmlite": "llvmlite",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "pyarrow": "pyarrow",
    "msgspec": "msgspec",
    "zmq": "pyzmq",
    "pycromanager": "pycromanager",
    "pymmcore": "pymmcore",
    "mmpycorex": "mmpycorex",
}
_PLUGINS = ("livetrack.cameras", "livetrack.localizers")


def environment() -> dict[str, Any]:
    """Return the computer, its processor and cores, and the versions of Python and of the packages that are loaded.

    `pymmcore` has the version of MMCore. Packages of camera drivers and localizers are listed whether used or not.
    """
    return {
        "computer": platform.platform(),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "versions": {"livetrack": __version__, "python": platform.python_version(), **_loaded(), **_plugins()},
    }


def _loaded() -> dict[str, str]:
    found = {}
    for module, package in _PACKAGES.items():
        if module in sys.modules:
            with suppress(PackageNotFoundError):
                found[package] = version(package)
    return found


@cache
def _plugins() -> dict[str, str]:
    points = [point for group in _PLUGINS for point in entry_points(group=group)]
    return {point.dist.name: point.dist.version for point in points if point.dist}


@cache
def _processor() -> str:
    """Return the name of the processor; Linux gives it in a file only."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
