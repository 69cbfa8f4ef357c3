"""Finds out why no engine responds, without a wait in the window's thread."""

from __future__ import annotations

import math
import threading

from livetrack.client.diagnosis import Handshake, diagnose

__all__ = ["ConnectionCheck"]

_FIRST_S = 3.0  # an engine sends a heartbeat every second
_INTERVAL_S = 10.0


class ConnectionCheck:
    """Checks the connection to `address` as long as it is updated."""

    def __init__(self, address: str) -> None:
        self.problem = ""
        """Why nothing can arrive, such as wrong keys; empty where nobody responds, or nothing is wrong."""
        self._address = address
        self._due_s = math.nan

    def update(self, now_s: float) -> None:
        """Start a check if one is due; the first one some seconds after the first call."""
        if math.isnan(self._due_s):
            self._due_s = now_s + _FIRST_S
        elif now_s >= self._due_s:
            self._due_s = now_s + _INTERVAL_S
            threading.Thread(target=self._check, name="livetrack-check", daemon=True).start()

    def _check(self) -> None:
        silence = diagnose(self._address, None)
        responds = silence.handshake not in (Handshake.UNKNOWN, Handshake.SUCCEEDED)
        self.problem = silence.hint if responds else ""
