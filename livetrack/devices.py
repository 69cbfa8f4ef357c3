"""Controls of a camera driver, all optional: properties, a region of interest, and actuators.

A driver offers a control by having the methods of its protocol: `HasProperties` (exposure and other settings that can
change while the camera runs), `HasRoi`, `Actuated` (a stage, a galvo, a trap). Commands that need a control that the
driver lacks are rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from livetrack.camera import Geometry
from livetrack.errors import LivetrackError, UsageError

__all__ = [
    "EXPOSURE",
    "Actuated",
    "Actuator",
    "ActuatorCalibration",
    "Adjustable",
    "HasOptics",
    "HasProperties",
    "HasRoi",
    "Limited",
    "Limits",
    "MovedByProperties",
    "Property",
    "ReportsMotion",
    "Stoppable",
    "Targeted",
    "Value",
    "check_position",
    "start_of_steps",
]

Value: TypeAlias = bool | int | float | str
"""Value of a property."""

EXPOSURE = "exposure_ms"
"""Name of the exposure among the properties of every camera that has one; its unit is ms."""


class Property(Struct, frozen=True, kw_only=True):
    """A property of a camera: its value, and the values that it accepts."""

    name: str
    value: Value
    """Current value."""
    unit: str = ""
    low: float | None = None
    """Minimum; None if there is no bound or none is known."""
    high: float | None = None
    """Maximum, likewise."""
    choices: tuple[Value, ...] = ()
    """All accepted values; empty if any value within the bounds is accepted."""
    read_only: bool = False


Matrix: TypeAlias = tuple[tuple[float, float], tuple[float, float]]


class ActuatorCalibration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How particles move in the image when an actuator of two axes moves: measured by `livetrack calibrate`."""

    actuator: str
    unit: str
    """Unit of the actuator's positions."""
    camera: str
    """Camera driver used for the measurement."""
    matrix: Matrix
    """Motion of the particles, px, per unit of motion along each axis: first row x, second row y."""
    matrix_std: Matrix
    """Standard uncertainty of each element."""
    delay_frames: float
    """Frames between a command sent after a frame and the first frame that shows its full effect; 0: the next one."""
    delay_std_frames: float
    interval_s: float
    """Time between frames during the measurement."""
    binning: int
    """Binning during the measurement; with another one the matrix is not valid. The same holds for the pixel size."""
    pixel_size_um: float | None
    made: str
    """Date and time, ISO 8601."""

    def move(self, dx_px: float, dy_px: float) -> tuple[float, float]:
        """Return the actuator's step that moves the particles by (`dx_px`, `dy_px`)."""
        (a, b), (c, d) = self.matrix
        determinant = a * d - b * c
        return (d * dx_px - b * dy_px) / determinant, (a * dy_px - c * dx_px) / determinant

    def check(self, camera: str, geometry: Geometry) -> None:
        """Raise `UsageError` if the camera, its binning or its pixel size differ from those of the measurement."""
        now = (camera, geometry.binning, geometry.pixel_size_um)
        then = (self.camera, self.binning, self.pixel_size_um)
        if now != then:
            raise UsageError(
                f"the calibration of {self.actuator!r} was made with camera {then[0]}, binning {then[1]}, "
                f"{_size(then[2])}; now they are {now[0]}, {now[1]}, {_size(now[2])}: calibrate again "
                "(`livetrack calibrate`)"
            )


def _size(pixel_size_um: float | None) -> str:
    return "no pixel size" if pixel_size_um is None else f"{pixel_size_um:g} µm per px"


@runtime_checkable
class HasProperties(Protocol):
    """A camera with properties that can be changed while it runs.

    The methods are called one at a time, from another thread than the one that reads the images. A value that was set
    holds until it is set again, also when the camera is closed and opened again. A method that raises `CameraError`,
    for a property that does not exist or a value that is not accepted, changes nothing.
    """

    @property
    def settings(self) -> Any:
        """The current `[camera.NAME]`, an instance of the driver's `Settings`."""

    def properties(self) -> list[Property]:
        """Return all properties with their current values; the exposure is called `EXPOSURE`."""

    def set_property(self, name: str, value: Value) -> Property:
        """Set a property and return it with its new value, which the camera may have rounded."""


