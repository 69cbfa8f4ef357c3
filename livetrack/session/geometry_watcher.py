"""Asks the devices for the geometry about once a second: an objective may be turned by hand."""

from __future__ import annotations

import logging
import threading

from livetrack.devices import HasOptics
from livetrack.session.acquisition import Acquisition, CameraState
from livetrack.session.driver_calls import describe_error

__all__ = ["GeometryWatcher"]

_log = logging.getLogger(__name__)

_INTERVAL_S = 1.0
_CLOSE_TIMEOUT_S = 0.2  # a device may take long to answer


class GeometryWatcher:
    """Announces what `camera` reports; a thread of its own, so that no slow device delays a frame.

    If a device does not answer, the last geometry stays in force, and a warning is logged.
    """

    def __init__(self, camera: HasOptics, acquisition: Acquisition) -> None:
        self._camera = camera
        self._acquisition = acquisition
        self._failed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="livetrack-geometry", daemon=True)

    def start(self) -> None:
        """Start to ask."""
        self._thread.start()

    def close(self) -> None:
        """Stop, without waiting long for a device that does not answer."""
        self._stop.set()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        record = self._acquisition.geometry_record
        while not self._stop.wait(_INTERVAL_S):
            if self._acquisition.state in (CameraState.STARTING, CameraState.RETRYING):
                continue  # devices are being opened
            try:
                number = record.now.number
                record.announce(self._camera.read_geometry(), read_at=number)
                self._failed = False
            except BaseException as error:  # noqa: BLE001  a driver may raise anything, and the watch must go on
                self._warn(error)

    def _warn(self, error: BaseException) -> None:
        if not self._failed and self._acquisition.state is CameraState.RUNNING:  # else it has just been closed
            self._failed = True
            _log.warning("pixel size and objective cannot be read, and may have changed: %s", describe_error(error))
