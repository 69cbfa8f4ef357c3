"""Previews for viewers: reduced to 8 bits, or in full resolution, and only while a viewer subscribes to them."""

from __future__ import annotations

import math
import threading
import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import zmq

from livetrack.camera import Frame
from livetrack.config import PublishSettings
from livetrack.jit import njit
from livetrack.wire import FULL_PREVIEW, PREVIEW, Preview, encode_preview

__all__ = ["GreyScaling", "PreviewSender", "to_uint8"]

_REPEAT_S = 1.0  # the last frame is sent again: a viewer may connect while the camera stalls
_RESCALE_S = 0.25  # time between two checks of the grey levels
_MAX_SAMPLE = 1 << 14  # pixels
_PERCENTILES = 0.1, 99.9
_MAX_SPREAD = 40
"""Grey levels farther than this many times the spread of the percentiles are clipped. Then one of the 256 levels is at
most about the noise's standard deviation, even with a hot pixel in the image."""
_MAX_EXCESS = 1.5  # the scaling is kept until its range is this many times too wide, so that the levels do not flicker
_MIN_PAUSE = 0.9  # of the preview interval: a camera at exactly the preview rate must not miss one now and then
_MAX_FULL_BYTES_S = 100e6  # data rate of previews in full resolution


class GreyScaling(NamedTuple):
    """Scaling of an 8-bit preview: `grey = offset + scale * level`."""

    offset: float
    scale: float


