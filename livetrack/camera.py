"""The interface of camera drivers, and the discovery of installed drivers.

A driver opens the camera with its settings, yields pictures, and closes it. Threads, counters, time stamps and retries
are in `livetrack.session.acquisition`. Controls that a driver may also offer are in `livetrack.devices`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy.typing as npt

from livetrack.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Camera", "CameraType", "Frame", "Geometry", "Picture", "camera_drivers", "load_driver"]


@dataclass(frozen=True, slots=True)
class Geometry:
    """Position of the delivered pixels on the sensor, and their size in the sample.

    Parameters
    ----------
    width, height
        Size of the delivered image, px.
    x_origin, y_origin
        Sensor pixel (unbinned) of the first delivered pixel.
    binning
        Sensor pixels per delivered pixel, along each axis.
    pixel_size_um
        µm in the sample per delivered pixel; None if unknown.
    camera
        Label of the camera, if the driver has several. This and the next two are not compared by ==, which asks
        whether the pixels are the same; `same_as` compares them too.
    objective
        What is in the light path between sample and camera, in words that stay the same from session to session, such
        as the label of the objective turret's position; empty if the driver does not report it.
    orientation
        How the camera or its driver mirrors, rotates or transposes the image; empty if it does not.
    """

    width: int
    height: int
    x_origin: int = 0
    y_origin: int = 0
    binning: int = 1
    pixel_size_um: float | None = None
    camera: str = field(default="", compare=False)
    objective: str = field(default="", compare=False)
    orientation: str = field(default="", compare=False)

    def same_as(self, other: Geometry) -> bool:
        """Whether all of both is the same, also what == leaves out."""
        mine, others = ((each.camera, each.objective, each.orientation) for each in (self, other))
        return self == other and mine == others


class Picture(NamedTuple):
    """An image with its number and times, as a driver yields it.

    Attributes
    ----------
    pixels
        (H, W) of any integer or float type. The driver never writes to it again.
    number
        The camera's own counter, 0 to 2**63 - 1; None if it has none. Gaps count as lost frames, repeated numbers are
        dropped, and if numbers step back and continue from there, the counter has restarted.
    t_exposed_ns
        Middle of the exposure on the clock of `time.perf_counter_ns`; None if unknown.
    t_s
        Time for the calculation of velocities, 0 or more and never backward, if it is not the computer's time (movies,
        simulations in lock-step).
    geometry
        None if it has not changed since the last picture, or since `open`.
    t_received_ns
        When the computer received it, on the clock of `time.perf_counter_ns`; None for the moment when it is yielded.
        For drivers whose images may wait in a buffer.
    waited
        It has waited in a buffer among others, and its times are unknown.
    """

    pixels: npt.NDArray[Any]
    number: int | None = None
    t_exposed_ns: int | None = None
    t_s: float | None = None
    geometry: Geometry | None = None
    t_received_ns: int | None = None
    waited: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A received picture, with its time of receipt and its place in the session.

    `index` counts the received frames from 0. `geometry_number` increases whenever earlier positions no longer hold:
    with each change of `geometry` or of the pixel type, when the camera was opened again, when its clock restarted.
    `untimed` frames waited unread and have no time of their own: their times are estimated.
    """

    pixels: npt.NDArray[Any]
    index: int
    number: int | None
    t_received_ns: int
    t_exposed_ns: int | None
    t_s: float
    geometry: Geometry
    geometry_number: int
    untimed: bool = False


class Camera(Protocol):
    """A camera, built from its settings; the device is not touched before `open`."""

    waits: bool
    """Whether the camera can wait for the tracker, so that no frame is skipped: a movie, a simulation in lock-step.

    It is final when `open` returns.
    """

    def open(self) -> Geometry:
        """Open the device, apply the settings, start it, and return its geometry.

        Raises
        ------
        CameraError
            With the setting or the device that is wrong, and what to do about it.
        """

    def pictures(self) -> Iterator[Picture | None]:
        """Yield pictures in the order in which they were taken, blocking until the next one is available.

        While there is none, yields None at least every 100 ms, so that the caller can stop. Returns at the end of a
        movie.

        Raises
        ------
        CameraLostError
            The device is gone, or has stopped by itself.
        """

    def close(self) -> None:
        """Stop and release the device. Harmless if it is not open; never raises if the device is gone."""


class CameraType(Protocol):
    """The class of a driver, named by an entry point of the group `livetrack.cameras`."""

    Settings: type[Any]
    """Type of the settings `[camera.NAME]`: a frozen msgspec.Struct (kw_only, forbid_unknown_fields) with a default for
    every field."""

    def __call__(self, settings: Any) -> Camera:
        """Build the camera from an instance of `Settings`."""


def camera_drivers() -> dict[str, EntryPoint]:
    """Return the installed drivers, sorted by name, without importing any."""
    from importlib.metadata import entry_points  # slow to import, and clients do not need it

    points = sorted(entry_points(group="livetrack.cameras"), key=lambda point: point.name)
    return {point.name: point for point in points}


def load_driver(name: str, where: str = "camera") -> CameraType:
    """Import the driver called `name`; `where` is the place that named it, for the error message.

    Raises
    ------
    ConfigError
        No such driver is installed, or it cannot be imported.
    """
    drivers = camera_drivers()
    if name not in drivers:
        import difflib  # here: clients import this module

        close = difflib.get_close_matches(name, drivers, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        installed = ", ".join(drivers) or "none"
        raise ConfigError(f"{where}: no camera driver is called {name!r}; installed: {installed}{hint}")
    try:
        driver: CameraType = drivers[name].load()
    except Exception as error:  # a driver may raise anything
        raise ConfigError(f"{where}: camera driver {name!r} cannot be imported: {error}") from error
    return driver
