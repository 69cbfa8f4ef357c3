"""Driver for all cameras of Micro-Manager, by pycromanager's Python backend: MMCore in this process, without Java."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, structs

from livetrack.camera import Geometry, Picture
from livetrack.devices import EXPOSURE, Actuator, Property
from livetrack.errors import CameraError
from livetrack_drivers._mm_actuators import MicroManagerActuators
from livetrack_drivers._mm_install import explain_load_error, find_config, find_folder
from livetrack_drivers._mm_microscope import MicroscopeControls
from livetrack_drivers._mm_properties import (
    CORE_ERRORS,
    Scalar,
    check_limits,
    check_value,
    describe,
    find_property,
    leading_int,
    one_line,
)
from livetrack_drivers._mm_sequence import PictureSequence

__all__ = ["MicroManagerCamera", "MicroManagerSettings"]

_MIN_BUFFER_MB = 1

Offset = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=1)]


class MicroManagerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[camera.micromanager]`."""

    mm_dir: str = ""
    """Micro-Manager's folder, with its mmgr_dal_* files. If empty: the environment variable MICROMANAGER_PATH, the
    usual installation folders, or the Python package mm_test_adapters with its demo camera."""
    config_file: str = "MMConfig_demo.cfg"
    """Hardware configuration, as saved by Micro-Manager's wizard: a path, or a name in `mm_dir`."""
    camera: str = ""
    """Label of the camera in that file; if empty, the file's default camera."""
    properties: dict[str, Scalar | dict[str, Scalar]] = {}
    """Device properties to set after loading the file, in this order: `"Camera.PixelType" = "16bit"`."""
    exposure_ms: Annotated[float, Meta(gt=0)] = 10.0
    """Exposure, ms."""
    binning: Size | None = None
    """Sensor pixels per image pixel, along each axis; if left out, as in the configuration file."""
    roi: tuple[Offset, Offset, Size, Size] | None = None
    """Region of interest: x, y, width, height, px of the binned image; if left out, the full frame."""
    buffer_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 256
    """MMCore's buffer for pictures that wait, MB; if it is full, MMCore discards all of them."""


