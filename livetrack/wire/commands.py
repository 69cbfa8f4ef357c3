"""The commands of an engine: one class per request, with the type of its result.

A request is a JSON object with the name of its `command`, an `id` chosen by the client and repeated in the reply, and
the fields of its class below; unknown fields and values out of bounds are rejected. `livetrack.wire.exchange` encodes
and decodes them. A new command is a class here, a handler in `livetrack.session.commands`, and a method of
`livetrack.client.Remote`.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from msgspec import UNSET, Meta, Struct

from livetrack.camera import Geometry
from livetrack.devices import ActuatorCalibration, Property, Value
from livetrack.wire.microscope_commands import (
    FocusOnce,
    Microscope,
    ReloadDevices,
    SetAutofocus,
    SetLight,
    SetPreset,
)
from livetrack.wire.request import GeometryNumber, Name, Numbers, Offset, Positive, Request, SessionNumber, Size
from livetrack.wire.status import RecordingStatus, Status

__all__ = [
    "REQUESTS",
    "ActuatorState",
    "Actuators",
    "Addresses",
    "AllowMoves",
    "ChooseTarget",
    "ClearRoi",
    "ClearTarget",
    "FocusOnce",
    "Halt",
    "HaltResult",
    "Hello",
    "HelloReply",
    "Microscope",
    "MoveBy",
    "MoveResult",
    "MoveTo",
    "Pause",
    "Properties",
    "ReloadDevices",
    "Request",
    "Resume",
    "SetAutofocus",
    "SetExposure",
    "SetLight",
    "SetPreset",
    "SetProperty",
    "SetRoi",
    "SetSearchRadius",
    "SetThreshold",
    "Start",
    "StartRecording",
    "State",
    "Stop",
    "StopRecording",
    "StoreCalibration",
    "SwapModel",
]

# results


class Addresses(Struct, frozen=True, kw_only=True):
    """Addresses of an engine."""

    positions: str
    preview: str
    commands: str


class HelloReply(Struct, frozen=True, kw_only=True):
    """Everything that a client needs to know when it connects."""

    session: int
    livetrack: str
    """Version."""
    wire_version: int
    addresses: Addresses
    header: list[tuple[str, str, int]]
    """Schema of a positions message's header: name, NumPy type and offset of each field. Likewise `rows`."""
    rows: list[tuple[str, str, int]]
    geometry: Geometry
    geometry_number: int
    calibration: dict[str, Any]
    """Section `[calibration]` of the settings."""
    settings: dict[str, Any]
    """All current settings, section by section."""
    calibrations: dict[str, ActuatorCalibration] = {}
    """Calibrations of the actuators, by name, that hold for the geometry in force."""
    refused_calibrations: dict[str, str] = {}
    """Why none holds, by the name of each actuator that was calibrated with this camera, but not for this image."""
    geometry_checked: bool = False
    """Whether the engine accepts `geometry` and `session` in `MoveTo`, `MoveBy` and `StoreCalibration`."""
    models: tuple[str, ...] = ()
    """Names that `SwapModel` accepts; it also accepts an ONNX file."""
    status: Status
    t_client_ns: int
    """As sent in the request."""
    t_received_ns: int
    """The engine's monotonic clock when the request arrived."""
    t_sent_ns: int
    """The same clock when the reply left; `wall_ns` is the wall clock at that time."""
    wall_ns: int
    clock_offset_ns: int = 0
    """The engine's monotonic clock minus the client's, set by `Remote`; its error is at most half of
    `round_trip_ns`."""
    round_trip_ns: int = 0


class ActuatorState(Struct, frozen=True, kw_only=True):
    """An actuator and its position."""

    name: str
    axes: tuple[str, ...]
    unit: str
    position: tuple[float, ...]
    limits: tuple[tuple[float | None, float | None], ...] = ()
    """Lowest and highest position of each axis that the engine accepts; None: none."""
    max_speed: float | None = None
    """Units per second; None: the device's own speed."""


class HaltResult(Struct, frozen=True, kw_only=True):
    """What an emergency stop has reached; no actuator is commanded any more in any case."""

    stopped: tuple[str, ...]
    """Actuators that have stopped."""
    failed: dict[str, str]
    """Why others may still be moving, by name."""


class MoveResult(Struct, frozen=True, kw_only=True):
    """When a move was commanded, and where it ended."""

    t_begun_ns: int
    """Just before the command was passed to the device, on the engine's monotonic clock."""
    t_done_ns: int
    """Just after the device accepted it."""
    position: tuple[float, ...] | None
    """Read back at the end of the move; None if the request did not ask to wait."""


# requests


