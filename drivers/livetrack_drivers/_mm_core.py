"""MMCore of this process: the configuration is loaded once, and stays loaded when a camera is closed.

Loading and unloading a configuration initialises and shuts down every device: stages may home, lamps go out. Therefore
a camera that is opened again finds its devices as they are.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from livetrack.errors import CameraError
from livetrack_drivers._mm_camera_device import (
    DeviceState,
    choose_camera,
    full_frame_size,
    initialise_camera,
    read_camera,
    restore_camera,
)
from livetrack_drivers._mm_devices import describe_loading
from livetrack_drivers._mm_install import explain_load_error, find_config, find_folder
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line
from livetrack_drivers._mm_sequence import PictureSequence
from livetrack_drivers._mm_settings import MicroManagerSettings

__all__ = ["LoadedCore", "acquire_core", "is_loaded"]

_log = logging.getLogger(__name__)

_MIN_BUFFER_MB = 1
_ROLES = ("Camera", "XYStage", "Focus", "Galvo", "AutoFocus")
_INITIALISED = 1  # pymmcore's DeviceInitializationState

_loaded: LoadedCore | None = None  # pycromanager has one core a process


@dataclass
class LoadedCore:
    """A core whose configuration is loaded.

    Parameters
    ----------
    core
        A `pymmcore.CMMCore`, as pycromanager creates it.
    folder, config
        What it was loaded from.
    content
        Content of the configuration file.
    initial
        Value of every property just after loading, by device and property; `initial_exposure_ms` likewise, by camera.
    cameras
        All cameras as they were then, in the order of the file.
    in_use
        Whether a camera has it open.
    """

    core: Any
    folder: Path
    config: Path
    content: bytes
    initial: dict[str, dict[str, str]]
    initial_exposure_ms: dict[str, float]
    cameras: list[DeviceState]
    in_use: bool = True

    initialises_cameras: ClassVar[bool] = True

    def origin(self) -> str:
        """Return where the core is."""
        return "in this process"

    def opening(self) -> str:
        """Return what was done to open it, in words."""
        return f"{describe_loading(self.core, self.config)}; {self.core.get_version_info()} in this process"

    def choose_camera(self, requested: str) -> str:
        """Make `requested` the core's camera, or keep its default; return the label."""
        return choose_camera(self.core, requested)

    def reset_camera(self, label: str) -> None:
        """Set a camera as the configuration file does, without a ROI."""
        restore_camera(self.core, self._initial_state(read_camera(self.core, label)))

    def sensor_size(self) -> tuple[int, int]:
        """Clear the ROI; return the size of the full frame."""
        return full_frame_size(self.core)

    def sequence(self, label: str, settings: MicroManagerSettings, channel: str) -> PictureSequence:
        """Return the pictures of the core's camera `label`, or of one `channel` of it."""
        import pymmcore  # loaded by now

        return PictureSequence(self.core, label, pymmcore.Metadata(), settings.buffer_mb, channel)

    def restore(self) -> None:
        """Initialise cameras that an earlier session has lost, and no other device; set the core's default devices."""
        lost = [state for state in self.cameras if not self._is_initialised(state.label)]
        for state in lost:
            initialise_camera(self.core, state)
        for state in lost:
            restore_camera(self.core, state)
        for role in _ROLES:
            label = self.initial.get("Core", {}).get(role, "")
            if self.core.get_property("Core", role) != label:
                self.core.set_property("Core", role, label)

    def _is_initialised(self, label: str) -> bool:
        return label in self.core.get_loaded_devices() and (
            self.core.get_device_initialization_state(label) == _INITIALISED
        )

    def release(self) -> None:
        """Free the buffer for images; all devices stay as they are."""
        self.in_use = False
        with suppress(*CORE_ERRORS):
            self.core.set_circular_buffer_memory_footprint(_MIN_BUFFER_MB)

    def reload(self) -> None:
        """Load the configuration again, which initialises every device. Raises `CameraError`."""
        _log.warning("loading %s again: every device is initialised", self.config)
        self.content = b""  # if it fails, no device is loaded
        try:
            self.core.load_system_configuration(str(self.config))
        except CORE_ERRORS as error:
            raise explain_load_error(error, self.folder, self.config) from error
        self.content = self.config.read_bytes()
        self.initial, self.initial_exposure_ms, self.cameras = _read_state(self.core)

    def _initial_state(self, now: DeviceState) -> DeviceState:
        """Return the state of the camera `now` as it was just after loading, without a ROI."""
        initial = self.initial.get(now.label, {})
        after = {name: value for name, value in initial.items() if name in now.after}
        return replace(now, after=after, exposure_ms=self.initial_exposure_ms.get(now.label), roi=None)

    def changes_by_reload(self) -> list[str]:
        """Return what `reload` does to the devices other than the camera, one line per device."""
        core = self.core
        lines = []
        for label in core.get_loaded_devices():
            kind = core.get_device_type(label)
            if label == "Core" or kind == _CAMERA:
                continue
            try:
                if kind == _XY_STAGE:
                    x, y = core.get_x_position(label), core.get_y_position(label)
                    lines.append(f"XY stage {label!r}, now at ({x:g}, {y:g}) um: initialised, and may move to its home")
                elif kind == _STAGE:
                    at = core.get_position(label)
                    lines.append(f"stage {label!r}, now at {at:g} um: initialised, and may move to its home")
                else:
                    changed = [
                        f"{key} from {now!r} to {then!r}"
                        for key, then in self.initial.get(label, {}).items()
                        if (now := core.get_property(label, key)) != then
                    ]
                    lines.append(f"{label!r}: initialised" + (f", probably {', '.join(changed)}" if changed else ""))
            except CORE_ERRORS as error:
                lines.append(f"{label!r}: initialised; it does not report its state ({one_line(error)})")
        return lines


