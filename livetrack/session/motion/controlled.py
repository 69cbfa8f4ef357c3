"""One actuator of a session: its limits, its speed, and one command at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from math import inf, isfinite, nan

from livetrack.config import ActuatorSettings
from livetrack.devices import (
    ANY_UM,
    Actuator,
    Limited,
    Limits,
    MovedByProperties,
    Stoppable,
    Targeted,
    Value,
    check_position,
    start_of_steps,
)
from livetrack.errors import CameraError, CommandError, ConfigError
from livetrack.session.motion.paced import PacedActuator
from livetrack.session.motion.permission import MovePermission
from livetrack.wire.commands import ActuatorState, MoveResult

__all__ = ["ControlledActuator"]


class ControlledActuator:
    """Commands `device` within its limits and those of its settings, while `permission` is given.

    Parameters
    ----------
    name, device
        As the camera offers it.
    settings
        `[stage]`, or the section of another actuator, whose name is `section`.

    Raises
    ------
    ConfigError
        The settings limit an axis that the device lacks.
    """

    def __init__(
        self, name: str, device: Actuator, settings: ActuatorSettings, section: str, permission: MovePermission
    ) -> None:
        unknown = [axis for axis in settings.limits if axis not in device.axes]
        if unknown:
            raise ConfigError(
                f"[{section}.limits] the {name} has no axis {unknown[0]!r}: it has {', '.join(device.axes)}"
            )
        self.name = name
        self.device = device
        self._settings = settings
        self._section = section
        self._permission = permission
        self._lock = threading.RLock()
        self._limited = device if isinstance(device, Limited) else None
        self._properties = device.position_properties() if isinstance(device, MovedByProperties) else {}
        self._stoppable = device if isinstance(device, Stoppable) else None
        self._targeted = isinstance(device, Targeted)  # here: these checks take 10 µs each
        self._own_limits: Limits = [settings.limits.get(axis, (-inf, inf)) for axis in device.axes]
        self._paced = None if settings.max_speed is None else PacedActuator(device, settings.max_speed, self._lock)
        self._start = self._paced.target if self._paced else start_of_steps(device)

    def state(self) -> ActuatorState:
        """Return its axes, position and limits."""
        device = self.device
        limits = [
            (max(low, own_low), min(high, own_high))
            for (low, high), (own_low, own_high) in zip(self._own_limits, self._device_limits(), strict=True)
        ]
        return ActuatorState(
            name=self.name,
            axes=tuple(device.axes),
            unit=device.unit,
            position=device.position(),
            limits=tuple((low if isfinite(low) else None, high if isfinite(high) else None) for low, high in limits),
            max_speed=self._settings.max_speed,
        )

    def move(self, client: bytes, numbers: Sequence[float], *, relative: bool, wait: bool) -> MoveResult:
        """Move to `numbers`, or by them; raises `CommandError` before anything moves if that is not permitted."""
        device = self.device
        if len(numbers) != len(device.axes):
            axes = ", ".join(device.axes)
            raise CommandError(f"actuator {self.name!r} takes {len(device.axes)} numbers ({axes}), not {len(numbers)}")
        with self._lock:
            self._permission.check(client)
            halts = self._permission.halts
            position = numbers
            if relative:
                start = self._start()
                position = [a + b for a, b in zip(start, numbers, strict=True)]
            self._check(position)
            self._permission.check(client)  # the device may have taken long to report its position
            begun_ns = time.perf_counter_ns()
            if self._paced:
                self._paced.move_to(position)
            elif relative and not self._targeted:
                device.move_by(numbers)
            else:
                device.move_to(position)
            done_ns = time.perf_counter_ns()
        if wait:
            (self._paced or device).wait()
            if self._permission.halts != halts:
                raise CommandError(f"motion was halted: {self.name!r} stopped at {_text(device.position())}")
        return MoveResult(t_begun_ns=begun_ns, t_done_ns=done_ns, position=device.position() if wait else None)

    def check_property(self, client: bytes, name: str, value: Value) -> None:
        """Raise `CommandError` if the property moves an axis, and may not move it to `value`."""
        axis = self._properties.get(name)
        if axis is None:
            return
        self._permission.check(client)
        try:
            number = float(value)
        except ValueError:
            number = nan  # the device may read "abc" as 0
        device, name = self.device, repr(self.name)
        index = list(device.axes).index(axis)
        limits = (self._device_limits()[index], ""), (self._own_limits[index], f", by {self._section}.limits")
        for limit, source in limits:
            check_position(name, [axis], [number], device.unit, [limit], CommandError, source)

    def stop(self) -> None:
        """Stop at once, and once more behind a command that is being carried out; raises `CameraError`."""
        self.cancel()
        with suppress(Exception):  # of a driver: what counts is the second time
            self._stop_device()
        with self._lock:
            self.cancel()
            self._stop_device()

    def cancel(self) -> None:
        """Command no further piece of a move at a limited speed."""
        if self._paced:
            self._paced.cancel()

    def _stop_device(self) -> None:
        if self._stoppable is None:
            raise CameraError("its driver cannot stop it")
        self._stoppable.stop()

    def _check(self, position: Sequence[float]) -> None:
        device, name = self.device, repr(self.name)
        check_position(name, device.axes, position, device.unit, self._device_limits(), CommandError)
        if self._settings.limits:
            source = f", by {self._section}.limits"
            check_position(name, device.axes, position, device.unit, self._own_limits, CommandError, source)

    def _device_limits(self) -> Limits:
        device = self.device
        if self._limited is not None:
            return self._limited.limits()
        return [ANY_UM if device.unit == "um" else (-inf, inf)] * len(device.axes)


def _text(position: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in position)
