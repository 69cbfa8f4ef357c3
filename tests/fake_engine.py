"""A fake engine of a few lines, which sends data made by the tests."""

from __future__ import annotations

import time

import numpy as np
import zmq

from livetrack import wire
from livetrack.client import Update
from livetrack.particles import empty_rows


class FakeEngine:
    """Sends data made by a test; its sockets are XPUB, so that it receives the subscriptions."""

    def __init__(self, session=7, address="tcp://127.0.0.1:*", preview_address="tcp://127.0.0.1:*"):
        self.session = session
        self._encoder = wire.PositionsEncoder(session)
        self._positions, self._previews = (zmq.Context.instance().socket(zmq.XPUB) for _ in range(2))
        for socket, where in ((self._positions, address), (self._previews, preview_address)):
            socket.linger = 0
            socket.bind(where)
        self.address = self._positions.last_endpoint.decode()
        self.preview_address = self._previews.last_endpoint.decode()

    def wait_for_window(self, window):
        """Wait until the window has subscribed to all three streams."""
        for socket, topics in ((self._positions, (wire.POSITIONS, wire.HEARTBEAT)), (self._previews, (wire.PREVIEW,))):
            subscribed = [subscription(socket) for _ in topics]
            assert sorted(subscribed) == sorted(b"\1" + topic for topic in topics)
            if socket is self._positions:
                self.heartbeat()
                refresh_until(
                    window, lambda: window.session_data.status and window.session_data.status.session == self.session
                )

    def heartbeat(self, state="running", message=""):
        self.status(status_of(self, state=state, message=message))

    def status(self, status):
        self._positions.send(wire.encode_status(status))

    def positions(self, frame, rows, **fields):
        fields = {"width": 40, "height": 30, "pixel_size_um": 0.1, "skipped": 3, "lost": 1} | fields
        self._positions.send(bytes(self._encoder.encode(rows, frame=frame, **fields)))

    def preview(self, frame, pixels, step=1):
        self._previews.send(wire.encode_preview(wire.Preview(self.session, frame, step, pixels)))

    def raw(self, message, preview=False):
        (self._previews if preview else self._positions).send(message)

    def close(self):
        self._positions.close()
        self._previews.close()


def subscription(socket):
    assert socket.poll(60_000), "the window does not subscribe"
    return socket.recv()


def status_of(engine=None, **fields):
    latency = wire.Latency(p50=4100, p90=5000, p99=6300, p999=7000, max=9000)
    return wire.Status(
        **{
            "session": engine.session if engine else 7, "state": "running", "message": "", "camera": "simulated",
            "model": "spot", "provider": "CPU", "uptime_s": 10.0, "camera_fps": 99.96, "tracked_fps": 98.0,
            "preview_address": engine.preview_address if engine else "", "received": 1000, "tracked": 996,
            "skipped": 3, "lost": 1, "particles": 2, "latency_us": {"total": latency},
        }
        | fields
    )  # fmt: skip


def rows_of(*particles, flags=0):
    """Return rows of (id, x, y) each."""
    rows = empty_rows(len(particles))
    if particles:
        rows["id"], rows["x"], rows["y"] = np.transpose(particles)
    rows["flags"] = flags
    return rows


def update_of(frame, rows, session=7, geometry=0):
    fields = dict.fromkeys(wire.HEADER.names, 0)
    for name in ("version", "header_size", "row_size", "row_count", "reserved", "reserved_2"):
        del fields[name]
    fields |= {"frame": frame, "seq": frame, "session": session, "geometry": geometry, "width": 40, "height": 30}
    return Update(particles=rows, gap=0, t_client_ns=0, **fields)


def refresh_until(window, condition, seconds=10.0):
    end = time.perf_counter() + seconds
    while True:
        window.refresh()
        if condition():
            return
        assert time.perf_counter() < end, "the window does not reach the state"
        time.sleep(0.005)


def shown_frame(window):
    return window.frame_presenter.shown[1].frame if window.frame_presenter.shown[1] else None


def shown_preview(window):
    return window.frame_presenter.shown[0].frame if window.frame_presenter.shown[0] else None
