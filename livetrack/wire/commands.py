"""Commands: what can be asked of an engine, and what it answers; `livetrack.wire.exchange` says how these travel.

A request says which `command` it is, and an `id` of the sender's choice that the reply repeats. The other fields are
those of the classes below; a field that is not known, or out of its bounds, has the request refused. `REQUESTS` lists
each with the type of its result.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta, Struct

from livetrack.camera import Geometry
from livetrack.devices import ActuatorCalibration, Property, Value
from livetrack.wire.status import RecordingStatus, Status

__all__ = [
    "REQUESTS",
    "ActuatorState",
    "Actuators",
    "Addresses",
    "ChooseTarget",
    "ClearRoi",
    "ClearTarget",
    "Hello",
    "HelloReply",
    "MoveBy",
    "MoveResult",
    "MoveTo",
    "Pause",
    "Properties",
    "Request",
    "Resume",
    "SetExposure",
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
]  # fmt: skip

Id = Annotated[int, Meta(ge=0, le=2**53)]  # JSON's numbers are exact so far
Whole = Annotated[int, Meta(ge=0, le=1_000_000)]
Size = Annotated[int, Meta(ge=1, le=1_000_000)]
Positive = Annotated[float, Meta(gt=0)]
Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Numbers = Annotated[tuple[float, ...], Meta(min_length=1, max_length=8)]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="command", tag=_snake):
    """What all requests share."""

    id: Id = 0


class Hello(Request, frozen=True):
    """Ask who is there."""

    t_client_ns: int = 0
    """The sender's clock, which the reply repeats."""


class State(Request, frozen=True):
    """Ask for what the heartbeat carries, now."""


class Start(Request, frozen=True):
    """Open the camera again and take its frames."""


class Stop(Request, frozen=True):
    """Close the camera until `Start`: nothing is received, tracked or recorded."""


class Pause(Request, frozen=True):
    """Track no frame until `Resume`; they still come, are shown and recorded."""


class Resume(Request, frozen=True):
    """Track again, with new trajectories."""


class SetThreshold(Request, frozen=True):
    """Keep the rows of this score or more; null: the model's own."""

    threshold: Annotated[float, Meta(gt=0, lt=1)] | None


class SetSearchRadius(Request, frozen=True):
    """Link particles no farther than this from where they are expected, px."""

    search_radius_px: Annotated[float, Meta(gt=0, le=1e6)]


class SwapModel(Request, frozen=True):
    """Find the particles with another model: a shipped one's name, an ONNX file, or a classical method."""

    model: Name


class ChooseTarget(Request, frozen=True):
    """Make one trajectory the target: the one of this id, or the nearest to a place, px."""

    particle: int | None = None
    x: float | None = None
    y: float | None = None
    within_px: Positive = 20.0
    """No farther than this from the place."""

    def __post_init__(self) -> None:
        if (self.particle is None) == (self.x is None) or (self.x is None) != (self.y is None):
            raise ValueError("give either `particle`, or `x` and `y`")


class ClearTarget(Request, frozen=True):
    """Have no target."""


class StartRecording(Request, frozen=True):
    """Record into a new folder below `folder`; empty: `record.folder` of the settings."""

    folder: Annotated[str, Meta(max_length=4000)] = ""
    frames: bool | None = None
    """Whether to write the pixels; null: as the settings say."""


class StopRecording(Request, frozen=True):
    """Write what waits, and close the recording."""


class Properties(Request, frozen=True):
    """Ask what the camera can be told."""


class SetProperty(Request, frozen=True):
    """Set one of the camera's properties."""

    name: Name
    value: Value


class SetExposure(Request, frozen=True):
    """Expose each picture for so long, ms."""

    exposure_ms: Positive


class SetRoi(Request, frozen=True):
    """Deliver a part of the image only; px of the whole image, as delivered (binned)."""

    x: Whole
    y: Whole
    width: Size
    height: Size


class ClearRoi(Request, frozen=True):
    """Deliver the whole image again."""


class Actuators(Request, frozen=True):
    """Ask what can be moved, and where it is."""


class MoveTo(Request, frozen=True):
    """Move an actuator to a position, in its own unit."""

    actuator: Name
    position: Numbers
    wait: bool = False
    """Answer when it has arrived, not when it has the order."""


class MoveBy(Request, frozen=True):
    """Move an actuator by a step from where it was last told to be."""

    actuator: Name
    step: Numbers
    wait: bool = False


class StoreCalibration(Request, frozen=True):
    """Keep an actuator's calibration, for all clients and sessions to come."""

    calibration: ActuatorCalibration


class Addresses(Struct, frozen=True, kw_only=True):
    """Where an engine is to be reached."""

    positions: str
    preview: str
    commands: str


class HelloReply(Struct, frozen=True, kw_only=True):
    """The answer to `Hello`: all that somebody who joins late has to know."""

    session: int
    livetrack: str
    """Version."""
    wire_version: int
    addresses: Addresses
    header: list[tuple[str, str, int]]
    """Name, NumPy type and offset of each field of a positions message's header, and of `rows`: the schema."""
    rows: list[tuple[str, str, int]]
    geometry: Geometry
    geometry_number: int
    calibration: dict[str, Any]
    """The settings `[calibration]`."""
    settings: dict[str, Any]
    """All settings in force, section by section."""
    calibrations: dict[str, ActuatorCalibration] = {}
    """Of actuators, by their names: those that have been calibrated with this camera."""
    models: tuple[str, ...] = ()
    """Names that `SwapModel` takes; it takes an ONNX file as well."""
    status: Status
    t_client_ns: int
    """As it was sent."""
    t_received_ns: int
    """The engine's monotonic clock when the request came, and when this left; `wall_ns` at the same time."""
    t_sent_ns: int
    wall_ns: int
    clock_offset_ns: int = 0
    """The engine's monotonic clock minus the client's; `Remote` fills it in, and `round_trip_ns`, which bounds its
    error by half."""
    round_trip_ns: int = 0


class ActuatorState(Struct, frozen=True, kw_only=True):
    """Something that can be moved."""

    name: str
    axes: tuple[str, ...]
    unit: str
    position: tuple[float, ...]


class MoveResult(Struct, frozen=True, kw_only=True):
    """What a move did."""

    t_begun_ns: int
    """When the device was given the order, and when that had returned, on the engine's monotonic clock."""
    t_done_ns: int
    position: tuple[float, ...] | None
    """Read back after the arrival, where that was waited for."""


REQUESTS: dict[type[Request], Any] = {
    Hello: HelloReply,
    State: Status,
    Start: str,
    Stop: str,
    Pause: str,
    Resume: str,
    SetThreshold: float,
    SetSearchRadius: float,
    SwapModel: str,
    ChooseTarget: int,
    ClearTarget: None,
    StartRecording: RecordingStatus,
    StopRecording: RecordingStatus,
    Properties: list[Property],
    SetProperty: Property,
    SetExposure: Property,
    SetRoi: Geometry,
    ClearRoi: Geometry,
    Actuators: list[ActuatorState],
    MoveTo: MoveResult,
    MoveBy: MoveResult,
    StoreCalibration: None,
}
"""Every command, and the type of its `Reply.result`: the value in force. `str` is the state, or the model's name."""
