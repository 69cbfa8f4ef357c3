"""Positions of an engine that may not be there yet, may stop and come back, with a word on stderr."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator

from livetrack.client import PreviewSubscriber, StatusSubscriber, Subscriber, Update
from livetrack.client.address import connection_hint
from livetrack.errors import LivetrackError
from livetrack.wire import Status

__all__ = ["PositionStream"]

_LOOK_S = 0.5  # without positions for so long, it is looked what the engine says
_SILENCE_S = 2.0  # without even a heartbeat


class PositionStream:
    """The positions, with a word on stderr when the engine is not there, stops, or comes back."""

    def __init__(self, address: str, newest: bool) -> None:
        self._address = address
        self._positions = Subscriber(address, newest=newest)
        self._beats = StatusSubscriber(address)
        self._pictures: PreviewSubscriber | None = None
        self._status: Status | None = None
        self._session: int | None = None

    def updates(self, timeout_s: float, seconds: float) -> Iterator[Update]:
        """Yield what comes within `seconds`; end when no positions come for `timeout_s`."""
        came = alive = time.monotonic()
        deadline = came + seconds
        while (left_s := min(deadline, came + timeout_s) - time.monotonic()) > 0:
            update = self._positions.receive(min(left_s, _LOOK_S))
            if update is not None:
                came = alive = time.monotonic()
                self._notice_start(update.session)
                yield update
            elif status := self._beats.receive(0):
                alive = time.monotonic()
                self._status = status
                if status.state in ("stopped", "ended", "failed"):
                    self._report(f"the engine's session is over: {status.state}")
                    alive = math.inf  # no silence to be told
            elif time.monotonic() - alive > _SILENCE_S:
                self._report(f"nothing comes from {self._address}, still waiting: {connection_hint(self._address)}")
                alive = math.inf
                self._pictures = self._pictures or PreviewSubscriber(self._address)
            elif self._pictures and self._pictures.receive(0):
                raise LivetrackError(
                    f"{self._address}: pictures come from there: it is an engine's publish.preview_address; "
                    "positions come from its publish.address"
                )

    def explain_silence(self) -> str:
        """Say why no positions came."""
        if self._status is None:
            return connection_hint(self._address)
        return f"the engine there says: {self._status.state}. {self._status.message}".rstrip(". ")

    def close(self) -> None:
        """Disconnect."""
        for stream in (self._positions, self._beats, self._pictures):
            if stream is not None:
                stream.close()

    def _notice_start(self, session: int) -> None:
        if self._session not in (None, session):
            self._report("the engine was started anew: frames and ids count from 0 again")
        self._session = session

    def _report(self, text: str) -> None:
        print(text, file=sys.stderr)
