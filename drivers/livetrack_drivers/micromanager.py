"""Driver for all cameras of Micro-Manager, by pycromanager's Python backend: MMCore in this process, without Java."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from msgspec import structs

from livetrack.camera import Geometry, Picture
from livetrack.devices import EXPOSURE, Actuator, Property
from livetrack.devices.lifecycle import FrameTiming
from livetrack.devices.microscope import DeviceList
from livetrack.errors import CameraError
from livetrack_drivers._mm_access import DeviceAccess, shared, urgent
from livetrack_drivers._mm_actuators import MicroManagerActuators
from livetrack_drivers._mm_camera_device import (
    DeviceState,
    choose_camera,
    choose_channel,
    full_frame_size,
    image_size,
    initialise_camera,
    physical_cameras,
    read_camera,
    require_grey,
    restore_camera,
)
from livetrack_drivers._mm_core import LoadedCore, acquire_core
from livetrack_drivers._mm_devices import list_devices
from livetrack_drivers._mm_microscope import MicroscopeControls
from livetrack_drivers._mm_properties import (
    CORE_ERRORS,
    Scalar,
    check_limits,
    check_value,
    core_errors,
    describe,
    find_property,
    leading_int,
    one_line,
    wait_for_turret,
)
from livetrack_drivers._mm_sequence import PictureSequence
from livetrack_drivers._mm_settings import MicroManagerSettings, flat, milliseconds
from livetrack_drivers._mm_trigger import awaited_trigger

__all__ = ["MicroManagerCamera", "MicroManagerSettings"]


class MicroManagerCamera(MicroscopeControls):
    """A camera of Micro-Manager in continuous sequence acquisition: a `Camera` with all of `livetrack.devices`.

    The `set_` methods may be called from any thread while another reads the pictures. They stop the sequence, keep the
    pictures taken so far, make the change, and start again; the first picture of a new geometry carries it. The
    exposure changes while the sequence runs, if the camera accepts that. Invalid values raise `CameraError` before they
    reach the core.

    The configuration is loaded by the first `open` in a process, and stays loaded: `close`, `suspend` and `recover`
    leave all devices but the camera as they are, the shutter too. Only one such camera can be open in a process, since
    pycromanager has only one core.
    """

    Settings: ClassVar[type[Any]] = MicroManagerSettings
    waits = False

    def __init__(self, settings: MicroManagerSettings) -> None:
        self._settings = settings
        self._loaded: LoadedCore | None = None
        self._label = ""
        self._cameras: list[str] = []  # this camera, and those whose pictures it delivers
        self._other_devices_set = False  # the properties of other devices are set once
        self._lost: list[DeviceState] = []  # the cameras as they were before they were lost
        self._taken_before = -1  # pictures at the last attempt to recover
        self._sensor = (0, 0)  # width, height of the full frame, px of the binned image
        self._sequence: PictureSequence | None = None
        self._access = DeviceAccess()
        self._actuators = MicroManagerActuators(self._access)

    @property
    def core(self) -> Any:
        """The open `pymmcore.CMMCore`, for everything that is not the camera. Raises `CameraError` if it is closed."""
        if self._loaded is None:
            raise CameraError("the Micro-Manager camera is not open")
        return self._loaded.core

    def open(self) -> Geometry:
        """Load the configuration unless this process has loaded it, apply the settings and start."""
        self.close()
        settings = self._settings
        try:
            self._loaded = acquire_core(settings.mm_dir, settings.config_file, settings.buffer_mb)
            atexit.register(self.close)  # runs before pycromanager's exit handler, which fails while a sequence runs
            self._label = choose_camera(self.core, settings.camera)
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
        `t_received_ns` is when the core received the picture; `t_exposed_ns` is None: MMCore does not report it.
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
        """Restart the sequence; if no picture has come since the last attempt, initialise the camera device alone."""
        sequence = self._opened()
        with self._errors("start"):
            if sequence.taken > self._taken_before:
                self._lost = [read_camera(self.core, label) for label in self._cameras]
                self._taken_before = sequence.taken
                return sequence.restart()
            with self._access.exclusive():
                return sequence.restart(self._initialise_cameras)

    @shared
    def timing(self) -> FrameTiming:
        """Return the exposure, and the trigger that the camera waits for."""
        with self._errors("reading its exposure"):
            exposure_ms = self.core.get_exposure(self._label)
        triggers = [awaited_trigger(self.core, label) for label in self._cameras]
        return FrameTiming(1e-3 * exposure_ms, next(filter(None, triggers), ""))

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
            return list_devices(self.core, loaded.config, self._cameras, roles, [*flat(settings.properties), *given])

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
                self._label = choose_camera(self.core, self._settings.camera)
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

    @property
    def settings(self) -> MicroManagerSettings:
        """The current settings."""
        return self._settings

    @shared
    def properties(self) -> list[Property]:
        """Return the exposure and all properties of the camera's adapter, as "Device.Property"."""
        core, label = self.core, self._label
        with core_errors(f"camera {label!r}: reading its properties"):
            return [self._exposure(), *(describe(core, label, key) for key in core.get_device_property_names(label))]

    @shared
    def set_exposure(self, exposure_ms: float) -> Property:
        """Set the exposure, ms."""
        if not exposure_ms > 0:
            raise CameraError(f"exposure_ms cannot be {exposure_ms}: it must be above 0")
        if self.core.has_property(self._label, "Exposure"):
            check_limits(self.core, self._label, "Exposure", exposure_ms, "exposure_ms")
        if not self._set_exposure_running(exposure_ms):
            with self._change(f"exposure_ms = {exposure_ms}"):
                self.core.set_exposure(self._label, exposure_ms)
        self._settings = structs.replace(self._settings, exposure_ms=exposure_ms)
        return self._exposure()

    @shared
    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Set the ROI, px of the binned image; a camera may round it to its own steps."""
        core, (sensor_width, sensor_height) = self.core, self._sensor
        if min(x, y) < 0 or min(width, height) < 1 or x + width > sensor_width or y + height > sensor_height:
            raise CameraError(
                f"roi cannot be x {x}, y {y}, width {width}, height {height}: at this binning the sensor of camera"
                f" {self._label!r} has {sensor_width} x {sensor_height} px"
            )
        with self._change(f"roi = [{x}, {y}, {width}, {height}]") as sequence:
            core.set_roi(x, y, width, height)
        self._settings = structs.replace(self._settings, roi=(x, y, width, height))
        return sequence.geometry

    @shared
    def clear_roi(self) -> Geometry:
        """Read the full frame."""
        with self._change("clearing the roi") as sequence:
            self.core.clear_roi()
        self._settings = structs.replace(self._settings, roi=None)
        return sequence.geometry

    @shared
    def set_binning(self, binning: int) -> None:
        """Bin `binning` x `binning` sensor pixels into one; a change clears the ROI."""
        binnable = self.core.has_property(self._label, "Binning")
        texts = list(self.core.get_allowed_property_values(self._label, "Binning")) if binnable else ["1"]
        offered = {leading_int(text): text for text in texts}
        if binning not in offered:
            choices = ", ".join(map(str, sorted(offered)))
            raise CameraError(f"binning cannot be {binning}: camera {self._label!r} offers {choices}")
        if binnable:
            self.set_property(f"{self._label}.Binning", offered[binning])

    @shared
    def set_property(self, name: str, value: Scalar) -> Property:
        """Set a property by its name, "Device.Property"; only those of the camera stop the sequence."""
        if name == EXPOSURE:
            return self.set_exposure(milliseconds(value))
        core = self.core
        device, key = find_property(core, name)
        text = check_value(core, device, key, value)
        if (device, key) == (self._label, "Exposure"):
            self.set_exposure(float(text))
            return describe(core, device, key)
        if device in self._cameras:
            self._set_camera_property(device, key, text)
        else:
            with core_errors(f"{name} = {text!r}"):
                core.set_property(device, key, text)
                wait_for_turret(core, device)
            self._actuators.forget_target(device)
        kept = dict(flat(self._settings.properties)) | {name: value}
        self._settings = structs.replace(self._settings, properties=kept)
        return describe(core, device, key)

    @shared
    def read_geometry(self) -> Geometry:
        """Ask the devices for the pixel size, the objective and the rest of the geometry: see `HasOptics`."""
        sequence = self._opened()
        with core_errors("reading pixel size and objective"):
            return sequence.refresh()

    @urgent
    def actuators(self) -> Mapping[str, Actuator]:
        """Return the core's default XY stage, focus drive and galvo, if it has them."""
        return self._actuators.find(self.core)

    def _set_camera_property(self, device: str, key: str, text: str) -> None:
        """Set a property of a camera device; a change of the image size clears the ROI."""
        core, label = self.core, self._label
        change = f"{device}.{key} = {text!r}"
        with self._change(change):
            before, size = core.get_property(device, key), image_size(core)
            components = core.get_number_of_components()
            core.set_property(device, key, text)
            if core.get_number_of_components() > components:
                try:
                    require_grey(core, label, change)
                finally:
                    core.set_property(device, key, before)
            if image_size(core) != size:
                self._sensor = full_frame_size(core)
                self._settings = structs.replace(self._settings, roi=None)
        if (device, key) == (label, "Binning"):
            self._settings = structs.replace(self._settings, binning=leading_int(text))

    def _set_exposure_running(self, exposure_ms: float) -> bool:
        """Set the exposure without stopping the sequence; return whether the camera accepts that."""
        sequence = self._sequence
        if sequence is None:
            return False
        with suppress(*CORE_ERRORS):
            if not sequence.is_running():
                return False
            self.core.set_exposure(self._label, exposure_ms)
            return sequence.is_running()  # else the camera has stopped for it
        return False

    def _exposure(self) -> Property:
        core, label = self.core, self._label
        limits = describe(core, label, "Exposure") if core.has_property(label, "Exposure") else None
        return Property(
            name=EXPOSURE,
            value=core.get_exposure(label),
            unit="ms",
            low=limits.low if limits else None,
            high=limits.high if limits else None,
        )

    def _prepare(self, previous: PictureSequence | None = None) -> PictureSequence:
        """Set the cameras as in the configuration file, then apply the settings; return the stopped sequence."""
        import pymmcore  # loaded by now

        core, settings = self.core, self._settings
        channel = choose_channel(core, self._label, settings.channel)
        self._cameras = list(dict.fromkeys([*physical_cameras(core, self._label), self._label]))
        for label in self._cameras:
            restore_camera(core, self._require_loaded().initial_state(read_camera(core, label)))
        if previous is not None:
            previous.close()
        self._sequence = PictureSequence(core, self._label, pymmcore.Metadata(), settings.buffer_mb, channel)
        self._taken_before, self._lost = -1, []
        self._apply(settings)
        return self._sequence

    def _apply(self, settings: MicroManagerSettings) -> None:
        for name, value in flat(settings.properties):
            if not self._other_devices_set or find_property(self.core, name)[0] in ("Core", *self._cameras):
                self.set_property(name, value)
        self._other_devices_set = True  # from now on they stay as they are, whoever changes them
        self._sensor = full_frame_size(self.core)
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

    def _require_loaded(self) -> LoadedCore:
        if self._loaded is None:
            raise CameraError("the Micro-Manager camera is not open")
        return self._loaded

    def _opened(self) -> PictureSequence:
        if self._sequence is None:
            raise CameraError("the Micro-Manager camera is not open")
        return self._sequence

    @contextmanager
    def _change(self, change: str) -> Iterator[PictureSequence]:
        sequence = self._opened()
        with self._errors(change), sequence.paused():
            yield sequence

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn exceptions of the core into `CameraError`."""
        with core_errors(f"camera {self._label!r}: {what}"):
            yield
