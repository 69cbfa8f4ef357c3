"""Handlers of the commands to the microscope around the camera."""

from __future__ import annotations

from livetrack.devices.microscope import (
    AutofocusState,
    ConfigGroup,
    HasAutofocus,
    HasConfigGroups,
    HasLights,
    LightState,
    MicroscopeState,
)
from livetrack.errors import CommandError
from livetrack.session.commands.camera_change import change_camera, driver_name, require_started
from livetrack.session.commands.registry import CommandContext, handles
from livetrack.wire import commands

__all__: list[str] = []


@handles(commands.Microscope, worker="camera", device=True)
def microscope(context: CommandContext, _: commands.Microscope) -> MicroscopeState:
    """Return what the driver has of configuration groups, lights and autofocus."""
    camera = context.camera
    return MicroscopeState(
        groups=tuple(camera.config_groups()) if isinstance(camera, HasConfigGroups) else (),
        lights=tuple(camera.lights()) if isinstance(camera, HasLights) else (),
        autofocus=camera.autofocus() if isinstance(camera, HasAutofocus) else None,
    )


@handles(commands.SetPreset, worker="camera", device=True)
def set_preset(context: CommandContext, request: commands.SetPreset) -> ConfigGroup:
    """Apply a preset."""
    camera = context.camera
    if not isinstance(camera, HasConfigGroups):
        raise CommandError(f"the camera driver {driver_name(context)} has no configuration groups")

    def change() -> ConfigGroup:
        for name, value in camera.preset_settings(request.group, request.preset).items():
            context.motion.check_property(context.client, name, value)
        return camera.set_preset(request.group, request.preset)

    return change_camera(context, change)


@handles(commands.SetLight, worker="camera", device=True)
def set_light(context: CommandContext, request: commands.SetLight) -> LightState:
    """Switch a light."""
    camera = context.camera
    if not isinstance(camera, HasLights):
        raise CommandError(f"the camera driver {driver_name(context)} has no lights")
    return change_camera(context, lambda: camera.set_light(request.name, opened=request.open, auto=request.auto))


@handles(commands.SetAutofocus, worker="focus", device=True)
def set_autofocus(context: CommandContext, request: commands.SetAutofocus) -> AutofocusState:
    """Hold the focus or not."""
    autofocus = _require_autofocus(context)
    if request.continuous or request.offset is not None:
        require_started(context)
        context.motion.permission.check(context.client)
    return autofocus.set_autofocus(continuous=request.continuous, offset=request.offset)


@handles(commands.FocusOnce, worker="focus", device=True)
def focus_once(context: CommandContext, _: commands.FocusOnce) -> AutofocusState:
    """Search the focus."""
    autofocus = _require_autofocus(context)
    require_started(context)
    context.motion.permission.check(context.client)
    return autofocus.focus_once()


def _require_autofocus(context: CommandContext) -> HasAutofocus:
    camera = context.camera
    if not isinstance(camera, HasAutofocus):
        raise CommandError(f"the camera driver {driver_name(context)} has no autofocus")
    return camera
