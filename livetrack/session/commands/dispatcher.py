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

__all__ = ["Desk"]

_log = logging.getLogger(__name__)


class Duty(NamedTuple):
    """How one kind of request is carried out."""

    call: Callable[[Engine, Any], Any]
    lane: str
    """The thread: requests of one lane wait for each other. Empty: at once."""
    device: bool = False
    """Whether a device is told something, which may keep the camera's frames from coming."""


_DUTIES: dict[type[Request], Duty] = {
    ask.Hello: Duty(session_handlers.hello, ""),
    ask.State: Duty(session_handlers.state, ""),
    ask.Pause: Duty(session_handlers.pause, "loop"),
    ask.Resume: Duty(session_handlers.resume, "loop"),
    ask.SetThreshold: Duty(session_handlers.set_threshold, "loop"),
    ask.SetSearchRadius: Duty(session_handlers.set_search_radius, "loop"),
    ask.ChooseTarget: Duty(session_handlers.choose_target, "loop"),
    ask.ClearTarget: Duty(session_handlers.clear_target, "loop"),
    ask.SwapModel: Duty(session_handlers.swap_model, "model"),
    ask.StartRecording: Duty(session_handlers.start_recording, "recording"),
    ask.StopRecording: Duty(session_handlers.stop_recording, "recording"),
    ask.Start: Duty(camera_handlers.start, "camera"),
    ask.Stop: Duty(camera_handlers.stop, "camera"),
    ask.Properties: Duty(camera_handlers.properties, "camera", device=True),
    ask.SetProperty: Duty(camera_handlers.set_property, "camera", device=True),
    ask.SetExposure: Duty(camera_handlers.set_exposure, "camera", device=True),
    ask.SetRoi: Duty(camera_handlers.set_roi, "camera", device=True),
    ask.ClearRoi: Duty(camera_handlers.clear_roi, "camera", device=True),
    ask.Actuators: Duty(camera_handlers.actuators, "actuators", device=True),
    ask.MoveTo: Duty(camera_handlers.move_to, "actuators", device=True),
    ask.MoveBy: Duty(camera_handlers.move_by, "actuators", device=True),
    ask.StoreCalibration: Duty(camera_handlers.store_calibration, "actuators"),
}


class Desk:
    """Carries out the commands of one engine; see `livetrack.session.commands.server.Handler`.

    Commands to a device are watched: for how long they keep frames from coming is in the reply, and counted in
    `stalls` and `stall_ms`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counting = threading.Lock()  # several lanes count
        self.stalls = 0
        self.stall_ms = 0.0

    def lane(self, request: Request) -> str:
        """Return the name of the thread that `request` is for; empty where it takes no time."""
        return _DUTIES[type(request)].lane

    def answer(self, request: Request) -> Reply:
        """Carry out `request`; never raises."""
        duty = _DUTIES[type(request)]
        begun_ns = time.perf_counter_ns()
        result, error = None, ""
        with self._engine.acquisition.gaps.watched() if duty.device else nullcontext() as watch:
            try:
                result = duty.call(self._engine, request)
            except LivetrackError as refusal:
                error = str(refusal)
            except Exception as failure:  # noqa: BLE001  of a driver, a library: the sender is told, the engine goes on
                _log.debug("command %r failed", request, exc_info=True)
                error = f"failed: {failure}"
        took_ms = round((time.perf_counter_ns() - begun_ns) * 1e-6, 3)
        stall_ms = watch.stall_ms if watch else 0.0
        if stall_ms:
            with self._counting:
                self.stalls += 1
                self.stall_ms += stall_ms
        return Reply(id=request.id, result=result, error=error, took_ms=took_ms, stall_ms=stall_ms)
