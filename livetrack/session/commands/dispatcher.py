"""What each command does to an engine, and in which thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from livetrack.errors import LivetrackError
from livetrack.session.commands import camera_handlers, session_handlers
from livetrack.wire import commands as ask
from livetrack.wire.commands import Request
from livetrack.wire.exchange import Reply

if TYPE_CHECKING:
    from livetrack.session.engine import Engine

__all__ = ["CommandDispatcher"]

_log = logging.getLogger(__name__)


class HandlerSpec(NamedTuple):
    """How one kind of request is carried out."""

    call: Callable[[Engine, Any], Any]
    worker: str
    """The thread: requests of one lane wait for each other. Empty: at once."""
    device: bool = False
    """Whether a device is told something, which may keep the camera's frames from coming."""


HANDLERS: dict[type[Request], HandlerSpec] = {
    ask.Hello: HandlerSpec(session_handlers.hello, ""),
    ask.State: HandlerSpec(session_handlers.state, ""),
    ask.Pause: HandlerSpec(session_handlers.pause, "loop"),
    ask.Resume: HandlerSpec(session_handlers.resume, "loop"),
    ask.SetThreshold: HandlerSpec(session_handlers.set_threshold, "loop"),
    ask.SetSearchRadius: HandlerSpec(session_handlers.set_search_radius, "loop"),
    ask.ChooseTarget: HandlerSpec(session_handlers.choose_target, "loop"),
    ask.ClearTarget: HandlerSpec(session_handlers.clear_target, "loop"),
    ask.SwapModel: HandlerSpec(session_handlers.swap_model, "model"),
    ask.StartRecording: HandlerSpec(session_handlers.start_recording, "recording"),
    ask.StopRecording: HandlerSpec(session_handlers.stop_recording, "recording"),
    ask.Start: HandlerSpec(camera_handlers.start, "camera"),
    ask.Stop: HandlerSpec(camera_handlers.stop, "camera"),
    ask.Properties: HandlerSpec(camera_handlers.properties, "camera", device=True),
    ask.SetProperty: HandlerSpec(camera_handlers.set_property, "camera", device=True),
    ask.SetExposure: HandlerSpec(camera_handlers.set_exposure, "camera", device=True),
    ask.SetRoi: HandlerSpec(camera_handlers.set_roi, "camera", device=True),
    ask.ClearRoi: HandlerSpec(camera_handlers.clear_roi, "camera", device=True),
    ask.Actuators: HandlerSpec(camera_handlers.actuators, "actuators", device=True),
    ask.MoveTo: HandlerSpec(camera_handlers.move_to, "actuators", device=True),
    ask.MoveBy: HandlerSpec(camera_handlers.move_by, "actuators", device=True),
    ask.StoreCalibration: HandlerSpec(camera_handlers.store_calibration, "actuators"),
}


class CommandDispatcher:
    """Carries out the commands of one engine; see `livetrack.session.commands.server.Handler`.

    Commands to a device are watched: for how long they keep frames from coming is in the reply, and counted in
    `stalls` and `stall_ms`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counting = threading.Lock()  # several lanes count
        self.stalls = 0
        self.stall_ms = 0.0

    def worker_name(self, request: Request) -> str:
        """Return the name of the thread that `request` is for; empty where it takes no time."""
        return HANDLERS[type(request)].worker

    def dispatch(self, request: Request) -> Reply:
        """Carry out `request`; never raises."""
        spec = HANDLERS[type(request)]
        begun_ns = time.perf_counter_ns()
        result, error = None, ""
        with self._engine.acquisition.gaps.probe() if spec.device else nullcontext() as probe:
            try:
                result = spec.call(self._engine, request)
            except LivetrackError as refusal:
                error = str(refusal)
            except Exception as failure:  # noqa: BLE001  of a driver, a library: the sender is told, the engine goes on
                _log.debug("command %r failed", request, exc_info=True)
                error = f"failed: {failure}"
        took_ms = round((time.perf_counter_ns() - begun_ns) * 1e-6, 3)
        stall_ms = probe.stall_ms if probe else 0.0
        if stall_ms:
            with self._counting:
                self.stalls += 1
                self.stall_ms += stall_ms
        return Reply(id=request.id, result=result, error=error, took_ms=took_ms, stall_ms=stall_ms)