class MicroManagerCamera(MicroscopeControls):
    """A camera of Micro-Manager in continuous sequence acquisition: a `Camera` that is `Adjustable` and `Actuated`.

    It also `HasOptics`. The `set_` methods may be called from any thread while another reads the pictures. They stop
    the sequence, keep the pictures taken so far, make the change, and start again; the first picture of a new geometry
    carries it. Invalid values raise `CameraError` before they reach the core.

    Only one such camera can be open in a process, since pycromanager has only one core.
    """

    Settings: ClassVar[type[Any]] = MicroManagerSettings
    waits = False

    def __init__(self, settings: MicroManagerSettings) -> None:
        self._settings = settings
        self._core: Any = None
        self._label = ""
        self._sensor = (0, 0)  # width, height of the full frame, px of the binned image
        self._sequence: PictureSequence | None = None
        self._actuators = MicroManagerActuators()

    @property
    def core(self) -> Any:
        """The open `pymmcore.CMMCore`, for everything that is not the camera. Raises `CameraError` if it is closed."""
        if self._core is None:
            raise CameraError("the Micro-Manager camera is not open")
        return self._core

    def open(self) -> Geometry:
        """Load the configuration, apply the settings and start."""
        self.close()
        try:
            self._core, metadata = _start_core(self._settings)
            atexit.register(self.close)  # runs before pycromanager's exit handler, which fails while a sequence runs
            self._label = _choose_camera(self._core, self._settings.camera)
            self._sequence = PictureSequence(self._core, self._label, metadata)
            self._apply(self._settings)
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
        `t_exposed_ns` is None: MMCore does not report it.
        """
        if self._sequence is None:
            raise CameraError("the Micro-Manager camera is not open")
        return self._sequence.pictures()

    def close(self) -> None:
        """Stop the sequence, then the core."""
        atexit.unregister(self.close)
        sequence, self._sequence = self._sequence, None
        core, self._core = self._core, None
        if sequence is not None:
            sequence.close()
        if core is not None:
            _stop_core(core)

    @property
    def settings(self) -> MicroManagerSettings:
        """The current settings."""
        return self._settings

    def properties(self) -> list[Property]:
        """Return the exposure and all properties of the camera's adapter, as "Device.Property"."""
        core, label = self.core, self._label
        with _core_errors(f"camera {label!r}: reading its properties"):
            return [self._exposure(), *(describe(core, label, key) for key in core.get_device_property_names(label))]

    def set_exposure(self, exposure_ms: float) -> Property:
        """Set the exposure, ms."""
        if not exposure_ms > 0:
            raise CameraError(f"exposure_ms cannot be {exposure_ms}: it must be above 0")
        if self.core.has_property(self._label, "Exposure"):
            check_limits(self.core, self._label, "Exposure", exposure_ms, "exposure_ms")
        with self._change(f"exposure_ms = {exposure_ms}"):
            self.core.set_exposure(exposure_ms)
        self._settings = structs.replace(self._settings, exposure_ms=exposure_ms)
        return self._exposure()

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

    def clear_roi(self) -> Geometry:
        """Read the full frame."""
        with self._change("clearing the roi") as sequence:
            self.core.clear_roi()
        self._settings = structs.replace(self._settings, roi=None)
        return sequence.geometry

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

    def set_property(self, name: str, value: Scalar) -> Property:
        """Set a property by its name, "Device.Property"; only those of the camera stop the sequence."""
        if name == EXPOSURE:
            return self.set_exposure(_milliseconds(value))
        core = self.core
        device, key = find_property(core, name)
        text = check_value(core, device, key, value)
        if device == self._label:
            self._set_camera_property(key, text)
        else:
            with _core_errors(f"{name} = {text!r}"):
                core.set_property(device, key, text)
            self._actuators.forget_target(device)
        kept = dict(_flat(self._settings.properties)) | {name: value}
        self._settings = structs.replace(self._settings, properties=kept)
        return describe(core, device, key)

    def read_geometry(self) -> Geometry:
        """Ask the devices for the pixel size, the objective and the rest of the geometry: see `HasOptics`."""
        sequence = self._sequence
        if sequence is None:
            raise CameraError("the Micro-Manager camera is not open")
        with _core_errors("reading pixel size and objective"):
            return sequence.refresh()

    def actuators(self) -> Mapping[str, Actuator]:
        """Return the core's default XY stage, focus drive and galvo, if it has them."""
        return self._actuators.find(self.core)

    def _set_camera_property(self, key: str, text: str) -> None:
        """Set a property of the camera itself; a change of the image size clears the ROI."""
        core, label = self.core, self._label
        change = f"{label}.{key} = {text!r}"
        with self._change(change):
            before, size = core.get_property(label, key), _size(core)
            components = core.get_number_of_components()
            core.set_property(label, key, text)
            if core.get_number_of_components() > components:
                core.set_property(label, key, before)
                raise CameraError(_colour_error(core, label, change))
            if _size(core) != size:
                self._sensor = _full_frame_size(core)
                self._settings = structs.replace(self._settings, roi=None)
        if key == "Binning":
            self._settings = structs.replace(self._settings, binning=leading_int(text))

    def _exposure(self) -> Property:
        core, label = self.core, self._label
        limits = describe(core, label, "Exposure") if core.has_property(label, "Exposure") else None
        return Property(
            name=EXPOSURE,
            value=core.get_exposure(),
            unit="ms",
            low=limits.low if limits else None,
            high=limits.high if limits else None,
        )

    def _apply(self, settings: MicroManagerSettings) -> None:
        for name, value in _flat(settings.properties):
            self.set_property(name, value)
        if self.core.get_number_of_components() != 1:
            raise CameraError(_colour_error(self.core, self._label, f"camera {self._label!r}"))
        self._sensor = _full_frame_size(self.core)
        if settings.binning is not None:
            self.set_binning(settings.binning)
        if settings.roi is not None:
            self.set_roi(*settings.roi)
        self.set_exposure(settings.exposure_ms)

    @contextmanager
    def _change(self, change: str) -> Iterator[PictureSequence]:
        if self._sequence is None:
            raise CameraError("the Micro-Manager camera is not open")
        with _core_errors(f"camera {self._label!r}: {change}"), self._sequence.paused():
            yield self._sequence


