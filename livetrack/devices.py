"""What a camera can be told while it runs: the optional part of a driver's side of the seam.

`Adjustable` is a camera with properties and a region of interest, `Actuated` one that comes with things that move:
a stage, a galvo, a trap. A driver that is neither lacks these methods, and commands for them are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from livetrack.camera import Geometry
from livetrack.errors import UsageError

__all__ = ["EXPOSURE", "Actuated", "Actuator", "ActuatorCalibration", "Adjustable", "Property", "Value"]

Value: TypeAlias = bool | int | float | str
"""Of a property."""

EXPOSURE = "exposure_ms"
"""The property that every camera with an exposure declares under this name, in ms."""


class Property(Struct, frozen=True, kw_only=True):
    """Something of a camera that has a value, and what it may be set to."""

    name: str
    value: Value
    """In force."""
    unit: str = ""
    low: float | None = None
    """Least value; None where there is no bound, or none is known."""
    high: float | None = None
    choices: tuple[Value, ...] = ()
    """All values that it takes; empty where it takes any within the bounds."""
    read_only: bool = False


Matrix: TypeAlias = tuple[tuple[float, float], tuple[float, float]]


class ActuatorCalibration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the picture answers an actuator of two axes: what `livetrack calibrate` measures."""

    actuator: str
    unit: str
    """Of the actuator's positions."""
    camera: str
    """The camera driver it was measured with."""
    matrix: Matrix
    """Motion of the particles, px, for a move by 1 along each axis: first row x, second row y."""
    matrix_std: Matrix
    """Standard uncertainty of each element."""
    delay_frames: float
    """From the answer to a frame until a frame shows it; 0: the next one does, in full."""
    delay_std_frames: float
    interval_s: float
    """From frame to frame, as it was then."""
    binning: int
    """Of the picture, and its pixel size: with others the matrix is not valid."""
    pixel_size_um: float | None
    made: str
    """Date and time, ISO 8601."""

    def move(self, dx_px: float, dy_px: float) -> tuple[float, float]:
        """Return by how much to move the actuator so that the particles move by so many px."""
        (a, b), (c, d) = self.matrix
        determinant = a * d - b * c
        return (d * dx_px - b * dy_px) / determinant, (a * dy_px - c * dx_px) / determinant

    def check(self, camera: str, geometry: Geometry) -> None:
        """Refuse to be used with another camera, binning or pixel size. Raises `UsageError`."""
        now = (camera, geometry.binning, geometry.pixel_size_um)
        then = (self.camera, self.binning, self.pixel_size_um)
        if now != then:
            raise UsageError(
                f"the calibration of {self.actuator!r} is of camera {then[0]}, binning {then[1]}, {_size(then[2])}; "
                f"now they are {now[0]}, {now[1]}, {_size(now[2])}: calibrate again (`livetrack calibrate`)"
            )


def _size(pixel_size_um: float | None) -> str:
    return "no pixel size" if pixel_size_um is None else f"{pixel_size_um:g} µm per px"


@runtime_checkable
class Adjustable(Protocol):
    """A camera whose settings can be changed while it runs.

    The methods are called one at a time, from a thread of their own, while another takes the pictures. What they
    set holds until it is set anew, also when the camera is closed and opened again. Each raises `CameraError`, and
    changes nothing, for what the camera does not have or take.
    """

    @property
    def settings(self) -> Any:
        """`[camera.NAME]` as it is in force, an instance of the driver's `Settings`."""

    def properties(self) -> list[Property]:
        """Return what can be set or read, with the values in force; the exposure among them is called `EXPOSURE`."""

    def set_property(self, name: str, value: Value) -> Property:
        """Set a property, and return it as it is in force: a camera may round to its own steps."""

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Deliver this part of the whole image only, px as delivered (binned), and return what is in force.

        The first picture of the new geometry carries it.
        """

    def clear_roi(self) -> Geometry:
        """Deliver the whole image again, and return the geometry in force."""


class Actuator(Protocol):
    """Something that can be moved along its axes: a stage, a galvo, a trap.

    Called one at a time, from a thread of its own. Each method raises `CameraError` for what cannot be done.
    """

    @property
    def axes(self) -> Sequence[str]:
        """Names of its axes, in order, as `("x", "y")`."""

    @property
    def unit(self) -> str:
        """Of positions, as "um"."""

    def position(self) -> tuple[float, ...]:
        """Return where it is, one number for each axis."""

    def move_to(self, position: Sequence[float]) -> None:
        """Begin to move there; return once the device has the order."""

    def move_by(self, step: Sequence[float]) -> None:
        """Begin to move by `step` from where it was last told to be."""

    def wait(self) -> None:
        """Return when it has arrived."""


@runtime_checkable
class Actuated(Protocol):
    """A camera that comes with actuators."""

    def actuators(self) -> Mapping[str, Actuator]:
        """Return the actuators by name: "stage", "focus", "galvo", "trap", ..."""
