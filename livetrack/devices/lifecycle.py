"""What a camera driver may offer for a session that must not disturb the rest of the microscope; all optional.

`HasRecovery` stops, starts and recovers the camera alone, `HasTiming` reports exposure and what the camera waits for,
`HasReload` initialises all devices on request. A driver offers a protocol by having its methods; see also
`livetrack.devices`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from livetrack.camera import Geometry

__all__ = ["FrameTiming", "HasOrigin", "HasRecovery", "HasReload", "HasTimeSource", "HasTiming", "RestoresLight"]


@runtime_checkable
class HasRecovery(Protocol):
    """A camera that stops, starts and recovers alone, while every other device of its microscope stays as it is.

    The methods are called in the thread that reads the images; after `resume` and `recover`, `pictures` is called
    again. A camera without them is closed and opened.
    """

    def suspend(self) -> None:
        """Stop the images until `resume`. Harmless if they are stopped; never raises if the camera is gone."""

    def resume(self) -> Geometry:
        """Start the images again, with all values in force that were set before.

        Raises
        ------
        CameraError
            The camera does not start; `recover` is called next.
        """

    def recover(self) -> Geometry:
        """Try once to start a camera that was lost, with all values in force that were set before.

        It is called again, after growing pauses, until images arrive. The first attempt should do little, such as to
        restart the images, later ones more, such as to initialise the camera.

        Raises
        ------
        CameraError
            The camera is still lost.
        """


class FrameTiming(NamedTuple):
    """When to expect the next image.

    Attributes
    ----------
    interval_s
        Longest time between two images of a camera that runs by itself, as far as known: at least the exposure.
    waits_for
        What the camera waits for, if it does not run by itself, and why, for the user: "a trigger (Camera.TriggerMode =
        'External')". Empty: nothing.
    """

    interval_s: float
    waits_for: str = ""


@runtime_checkable
class HasTiming(Protocol):
    """A camera that reports when its next image is due. Without it, images are expected within `camera.stall_s`."""

    def timing(self) -> FrameTiming:
        """Return the timing in force; called from any thread, while no image arrives. May raise `CameraError`."""


@runtime_checkable
class HasTimeSource(Protocol):
    """A camera whose images come with a time of receipt, `Picture.t_received_ns`."""

    def time_source(self) -> str:
        """Return where these times come from and how fine they are, for the user; empty: nowhere, or not known yet."""


@runtime_checkable
class HasOrigin(Protocol):
    """A camera that can be reached in several ways."""

    def origin(self) -> str:
        """Return where its images come from, for the user. Raises `CameraError` if it is not open."""


@runtime_checkable
class RestoresLight(Protocol):
    """A camera whose start opens a light."""

    def restore_light(self) -> None:
        """Stop the images, and close the light again if starting them has opened it; `resume` starts them again.

        Called after a trial of the camera. A session leaves the light as it is.
        """


@runtime_checkable
class HasReload(Protocol):
    """A camera whose driver can initialise all devices of the microscope: on request only, since they may move."""

    def reload_effects(self) -> list[str]:
        """Return what `reload` does to devices other than the camera, a line for each."""

    def reload(self) -> None:
        """Initialise all devices again, and apply the settings; called while the camera is suspended, and leaves it so.

        Raises
        ------
        CameraError
            A device cannot be initialised.
        """
