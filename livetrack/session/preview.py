"""Pictures for windows: thinned out and in 8 bits, or whole, and only while somebody asks for them."""

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

_REPEAT_S = 1.0  # the same picture again: a window may be opened while the camera stalls
_LOOK_S = 0.25  # between two looks at which grey levels there are
_SAMPLE = 1 << 14
_PERCENTILES = 0.1, 99.9
_ROOM = 40
"""Times the spread between the percentiles: greys farther out are cut off. One of the 256 levels is then about the
noise's standard deviation at most, whatever a hot pixel says."""
_SLACK = 1.5  # the range is kept while it is at most so many times too wide: levels do not dance
_EARLY = 0.9  # of the time between two pictures: a camera of that very rate is not to miss one now and then
_WHOLE_BYTES_S = 100e6  # of whole pictures, at most


class GreyScaling(NamedTuple):
    """What a picture's 8 bits stand for: `grey = offset + scale * level`."""

    offset: float
    scale: float


class PreviewSender:
    """Sends the newest frame of `submit` from a thread of its own, about `settings.preview_fps` times a second at most.

    Just after a frame is published: then the loop waits for the next one, and has no use for the processor that the
    picture takes here and, as it is drawn at once, in the window.

    `socket` is an XPUB socket and belongs to the thread from now on: which topics are subscribed to says what is
    made. `PREVIEW` is thinned out to `settings.preview_max_px` and in 8 bits; `FULL_PREVIEW` has every pixel as the
    camera delivered it, fewer a second where they are large.
    """

    def __init__(self, socket: zmq.Socket[bytes], settings: PublishSettings, session: int) -> None:
        self._socket = socket
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # a second window that asks is heard too
        self._settings = settings
        self._session = session
        self._newest: Frame | None = None
        self._subscribed: set[bytes] = set()
        self._range: GreyScaling | None = None
        self._looked_s = 0.0
        self._new_frame = threading.Event()
        self._stop = threading.Event()
        to_uint8(np.zeros((2, 2), np.uint16), GreyScaling(0.0, 1.0))  # compiled, or read from the cache, here
        self._thread = threading.Thread(target=self._run, name="livetrack-preview", daemon=True)
        self._thread.start()

    def submit(self, frame: Frame) -> None:
        """Let `frame` be the newest."""
        self._newest = frame
        if not self._new_frame.is_set():
            self._new_frame.set()

    def close(self) -> None:
        """End the thread and let the address go."""
        self._stop.set()
        self._new_frame.set()
        self._thread.join(timeout=5)
        self._socket.close(linger=0)

    def _run(self) -> None:
        if not self._settings.preview_fps:
            return
        sent: dict[bytes, tuple[Frame | None, float]] = {}
        pause_s = 1 / self._settings.preview_fps
        while not self._stop.wait(_EARLY * pause_s):
            self._new_frame.clear()
            self._new_frame.wait(pause_s)  # not for ever: somebody may ask while the camera stalls
            self._read_subscriptions(sent)
            frame, now_s = self._newest, time.monotonic()
            if frame is None:
                continue
            for topic in self._subscribed:
                last, then_s = sent.get(topic, (None, 0.0))
                least_s = (
                    _REPEAT_S if frame is last else frame.pixels.nbytes / _WHOLE_BYTES_S if topic == FULL_PREVIEW else 0
                )
                if now_s - then_s >= least_s:
                    sent[topic] = frame, now_s
                    # without a copy: one of some MB holds Python's lock, and the loop waits for it
                    self._socket.send(self._message(topic, frame, now_s), copy=False)

    def _read_subscriptions(self, sent: dict[bytes, tuple[Frame | None, float]]) -> None:
        """Learn who asks for what; whoever is new gets the newest picture at once."""
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
        if self._range is None or now_s - self._looked_s >= _LOOK_S:
            self._range, self._looked_s = _fitting(pixels, self._range), now_s
        small = to_uint8(pixels, self._range)
        return encode_preview(Preview(self._session, frame.index, step, small, *self._range))


def to_uint8(pixels: npt.NDArray[Any], levels: GreyScaling) -> npt.NDArray[np.uint8]:
    """Return `pixels` (H, W) as the nearest of the 256 levels; what is no number becomes 0.

    Integers of up to 16 bits take some 0.15 ms for a million pixels, others ten times as long. For integers, the
    offset is a whole number.
    """
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        # in a row, writable and in this machine's byte order: one kernel will do
        values = np.array(pixels, pixels.dtype.newbyteorder("=")).ravel()
        small = np.empty(values.size, np.uint8)
        _scale(values, round(levels.offset), round(_ONE / levels.scale), small)
        return small.reshape(pixels.shape)
    greys = (pixels.astype(np.float64) - levels.offset) / levels.scale + 0.5
    return np.nan_to_num(greys, nan=0.0).clip(0, 255).astype(np.uint8)


_BITS = 32
_ONE = 1 << _BITS


@njit
def _scale(values: Any, offset: int, factor: int, out: Any) -> None:
    """Scale in whole numbers, `factor` in 1 / _ONE: the compiler makes vectors of that, not of floats."""
    for index in range(values.size):
        level = ((values[index] - offset) * factor + _ONE // 2) >> _BITS
        out[index] = min(max(level, 0), 255)


def _fitting(pixels: npt.NDArray[Any], last: GreyScaling | None) -> GreyScaling:
    """Return the range that `pixels` need: the `last` one as long as it will do."""
    stride = max(1, round((pixels.size / _SAMPLE) ** 0.5))
    sample = pixels[::stride, ::stride]
    sample = sample[np.isfinite(sample)].astype(np.float64)
    if not sample.size:
        return GreyScaling(0.0, 1.0)
    below, above = np.percentile(sample, _PERCENTILES)
    room = _ROOM * max(1.0, above - below)
    low = max(float(np.nanmin(pixels)), below - room)
    high = min(float(np.nanmax(pixels)), above + room)
    margin = 0.1 * (high - low)
    offset, scale = low - margin, (high - low + 2 * margin) / 255 or 1.0
    if pixels.dtype.kind in "iu":  # one level for each grey where they are few enough
        offset, scale = float(math.floor(offset)), max(1.0, scale)
    if last and last.offset <= low and high <= last.offset + 255 * last.scale and last.scale <= _SLACK * scale:
        return last
    return GreyScaling(offset, scale)
