"""What comes from the engine, read without waiting; no Qt."""

from __future__ import annotations

from typing import Any, NamedTuple

from livetrack.client import PreviewSubscriber, StatusSubscriber, Subscriber, Update
from livetrack.client.address import resolve_address
from livetrack.errors import LivetrackError
from livetrack.wire import Preview, Status, WireError

__all__ = ["Feed", "News"]

MOST_UPDATES = 2000
"""Positions read at once: two seconds of a camera at 1000 frames/s; the rest waits for the next time."""


class News(NamedTuple):
    """What came since the last time."""

    updates: list[Update]
    """Every frame's positions, oldest first."""
    preview: Preview | None
    status: Status | None
    error: str
    """What was wrong with a message that could not be read; empty when all could."""


class Feed:
    """The three streams of the engine at `address`.

    The heartbeat says where the pictures are to be had; they are asked for once it has come.
    """

    def __init__(self, address: str) -> None:
        self._positions = Subscriber(address, newest=False)
        self._status = StatusSubscriber(address)
        self._preview: PreviewSubscriber | None = None
        self._whole = False
        self._error = ""

    def read(self) -> News:
        """Return what has come; never waits, never raises for what another program sent."""
        self._error = ""
        status: Status | None = self._next(self._status)
        if status:
            self._follow(resolve_address(status.preview_address, self._positions.address))
        # the picture before the positions: those of its own frame have then come as well
        preview = self._next(self._preview) if self._preview else None
        updates: list[Update] = []
        while len(updates) < MOST_UPDATES and (update := self._next(self._positions)):
            updates.append(update)
        return News(updates, preview, status, self._error)

    def picture_waits(self) -> bool:
        """Whether a picture has come that was not read yet."""
        return self._preview is not None and self._preview.has_message()

    def ask_whole(self, on: bool) -> None:
        """Ask for pictures with every pixel as the camera delivers it, or for small ones in 8 bits."""
        if on != self._whole:
            self._whole = on
            if self._preview:
                address = self._preview.address
                self._drop_preview()
                self._follow(address)

    def close(self) -> None:
        """Disconnect."""
        for stream in (self._positions, self._status, self._preview):
            if stream:
                stream.close()

    def _next(self, stream: Subscriber | StatusSubscriber | PreviewSubscriber) -> Any:
        """Return the next message that can be read, or None."""
        for _ in range(MOST_UPDATES):
            try:
                return stream.receive(timeout_s=0)
            except WireError as error:
                self._error = f"{stream.address}: {error}"
        return None

    def _follow(self, preview_address: str) -> None:
        if not preview_address or (self._preview and self._preview.address == preview_address):
            return
        self._drop_preview()
        try:
            self._preview = PreviewSubscriber(preview_address, self._whole)
        except LivetrackError as error:
            self._error = str(error)

    def _drop_preview(self) -> None:
        if self._preview:
            self._preview.close()
            self._preview = None
