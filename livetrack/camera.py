"""What a camera is: the driver's side of the seam, and the discovery of drivers.

A driver opens, yields pictures, takes settings and closes. Threads, counters, time stamps
and retries are the core's (`livetrack.session.acquisition`). What else a camera may be told while it runs is in
`livetrack.devices`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy.typing as npt

from livetrack.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Camera", "CameraType", "Frame", "Geometry", "Picture", "camera_drivers", "load_driver"]


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the delivered pixels lie on the sensor and in the sample.

    Parameters
    ----------
    width, height
        Size of the delivered image, px.
    x_origin, y_origin
        Sensor pixel (unbinned) of the delivered image's first pixel.
    binning
        Sensor pixels per delivered pixel, along each axis.
    pixel_size_um
        µm in the sample per delivered pixel; None when the camera does not know.
    """

    width: int
    height: int
    x_origin: int = 0
    y_origin: int = 0
    binning: int = 1
    pixel_size_um: float | None = None


class Picture(NamedTuple):
    """One picture as a driver yields it.

    `pixels` is (H, W) of any integer or float type, and is the receiver's: a driver never writes to it again.
    `number` is the camera's own counter, None where it has none: gaps are counted as lost, repeats dropped; a
    lower number than the last is a counter that began anew.
    `t_exposed_ns` is the middle of the exposure on `time.perf_counter_ns`'s clock, None where the camera does
    not say. `t_s` is the time that motion is reckoned with, for cameras whose time is not this machine's
    (movies, lock-step simulations); None means the machine's.
    `geometry` is None while it is unchanged since the last picture (or since `open`).
    """

    pixels: npt.NDArray[Any]
    number: int | None = None
    t_exposed_ns: int | None = None
    t_s: float | None = None
    geometry: Geometry | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture as the core hands it on, stamped at receipt.

    `index` counts the frames received, from 0; `geometry_number` rises by one with each change of `geometry`.
    """

    pixels: npt.NDArray[Any]
    index: int
    number: int | None
    t_received_ns: int
    t_exposed_ns: int | None
    t_s: float
    geometry: Geometry
    geometry_number: int


class Camera(Protocol):
    """A camera in use. Built by its class from settings; nothing is touched before `open`."""

    waits: bool
    """True where nothing is lost when nobody takes a picture: a movie read as fast as possible, a lock-step scene.

    Settled by the time that `open` returns.
    """

    def open(self) -> Geometry:
        """Open the device, apply the settings, start it, and return its geometry.

        Raises
        ------
        CameraError
            What is wrong with which setting or device, and what to do.
        """

    def pictures(self) -> Iterator[Picture | None]:
        """Yield pictures in the order taken, blocking until each is there.

        Yields None at least every 100 ms while there is no picture, so that the caller can stop.
        Returns at the end of a movie. Raises `CameraLostError` when the device is gone or has stopped by itself.
        """

    def close(self) -> None:
        """Stop and release the device; harmless when it is not open, never raises for a device already gone."""


class CameraType(Protocol):
    """What an entry point in the group `livetrack.cameras` names: the driver's class."""

    Settings: type[Any]
    """A frozen msgspec.Struct (kw_only, forbid_unknown_fields) with a default for every field: `[camera.NAME]`."""

    def __call__(self, settings: Any) -> Camera:
        """Build the camera from an instance of `Settings`."""


def camera_drivers() -> dict[str, EntryPoint]:
    """Return the installed drivers by name, sorted; none is imported."""
    from importlib.metadata import entry_points  # here: clients need to know of no driver

    points = sorted(entry_points(group="livetrack.cameras"), key=lambda point: point.name)
    return {point.name: point for point in points}


def load_driver(name: str, where: str = "camera") -> CameraType:
    """Import the driver called `name`; `where` is the place that named it, for the error.

    Raises
    ------
    ConfigError
        No such driver is installed, or it cannot be imported.
    """
    drivers = camera_drivers()
    if name not in drivers:
        raise ConfigError(f"{where}: no camera driver is called {name!r}; installed: {', '.join(drivers) or 'none'}")
    try:
        driver: CameraType = drivers[name].load()
    except Exception as error:  # a driver is anybody's program
        raise ConfigError(f"{where}: camera driver {name!r} cannot be imported: {error}") from error
    return driver
