"""Commands to the camera, and to what moves beside it; each is called with the engine and the request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import structs

from livetrack.camera import Geometry
from livetrack.devices import EXPOSURE, Actuated, Actuator, HasProperties, HasRoi, Property, Value
from livetrack.errors import CommandError
from livetrack.session.acquisition import CameraState
from livetrack.wire import commands as ask

if TYPE_CHECKING:
    from livetrack.session.engine import Engine

__all__ = [
    "actuators", "clear_roi", "move_by", "move_to", "properties", "set_exposure", "set_property", "set_roi", "start",
    "stop", "store_calibration",
]  # fmt: skip

_PATIENCE_S = 20.0  # for a camera to open or close
_LOOK_S = 0.005
_SURE = 3.0  # standard deviations of a calibration's matrix that its scale must exceed: else a sign may be wrong

T = TypeVar("T")


def start(engine: Engine, _: ask.Start) -> str:
    """Open the camera again."""
    _refuse_over(engine)
    engine.acquisition.resume()
    return _wait_for_state(engine, lambda state: state not in (CameraState.IDLE, CameraState.STARTING))


def stop(engine: Engine, _: ask.Stop) -> str:
    """Close the camera."""
    _refuse_over(engine)
    engine.acquisition.suspend()
    return _wait_for_state(engine, lambda state: state is CameraState.IDLE)


def properties(engine: Engine, _: ask.Properties) -> list[Property]:
    """Say what the camera can be told; nothing where it takes no commands."""
    camera = engine.camera
    return camera.properties() if isinstance(camera, HasProperties) else []


def set_property(engine: Engine, request: ask.SetProperty) -> Property:
    """Set a property of the camera."""
    return _set_property(engine, request.name, request.value)


def set_exposure(engine: Engine, request: ask.SetExposure) -> Property:
    """Set the exposure."""
    return _set_property(engine, EXPOSURE, request.exposure_ms)


def set_roi(engine: Engine, request: ask.SetRoi) -> Geometry:
    """Set the region of interest."""
    x, y, width, height = request.x, request.y, request.width, request.height
    camera = _with_roi(engine)
    return _change(engine, lambda: camera.set_roi(x, y, width, height))


def clear_roi(engine: Engine, _: ask.ClearRoi) -> Geometry:
    """Read the whole image."""
    return _change(engine, _with_roi(engine).clear_roi)


def actuators(engine: Engine, _: ask.Actuators) -> list[ask.ActuatorState]:
    """Say what can be moved, and where it is."""
    camera = engine.camera
    known = camera.actuators() if isinstance(camera, Actuated) else {}
    return [
        ask.ActuatorState(name=name, axes=tuple(each.axes), unit=each.unit, position=each.position())
        for name, each in known.items()
    ]


def move_to(engine: Engine, request: ask.MoveTo) -> ask.MoveResult:
    """Move an actuator to a position."""
    return _move(engine, request.actuator, lambda actuator: actuator.move_to, request.position, request.wait)


def move_by(engine: Engine, request: ask.MoveBy) -> ask.MoveResult:
    """Move an actuator by a step."""
    return _move(engine, request.actuator, lambda actuator: actuator.move_by, request.step, request.wait)


def store_calibration(engine: Engine, request: ask.StoreCalibration) -> None:
    """Keep an actuator's calibration, where it can be true."""
    calibration = request.calibration
    _actuator(engine, calibration.actuator)
    calibration.check(engine.config.camera.driver, engine.acquisition.geometry)
    (a, b), (c, d) = calibration.matrix
    if not abs(a * d - b * c) > 0:
        raise CommandError("the calibration's matrix has no inverse: it moves nothing, or along one line only")
    uncertain = max(map(max, calibration.matrix_std))
    if not _SURE * uncertain < abs(a * d - b * c) ** 0.5:
        raise CommandError(
            f"the calibration is too uncertain to tell the directions of a move ({uncertain:.2g} px per unit): "
            "calibrate again with more `--rounds`, a larger `--step`, or particles that stick to the glass"
        )
    engine.calibrations.store(calibration)


def _move(
    engine: Engine,
    name: str,
    method: Callable[[Actuator], Callable[[Sequence[float]], None]],
    numbers: Sequence[float],
    wait: bool,
) -> ask.MoveResult:
    actuator = _actuator(engine, name)
    if len(numbers) != len(actuator.axes):
        axes = ", ".join(actuator.axes)
        raise CommandError(f"actuator {name!r} takes {len(actuator.axes)} numbers ({axes}), not {len(numbers)}")
    begun_ns = time.perf_counter_ns()
    method(actuator)(numbers)
    done_ns = time.perf_counter_ns()
    if wait:
        actuator.wait()
    return ask.MoveResult(t_begun_ns=begun_ns, t_done_ns=done_ns, position=actuator.position() if wait else None)


def _actuator(engine: Engine, name: str) -> Actuator:
    camera = engine.camera
    known = camera.actuators() if isinstance(camera, Actuated) else {}
    if name not in known:
        there = f"there are {', '.join(known)}" if known else f"the camera driver {_driver(engine)} has none"
        raise CommandError(f"no actuator is called {name!r}: {there}")
    return known[name]


def _set_property(engine: Engine, name: str, value: Value) -> Property:
    camera = engine.camera
    if not isinstance(camera, HasProperties):
        raise CommandError(f"the camera driver {_driver(engine)} has no properties that can be set")
    return _change(engine, lambda: camera.set_property(name, value))


def _with_roi(engine: Engine) -> HasRoi:
    camera = engine.camera
    if not isinstance(camera, HasRoi):
        raise CommandError(f"the camera driver {_driver(engine)} has no region of interest")
    return camera


def _change(engine: Engine, change: Callable[[], T]) -> T:
    """Change a setting of the camera, and update `engine.config` accordingly."""
    if engine.acquisition.state is CameraState.IDLE:
        raise CommandError("the camera is stopped: start it first")
    result = change()
    camera = engine.camera
    if isinstance(camera, HasProperties):
        settings = camera.settings
        engine.queue.run_in_loop(lambda: _update_driver_settings(engine, settings))
    return result


def _update_driver_settings(engine: Engine, settings: Any) -> None:
    engine.config = structs.replace(engine.config, driver_settings=settings)


def _driver(engine: Engine) -> str:
    return repr(engine.config.camera.driver)


def _refuse_over(engine: Engine) -> None:
    if engine.acquisition.ended:
        raise CommandError(f"the camera has {engine.acquisition.state}: start livetrack anew")


def _wait_for_state(engine: Engine, reached: Callable[[CameraState], bool]) -> str:
    """Return the camera's state once it is one of those wanted."""
    deadline = time.monotonic() + _PATIENCE_S
    while not reached(engine.acquisition.state) and not engine.acquisition.ended:
        if time.monotonic() > deadline:
            raise CommandError(f"the camera is still {engine.acquisition.state} after {_PATIENCE_S:g} s")
        time.sleep(_LOOK_S)
    return str(engine.acquisition.state)
