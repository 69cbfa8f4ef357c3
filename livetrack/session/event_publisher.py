"""What happens in a session, told as it does: births and deaths, geometry, target, state, log lines."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from livetrack.camera import Frame
from livetrack.linking import Linker
from livetrack.wire import encode_event
from livetrack.wire.events import (
    CameraEvent,
    Event,
    EventMessage,
    GeometryEvent,
    LogEvent,
    TargetEvent,
    TracksEvent,
)

__all__ = ["EventPublisher"]

_LOGGERS = ("livetrack", "livetrack_drivers")


class EventPublisher:
    """Compares what is with what was told last, and tells the difference; log lines come from any thread.

    Parameters
    ----------
    session
        Goes into every message.
    send
        Is called with each message, in the thread that calls `on_frame` and `poll`.
    """

    def __init__(self, session: int, send: Callable[[bytes], object]) -> None:
        self._session = session
        self._send = send
        self._seq = 0
        self._born = self._ended = 0  # counts
        self._geometry_number = -1
        self._target: int | None = None
        self._state = ""
        self._lines: deque[LogEvent] = deque()
        self._handler = _LogBuffer(self._lines)
        self._levels = {name: logging.getLogger(name).level for name in _LOGGERS}
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addHandler(self._handler)
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.INFO)

    def on_frame(self, frame: Frame, linker: Linker, target: int | None) -> None:
        """Tell what the frame that was tracked last has changed."""
        if frame.geometry_number != self._geometry_number:
            self._geometry_number = frame.geometry_number
            self._publish(GeometryEvent(frame=frame.index, number=frame.geometry_number, geometry=frame.geometry))
        if linker.total_started != self._born or linker.total_ended != self._ended:
            born, ended = linker.started.tolist(), linker.ended.tolist()
            anew = linker.total_ended - self._ended != len(ended)  # it was reset between two frames
            self._born, self._ended = linker.total_started, linker.total_ended
            self._publish(TracksEvent(frame=frame.index, t_s=frame.t_s, born=born, ended=ended, anew=anew))
        if target != self._target:
            self._target = target
            self._publish(TargetEvent(particle=target))

    def poll(self, state: str, message: str) -> None:
        """Tell of another state, and what was logged."""
        if state != self._state:
            self._state = state
            self._publish(CameraEvent(state=state, message=message))
        while self._lines:
            self._publish(self._lines.popleft())

    def close(self) -> None:
        """Listen to the log no longer."""
        for name, level in self._levels.items():
            logging.getLogger(name).removeHandler(self._handler)
            logging.getLogger(name).setLevel(level)

    def _publish(self, event: Event) -> None:
        message = EventMessage(
            session=self._session,
            seq=self._seq,
            t_ns=time.perf_counter_ns(),
            wall_ns=time.time_ns(),
            event=event,
        )
        self._seq += 1
        self._send(encode_event(message))


class _LogBuffer(logging.Handler):
    """Keeps lines for the loop; what would have gone to stderr without this handler goes there still."""

    def __init__(self, lines: deque[LogEvent]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage().encode(errors="backslashreplace").decode()  # half a character is no JSON
        except Exception:  # noqa: BLE001  a line that cannot be formatted must not end the thread that logs it
            self.handleError(record)
            return
        self._lines.append(LogEvent(level=record.levelname, logger=record.name, text=text))
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not logging.getLogger().handlers:
            last.handle(record)
