"""Runs the handler of each request and turns its result or error into a reply."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from typing import Any

from livetrack.errors import GeometryChangedError, LivetrackError
from livetrack.session.commands import (  # noqa: F401  importing registers the handlers
    camera_handlers,
    microscope_handlers,
    motion_handlers,
    session_handlers,
)
from livetrack.session.commands.registry import HANDLERS, LOOP, CommandContext
from livetrack.session.driver_calls import describe_error
from livetrack.wire.commands import HelloReply, MoveBy, MoveTo, Request, StoreCalibration
from livetrack.wire.exchange import GEOMETRY_CHANGED, Reply

__all__ = ["CommandDispatcher"]

_log = logging.getLogger(__name__)


class CommandDispatcher:
    """Handles the requests of one session."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    def worker_name(self, request: Request[Any]) -> str:
        """Return the name of the thread that handles `request`; empty for one that takes no time."""
        return HANDLERS[type(request)].worker

    def dispatch(self, request: Request[Any], client: bytes = b"") -> Reply:
        """Handle the `request` of a client, of which this is the id, and return the reply; never raises."""
        spec, context = HANDLERS[type(request)], self._context._replace(client=client)
        loop = context.loop
        begun_ns = time.perf_counter_ns()
        result, error, code = None, "", ""
        with loop.acquisition.gaps.probe() if spec.device else nullcontext() as probe:
            try:
                if isinstance(request, MoveTo | MoveBy | StoreCalibration):
                    context.guard.check(client, request)
                if spec.worker == LOOP:
                    result = loop.queue.run_in_loop(lambda: spec.handler(context, request))
                else:
                    result = spec.handler(context, request)
                if isinstance(result, HelloReply):
                    context.guard.note_hello(client, result)
                elif isinstance(request, StoreCalibration):
                    context.guard.note_stored(client, request)
            except GeometryChangedError as refusal:
                error, code = str(refusal), GEOMETRY_CHANGED
            except LivetrackError as refusal:
                error = str(refusal)
            except BaseException as failure:  # noqa: BLE001  of a driver or a library: reported to the client
                _log.debug("command %r failed", request, exc_info=True)
                error = f"failed: {describe_error(failure)}"
        took_ms = round((time.perf_counter_ns() - begun_ns) * 1e-6, 3)
        stall_ms = probe.stall_ms if probe else 0.0
        reply = Reply(id=request.id, result=result, error=error, code=code, took_ms=took_ms, stall_ms=stall_ms)
        loop.notes.on_command(client, request, reply)
        return reply
