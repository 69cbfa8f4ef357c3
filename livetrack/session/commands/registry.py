"""Registry of the command handlers: which function carries out which request, and in which thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from livetrack.camera import Camera
from livetrack.session.commands.calibration_store import CalibrationStore
from livetrack.session.commands.move_guard import MoveGuard
from livetrack.session.loop import TrackingLoop
from livetrack.session.motion import MotionControl
from livetrack.wire.commands import Request

__all__ = ["HANDLERS", "LOOP", "CommandContext", "HandlerSpec", "handles"]

LOOP = "loop"
"""The worker whose handlers run in the tracking loop, between two frames: they may change its state."""

R = TypeVar("R")


class CommandContext(NamedTuple):
    """What the handlers act on."""

    loop: TrackingLoop
    camera: Camera
    calibrations: CalibrationStore
    guard: MoveGuard
    motion: MotionControl
    client: bytes = b""
    """Identity of the connection that the request came from."""


class HandlerSpec(NamedTuple):
    """A handler, and how it is called."""

    handler: Callable[[CommandContext, Any], Any]
    worker: str
    device: bool


HANDLERS: dict[type[Request[Any]], HandlerSpec] = {}
"""All handlers, filled by `handles`."""

Handler = Callable[[CommandContext, Any], R]


def handles(request: type[Request[R]], *, worker: str = "", device: bool = False) -> Callable[[Handler[R]], Handler[R]]:
    """Register the decorated function as the handler of `request`; it returns the result or raises.

    Parameters
    ----------
    worker
        Name of the thread to run in, or `LOOP`. The requests of one worker are handled in the order in which they
        arrive. Empty: in the server's own thread, for handlers that return at once.
    device
        Whether the handler controls a device: then measure for how long it stalls the camera's frames.
    """

    def register(handler: Handler[R]) -> Handler[R]:
        HANDLERS[request] = HandlerSpec(handler, worker, device)
        return handler

    return register
