"""Positions from an engine that may not run yet, or may stop and come back."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator

from livetrack.client import PreviewSubscriber, StatusSubscriber, Subscriber, Update
from livetrack.errors import LivetrackError
from livetrack.wire import Status

__all__ = ["PositionStream"]

_ENDINGS = {"stopped": "been stopped", "ended": "ended", "failed": "failed"}

_POLL_S = 0.5  # without positions, before the heartbeat is read
_SILENCE_S = 2.0  # without a heartbeat either, before a message


class PositionStream:
    """Positions; prints to stderr when the engine is not there, stops, or comes back."""

    def __init__(self, address: str, newest: bool) -> None:
        self._address = address
        self._positions = Subscriber(address, newest=newest)
        self._heartbeats = StatusSubscriber(address)
        self._previews: PreviewSubscriber | None = None
        self._status: Status | None = None
        self._session: int | None = None

    def updates(self, timeout_s: float, seconds: float) -> Iterator[Update]:
        """Yield the positions that arrive within `seconds`; end when none arrive for `timeout_s`.

        Raises
        ------
        LivetrackError
            The address is that of the previews, or the keys are wrong.
        """
        received_s = alive_s = time.monotonic()
        deadline_s = received_s + seconds
        while (left_s := min(deadline_s, received_s + timeout_s) - time.monotonic()) > 0:
            update = self._positions.receive(min(left_s, _POLL_S))
            if update is not None:
                received_s = alive_s = time.monotonic()
                self._check_session(update.session)
                yield update
            elif status := self._heartbeats.receive(0):
                alive_s = time.monotonic()
                self._status = status
                if status.state in _ENDINGS:
                    self._report(f"the engine's session has {_ENDINGS[status.state]}")
                    alive_s = math.inf  # silence is expected
            elif time.monotonic() - alive_s > _SILENCE_S:
                silence = self._positions.diagnose()
                if silence.is_final:
                    raise LivetrackError(f"{self._address}: nothing can be received: {silence.hint}")
                self._report(f"nothing received from {self._address}, still waiting; {silence.hint}")
                alive_s = math.inf
                self._previews = self._previews or PreviewSubscriber(self._address)
            elif self._previews and self._previews.receive(0):
                raise LivetrackError(
                    f"{self._address} is an engine's publish.preview_address, which sends images; "
                    "use its publish.address for positions"
                )

    def report_silence(self, timeout_s: float, seconds: float | None) -> None:
        """Report that no positions arrived, and why: as an error, but as a message where `seconds` were asked for.

        Raises
        ------
        LivetrackError
            No positions arrived for `timeout_s`.
        """
        if self._status is None:
            reason = self._positions.diagnose().hint
        else:
            reason = f"the engine is {self._status.state}. {self._status.message}".rstrip(". ")
        waited_s = timeout_s if seconds is None else min(timeout_s, seconds)
        text = f"{self._address}: no positions received for {waited_s:g} s; {reason}"
        if seconds is None:
            raise LivetrackError(text)
        self._report(text)

    def close(self) -> None:
        """Disconnect."""
        for stream in (self._positions, self._heartbeats, self._previews):
            if stream is not None:
                stream.close()

    def _check_session(self, session: int) -> None:
        if self._session not in (None, session):
            self._report("the engine was restarted; frame numbers and ids start from 0 again")
        self._session = session

    def _report(self, text: str) -> None:
        print(text, file=sys.stderr)