class Hello(Request[HelloReply], frozen=True):
    """Get addresses, geometry, settings, status and the engine's clock."""

    t_client_ns: int = 0
    """The client's clock, repeated in the reply."""


class State(Request[Status], frozen=True):
    """Get the status now, as in the heartbeat."""


class Start(Request[str], frozen=True):
    """Start the camera again; the result is the state."""


class Stop(Request[str], frozen=True):
    """Stop the camera until `Start`: no frame is received, tracked or recorded. The result is the state."""


class Pause(Request[str], frozen=True):
    """Skip all frames until `Resume`; they are still shown and recorded. The result is the state."""


class Resume(Request[str], frozen=True):
    """Track again, with new tracks. The result is the state."""


class SetThreshold(Request[float], frozen=True):
    """Leave out rows with a score below this; null for the model's default."""

    threshold: Annotated[float, Meta(gt=0, lt=1)] | None


class SetSearchRadius(Request[float], frozen=True):
    """Set the maximum distance between the expected and the found position of a particle, px."""

    search_radius_px: Annotated[float, Meta(gt=0, le=1e6)]


class SwapModel(Request[str], frozen=True):
    """Use another localizer: a model's or a method's name, or an ONNX file. The result is its name."""

    model: Name


class ChooseTarget(Request[int], frozen=True):
    """Make a track the target: the one with this id, or the nearest to a position, px. The result is its id."""

    particle: int | None = None
    x: float | None = None
    y: float | None = None
    within_px: Positive = 20.0
    """Maximum distance from the position."""

    def __post_init__(self) -> None:
        if (self.particle is None) == (self.x is None) or (self.x is None) != (self.y is None):
            raise ValueError("give either `particle`, or `x` and `y`")


class ClearTarget(Request[None], frozen=True):
    """Clear the target."""


class StartRecording(Request[RecordingStatus], frozen=True):
    """Record into a new folder inside `folder`; if empty, inside `record.folder` of the settings."""

    folder: Annotated[str, Meta(max_length=4000)] = ""
    frames: bool | None = None
    """Whether to write the images; null for the setting `record.frames`."""


class StopRecording(Request[RecordingStatus], frozen=True):
    """Finish writing, and close the recording."""


class Properties(Request[list[Property]], frozen=True):
    """Get the camera's properties."""


class SetProperty(Request[Property], frozen=True):
    """Set a property of the camera."""

    name: Name
    value: Value


class SetExposure(Request[Property], frozen=True):
    """Set the exposure, ms."""

    exposure_ms: Positive


class SetRoi(Request[Geometry], frozen=True):
    """Set the region of interest, px of the full frame as delivered (binned)."""

    x: Offset
    y: Offset
    width: Size
    height: Size


class ClearRoi(Request[Geometry], frozen=True):
    """Deliver full frames again."""


class Actuators(Request[list[ActuatorState]], frozen=True):
    """Get the actuators and their positions."""


class MoveTo(Request[MoveResult], frozen=True):
    """Move an actuator to a position, in its own unit."""

    actuator: Name
    position: Numbers
    wait: bool = False
    """Reply when the move is complete, instead of when the device has accepted it."""
    geometry: GeometryNumber = UNSET
    """Number of the geometry that the position was calculated from, null if from none: the move is refused if the
    optics have changed since. Left out: that of the last `Hello`, if its reply had a calibration of the actuator."""
    session: SessionNumber = UNSET
    """The session that `geometry` is a number of; left out: any."""


class MoveBy(Request[MoveResult], frozen=True):
    """Move an actuator by a step from its last commanded position."""

    actuator: Name
    step: Numbers
    wait: bool = False
    geometry: GeometryNumber = UNSET
    session: SessionNumber = UNSET


class Halt(Request[HaltResult], frozen=True):
    """Stop all actuators at once, and reject all moves until `AllowMoves`."""


class AllowMoves(Request[None], frozen=True):
    """Accept moves again after a `Halt`: from this client, and from those that have not moved anything before it."""


class StoreCalibration(Request[None], frozen=True):
    """Store an actuator's calibration for all clients and future sessions."""

    calibration: ActuatorCalibration
    geometry: GeometryNumber = UNSET
    """Number of the geometry that it was measured with: refused if the optics have changed since. Null or left out:
    not checked beyond camera, binning and pixel size."""
    session: SessionNumber = UNSET


REQUESTS: dict[type[Request[Any]], Any] = {
    request: get_args(request.__orig_bases__[0])[0]  # type: ignore[attr-defined]  # set by `Generic`, unknown to mypy
    for request in sorted(Request.__subclasses__(), key=lambda kind: kind.__module__ != __name__)  # `hello` first
}
"""All requests, and the type of each one's `Reply.result`."""