class PreviewSender:
    """Sends the newest frame from its own thread, at most about `settings.preview_fps` times per second.

    It sends just after a frame is published: while the loop waits for the next frame, the CPU is free for the preview
    here and, as it is drawn at once, in the viewer.

    `PREVIEW` messages are reduced to `settings.preview_max_px` and 8 bits; `FULL_PREVIEW` messages have every pixel as
    the camera delivered it, and come less often if they are large.

    Parameters
    ----------
    socket
        An XPUB socket, which belongs to the thread from now on; only topics that are subscribed to are sent.
    settings
        Section `[publish]`.
    session
        Number of the session, part of every message.
    """

    def __init__(self, socket: zmq.Socket[bytes], settings: PublishSettings, session: int) -> None:
        self._socket = socket
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # report each subscription, not only the first of a topic
        self._settings = settings
        self._session = session
        self._newest: Frame | None = None
        self._subscribed: set[bytes] = set()
        self._scaling: GreyScaling | None = None
        self._scaled_s = 0.0
        self._new_frame = threading.Event()
        self._stop = threading.Event()
        to_uint8(np.zeros((2, 2), np.uint16), GreyScaling(0.0, 1.0))  # compiles now
        self._thread = threading.Thread(target=self._run, name="livetrack-preview", daemon=True)
        self._thread.start()

    def submit(self, frame: Frame) -> None:
        """Make `frame` the newest."""
        self._newest = frame
        if not self._new_frame.is_set():
            self._new_frame.set()

    def close(self) -> None:
        """Stop the thread and unbind the address."""
        self._stop.set()
        self._new_frame.set()
        self._thread.join(timeout=5)
        self._socket.close(linger=0)

    def _run(self) -> None:
        if not self._settings.preview_fps:
            return
        sent: dict[bytes, tuple[Frame | None, float]] = {}
        pause_s = 1 / self._settings.preview_fps
        while not self._stop.wait(_MIN_PAUSE * pause_s):
            self._new_frame.clear()
            self._new_frame.wait(pause_s)  # with a timeout: a viewer may subscribe while the camera stalls
            self._read_subscriptions(sent)
            frame, now_s = self._newest, time.monotonic()
            if frame is None:
                continue
            for topic in self._subscribed:
                last, last_s = sent.get(topic, (None, 0.0))
                if now_s - last_s >= _min_interval_s(topic, frame, repeated=frame is last):
                    sent[topic] = frame, now_s
                    # without a copy: copying some MB holds the GIL, and the loop would wait for it
                    self._socket.send(self._message(topic, frame, now_s), copy=False)

    def _read_subscriptions(self, sent: dict[bytes, tuple[Frame | None, float]]) -> None:
        """Update the subscribed topics; a new subscriber gets the newest frame at once."""
        while self._socket.poll(0):
            message = self._socket.recv()
            topics = {topic for topic in (PREVIEW, FULL_PREVIEW) if topic.startswith(message[1:])}
            if message[:1] == b"\1":
                self._subscribed |= topics
                for topic in topics:
                    sent.pop(topic, None)
            elif message[:1] == b"\0":
                self._subscribed -= topics

    def _message(self, topic: bytes, frame: Frame, now_s: float) -> bytearray:
        if topic == FULL_PREVIEW:
            return encode_preview(Preview(self._session, frame.index, 1, frame.pixels), full_resolution=True)
        step = -(-max(frame.pixels.shape) // self._settings.preview_max_px)
        pixels = frame.pixels[::step, ::step]
        if pixels.dtype == np.uint8:
            return encode_preview(Preview(self._session, frame.index, step, pixels))
        if self._scaling is None or now_s - self._scaled_s >= _RESCALE_S:
            self._scaling, self._scaled_s = _choose_scaling(pixels, self._scaling), now_s
        levels = to_uint8(pixels, self._scaling)
        return encode_preview(Preview(self._session, frame.index, step, levels, *self._scaling))


def to_uint8(pixels: npt.NDArray[Any], scaling: GreyScaling) -> npt.NDArray[np.uint8]:
    """Return `pixels` (H, W) as the nearest of the 256 levels; NaN becomes 0.

    Integers of up to 16 bits take some 0.15 ms per million pixels, other types ten times as long. For integers, the
    offset is rounded.
    """
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        # contiguous, writable and in native byte order: one compiled kernel is enough
        values = np.array(pixels, pixels.dtype.newbyteorder("=")).ravel()
        levels = np.empty(values.size, np.uint8)
        _scale(values, round(scaling.offset), round(_ONE / scaling.scale), levels)
        return levels.reshape(pixels.shape)
    greys = (pixels.astype(np.float64) - scaling.offset) / scaling.scale + 0.5
    return np.nan_to_num(greys, nan=0.0).clip(0, 255).astype(np.uint8)


_BITS = 32
_ONE = 1 << _BITS


@njit
def _scale(values: Any, offset: int, factor: int, out: Any) -> None:
    """Scale in fixed-point arithmetic, `factor` in units of 1 / _ONE: the compiler vectorizes it, unlike floats."""
    for index in range(values.size):
        level = ((values[index] - offset) * factor + _ONE // 2) >> _BITS
        out[index] = min(max(level, 0), 255)


def _min_interval_s(topic: bytes, frame: Frame, *, repeated: bool) -> float:
    """Return the minimum time since the last message of `topic` before `frame` is sent."""
    if repeated:
        return _REPEAT_S
    return frame.pixels.nbytes / _MAX_FULL_BYTES_S if topic == FULL_PREVIEW else 0.0


def _choose_scaling(pixels: npt.NDArray[Any], last: GreyScaling | None) -> GreyScaling:
    """Return a scaling that fits `pixels`; the `last` one if it still does."""
    stride = max(1, round((pixels.size / _MAX_SAMPLE) ** 0.5))
    sample = pixels[::stride, ::stride]
    sample = sample[np.isfinite(sample)].astype(np.float64)
    if not sample.size:
        return GreyScaling(0.0, 1.0)
    dark, bright = np.percentile(sample, _PERCENTILES)
    spread = _MAX_SPREAD * max(1.0, bright - dark)
    low = max(float(np.nanmin(pixels)), dark - spread)
    high = min(float(np.nanmax(pixels)), bright + spread)
    margin = 0.1 * (high - low)
    offset, scale = low - margin, (high - low + 2 * margin) / 255 or 1.0
    if pixels.dtype.kind in "iu":  # at least one grey level per display level
        offset, scale = float(math.floor(offset)), max(1.0, scale)
    if last and last.offset <= low and high <= last.offset + 255 * last.scale and last.scale <= _MAX_EXCESS * scale:
        return last
    return GreyScaling(offset, scale)
