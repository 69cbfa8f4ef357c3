"""Publishes over ZeroMQ: positions at every frame, previews at display rate, heartbeat and events."""

from __future__ import annotations

import time

import zmq

from livetrack.camera import Frame
from livetrack.config import PublishSettings
from livetrack.errors import UsageError
from livetrack.particles import NO_ID, Rows
from livetrack.session.preview import PreviewSender
from livetrack.session.sockets import SocketFactory
from livetrack.tracker import Tracker
from livetrack.wire import PositionsEncoder, Status, encode_status

__all__ = ["Publisher", "bind_command_socket"]

_POSITIONS_QUEUE = 10_000  # messages held for a slow client; then it loses some, and notices by their numbers
_PREVIEW_QUEUE = 2
_REPLIES_QUEUE = 1000


class Publisher:
    """Binds the addresses and sends all messages but replies, in the thread of the loop; previews have their own.

    Raises
    ------
    UsageError
        An address cannot be bound, most often because another livetrack is using it.
    """

    def __init__(self, settings: PublishSettings, session: int, sockets: SocketFactory) -> None:
        self._encoder = PositionsEncoder(session)
        self._socket = sockets.bind(zmq.PUB, settings.address, "publish.address", _POSITIONS_QUEUE)
        try:
            previews = sockets.bind(zmq.XPUB, settings.preview_address, "publish.preview_address", _PREVIEW_QUEUE)
        except UsageError:
            self._socket.close()
            raise
        self.address = _endpoint(self._socket)
        self.preview_address = _endpoint(previews)
        self._previews = PreviewSender(previews, settings, session)

    def publish(
        self, frame: Frame, rows: Rows, tracker: Tracker, skipped: int, lost: int, target: int | None = None
    ) -> int:
        """Send the rows of `frame`; return the time of sending on the clock of `time.perf_counter_ns`."""
        geometry = frame.geometry
        now_ns = time.perf_counter_ns()
        message = self._encoder.encode(
            rows,
            frame=frame.index,
            camera_number=-1 if frame.number is None else frame.number,
            t_s=frame.t_s,
            t_exposed_ns=-1 if frame.t_exposed_ns is None else frame.t_exposed_ns,
            t_received_ns=frame.t_received_ns,
            t_started_ns=tracker.t_started_ns,
            t_localized_ns=tracker.t_localized_ns,
            t_linked_ns=tracker.t_linked_ns,
            t_published_ns=now_ns,
            wall_ns=time.time_ns(),
            skipped=skipped,
            lost=lost,
            geometry=frame.geometry_number,
            width=geometry.width,
            height=geometry.height,
            x_origin=geometry.x_origin,
            y_origin=geometry.y_origin,
            binning=geometry.binning,
            pixel_size_um=float("nan") if geometry.pixel_size_um is None else geometry.pixel_size_um,
            target=NO_ID if target is None else target,
        )
        self._socket.send(message)
        self._previews.submit(frame)
        return now_ns

    def send_preview(self, frame: Frame) -> None:
        """Send the preview of a frame that is not tracked."""
        self._previews.submit(frame)

    def send_status(self, status: Status) -> None:
        """Send a heartbeat."""
        self._socket.send(encode_status(status))

    def send_event(self, event: bytes) -> None:
        """Send an encoded event."""
        self._socket.send(event)

    def close(self) -> None:
        """Send queued messages, for half a second at most, and unbind the addresses."""
        self._previews.close()
        self._socket.close(linger=500)


def bind_command_socket(settings: PublishSettings, sockets: SocketFactory) -> tuple[zmq.Socket[bytes], str]:
    """Return the socket for commands, and its address. Raises `UsageError` as `Publisher` does."""
    socket = sockets.bind(zmq.ROUTER, settings.command_address, "publish.command_address", _REPLIES_QUEUE)
    return socket, _endpoint(socket)


def _endpoint(socket: zmq.Socket[bytes]) -> str:
    """Return the bound address: a port given as `*` is a number now."""
    return socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()  # type: ignore[union-attr]
