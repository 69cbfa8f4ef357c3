"""The core of a Micro-Manager window that is open: its devices belong to the window, and stay as they are."""

from __future__ import annotations

from typing import Any, ClassVar

from livetrack.errors import CameraError
from livetrack_drivers._mm_bridge_channel import BridgeAbsentError, BridgeLostError
from livetrack_drivers._mm_bridge_core import BridgeCore
from livetrack_drivers._mm_settings import MicroManagerSettings
from livetrack_drivers._mm_window_sequence import WindowSequence

__all__ = ["NoWindowError", "WindowCore", "join_window"]


class NoWindowError(CameraError):
    """No window is open, or its server is off."""


_IN_ITS_WINDOW = "the devices belong to the Micro-Manager window"


class WindowCore:
    """A core that is joined; the counterpart of `LoadedCore`."""

    def __init__(self, port: int, core: BridgeCore) -> None:
        self.core: Any = core
        self.port = port
        self._sequence: WindowSequence | None = None

    initialises_cameras: ClassVar[bool] = False

    def origin(self) -> str:
        """Return where the core is."""
        return f"the Micro-Manager window on port {self.port}"

    def opening(self) -> str:
        """Return what was done to open it, in words."""
        limit = self._sequence.limit_hz if self._sequence else 0.0
        rate = f"; its bridge passes about {limit:.3g} images/s of this size" if limit else ""
        return (
            f"the Micro-Manager window on port {self.port} ({self.core.get_version_info()}) is joined, and keeps its"
            f" devices: none is initialised{rate}"
        )

    def choose_camera(self, requested: str) -> str:
        """Return the window's camera. Raises `CameraError` if it is not the `requested` one."""
        label = str(self.core.get_camera_device())
        if not label:
            raise CameraError("the Micro-Manager window has no camera: load a hardware configuration there")
        if requested not in ("", label):
            raise CameraError(f"camera: Micro-Manager's window uses {label!r}, not {requested!r}: choose it there")
        if self.core.get_number_of_camera_channels() > 1:
            raise CameraError(
                f"camera {label!r} delivers the images of several cameras in one stream, which are not told apart in a"
                " window: choose one of them there"
            )
        return label

    def reset_camera(self, label: str) -> None:
        """Leave the camera as it is."""

    def sensor_size(self) -> tuple[int, int] | None:
        """Return None: the size of the full frame is unknown without clearing the ROI."""
        return None

    def sequence(self, label: str, settings: MicroManagerSettings, channel: str) -> WindowSequence:
        """Return the pictures of the window's camera `label`, which has no channels."""
        self._sequence = WindowSequence(self.core, label, run=settings.run_camera)
        return self._sequence

    def release(self) -> None:
        """Part from the window."""
        self.core.close()

    def reload(self) -> None:
        """Raise `CameraError`: only the window initialises its devices."""
        raise CameraError(f"{_IN_ITS_WINDOW}: load the hardware configuration there")

    def changes_by_reload(self) -> list[str]:
        """Raise `CameraError`, as `reload`."""
        raise CameraError(f"{_IN_ITS_WINDOW}: load the hardware configuration there")


def join_window(port: int) -> WindowCore:
    """Join the window whose server listens on `port`.

    Raises
    ------
    NoWindowError
        None does.
    CameraError
        It cannot be joined.
    """
    try:
        return WindowCore(port, BridgeCore(port))
    except BridgeAbsentError as error:
        raise NoWindowError(
            f"{error}: start Micro-Manager, and tick Tools > Options > Run server on port 4827"
        ) from None
    except BridgeLostError as error:
        raise CameraError(str(error)) from None
