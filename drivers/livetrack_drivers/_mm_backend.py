"""Chooses between a Micro-Manager window that is open and a core in this process."""

from __future__ import annotations

import logging

from livetrack.errors import CameraError
from livetrack_drivers._mm_core import LoadedCore, acquire_core
from livetrack_drivers._mm_settings import MicroManagerSettings
from livetrack_drivers._mm_window import NoWindowError, WindowCore, join_window

__all__ = ["open_core"]

_log = logging.getLogger(__name__)


def open_core(settings: MicroManagerSettings) -> LoadedCore | WindowCore:
    """Return the core that the settings ask for.

    Raises
    ------
    CameraError
        It cannot be had, or it is not clear which one is meant.
    """
    if settings.backend == "java":
        return join_window(settings.port)
    if settings.backend == "python":
        return acquire_core(settings.mm_dir, settings.config_file, settings.buffer_mb)
    try:
        window = join_window(settings.port)
    except NoWindowError as error:
        _log.info("Micro-Manager in this process: %s", error)
        return acquire_core(settings.mm_dir, settings.config_file, settings.buffer_mb)
    except CameraError as error:
        raise CameraError(
            f'{error}; if it is not Micro-Manager\'s, set camera.micromanager.backend = "python"'
        ) from None
    given = [key for key in ("mm_dir", "config_file") if getattr(settings, key) != getattr(_DEFAULTS, key)]
    if given:
        window.release()
        raise CameraError(
            f"a Micro-Manager window is open (port {settings.port}), and {' and '.join(given)} would load the same"
            ' hardware a second time: set camera.micromanager.backend = "java" to join the window, or close it, or set'
            ' backend = "python" if it has other hardware'
        )
    _log.info("Micro-Manager's open window is joined (port %d)", settings.port)
    return window


_DEFAULTS = MicroManagerSettings()
