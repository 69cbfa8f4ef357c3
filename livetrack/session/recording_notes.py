"""Notes in the current recording what happens in the session: settings, models, commands, log lines, states."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from livetrack.config import Config
from livetrack.localize import Localizer
from livetrack.record import EventLog, Recorder
from livetrack.session.kept_model import describe_model, keep_model
from livetrack.wire import commands
from livetrack.wire.events import EventMessage, GeometryEvent, TracksEvent
from livetrack.wire.exchange import Reply

__all__ = ["RecordingNotes"]

_LISTED_ELSEWHERE = (TracksEvent, GeometryEvent)  # in trajectories.arrow; by the recorder, of each frame
_QUESTIONS = (commands.Hello, commands.State, commands.Actuators)
_READINGS = {commands.Properties: "properties", commands.Microscope: "microscope"}  # noted if they have changed


class RecordingNotes:
    """Passes what happens to the event log of the current recording, if there is one.

    `update` belongs to the tracking loop; any thread may call the other methods. None waits for the disk.
    """

    def __init__(self) -> None:
        self._events: EventLog | None = None
        self._config: Config | None = None
        self._localizer: Localizer | None = None
        self._read: dict[str, tuple[Any, int]] = {}  # by kind: what a client has read of the camera last, and when
        self.calibrations: Callable[[], list[Any]] = list
        """Returns the stored calibrations of this camera's actuators."""

    def update(self, recorder: Recorder | None, config: Config, localizer: Localizer, state: Mapping[str, Any]) -> None:
        """Note what has changed since the last call; of a new recording, what it begins with.

        Parameters
        ----------
        state
            Of the session: entries of the first event.
        """
        events = None if recorder is None else recorder.events
        if recorder is not None and events is not None:
            begins = events is not self._events
            if begins:
                events.note("begin", {**state, "calibrations": self.calibrations()})
                for kind, (reading, read_ns) in list(self._read.items()):
                    events.note(kind, {kind: reading, "read_ns": read_ns})
            elif config is not self._config:
                for name, before, value in _differences(_plain(self._config), _plain(config)):
                    events.note("setting", {"name": name, "value": value, "before": before})
            if begins or localizer is not self._localizer:
                events.note("model", partial(keep_model, recorder.folder, localizer, describe_model(localizer)))
        self._events, self._config, self._localizer = events, config, localizer

    def on_event(self, message: EventMessage) -> None:
        """Note an event that was published."""
        events = self._events
        if events is not None and not isinstance(message.event, _LISTED_ELSEWHERE):
            content = msgspec.to_builtins(message.event)
            events.note(content.pop("kind"), content)

    def on_command(self, client: bytes, request: commands.Request[Any], reply: Reply) -> None:
        """Note a command and its result or error."""
        events = self._events
        reading = _READINGS.get(type(request))
        if reading is not None:
            if not reply.error:
                self._read[reading] = reply.result, time.perf_counter_ns()
                if events is not None:
                    events.note_change(reading, {reading: reply.result})
        elif events is not None and not isinstance(request, _QUESTIONS):
            content = msgspec.to_builtins(request, enc_hook=str)
            events.note(
                "command",
                {
                    "command": content.pop("command"),
                    "arguments": content,
                    "client": client.hex(),
                    "result": reply.result,
                    "error": reply.error,
                    "took_ms": reply.took_ms,
                },
            )


def _plain(config: Config | None) -> Any:
    return msgspec.to_builtins(config, enc_hook=str)


def _differences(one: Any, other: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, the old and the new value of each setting that differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _differences(one.get(key), other.get(key), f"{name}.{key}" if name else key)
    elif one != other:
        yield name, one, other