@runtime_checkable
class HasRoi(Protocol):
    """A camera with a region of interest; threads and errors as in `HasProperties`.

    `livetrack.software_roi.SoftwareRoi` implements it for cameras that have no ROI of their own.
    """

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Deliver this rectangle only, px of the full frame (binned); return the new geometry.

        The camera may round the rectangle to its own steps. The first picture of the new geometry carries it.
        """

    def clear_roi(self) -> Geometry:
        """Deliver full frames again; return the new geometry."""


@runtime_checkable
class HasOptics(Protocol):
    """A camera whose geometry can change without a command, as when an objective is turned by hand."""

    def read_geometry(self) -> Geometry:
        """Ask the devices for the geometry; if it has changed, the next picture carries it.

        Called after each command to the camera and about once a second, from any thread, also while another method
        runs. It must not delay the pictures. Raises `CameraError` if a device does not answer.
        """


@runtime_checkable
class Adjustable(HasProperties, HasRoi, Protocol):
    """A camera with properties and a region of interest."""


Limits: TypeAlias = Sequence[tuple[float, float]]
"""The lowest and the highest position of each axis."""


class Actuator(Protocol):
    """A device that moves along its axes: a stage, a galvo, a trap.

    The methods are called one at a time, from a thread of their own; only `stop` is called at any time. Each raises
    `CameraError` if the device refuses. `livetrack.commanded_actuator.CommandedActuator` implements all of this, and
    `Targeted`, `Limited` and `Stoppable`, for a device that can go to a position.
    """

    @property
    def axes(self) -> Sequence[str]:
        """Names of the axes, in order, such as `("x", "y")`."""

    @property
    def unit(self) -> str:
        """Unit of the positions, such as "um"."""

    def position(self) -> tuple[float, ...]:
        """Return the current position, one number per axis."""

    def move_to(self, position: Sequence[float]) -> None:
        """Start to move to `position`, also during another move; return once the device has accepted the command."""

    def move_by(self, step: Sequence[float]) -> None:
        """Start to move by `step` from the last commanded position, also while that move is under way."""

    def wait(self) -> None:
        """Return when the motion is complete, or was stopped."""


@runtime_checkable
class Targeted(Protocol):
    """An actuator that reports where it is going: steps through an engine then add up, and are checked, from there."""

    def target(self) -> tuple[float, ...]:
        """Return the last commanded position; the current one if something else has moved the device since."""


@runtime_checkable
class Limited(Protocol):
    """An actuator that reports its range."""

    def limits(self) -> Limits:
        """Return the lowest and the highest position of each axis."""


@runtime_checkable
class ReportsMotion(Protocol):
    """An actuator that reports whether it is moving."""

    def busy(self) -> bool:
        """Return whether it is moving."""


@runtime_checkable
class MovedByProperties(Protocol):
    """An actuator that properties of the camera move too: they are then held to its limits, and to a halt."""

    def position_properties(self) -> Mapping[str, str]:
        """Return the axis that each property moves, by the property's name, as `HasProperties` has it."""


@runtime_checkable
class Stoppable(Protocol):
    """An actuator that can be stopped."""

    def stop(self) -> None:
        """Stop the motion at once; called from another thread, also while another method of the actuator runs."""


def check_position(
    name: str,
    axes: Sequence[str],
    position: Sequence[float],
    unit: str,
    limits: Limits,
    error: type[LivetrackError],
    source: str = "",
) -> None:
    """Raise `error` unless each number of `position` is finite and within `limits`, which come from `source`."""
    for axis, value, (low, high) in zip(axes, position, limits, strict=True):
        if not (low <= value <= high and isfinite(value)):
            suffix = f" {unit}" if unit else ""
            raise error(
                f"{name} cannot go to {axis} = {value:g}{suffix}: its range is {low:g} to {high:g}{suffix}{source}"
            )


def start_of_steps(actuator: Actuator) -> Callable[[], tuple[float, ...]]:
    """Return the method that returns the position from which `actuator` makes its next step, as far as it has one."""
    return actuator.target if isinstance(actuator, Targeted) else actuator.position


@runtime_checkable
class Actuated(Protocol):
    """A camera that comes with actuators."""

    def actuators(self) -> Mapping[str, Actuator]:
        """Return the actuators by name: "stage", "focus", "galvo", "trap", ... The same objects at each call."""
