"""What rate of pictures the bridge of a Micro-Manager window allows, and whether it is the limit."""

from __future__ import annotations

import logging
import statistics
import time
from typing import Any

from livetrack.camera import Geometry

__all__ = ["BridgeRate"]

_log = logging.getLogger(__name__)

_TRIALS = 9
_BYTES_PER_S = 150e6  # measured: 100 to 200 MB/s
_CALLS = 2.0  # round trips a picture
_WINDOW_S = 5.0
_LIMITED = 0.8  # of the camera's pictures


class BridgeRate:
    """Measures a round trip at the start, and compares what is read with what the camera delivers."""

    def __init__(self, core: Any, label: str) -> None:
        self._core = core
        self._label = label
        self._since_s = time.perf_counter()
        self._read = self._delivered = 0
        self._reported = False
        self._size = 0  # bytes of a picture
        self.limit_hz = 0.0
        """Pictures/s that the bridge allows."""

    def expect(self, geometry: Geometry) -> None:
        """Measure the bridge, and log the rate to expect for pictures of this size, unless it is known."""
        self._since_s, self._read, self._delivered = time.perf_counter(), 0, 0
        size = geometry.width * geometry.height * self._core.get_bytes_per_pixel()
        if size == self._size:
            return
        self._size = size
        trips = []
        for _ in range(_TRIALS):
            begun = time.perf_counter()
            self._core.get_remaining_image_count()
            trips.append(time.perf_counter() - begun)
        self.limit_hz = 1 / (_CALLS * statistics.median(trips) + size / _BYTES_PER_S)
        exposure_s = 1e-3 * self._core.get_exposure()
        camera = f"the exposure of {1e3 * exposure_s:g} ms allows {1 / exposure_s:.0f}" if exposure_s > 0 else ""
        _log.info(
            "camera %r: Micro-Manager's bridge passes about %.0f images/s of %d x %d px%s",
            self._label, self.limit_hz, geometry.width, geometry.height, camera and f"; {camera}",
        )  # fmt: skip

    def read(self, delivered: int) -> None:
        """Take note that a picture was read, the last of `delivered`; say once if the bridge is the limit."""
        self._read += 1
        self._delivered += delivered
        seconds = time.perf_counter() - self._since_s
        if seconds < _WINDOW_S:
            return
        if self._read < _LIMITED * self._delivered and not self._reported:
            self._reported = True
            _log.warning(
                "camera %r: the bridge to Micro-Manager is the limit, not the camera: %.0f of its %.0f images/s arrive;"
                ' a smaller ROI helps, and camera.micromanager.backend = "python", without the window, takes all',
                self._label, self._read / seconds, self._delivered / seconds,
            )  # fmt: skip
        self._since_s, self._read, self._delivered = time.perf_counter(), 0, 0
