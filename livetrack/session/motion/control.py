"""All actuators of a session, and the emergency stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from livetrack.camera import Camera
from livetrack.config import Config
from livetrack.devices import Actuated, Value
from livetrack.devices.microscope import HasAutofocus
from livetrack.errors import CommandError, ConfigError, LivetrackError
from livetrack.session.motion.controlled import ControlledActuator
from livetrack.session.motion.permission import MovePermission
from livetrack.wire.commands import HaltResult

__all__ = ["MotionControl"]

_STOP_S = 2.0  # for all devices to obey; one that takes longer is stopped later

_log = logging.getLogger(__name__)


class MotionControl:
    """The actuators of `camera`, by name, with the limits of `config`.

    Any thread may call the methods.
    """

    def __init__(self, camera: Camera, config: Config) -> None:
        self.permission = MovePermission()
        self._camera = camera
        self._actuated = camera if isinstance(camera, Actuated) else None
        self._config = config
        self._known: dict[str, ControlledActuator] = {}
        self._lock = threading.Lock()  # of `_known`

    def check_settings(self) -> None:
        """Raise `ConfigError` if the settings are for an actuator or an axis that the open camera lacks."""
        found = self.actuators()
        unknown = [name for name in self._config.actuators if name not in found]
        if unknown:
            available = f"it has {', '.join(found)}" if found else "it has none"
            driver = repr(self._config.camera.driver)
            raise ConfigError(f"[actuators.{unknown[0]}] the driver {driver} has no such actuator: {available}")

    def actuators(self) -> Mapping[str, ControlledActuator]:
        """Return the actuators; raises `ConfigError` if the settings limit an axis that one lacks."""
        camera = self._actuated
        devices = camera.actuators() if camera is not None else {}
        with self._lock:  # or two threads would each have one, and a halt would end the moves of one only
            for name, device in devices.items():
                known = self._known.get(name)
                if known is None or known.device is not device:
                    if known is not None:  # its devices were loaded again
                        known.cancel()
                    settings, section = self._config.actuator_settings(name)
                    self._known[name] = ControlledActuator(name, device, settings, section, self.permission)
            return {name: self._known[name] for name in devices}

    def actuator(self, name: str) -> ControlledActuator:
        """Return one of them; raises `CommandError` if there is none of this name."""
        found = self.actuators()
        if name not in found:
            driver = repr(self._config.camera.driver)
            available = f"available: {', '.join(found)}" if found else f"the camera driver {driver} has none"
            raise CommandError(f"no actuator is called {name!r}: {available}")
        return found[name]

    def check_property(self, client: bytes, name: str, value: Value) -> None:
        """Raise `CommandError` if setting a property moves an actuator to where it may not go."""
        for actuator in self.actuators().values():
            actuator.check_property(client, name, value)

    def halt(self) -> HaltResult:
        """Permit no move, and stop all actuators; return which have stopped, and why others have not."""
        self.permission.halt()
        _log.warning("motion is halted: moves are refused until they are allowed again")
        self.cancel()
        try:
            actuators: Mapping[str, ControlledActuator] = self.actuators()
        except LivetrackError as error:  # the camera is closed
            _log.debug("no actuators to stop: %s", error)
            return HaltResult(stopped=(), failed={})
        except Exception as error:  # noqa: BLE001  of a driver: those that it had are stopped
            _log.error("the driver does not list its actuators: %s", error)
            actuators = dict(self._known)
        stops: dict[str, Callable[[], object]] = {name: each.stop for name, each in actuators.items()}
        stops["autofocus"] = self._stop_autofocus
        failed = _stop_all(stops)
        for name, why in failed.items():
            _log.error("%s does not stop: %s", name, why)
        return HaltResult(stopped=tuple(name for name in actuators if name not in failed), failed=failed)

    def allow(self, client: bytes) -> None:
        """Permit moves again: see `MovePermission.allow`."""
        if self.permission.halted:
            _log.info("moves are allowed again")
        self.permission.allow(client)

    def _stop_autofocus(self) -> None:
        """Switch a continuous autofocus off: it moves the focus drive by itself."""
        camera = self._camera
        if isinstance(camera, HasAutofocus) and (state := camera.autofocus()) is not None and state.continuous:
            camera.set_autofocus(continuous=False)

    def cancel(self) -> None:
        """Command no further piece of the moves at a limited speed; the devices stay as they are."""
        for known in list(self._known.values()):
            known.cancel()


def _stop_all(stops: Mapping[str, Callable[[], object]]) -> dict[str, str]:
    """Call all functions at once; return why some have not returned, or what they have raised."""
    failed = dict.fromkeys(stops, f"not confirmed within {_STOP_S:g} s; it is stopped as soon as it obeys")

    def stop(name: str, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:  # noqa: BLE001  of a driver
            failed[name] = str(error)
        else:
            failed.pop(name)

    threads = [
        threading.Thread(target=stop, args=item, name=f"livetrack-stop-{item[0]}", daemon=True)
        for item in stops.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _STOP_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(failed)
