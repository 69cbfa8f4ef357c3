"""Calls of a camera driver that may never return, or raise anything."""

from __future__ import annotations

import atexit
import logging
import threading
import time

from livetrack.camera import Camera
from livetrack.errors import CameraError

__all__ = ["DriverCalls", "describe_error"]

_log = logging.getLogger(__name__)

_CLOSE_S = 0.8  # for the driver to close the camera before the session goes on without it
_EXIT_S = 8.0  # more for that when the process ends


class DriverCalls:
    """Measures how long a driver takes for the next picture, and closes it without waiting for ever."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._begun_ns = 0

    def begin(self) -> None:
        """Mark the begin of a call."""
        self._begun_ns = time.perf_counter_ns()

    def end(self) -> int:
        """Mark the end of the call, and return when it began, ns."""
        begun_ns, self._begun_ns = self._begun_ns, 0
        return begun_ns

    def silent_s(self) -> float:
        """Return for how long the current call has not returned, s; 0 if there is none. Any thread may call this."""
        begun_ns = self._begun_ns
        return (time.perf_counter_ns() - begun_ns) * 1e-9 if begun_ns else 0.0

    def close(self, *, patient: bool, exposure_s: float = 0.0) -> None:
        """Close the camera, and raise what that raises.

        If it takes longer than 0.8 s beyond the exposure, which a camera may have to finish, it goes on in the
        background; `patient`, the process waits for it at its end.
        """
        errors: list[BaseException] = []
        thread = threading.Thread(target=self._try_close, args=(errors,), name="livetrack-camera-close", daemon=True)
        thread.start()
        thread.join(_CLOSE_S + exposure_s)
        if thread.is_alive():
            _log.warning("the camera driver has not returned from close(): the session ends without it")
            if patient:
                atexit.register(thread.join, _EXIT_S)
        if errors:
            raise errors[0] if isinstance(errors[0], Exception) else CameraError(describe_error(errors[0]))

    def _try_close(self, errors: list[BaseException]) -> None:
        try:
            self._camera.close()
        except BaseException as error:  # noqa: BLE001  raised by `close`
            errors.append(error)


def describe_error(error: BaseException) -> str:
    """Return the text of an error, with its type if the text alone says too little."""
    text = str(error)
    return text if text and isinstance(error, Exception) else f"{type(error).__name__} {text}".rstrip()
