"""Publishes the events of a session: tracks started and ended, geometry, target, camera state, log lines."""

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
    """Compares the current state with the last one and publishes the difference; log lines may come from any thread.

    Parameters
    ----------
    session
        Number of the session, part of every message.
    send
        Called with each encoded message, in the thread that calls `on_frame` and `poll`.
    """

    def __init__(self, session: int, send: Callable[[bytes], object]) -> None:
        self._session = session
        self._send = send
        self.on_event: Callable[[EventMessage], object] = lambda message: None
        """Called with each event, in the same thread."""
        self._seq = 0
        self._total_started = self._total_ended = 0
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
        """Publish what has changed with the frame that was tracked last."""
        if frame.geometry_number != self._geometry_number:
            self._geometry_number = frame.geometry_number
            self._publish(GeometryEvent(frame=frame.index, number=frame.geometry_number, geometry=frame.geometry))
        if linker.total_started != self._total_started or linker.total_ended != self._total_ended:
            started, ended = linker.started.tolist(), linker.ended.tolist()
            reset = linker.total_ended - self._total_ended != len(ended)  # the linker was reset between two frames
            self._total_started, self._total_ended = linker.total_started, linker.total_ended
            self._publish(TracksEvent(frame=frame.index, t_s=frame.t_s, born=started, ended=ended, anew=reset))
        if target != self._target:
            self._target = target
            self._publish(TargetEvent(particle=target))

    def poll(self, state: str, message: str) -> None:
        """Publish a change of state, and the lines logged since the last call."""
        if state != self._state:
            self._state = state
            self._publish(CameraEvent(state=state, message=message))
        while self._lines:
            self._publish(self._lines.popleft())

    def close(self) -> None:
        """Detach from the loggers and restore their levels."""
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
        self.on_event(message)


class _LogBuffer(logging.Handler):
    """Keeps log lines for the loop; lines that would go to stderr without this handler still do."""

    def __init__(self, lines: deque[LogEvent]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage().encode(errors="backslashreplace").decode()  # JSON has no lone surrogates
        except Exception:  # noqa: BLE001  a line that cannot be formatted must not end the thread that logs it
            self.handleError(record)
            return
        self._lines.append(LogEvent(level=record.levelname, logger=record.name, text=text))
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not logging.getLogger().handlers:
            last.handle(record)
