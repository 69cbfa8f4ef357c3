"""Handlers of the commands to the camera, and of the calibrations made with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from livetrack.camera import Geometry
from livetrack.devices import EXPOSURE, HasProperties, HasRoi, Property, Value
from livetrack.devices.lifecycle import HasReload
from livetrack.errors import CommandError
from livetrack.session.acquisition import CameraState
from livetrack.session.commands.camera_change import change_camera, driver_name
from livetrack.session.commands.registry import CommandContext, handles
from livetrack.session.loop import TrackingLoop
from livetrack.wire import commands

__all__: list[str] = []

_OPEN_TIMEOUT_S = 20.0
_LONG_EXPOSURE_S = 1.0  # nobody waits for the first frame if it takes longer
_POLL_S = 0.005
_MIN_SNR = 3.0  # scale of a calibration's matrix over its uncertainty: below, a sign may be wrong

T = TypeVar("T")


@handles(commands.Start, worker="camera")
def start(context: CommandContext, _: commands.Start) -> str:
    """Start the camera again."""
    _require_running(context.loop)
    acquisition = context.loop.acquisition
    acquisition.resume()

    def started(state: CameraState) -> bool:
        if state is CameraState.STARTING:
            return acquisition.started and acquisition.timing().interval_s > _LONG_EXPOSURE_S
        return state is not CameraState.IDLE

    return _wait_for_state(context.loop, started)


@handles(commands.Stop, worker="camera")
def stop(context: CommandContext, _: commands.Stop) -> str:
    """Stop the camera."""
    _require_running(context.loop)
    context.loop.acquisition.suspend()
    return _wait_for_state(context.loop, lambda state: state is CameraState.IDLE)


@handles(commands.ReloadDevices, worker="camera")
def reload_devices(context: CommandContext, request: commands.ReloadDevices) -> list[str]:
    """Initialise all devices again, with the camera stopped meanwhile."""
    camera, acquisition = context.camera, context.loop.acquisition
    if not isinstance(camera, HasReload):
        raise CommandError(f"the camera driver {driver_name(context)} has no other devices to initialise")
    _require_running(context.loop)
    effects = camera.reload_effects()
    if not request.confirm:
        return effects
    context.motion.permission.check(context.client)
    stopped = acquisition.state is CameraState.IDLE
    acquisition.suspend()
    try:
        _wait_for_state(context.loop, lambda state: state is CameraState.IDLE)
        context.motion.cancel()  # from now on moves are refused, as the camera is stopped
        camera.reload()
    finally:
        if not stopped:
            acquisition.resume()
    return effects


@handles(commands.Properties, worker="camera", device=True)
def properties(context: CommandContext, _: commands.Properties) -> list[Property]:
    """Return the camera's properties; none if the driver has none."""
    camera = context.camera
    return camera.properties() if isinstance(camera, HasProperties) else []


@handles(commands.SetProperty, worker="camera", device=True)
def set_property(context: CommandContext, request: commands.SetProperty) -> Property:
    """Set a property of the camera."""
    return _set_property(context, request.name, request.value)


@handles(commands.SetExposure, worker="camera", device=True)
def set_exposure(context: CommandContext, request: commands.SetExposure) -> Property:
    """Set the exposure."""
    return _set_property(context, EXPOSURE, request.exposure_ms)


@handles(commands.SetRoi, worker="camera", device=True)
def set_roi(context: CommandContext, request: commands.SetRoi) -> Geometry:
    """Set the region of interest."""
    camera = _require_roi(context)
    return change_camera(context, lambda: camera.set_roi(request.x, request.y, request.width, request.height))


@handles(commands.ClearRoi, worker="camera", device=True)
def clear_roi(context: CommandContext, _: commands.ClearRoi) -> Geometry:
    """Return to the full frame."""
    return change_camera(context, _require_roi(context).clear_roi)


@handles(commands.StoreCalibration, worker="actuators")
def store_calibration(context: CommandContext, request: commands.StoreCalibration) -> None:
    """Store an actuator's calibration if it fits the camera and is precise enough."""
    calibration = request.calibration
    context.motion.actuator(calibration.actuator)
    geometry = context.loop.acquisition.geometry
    calibration.check(context.loop.config.camera.driver, geometry)
    (a, b), (c, d) = calibration.matrix
    if not abs(a * d - b * c) > 0:
        raise CommandError(
            "the calibration's matrix has no inverse: the actuator moves nothing, or along one line only"
        )
    uncertainty = max(map(max, calibration.matrix_std))
    if not _MIN_SNR * uncertainty < abs(a * d - b * c) ** 0.5:
        raise CommandError(
            f"the calibration is too uncertain to give the direction of a move ({uncertainty:.2g} px per unit): "
            "calibrate again with more `--rounds`, a larger `--step`, or particles that stick to the glass"
        )
    context.calibrations.store(calibration, geometry)


def _set_property(context: CommandContext, name: str, value: Value) -> Property:
    camera = context.camera
    if not isinstance(camera, HasProperties):
        raise CommandError(f"the camera driver {driver_name(context)} has no properties that can be set")

    def change() -> Property:
        context.motion.check_property(context.client, name, value)
        return camera.set_property(name, value)

    return change_camera(context, change)


def _require_roi(context: CommandContext) -> HasRoi:
    camera = context.camera
    if not isinstance(camera, HasRoi):
        raise CommandError(f"the camera driver {driver_name(context)} has no region of interest")
    return camera


def _require_running(loop: TrackingLoop) -> None:
    if loop.acquisition.ended:
        raise CommandError(f"the camera has {loop.acquisition.state}: restart livetrack")


def _wait_for_state(loop: TrackingLoop, reached: Callable[[CameraState], bool]) -> str:
    """Return the camera's state once `reached` accepts it, or once the session has ended."""
    deadline = time.monotonic() + _OPEN_TIMEOUT_S + loop.acquisition.timing().interval_s
    while not reached(loop.acquisition.state) and not loop.acquisition.ended:
        if time.monotonic() > deadline:
            raise CommandError(f"the camera is still {loop.acquisition.state} after {_OPEN_TIMEOUT_S:g} s")
        time.sleep(_POLL_S)
    return str(loop.acquisition.state)
