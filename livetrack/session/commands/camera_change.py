"""What every change of the camera entails: its geometry and settings, and what the tracker has learnt."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from msgspec import structs

from livetrack.camera import Geometry
from livetrack.devices import HasOptics, HasProperties
from livetrack.errors import CommandError, LivetrackError
from livetrack.session.acquisition import CameraState
from livetrack.session.commands.registry import CommandContext

__all__ = ["change_camera", "driver_name", "require_started"]

T = TypeVar("T")


def change_camera(context: CommandContext, change: Callable[[], T]) -> T:
    """Change a setting of the camera, and update the geometry and the session's settings accordingly.

    Also after a change that failed: a part of it may have been made.
    """
    loop, camera = context.loop, context.camera
    require_started(context)
    try:
        result = change()
        if isinstance(result, Geometry):
            loop.acquisition.geometry_record.announce(result)
    finally:
        if isinstance(camera, HasOptics):
            with suppress(LivetrackError):  # whether the devices answer is watched all the time
                loop.acquisition.geometry_record.announce(camera.read_geometry())
        settings = camera.settings if isinstance(camera, HasProperties) else None

        def update() -> None:
            loop.tracker.forget()  # exposure, gain: the same particles look different
            if settings is not None:
                loop.config = structs.replace(loop.config, driver_settings=settings)

        loop.queue.run_in_loop(update)
    return result


def require_started(context: CommandContext) -> None:
    """Refuse what nobody would see."""
    if context.loop.acquisition.state is CameraState.IDLE:
        raise CommandError("the camera is stopped: start it first; while it is not open, nothing moves or changes")


def driver_name(context: CommandContext) -> str:
    """Return the name of the camera driver, in quotes."""
    return repr(context.loop.config.camera.driver)
