"""What the devices of MMCore say of the image: region, binning, pixel size, objective, orientation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from livetrack.camera import Geometry
from livetrack_drivers._mm_properties import CORE_ERRORS, read_binning

__all__ = ["read_geometry"]

_ORIENTING = re.compile(r"transpose|mirror|flip|reverse|rotat", re.IGNORECASE)  # names of a camera's properties
_OFF = ("", "0", "0.0000", "off", "no", "none", "false", "normal")
_TURRET = re.compile(r"objective|nosepiece|turret|revolver", re.IGNORECASE)
_STATE_DEVICE = 4  # pymmcore.StateDevice
_FLOAT = 2  # pymmcore.Float


def read_geometry(core: Any, label: str, source: str, name: str, *, cached: bool = False) -> Geometry:
    """Ask the devices; raises what the core raises.

    Parameters
    ----------
    label
        The core's camera.
    source
        The camera that takes the pictures: another one if `label` is a `Multi Camera`.
    name
        For `Geometry.camera`.
    cached
        Take objective and pixel size from what the devices have answered last: some take seconds to answer.
    """
    x, y, _, _ = core.get_roi(label)
    binning = read_binning(core, label)
    return Geometry(
        width=core.get_image_width(),
        height=core.get_image_height(),
        x_origin=x * binning,
        y_origin=y * binning,
        binning=binning,
        pixel_size_um=core.get_pixel_size_um(cached) or None,
        camera=name,
        objective=", ".join(_light_path(core, cached)),
        orientation=", ".join([*_orienting_properties(core, source), *_affine(core)]),
    )


def _light_path(core: Any, cached: bool) -> Iterator[str]:
    """Yield the positions of the devices that determine the pixel size, by their labels, and the magnification.

    Those are the devices that the configuration file names in its pixel sizes; if it has none, the objective turret.
    Unlike the names of pixel sizes, the positions are known where no pixel size is.
    """
    names = {setting for name in core.get_available_pixel_size_configs() for setting in _settings(core, name)}
    read = core.get_property_from_cache if cached else core.get_property
    for device, key in sorted(names) or _turrets(core):
        value = str(read(device, key))
        yield f"{float(value):.3g}" if core.get_property_type(device, key) == _FLOAT else value  # it may waver
    if (magnification := core.get_magnification_factor()) != 1:
        yield f"x {magnification:g}"


def _settings(core: Any, name: str) -> Iterator[tuple[str, str]]:
    configuration = core.get_pixel_size_config_data(name)
    for index in range(configuration.size()):
        setting = configuration.getSetting(index)
        yield setting.getDeviceLabel(), setting.getPropertyName()


def _turrets(core: Any) -> list[tuple[str, str]]:
    labels = core.get_loaded_devices_of_type(_STATE_DEVICE)
    return [(label, "Label") for label in labels if _TURRET.search(f"{label} {core.get_device_name(label)}")]


def _orienting_properties(core: Any, label: str) -> Iterator[str]:
    """Yield the camera's properties that mirror, rotate or transpose the image, if they are on."""
    for key in core.get_device_property_names(label):
        if _ORIENTING.search(key):
            value = str(core.get_property(label, key))
            if value.lower() not in _OFF:
                yield f"{key} {value}"


def _affine(core: Any) -> Iterator[str]:
    """Yield the rotation and reflection of the configuration's affine transform, unless it has none."""
    with suppress(*CORE_ERRORS, AttributeError):  # the core of a version that has no affine transform
        a, b, _, c, d, _ = core.get_pixel_size_affine()
        scale = abs(a * d - b * c) ** 0.5
        if scale > 0 and (abs(b) + abs(c) > 1e-6 * scale or a < 0 or d < 0):
            yield "affine " + " ".join(f"{value / scale:.4g}" for value in (a, b, c, d))