def acquire_core(mm_dir: str, config_file: str, buffer_mb: int) -> LoadedCore:
    """Return the core of this process with `config_file` loaded, which it is only if it is not yet.

    Raises
    ------
    CameraError
        The configuration cannot be loaded, or the core is in use.
    """
    global _loaded
    folder = find_folder(mm_dir)
    config = find_config(folder, config_file)
    content = config.read_bytes()
    is_active = _pycromanager()
    if _loaded is not None and not is_active():
        _loaded = None  # somebody has called pycromanager.stop_headless
    if _loaded is not None and not _loaded.in_use:
        if (_loaded.folder, _loaded.config, _loaded.content) == (folder, config, content):
            _loaded.restore()
            _loaded.in_use = True
            return _loaded
        _log.warning("unloading the devices of %s: this process opens %s", _loaded.config, config)
        _stop(_loaded.core)
        _loaded = None
    if is_active():
        raise CameraError("this process has a Micro-Manager core already: close it first (pycromanager.stop_headless)")
    core = _load(folder, config, buffer_mb)
    _loaded = LoadedCore(core, folder, config, content, *_read_state(core))
    return _loaded


def is_loaded() -> bool:
    """Return whether this process has a configuration loaded that no camera uses."""
    return _loaded is not None and not _loaded.in_use


def _pycromanager() -> Any:
    """Return the function that says whether the process has a core."""
    try:
        import pycromanager  # noqa: F401
        from mmpycorex import is_pymmcore_active  # type: ignore[import-untyped]  # pycromanager's own base
    except ImportError as error:
        raise CameraError(f"pycromanager cannot be imported ({error}): `python -m pip install pycromanager`") from error
    return is_pymmcore_active


def _load(folder: Path, config: Path, buffer_mb: int) -> Any:
    from pycromanager import Core, start_headless

    if sys.platform == "win32" and str(folder) not in os.environ["PATH"]:
        os.environ["PATH"] += os.pathsep + str(folder)  # where adapters search for the manufacturers' libraries
    try:
        start_headless(str(folder), str(config), python_backend=True, buffer_size_mb=buffer_mb)
    except CORE_ERRORS as error:
        raise explain_load_error(error, folder, config) from error
    return Core()


def _stop(core: Any) -> None:
    from pycromanager import stop_headless

    with suppress(*CORE_ERRORS):
        core.unload_all_devices()  # here and below: the first attempt fails if a device is gone
    with suppress(*CORE_ERRORS):
        stop_headless()


def _read_state(core: Any) -> tuple[dict[str, dict[str, str]], dict[str, float], list[DeviceState]]:
    """Return the core's cache of all properties, which contacts no device; the exposure of each camera, ms; cameras."""
    cache = core.get_system_state_cache()
    properties: dict[str, dict[str, str]] = {}
    for index in range(cache.size()):
        setting = cache.getSetting(index)
        properties.setdefault(setting.getDeviceLabel(), {})[setting.getPropertyName()] = setting.getPropertyValue()
    exposures = {}
    cameras = list(core.get_loaded_devices_of_type(_CAMERA))
    for label in cameras:
        with suppress(*CORE_ERRORS):
            exposures[label] = float(core.get_exposure(label))
    return properties, exposures, [read_camera(core, label) for label in cameras]


_CAMERA, _STAGE, _XY_STAGE = 2, 5, 6  # pymmcore's DeviceType
