"""Calls of a camera driver that may never return, or raise anything."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from livetrack.camera import Camera
from livetrack.devices.lifecycle import RestoresLight
from livetrack.errors import CameraError

__all__ = ["DriverCalls", "describe_error"]

_log = logging.getLogger(__name__)

_CLOSE_S = 0.6  # for the driver to close the camera before the session goes on without it
_EXIT_S = 8.0  # more for that when the process ends


class DriverCalls:
    """Measures how long a driver takes for the next picture, and closes it without waiting for ever."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._begun_ns = 0
        self._changing = False

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

    @contextmanager
    def call(self) -> Iterator[None]:
        """Measure a call that changes the camera's state, such as opening it."""
        self._changing = True
        self.begin()
        try:
            yield
        finally:
            self.end()
            self._changing = False

    def close(self, exposure_s: Callable[[], float], *, restore_light: bool = False) -> None:
        """Close the camera, and raise what that raises.

        If it takes longer than 0.6 s, it goes on in the background. If the driver has returned the last picture that it
        was asked for, the camera may first have to finish its exposure, which `exposure_s` asks the driver for: so much
        longer is waited here, and 8 s when the process ends. `restore_light`: before, close the light that the start of
        the camera has opened.
        """
        patient = self._changing or not self._begun_ns
        exposures: list[float] = []
        errors: list[BaseException] = []

        def close() -> None:
            camera = self._camera
            try:
                if patient:
                    exposures.append(exposure_s())
                try:
                    if restore_light and isinstance(camera, RestoresLight):
                        camera.restore_light()
                finally:
                    camera.close()
            except BaseException as error:  # noqa: BLE001  raised below
                errors.append(error)

        thread = threading.Thread(target=close, name="livetrack-camera-close", daemon=True)
        thread.start()
        thread.join(_CLOSE_S)
        thread.join(sum(exposures))
        if thread.is_alive():
            _log.warning("the camera driver has not returned from close(): the session ends without it")
            if patient:
                atexit.register(thread.join, _EXIT_S)
        if errors:
            raise errors[0] if isinstance(errors[0], Exception) else CameraError(describe_error(errors[0]))


def describe_error(error: BaseException) -> str:
    """Return the text of an error, with its type if the text alone says too little."""
    text = str(error)
    return text if text and isinstance(error, Exception) else f"{type(error).__name__} {text}".rstrip()
