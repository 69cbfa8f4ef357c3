"""Exposure, ROI, binning and properties of a camera of Micro-Manager."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from msgspec import structs

from livetrack.camera import Geometry
from livetrack.devices import EXPOSURE, Property
from livetrack.errors import CameraError
from livetrack_drivers._mm_access import shared
from livetrack_drivers._mm_camera_device import full_frame_size, image_size, require_grey
from livetrack_drivers._mm_core import LoadedCore
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
    wait_for_turret,
)
from livetrack_drivers._mm_sequence import PictureSequence
from livetrack_drivers._mm_settings import MicroManagerSettings, flat, milliseconds
from livetrack_drivers._mm_window import WindowCore
from livetrack_drivers._mm_window_sequence import WindowSequence

__all__ = ["CameraControls"]


class CameraControls(MicroscopeControls):
    """The part of `MicroManagerCamera` that changes the camera's settings."""

    _settings: MicroManagerSettings
    _loaded: LoadedCore | WindowCore | None
    _label: str
    _cameras: list[str]  # this camera, and those whose pictures it delivers
    _sensor: tuple[int, int] | None  # width, height of the full frame, px of the binned image, if known
    _sequence: PictureSequence | WindowSequence | None

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
        core, label, roi = self.core, self._label, (x, y, width, height)
        if self._sensor is not None:
            self._require_within(self._sensor, *roi)
        if self._holds(core.get_roi(label), roi):
            return self._opened().geometry
        with self._change(f"roi = {list(roi)}") as sequence:
            if self._sensor is None:  # of a window: the size is known without a ROI only
                before = core.get_roi(label)
                size = full_frame_size(core)
                try:
                    self._require_within(size, *roi)
                except CameraError:
                    core.set_roi(label, *before)
                    raise
            core.set_roi(*roi)
        self._settings = structs.replace(self._settings, roi=(x, y, width, height))
        return sequence.geometry

    def _require_within(self, sensor: tuple[int, int], x: int, y: int, width: int, height: int) -> None:
        """Raise `CameraError` if a ROI is not on the sensor, whose size is px of the binned image."""
        if min(x, y) < 0 or min(width, height) < 1 or x + width > sensor[0] or y + height > sensor[1]:
            raise CameraError(
                f"roi cannot be x {x}, y {y}, width {width}, height {height}: at this binning the sensor of camera"
                f" {self._label!r} has {sensor[0]} x {sensor[1]} px"
            )

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

    def _set_camera_property(self, device: str, key: str, text: str) -> None:
        """Set a property of a camera device; a change of the image size clears the ROI."""
        core, label = self.core, self._label
        change = f"{device}.{key} = {text!r}"
        if self._holds(core.get_property(device, key), text):
            return
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
                self._sensor = self._require_loaded().sensor_size()
                self._settings = structs.replace(self._settings, roi=None)
        if (device, key) == (label, "Binning"):
            self._settings = structs.replace(self._settings, binning=leading_int(text))

    def _holds(self, present: object, wanted: object) -> bool:
        """Whether a setting holds already, and the window's own sequence would have to stop for setting it again."""
        return not self._opened().ours and present == wanted

    def require_settable(self, devices: Iterable[str]) -> None:
        """Raise `CameraError` if the camera is among `devices`, and cannot be changed now."""
        if set(devices) & set(self._cameras):
            self._opened().require_stoppable()

    def _set_exposure_running(self, exposure_ms: float) -> bool:
        """Set the exposure without stopping the sequence; return whether the camera accepts that."""
        sequence = self._sequence
        if sequence is None:
            return False
        with suppress(*CORE_ERRORS):
            if not sequence.is_running():
                return False
            self.core.set_exposure(self._label, exposure_ms)
            if sequence.is_running():
                return True
            if not sequence.ours:
                raise CameraError(
                    f"camera {self._label!r} has stopped for exposure_ms = {exposure_ms}, and with it Micro-Manager's"
                    " live view: press Live again"
                )
        return False  # the camera has stopped for it

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

    def _require_loaded(self) -> LoadedCore | WindowCore:
        if self._loaded is None:
            raise CameraError("the Micro-Manager camera is not open")
        return self._loaded

    def _opened(self) -> PictureSequence | WindowSequence:
        if self._sequence is None:
            raise CameraError("the Micro-Manager camera is not open")
        return self._sequence

    @contextmanager
    def _change(self, change: str) -> Iterator[PictureSequence | WindowSequence]:
        sequence = self._opened()
        with self._errors(change), sequence.paused():
            yield sequence

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn exceptions of the core into `CameraError`."""
        with core_errors(f"camera {self._label!r}: {what}"):
            yield
