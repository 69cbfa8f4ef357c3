"""Properties of the simulated microscope that can change while it runs."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect, structs

from livetrack.devices import EXPOSURE, Property, Value
from livetrack.errors import CameraError
from livetrack_drivers.simulated.settings import SimulatedSettings

__all__ = ["STIFFNESS", "change_property", "list_properties"]

STIFFNESS = "trap_stiffness_pn_um"

_UNITS = {
    EXPOSURE: "ms",
    "signal": "electrons",
    "background": "electrons",
    "gradient": "",
    "flicker": "",
    "diffusion_um2_s": "um²/s",
    STIFFNESS: "pN/um",
    "gain": "grey/electron",
    "offset": "grey",
    "read_noise": "electrons",
}


def list_properties(settings: SimulatedSettings) -> list[Property]:
    """Return the properties with their values in `settings`."""
    return [_property(settings, name) for name in _UNITS]


def change_property(settings: SimulatedSettings, name: str, value: Value) -> SimulatedSettings:
    """Return `settings` with another value of a property; a longer exposure also collects more light.

    Raises
    ------
    CameraError
        There is no such property, or it does not accept this value.
    """
    if name not in _UNITS:
        raise CameraError(f"property {name!r}: the simulated camera does not have it; it has {', '.join(_UNITS)}")
    property_ = _property(settings, name)
    changed = _changed(settings, name, value)
    if property_.high is not None and getattr(changed, name) > property_.high * (1 + 1e-9):
        raise CameraError(f"property {name!r} cannot be {value!r}: at most {property_.high:g} {property_.unit}".strip())
    if name == EXPOSURE and settings.exposure_ms and changed.exposure_ms:
        light = changed.exposure_ms / settings.exposure_ms
        for field in ("signal", "background"):
            changed = _changed(changed, field, light * getattr(settings, field))
    return changed


def _changed(settings: SimulatedSettings, name: str, value: Value) -> SimulatedSettings:
    try:
        return msgspec.convert(structs.asdict(settings) | {name: value}, SimulatedSettings)
    except msgspec.ValidationError as error:
        raise CameraError(f"property {name!r} cannot be {value!r}: {error}") from None


def _property(settings: SimulatedSettings, name: str) -> Property:
    low, high = _bounds(name)
    if name == EXPOSURE:
        high = 1000 / settings.fps
    elif name == "signal" and settings.contrast == "dark":
        high = settings.background
    return Property(name=name, value=getattr(settings, name), unit=_UNITS[name], low=low, high=high)


def _bounds(name: str) -> tuple[float | None, float | None]:
    """Return the bounds in the type of the setting."""
    fields: Any = inspect.type_info(SimulatedSettings)
    kind = next(field.type for field in fields.fields if field.name == name)
    return kind.ge if kind.ge is not None else kind.gt, kind.le if kind.le is not None else kind.lt
