"""The camera device in MMCore: initialises it alone, with its properties, while all other devices stay as they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from livetrack.errors import CameraError
from livetrack_drivers._mm_properties import CORE_ERRORS, one_line

__all__ = [
    "DeviceState",
    "choose_camera",
    "choose_channel",
    "full_frame_size",
    "image_size",
    "initialise_camera",
    "physical_cameras",
    "read_camera",
    "require_grey",
    "restore_camera",
]

_log = logging.getLogger(__name__)

_PASSES = 3  # over the properties: one may be settable only after another


@dataclass(frozen=True)
class DeviceState:
    """What is needed to load a camera device again as it was.

    `before` are the properties that are set before it is initialised (its number, its port), `after` the others that
    can be set; `roi` is x, y, width, height in binned pixels, None if unknown.
    """

    label: str
    library: str
    device: str
    parent: str
    delay_ms: float
    exposure_ms: float | None = None
    roi: tuple[int, int, int, int] | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)


def choose_camera(core: Any, requested: str) -> str:
    """Make `requested` the core's camera, or keep its default; return the label."""
    label = requested or str(core.get_camera_device())
    cameras = list(core.get_loaded_devices_of_type(2))  # pymmcore.CameraDevice
    if not cameras:
        raise CameraError("config_file: it has no camera")
    if label not in cameras:
        raise CameraError(f"camera: there is no {label!r} in the configuration file, which has {', '.join(cameras)}")
    core.set_camera_device(label)
    return label


def choose_channel(core: Any, label: str, requested: str) -> str:
    """Return the channel of the core's camera to track, "" if it has only one.

    Raises
    ------
    CameraError
        There are several, and `requested` is none of them.
    """
    channels = [core.get_camera_channel_name(n) for n in range(core.get_number_of_camera_channels())]
    if len(channels) < 2 and requested in ("", *channels):
        return ""
    if requested in channels:
        return requested
    names = ", ".join(channels) or "no channels"
    if requested:
        raise CameraError(f"channel: camera {label!r} has no {requested!r}; it has {names}")
    raise CameraError(
        f"camera {label!r} delivers the images of {names} in one stream: set camera.micromanager.channel to one of"
        " them" + (", or camera.micromanager.camera" if set(channels) <= set(core.get_loaded_devices()) else "")
    )


def require_grey(core: Any, label: str, subject: str) -> None:
    """Raise `CameraError` if the core's camera delivers colour; `subject` is what the message begins with."""
    if core.get_number_of_components() == 1:
        return
    text = f"{subject} delivers colour, and particles are tracked in grey images"
    if not core.has_property(label, "PixelType"):
        raise CameraError(f"{text}: set the camera to a grey pixel type")
    grey = [repr(kind) for kind in core.get_allowed_property_values(label, "PixelType") if "RGB" not in kind.upper()]
    raise CameraError(f"{text}: set property '{label}.PixelType' to {' or '.join(grey)}")


def physical_cameras(core: Any, label: str) -> list[str]:
    """Return the cameras whose images `label` delivers: several for a `Multi Camera`, else only itself."""
    cameras = core.get_loaded_devices_of_type(2)
    channels = [core.get_camera_channel_name(n) for n in range(core.get_number_of_camera_channels())]
    return [name for name in dict.fromkeys(channels) if name in cameras] or [label]


def read_camera(core: Any, label: str) -> DeviceState:
    """Return the state of a camera. Properties are read from the core's cache: the device may be gone.

    Raises
    ------
    CameraError
        The core has no such camera.
    """
    try:
        names = list(core.get_device_property_names(label))
        before: dict[str, str] = {}
        after: dict[str, str] = {}
        for name in names:
            if core.is_property_read_only(label, name):
                continue
            with suppress(*CORE_ERRORS):
                value = core.get_property_from_cache(label, name)
                (before if core.is_property_pre_init(label, name) else after)[name] = value
        library, device = core.get_device_library(label), core.get_device_name(label)
        parent, delay_ms = core.get_parent_label(label), core.get_device_delay_ms(label)
    except CORE_ERRORS as error:
        raise CameraError(f"camera {label!r} cannot be read: {one_line(error)}") from error
    state = DeviceState(label, library, device, parent, delay_ms, before=before, after=after)
    with suppress(*CORE_ERRORS):
        return replace(state, exposure_ms=core.get_exposure(label), roi=tuple(core.get_roi(label)))
    return state


def initialise_camera(core: Any, state: DeviceState) -> None:
    """Unload, load and initialise this camera device alone; raises the core's error if the device is still gone."""
    label = state.label
    if label in core.get_loaded_devices():
        core.unload_device(label)
    core.load_device(label, state.library, state.device)
    for name, value in state.before.items():
        with suppress(*CORE_ERRORS):  # a port that is not there: initialising it says so
            core.set_property(label, name, value)
    if state.parent:
        core.set_parent_label(label, state.parent)
    core.set_device_delay_ms(label, state.delay_ms)
    core.initialize_device(label)


def restore_camera(core: Any, state: DeviceState) -> None:
    """Set the properties, the ROI and the exposure of `state` where they differ; the sequence must not run.

    Logs those that the camera refuses.
    """
    label = state.label
    refused: dict[str, str] = {}
    for _ in range(_PASSES):
        refused = {}
        changed = False
        for name, value in state.after.items():
            try:
                if core.get_property(label, name) != value and not core.is_property_read_only(label, name):
                    core.set_property(label, name, value)
                    changed = True
            except CORE_ERRORS as error:
                refused[name] = one_line(error)
        if not changed and not refused:
            break
    for name, why in refused.items():
        _log.warning("camera %r: %s = %r was not accepted again: %s", label, name, state.after[name], why)
    if state.roi is not None and tuple(core.get_roi(label)) != state.roi:
        core.set_roi(label, *state.roi)
    if state.exposure_ms is not None and core.get_exposure(label) != state.exposure_ms:
        core.set_exposure(label, state.exposure_ms)


def full_frame_size(core: Any) -> tuple[int, int]:
    """Clear the ROI of the core's camera, and return the size of its images: width, height, px."""
    core.clear_roi()
    return image_size(core)


def image_size(core: Any) -> tuple[int, int]:
    """Return width and height of the images of the core's camera, px."""
    return core.get_image_width(), core.get_image_height()
