"""Commands to the actuators of a running engine, in their own units and in pixels of the image."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from msgspec import structs

from livetrack.client.address import DEFAULT_ADDRESS, Keys
from livetrack.client.requester import LONG_S, ImageOrigin, Requester
from livetrack.devices import ActuatorCalibration
from livetrack.errors import CommandError, GeometryChangedError, UsageError
from livetrack.wire import commands

__all__ = ["ActuatorCommands"]


class ActuatorCommands(Requester):
    """The part of `Remote` that moves actuators; the parameters are those of `Remote`."""

    def __init__(self, address: str = DEFAULT_ADDRESS, timeout_s: float = 5.0, keys: Keys = None) -> None:
        super().__init__(address, timeout_s, keys)
        self.calibrations: dict[str, ActuatorCalibration] = {}
        self._fetched: dict[str, ImageOrigin] = {}  # of each calibration, also after that has become invalid

    def actuators(self) -> list[commands.ActuatorState]:
        """Return the actuators, their positions and limits."""
        return self._request(commands.Actuators())

    def move_to(
        self, actuator: str, *position: float, wait: bool = False, geometry: int | None = None
    ) -> commands.MoveResult:
        """Move an actuator to a position, one number per axis, in its own unit.

        Returns once the device has accepted the command; with `wait`, once the move is complete. A position beyond the
        limits is rejected before anything moves.

        Parameters
        ----------
        geometry
            Number of the geometry from which the position was calculated (`Update.geometry`). None: that of this
            client's calibration of the actuator; if it never fetched one, the move does not depend on the image.

        Raises
        ------
        GeometryChangedError
            The optics have changed since: nothing was moved, and the next `calibration` is fetched again.
        """
        request = commands.MoveTo(actuator=actuator, position=_floats(position), wait=wait)
        return self._move(request, self._origin_of(actuator, geometry))

    def move_by(
        self, actuator: str, *step: float, wait: bool = False, geometry: int | None = None
    ) -> commands.MoveResult:
        """Move an actuator by a step from its last commanded position; see `move_to`."""
        request = commands.MoveBy(actuator=actuator, step=_floats(step), wait=wait)
        return self._move(request, self._origin_of(actuator, geometry))

    def halt(self) -> commands.HaltResult:
        """Stop all actuators at once, and have all moves rejected until `allow_moves`: an emergency stop.

        It does not wait behind other commands. All loops of all clients end at their next move. Returns which actuators
        have stopped, and why others have not.
        """
        return self._request(commands.Halt())

    def allow_moves(self) -> None:
        """Have moves accepted again after a `halt`: from this `Remote`, and from clients that start now.

        Another program that has moved something before the halt stays refused until it calls this itself.
        """
        self._request(commands.AllowMoves())

    def move_stage(self, dx_um: float, dy_um: float, *, wait: bool = False) -> commands.MoveResult:
        """Move the stage by a step, µm along its own axes, whatever the image is like."""
        return self._move(commands.MoveBy(actuator="stage", step=_floats((dx_um, dy_um)), wait=wait), None)

    def set_galvo(self, x: float, y: float, *, wait: bool = False) -> commands.MoveResult:
        """Set the position of the galvo, in its own unit, whatever the image is like."""
        return self._move(commands.MoveTo(actuator="galvo", position=_floats((x, y)), wait=wait), None)

    def move(
        self, actuator: str, dx_px: float, dy_px: float, *, wait: bool = False, geometry: int | None = None
    ) -> commands.MoveResult:
        """Move an actuator so that the particles move by this many px in the image; needs `livetrack calibrate`.

        Parameters
        ----------
        geometry
            `Update.geometry` of the frame in which the px were measured: if the optics have changed since, nothing is
            moved. None: px of the image as it is now, with the calibration that is valid now.

        Raises
        ------
        GeometryChangedError
            Objective, pixel size, binning or orientation differ from those of `geometry`.
        CommandError, UsageError
            As for `calibration`; or the engine refuses the move.
        """
        try:
            step = self.calibration(actuator).move(float(dx_px), float(dy_px))
            number = None if geometry is None else min(geometry, self.calibrated_geometry(actuator))
            return self.move_by(actuator, *step, wait=wait, geometry=number)
        except GeometryChangedError:
            if geometry is not None:
                raise
            step = self.calibration(actuator).move(float(dx_px), float(dy_px))
            return self.move_by(actuator, *step, wait=wait)

    def calibration(self, actuator: str) -> ActuatorCalibration:
        """Return the calibration of an actuator that holds for the image now.

        It is fetched once, and again after a move was refused because the optics had changed; `calibrations.clear()`
        causes it to be fetched too.

        Raises
        ------
        CommandError
            The actuator is not calibrated.
        UsageError
            It was calibrated for another objective, pixel size, binning or orientation only.
        """
        if actuator not in self.calibrations:
            reply = self.hello()
            if actuator in reply.refused_calibrations:
                raise UsageError(reply.refused_calibrations[actuator])
            if actuator not in reply.calibrations:
                raise CommandError(
                    f"actuator {actuator!r} is not calibrated: run `livetrack calibrate {actuator}` first"
                )
            calibration = reply.calibrations[actuator]
            calibration.check(calibration.camera, reply.geometry)
            self.calibrations[actuator] = calibration
            if self._origin is not None:
                self._fetched[actuator] = self._origin
        return self.calibrations[actuator]

    def calibrated_geometry(self, actuator: str) -> int:
        """Return the number of the geometry that was in force when the calibration of an actuator was fetched."""
        self.calibration(actuator)
        return self._fetched[actuator].geometry if actuator in self._fetched else 0

    def store_calibration(self, calibration: ActuatorCalibration, geometry: int | None = None) -> None:
        """Store an actuator's calibration in the engine, for all clients and future sessions.

        It is kept with the camera, objective, pixel size, binning and orientation in force. `geometry` is the number of
        the geometry that it was measured with, if known: raises `GeometryChangedError` if they have changed since.
        """
        request = commands.StoreCalibration(calibration=calibration)
        origin = None if geometry is None else self._origin_of(calibration.actuator, geometry)
        if origin is not None:
            request = structs.replace(request, geometry=origin.geometry, session=origin.session)
        self._request(request)
        self.calibrations.pop(calibration.actuator, None)

    def _origin_of(self, actuator: str, geometry: int | None) -> ImageOrigin | None:
        """Return what a move follows from: `geometry`, or the calibration that was fetched; None if from no image."""
        if geometry is None:
            return self._fetched.get(actuator)
        origin = self._origin
        if origin is None:
            self.hello()
            origin = self._origin
        return origin and ImageOrigin(origin.session, geometry)

    def _move(self, request: commands.MoveTo | commands.MoveBy, origin: ImageOrigin | None) -> commands.MoveResult:
        if origin is not None:
            request = structs.replace(request, geometry=origin.geometry, session=origin.session)
        elif self._origin is not None:
            request = structs.replace(request, geometry=None)
        try:
            return self._request(request, LONG_S if request.wait else None)
        except GeometryChangedError:
            self.calibrations.pop(request.actuator, None)
            raise


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    """Return Python floats, because NumPy's cannot be encoded as JSON; raise `CommandError` unless they are finite."""
    numbers = tuple(map(float, values))
    if not all(map(isfinite, numbers)):
        raise CommandError(f"cannot move to or by {', '.join(f'{number:g}' for number in numbers)}: not finite")
    return numbers
