"""The engine's positions, heartbeats and previews, read without waiting."""

from __future__ import annotations

from typing import Any, NamedTuple

from livetrack.client import PreviewSubscriber, StatusSubscriber, Subscriber, Update
from livetrack.client.address import resolve_address
from livetrack.errors import LivetrackError
from livetrack.wire import Preview, Status, WireError

__all__ = ["EngineStreams", "StreamBatch"]

MAX_UPDATES = 2000
"""Updates read at once, two seconds at 1000 frames/s; the rest is left for the next read."""


class StreamBatch(NamedTuple):
    """Everything received since the last read."""

    updates: list[Update]
    """Of every frame, oldest first."""
    preview: Preview | None
    status: Status | None
    error: str
    """Why a message could not be read; empty if all could."""


class EngineStreams:
    """The three streams of the engine at `address`.

    The heartbeat contains the address of the previews, which are subscribed to once it has arrived.
    """

    def __init__(self, address: str) -> None:
        self._positions = Subscriber(address, newest=False)
        self._status = StatusSubscriber(address)
        self._preview: PreviewSubscriber | None = None
        self._full_resolution = False
        self._error = ""

    def read(self) -> StreamBatch:
        """Return what has arrived; never waits, and never raises for a message it cannot read."""
        self._error = ""
        status: Status | None = self._next(self._status)
        if status:
            self._subscribe(resolve_address(status.preview_address, self._positions.address))
        # the preview first: the positions of its frame have then arrived as well
        preview = self._next(self._preview) if self._preview else None
        updates: list[Update] = []
        while len(updates) < MAX_UPDATES and (update := self._next(self._positions)):
            updates.append(update)
        return StreamBatch(updates, preview, status, self._error)

    def preview_waiting(self) -> bool:
        """Whether an unread preview has arrived."""
        return self._preview is not None and self._preview.has_message()

    def request_full_resolution(self, on: bool) -> None:
        """Subscribe to previews with all pixels and bits of the camera, or to reduced ones in 8 bits."""
        if on != self._full_resolution:
            self._full_resolution = on
            if self._preview:
                address = self._preview.address
                self._unsubscribe()
                self._subscribe(address)

    def close(self) -> None:
        """Disconnect."""
        for stream in (self._positions, self._status, self._preview):
            if stream:
                stream.close()

    def _next(self, stream: Subscriber | StatusSubscriber | PreviewSubscriber) -> Any:
        """Return the next message that can be read, or None."""
        for _ in range(MAX_UPDATES):
            try:
                return stream.receive(timeout_s=0)
            except WireError as error:
                self._error = f"{stream.address}: {error}"
        return None

    def _subscribe(self, preview_address: str) -> None:
        if not preview_address or (self._preview and self._preview.address == preview_address):
            return
        self._unsubscribe()
        try:
            self._preview = PreviewSubscriber(preview_address, self._full_resolution)
        except LivetrackError as error:
            self._error = str(error)

    def _unsubscribe(self) -> None:
        if self._preview:
            self._preview.close()
            self._preview = None
