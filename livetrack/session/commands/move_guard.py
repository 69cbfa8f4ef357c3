"""Refuses moves that a client calculated from an image that is not like the present one."""

from __future__ import annotations

import threading
from collections import OrderedDict

from msgspec import UNSET

from livetrack.errors import GeometryChangedError
from livetrack.session.geometry_record import GeometryRecord
from livetrack.wire.commands import HelloReply, MoveBy, MoveTo, StoreCalibration

__all__ = ["MoveGuard"]

_MAX_CLIENTS = 1000


class MoveGuard:
    """Checks that the optics have not changed since the image that a client acts on; any thread may call it.

    A client says with each move which geometry its numbers follow from, or null if from none. One that says nothing
    is judged by the last `hello` that it received: if that contained a calibration of the actuator, or it has stored
    one since, its moves are refused once the optics have changed, until it asks again.

    Parameters
    ----------
    session
        Number of the session.
    geometries
        Those of the session.
    """

    def __init__(self, session: int, geometries: GeometryRecord) -> None:
        self._session = session
        self._geometries = geometries
        self._lock = threading.Lock()
        self._informed: OrderedDict[bytes, tuple[int, frozenset[str]]] = OrderedDict()

    def note_hello(self, client: bytes, reply: HelloReply) -> None:
        """Note which geometry and calibrations a client has received."""
        self._note(client, reply.geometry_number, frozenset(reply.calibrations))

    def note_stored(self, client: bytes, request: StoreCalibration) -> None:
        """Note that a client has made a calibration of the present image."""
        self._note(client, self._geometries.now.number, frozenset([request.calibration.actuator]))

    def _note(self, client: bytes, number: int, calibrated: frozenset[str]) -> None:
        with self._lock:
            self._informed[client] = number, calibrated
            self._informed.move_to_end(client)
            if len(self._informed) > _MAX_CLIENTS:
                self._informed.popitem(last=False)

    def check(self, client: bytes, request: MoveTo | MoveBy | StoreCalibration) -> None:
        """Raise `GeometryChangedError` if the request follows from an image unlike the present one."""
        number = request.geometry
        if isinstance(request, StoreCalibration):
            actuator = request.calibration.actuator
        else:
            actuator = request.actuator
            if number is UNSET:
                with self._lock:
                    informed, calibrated = self._informed.get(client, (None, frozenset[str]()))
                number = informed if actuator in calibrated else None
        if request.session not in (UNSET, self._session):
            raise GeometryChangedError(
                f"{actuator!r}: nothing was done, as the engine was restarted since its calibration was fetched"
            )
        now = self._geometries.now
        if isinstance(number, int) and not now.optics_since <= number <= now.number:
            raise GeometryChangedError(
                f"{actuator!r}: nothing was done, as objective, pixel size, binning or orientation of the image have "
                f"changed since (geometry {number}, now {now.number}): fetch the calibration again"
            )
