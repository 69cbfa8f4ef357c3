"""Driver for all cameras of Micro-Manager: of a window that is open, or by a core in this process, without Java."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from livetrack.camera import Geometry, Picture
from livetrack.devices import Actuator
from livetrack.devices.lifecycle import FrameTiming
from livetrack.devices.microscope import DeviceList
from livetrack.errors import CameraError
from livetrack_drivers._mm_access import DeviceAccess, shared, urgent
from livetrack_drivers._mm_actuators import MicroManagerActuators
from livetrack_drivers._mm_backend import open_core
from livetrack_drivers._mm_camera_controls import CameraControls
from livetrack_drivers._mm_camera_device import (
    DeviceState,
    choose_channel,
    initialise_camera,
    physical_cameras,
    read_camera,
    restore_camera,
)
from livetrack_drivers._mm_core import LoadedCore
from livetrack_drivers._mm_devices import list_devices
from livetrack_drivers._mm_properties import (
    CORE_ERRORS,
    find_property,
    one_line,
)
from livetrack_drivers._mm_sequence import PictureSequence
from livetrack_drivers._mm_settings import MicroManagerSettings, flat
from livetrack_drivers._mm_trigger import awaited_trigger
from livetrack_drivers._mm_window import WindowCore
from livetrack_drivers._mm_window_sequence import WindowSequence

__all__ = ["MicroManagerCamera", "MicroManagerSettings"]


class MicroManagerCamera(CameraControls):
    """A camera of Micro-Manager in continuous sequence acquisition: a `Camera` with all of `livetrack.devices`.

    The `set_` methods may be called from any thread while another reads the pictures. They stop the sequence, keep the
    pictures taken so far, make the change, and start again; the first picture of a new geometry carries it. The
    exposure changes while the sequence runs, if the camera accepts that. Invalid values raise `CameraError` before they
    reach the core.

    If a Micro-Manager window is open, its core is joined, and its devices are its own; see `_mm_window_sequence`. Else
    the configuration is loaded by the first `open` in a process, and stays loaded: `close`, `suspend` and `recover`
    leave all devices but the camera as they are, the shutter too. Only one such camera can be open in a process, since
    pycromanager has only one core.
    """

    Settings: ClassVar[type[Any]] = MicroManagerSettings
    waits = False

    def __init__(self, settings: MicroManagerSettings) -> None:
        self._settings = settings
        self._loaded: LoadedCore | WindowCore | None = None
        self._label = ""
        self._cameras: list[str] = []  # this camera, and those whose pictures it delivers
        self._other_devices_set = False  # the properties of other devices are set once
        self._lost: list[DeviceState] = []  # the cameras as they were before they were lost
        self._taken_before = -1  # pictures at the last attempt to recover
        self._sensor: tuple[int, int] | None = None  # width, height of the full frame, px of the binned image, if known
        self._sequence: PictureSequence | WindowSequence | None = None
        self._access = DeviceAccess()
        self._actuators = MicroManagerActuators(self._access)

    @property
    def core(self) -> Any:
        """The open `pymmcore.CMMCore`, or the window's `BridgeCore`. Raises `CameraError` if it is closed."""
        if self._loaded is None:
            raise CameraError("the Micro-Manager camera is not open")
        return self._loaded.core

    def open(self) -> Geometry:
        """Join the window, or load the configuration unless this process has; apply the settings and start."""
        self.close()
        settings = self._settings
        try:
            self._loaded = open_core(settings)
            atexit.register(self.close)  # runs before pycromanager's exit handler, which fails while a sequence runs
            self._label = self._loaded.choose_camera(settings.camera)
            self._sequence = self._prepare()
            return self._sequence.start()
        except CORE_ERRORS as error:
            self.close()
            raise CameraError(f"camera {self._label!r} does not start: {one_line(error)}") from error
        except CameraError:
            self.close()
            raise

    def pictures(self) -> Iterator[Picture | None]:
        """Yield the pictures as MMCore receives them, until `close`.

        `number` is MMCore's ImageNumber, continued when the sequence restarts: a gap is what a full buffer lost.
        `t_received_ns` is when the core received the picture; `t_exposed_ns` is None: MMCore does not report it. Of a
        window, both are of the reading here, and a gap is what was not read.
        """
        return self._opened().pictures()

    def suspend(self) -> None:
        """Stop the sequence; all devices stay as they are."""
        if self._sequence is not None:
            self._sequence.stop()

    def resume(self) -> Geometry:
        """Start the sequence again."""
        with self._errors("start"):
            return self._opened().resume()

    def recover(self) -> Geometry:
        """Restart the sequence; if no picture has come since the last attempt, initialise the camera device alone.

        The devices of a window are never initialised.
        """
        sequence = self._opened()
        with self._errors("start"):
            if not self._require_loaded().initialises_cameras:
                return sequence.restart()
            if sequence.taken > self._taken_before:
                self._lost = [read_camera(self.core, label) for label in self._cameras]
                self._taken_before = sequence.taken
                return sequence.restart()
            with self._access.exclusive():
                return sequence.restart(self._initialise_cameras)

    @shared
    def timing(self) -> FrameTiming:
        """Return the exposure, and what the camera waits for: a trigger, or the window's live view."""
        sequence = self._opened()
        with self._errors("reading its exposure"):
            exposure_ms = self.core.get_exposure(self._label)
            if sequence.waits_for:
                return FrameTiming(1e-3 * exposure_ms, sequence.waits_for)
        trigger = next(filter(None, (awaited_trigger(self.core, label) for label in self._cameras)), "")
        return FrameTiming(1e-3 * exposure_ms, trigger and f"a trigger ({trigger})")

    def origin(self) -> str:
        """Return where the core is: in a window, or in this process."""
        return self._require_loaded().origin()

    def time_source(self) -> str:
        """Return which metadata of MMCore give the times of receipt, and how fine they are."""
        return self._opened().times

    @shared
    def devices(self) -> DeviceList:
        """Return all devices of the configuration, and what a session does with them."""
        loaded, settings = self._require_loaded(), self._settings
        own = {"exposure_ms": settings.exposure_ms, "binning": settings.binning, "roi": settings.roi}
        given = [(f"{self._label}.{key}", value) for key, value in own.items() if value is not None]
        with self._errors("reading the devices"):
            roles = self._actuators.labels(self.core)
            set_at_start = [*flat(settings.properties), *given]
            starts = loaded.initialises_cameras or settings.run_camera
            return list_devices(self.core, loaded.opening(), self._cameras, roles, set_at_start, starts=starts)

    def restore_light(self) -> None:
        """Stop the sequence, and close the shutter again if the core opened it for the sequence."""
        with self._errors("closing the shutter"):
            self._opened().restore_shutter()

    @shared
    def reload_effects(self) -> list[str]:
        """Return what `reload` would do to the other devices, one line each."""
        lines = self._require_loaded().changes_by_reload()
        for name, value in flat(self._settings.properties):
            if find_property(self.core, name)[0] not in self._cameras:
                lines.append(f"{name!r} is then set to {value!r}, as by the settings or by a command of this session")
        return lines

    def reload(self) -> None:
        """Load the configuration again, which initialises every device, and apply the settings."""
        self.suspend()
        with self._access.exclusive():
            self._actuators = MicroManagerActuators(self._access)  # nothing is where it was sent to
            self._require_loaded().reload()
            with self._errors("start"):
                self._label = self._require_loaded().choose_camera(self._settings.camera)
                self._other_devices_set = False
                self._sequence = self._prepare(self._opened())

    def close(self) -> None:
        """Stop the sequence; all devices stay loaded and as they are."""
        atexit.unregister(self.close)
        sequence, self._sequence = self._sequence, None
        loaded, self._loaded = self._loaded, None
        if sequence is not None:
            sequence.close()
        if loaded is not None:
            loaded.release()

    @urgent
    def actuators(self) -> Mapping[str, Actuator]:
        """Return the core's default XY stage, focus drive and galvo, if it has them."""
        return self._actuators.find(self.core)

    def _prepare(self, previous: PictureSequence | WindowSequence | None = None) -> PictureSequence | WindowSequence:
        """Set the cameras as in the configuration file, then apply the settings; return the stopped sequence."""
        core, settings, loaded = self.core, self._settings, self._require_loaded()
        channel = choose_channel(core, self._label, settings.channel)
        self._cameras = list(dict.fromkeys([*physical_cameras(core, self._label), self._label]))
        for label in self._cameras:
            loaded.reset_camera(label)
        if previous is not None:
            previous.close()
        self._sequence = loaded.sequence(self._label, settings, channel)
        self._taken_before, self._lost = -1, []
        self._apply(settings)
        return self._sequence

    def _apply(self, settings: MicroManagerSettings) -> None:
        for name, value in flat(settings.properties):
            if not self._other_devices_set or find_property(self.core, name)[0] in ("Core", *self._cameras):
                self.set_property(name, value)
        self._other_devices_set = True  # from now on they stay as they are, whoever changes them
        self._sensor = self._require_loaded().sensor_size()
        if settings.binning is not None:
            self.set_binning(settings.binning)
        if settings.roi is not None:
            self.set_roi(*settings.roi)
        if settings.exposure_ms is not None:
            self.set_exposure(settings.exposure_ms)

    def _initialise_cameras(self) -> None:
        """Initialise the camera devices alone, as they were before they were lost."""
        core = self.core
        for state in self._lost:
            initialise_camera(core, state)
        core.set_camera_device(self._label)
        for state in self._lost:
            restore_camera(core, state)