def _start_core(settings: MicroManagerSettings) -> tuple[Any, Any]:
    """Return a core with its devices loaded, and an empty `pymmcore.Metadata`."""
    folder = find_folder(settings.mm_dir)
    config = find_config(folder, settings.config_file)
    try:
        import pymmcore
        from mmpycorex import is_pymmcore_active  # type: ignore[import-untyped]  # pycromanager's own base
        from pycromanager import Core, start_headless
    except ImportError as error:
        raise CameraError(f"pycromanager cannot be imported ({error}): `python -m pip install pycromanager`") from error
    if is_pymmcore_active():
        raise CameraError("this process has a Micro-Manager core already: close it first (pycromanager.stop_headless)")
    if sys.platform == "win32" and str(folder) not in os.environ["PATH"]:
        os.environ["PATH"] += os.pathsep + str(folder)  # where adapters search for the manufacturers' libraries
    try:
        start_headless(str(folder), str(config), python_backend=True, buffer_size_mb=settings.buffer_mb)
    except CORE_ERRORS as error:
        raise explain_load_error(error, folder, config) from error
    return Core(), pymmcore.Metadata()


def _stop_core(core: Any) -> None:
    from pycromanager import stop_headless

    with suppress(*CORE_ERRORS):
        core.unload_all_devices()  # here and below: the first attempt fails if a device is gone
    with suppress(*CORE_ERRORS):
        core.set_circular_buffer_memory_footprint(
            _MIN_BUFFER_MB
        )  # pycromanager never frees its core; this frees the memory
    with suppress(*CORE_ERRORS):
        stop_headless()


def _choose_camera(core: Any, requested: str) -> str:
    """Make `requested` the core's camera, or keep its default; return the label."""
    label = requested or str(core.get_camera_device())
    cameras = list(core.get_loaded_devices_of_type(2))  # pymmcore.CameraDevice
    if not cameras:
        raise CameraError("config_file: it has no camera")
    if label not in cameras:
        raise CameraError(f"camera: there is no {label!r} in the configuration file, which has {', '.join(cameras)}")
    core.set_camera_device(label)
    return label


def _full_frame_size(core: Any) -> tuple[int, int]:
    core.clear_roi()
    return _size(core)


def _milliseconds(value: Scalar) -> float:
    try:
        return float(value)
    except ValueError:
        raise CameraError(f"exposure_ms cannot be {value!r}: it is a number of milliseconds") from None


def _size(core: Any) -> tuple[int, int]:
    return core.get_image_width(), core.get_image_height()


def _colour_error(core: Any, label: str, subject: str) -> str:
    text = f"{subject} delivers colour, and particles are tracked in grey images"
    if not core.has_property(label, "PixelType"):
        return f"{text}: set the camera to a grey pixel type"
    grey = [repr(kind) for kind in core.get_allowed_property_values(label, "PixelType") if "RGB" not in kind.upper()]
    return f"{text}: set property '{label}.PixelType' to {' or '.join(grey)}"


def _flat(properties: dict[str, Scalar | dict[str, Scalar]]) -> Iterator[tuple[str, Scalar]]:
    """Yield "Device.Property" and value, from either notation."""
    for name, value in properties.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


@contextmanager
def _core_errors(what: str) -> Iterator[None]:
    """Turn exceptions of the core into `CameraError`."""
    try:
        yield
    except CORE_ERRORS as error:
        raise CameraError(f"{what} failed: {one_line(error)}") from error
