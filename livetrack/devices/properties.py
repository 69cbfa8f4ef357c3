"""Properties and region of interest of a camera; all optional for a driver."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from livetrack.camera import Geometry

__all__ = ["EXPOSURE", "Adjustable", "HasOptics", "HasProperties", "HasRoi", "Property", "Value"]

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
