"""Lines about what a session may touch: devices, limits of actuators, calibrations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from livetrack.camera import Camera, Geometry
from livetrack.check.lines import Line, fault, fine, warn
from livetrack.config import Config
from livetrack.devices import Actuated, ActuatorCalibration
from livetrack.devices.lifecycle import HasReload
from livetrack.devices.microscope import DeviceUse, HasAutofocus, HasDevices, HasLights
from livetrack.errors import LivetrackError
from livetrack.session.commands import CalibrationStore
from livetrack.session.motion import MotionControl
from livetrack.wire.commands import ActuatorState

__all__ = ["check_devices"]

_NO_LIMIT = 1e6  # µm: the range of a stage that reports none
_OLD_DAYS = 30


def check_devices(camera: Camera, config: Config, geometry: Geometry) -> list[Line]:
    """Return the lines about everything but the camera; devices are asked, and nothing is set or moved."""
    driver = config.camera.driver
    lines = _try("devices", lambda: _device_lines(camera, driver))
    lines += _try("light", lambda: _light_lines(camera))
    lines += _try("autofocus", lambda: _autofocus_lines(camera))
    lines += _try("actuators", lambda: _actuator_lines(camera, config))
    return lines + _try("calibration", lambda: _calibration_lines(camera, config, geometry))


def _try(subject: str, make: Callable[[], list[Line]]) -> list[Line]:
    try:
        return make()
    except LivetrackError as error:
        return [fault(subject, str(error))]


def _device_lines(camera: Camera, driver: str) -> list[Line]:
    if not isinstance(camera, HasDevices):
        also = f" and its {', '.join(camera.actuators())}" if isinstance(camera, Actuated) else ""
        return [fine("devices", f"the camera of the driver {driver!r}{also}; livetrack reaches no others")]
    listed = camera.devices()
    if listed.simulated:
        return [fine("devices", listed.opening)]
    touched = [f"{device.name} {device.by_itself}" for device in listed.devices if device.by_itself]
    given = [f"{device.name}.{setting}" for device in listed.devices for setting in device.properties]
    commanded: dict[str, list[str]] = {}
    for device in listed.devices:
        for purpose in device.on_command:
            commanded.setdefault(purpose, []).append(device.name)
    purposes = [f"{purpose}: {', '.join(names)}" for purpose, names in commanded.items()]
    if isinstance(camera, HasReload):
        purposes.append("reload: all devices are initialised again")
    untouched = [device.name for device in listed.devices if _is_left_alone(device)]
    return [
        fine("loading", listed.opening),
        fine("by itself", "; ".join(touched)),
        fine("sets", f"{', '.join(given) or 'nothing'}, when the camera is opened"),
        fine("on command", "; ".join(purposes) or "nothing"),
        fine("left alone", f"{', '.join(untouched) or 'none'}; set only if a client names one of its properties"),
    ]


def _is_left_alone(device: DeviceUse) -> bool:
    return not (device.by_itself or device.properties or device.on_command)


def _light_lines(camera: Camera) -> list[Line]:
    lights = camera.lights() if isinstance(camera, HasLights) else []
    states = [f"{each.name} {'open' if each.open else 'closed'}{' (with the camera)' * each.auto}" for each in lights]
    return [fine("light", ", ".join(states))] if states else []


def _autofocus_lines(camera: Camera) -> list[Line]:
    state = camera.autofocus() if isinstance(camera, HasAutofocus) else None
    if state is None:
        return []
    if state.continuous:
        text = f"{state.name} holds the focus: it moves the focus drive by itself"
        return [warn("autofocus", text, "switch it off if the focus must not move")]
    return [fine("autofocus", f"{state.name}, off")]


def _actuator_lines(camera: Camera, config: Config) -> list[Line]:
    motion = MotionControl(camera, config)
    motion.check_settings()
    lines = []
    simulated = isinstance(camera, HasDevices) and camera.devices().simulated
    for name, actuator in motion.actuators().items():
        section = config.actuator_settings(name)[1]
        try:
            lines.append(_limit_line(actuator.state(), section, simulated))
        except LivetrackError as error:
            lines.append(fault(name, str(error)))
    return lines


def _limit_line(state: ActuatorState, section: str, simulated: bool) -> Line:
    unit = f" {state.unit}".replace("um", "µm") if state.unit else ""
    axes = list(zip(state.axes, state.position, state.limits, strict=True))
    text = ", ".join(
        f"{axis} = {round(at, 3) + 0.0:g}{unit}, {_range(low, high, unit)}" for axis, at, (low, high) in axes
    )
    if state.max_speed is not None:
        text += f"; at most {state.max_speed:g}{unit}/s"
    outside = [axis for axis, at, (low, high) in axes if not _inside(at, low, high)]
    if outside:
        return warn(state.name, f"{text}: {outside[0]} is outside", f"move it, or correct [{section}] limits")
    free = [axis for axis, _, (low, high) in axes if _unlimited(low) or _unlimited(high)]
    if free and not simulated:
        wanted = ", ".join(f"{axis} = [LOW, HIGH]" for axis in free)
        return warn(state.name, text, f"before anything moves it, set [{section}] limits = {{ {wanted} }}")
    return fine(state.name, text)


def _range(low: float | None, high: float | None, unit: str) -> str:
    if _unlimited(low) and _unlimited(high):
        return "no limits"
    ends = ["none" if _unlimited(end) else f"{end:g}" for end in (low, high)]
    return f"limits {ends[0]} to {ends[1]}{unit}"


def _unlimited(end: float | None) -> bool:
    return end is None or abs(end) >= _NO_LIMIT


def _inside(at: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= at) and (high is None or at <= high)


def _calibration_lines(camera: Camera, config: Config, geometry: Geometry) -> list[Line]:
    store = CalibrationStore(config.calibration.file, config.camera.driver)
    valid, refused = store.valid(geometry), store.refusals(geometry)
    lines = [_calibration_line(calibration) for calibration in valid.values()]
    lines += [warn("calibration", text) for text in refused.values()]
    if not lines and isinstance(camera, Actuated) and camera.actuators():
        hint = "to follow or trap particles, run `livetrack calibrate` in a session"
        lines.append(fine("calibration", f"none in {config.calibration.file or 'memory'}; {hint}"))
    return lines


def _calibration_line(calibration: ActuatorCalibration) -> Line:
    text = f"of the {calibration.actuator}, for this image: {calibration.delay_frames:.1f} frames of delay"
    try:
        made = datetime.fromisoformat(calibration.made)
    except ValueError:
        return fine("calibration", f"{text}; made {calibration.made}")
    days = (datetime.now(made.tzinfo) - made).days
    age = "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"
    text += f", made {age} ({made:%Y-%m-%d %H:%M})"
    if days > _OLD_DAYS:
        again = f"if camera or stage were taken off since, run `livetrack calibrate {calibration.actuator}`"
        return warn("calibration", text, again)
    return fine("calibration", text)
