"""Previews: the precision of 8 bits, and that none is made without a subscriber."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zmq

from livetrack.camera import Frame, Geometry
from livetrack.client import PreviewSubscriber
from livetrack.config import PublishSettings
from livetrack.session import preview
from livetrack.session.preview import GreyScaling, PreviewSender, to_uint8
from livetrack.wire import Preview

RNG = np.random.default_rng(3)


def restored(pixels: Any) -> np.ndarray:
    """Return the grey levels that a viewer decodes from the 8 bits of `pixels`."""
    levels = preview._choose_scaling(pixels, None)
    return levels.offset + levels.scale * to_uint8(pixels, levels).astype(float)


@pytest.mark.parametrize("kind", ["i1", "<u2", ">u2", "<i2", "<u4", "<i8"])
def test_a_few_greys_come_exactly(kind: str) -> None:
    pixels = RNG.integers(-60 if "i" in kind else 40, 100, (40, 50)).astype(kind)
    assert (restored(pixels) == pixels).all()
    assert (restored(pixels[::3, 1::2]) == pixels[::3, 1::2]).all()


@pytest.mark.parametrize(("kind", "top"), [("u2", 65535), ("i2", 32767), ("u4", 4e9), ("f4", 1.0), ("f8", 1e-9)])
def test_many_greys_come_to_half_a_level(kind: str, top: float) -> None:
    pixels = (RNG.random((60, 60)) * top).astype(kind)
    levels = preview._choose_scaling(pixels, None)
    assert np.abs(restored(pixels) - pixels).max() <= 0.502 * levels.scale
    assert levels.scale * 255 <= 1.3 * (float(pixels.max()) - float(pixels.min()))


def test_a_hot_pixel_does_not_take_the_levels_from_the_rest() -> None:
    pixels = RNG.normal(200, 12, (300, 300)).astype(np.uint16)
    pixels[7, 9] = 65535
    assert preview._choose_scaling(pixels, None).scale < 1.5 * 12


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((8, 8), 500, np.uint16),
        np.full((8, 8), np.nan),
        np.zeros((1, 1)),
        np.array([[np.inf, 1.0], [np.nan, 2]]),
    ],
)
def test_a_blank_image_is_no_problem(pixels: np.ndarray) -> None:
    levels = preview._choose_scaling(pixels, None)
    assert levels.scale > 0
    assert np.isfinite(levels).all()
    assert to_uint8(pixels, levels).shape == pixels.shape


def test_the_scaling_is_kept_while_it_fits() -> None:
    pixels = RNG.normal(200, 12, (100, 100)).astype(np.uint16)
    levels = preview._choose_scaling(pixels, None)
    assert preview._choose_scaling(pixels + np.uint16(2), levels) is levels
    assert preview._choose_scaling(pixels + np.uint16(2000), levels) is not levels
    assert preview._choose_scaling(pixels, GreyScaling(0.0, 200.0)) == levels


@pytest.fixture
def sender() -> Iterator[PreviewSender]:
    socket = zmq.Context.instance().socket(zmq.XPUB)
    socket.bind("tcp://127.0.0.1:*")
    sender = PreviewSender(socket, PublishSettings(preview_fps=200, preview_max_px=40), 7)
    sender.address = socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
    yield sender
    sender.close()


def frame_of(pixels: np.ndarray, index: int = 5) -> Frame:
    return Frame(pixels, index, None, 0, None, 0.0, Geometry(pixels.shape[1], pixels.shape[0]), 0)


def received(subscriber: PreviewSubscriber) -> Preview:
    picture = subscriber.receive(5)
    assert picture is not None
    return picture


def test_a_viewer_gets_8_bits_or_full_resolution_as_it_subscribes(sender: PreviewSender) -> None:
    pixels = RNG.integers(0, 60000, (60, 80)).astype(np.uint16)
    sender.submit(frame_of(pixels))
    with PreviewSubscriber(sender.address) as small, PreviewSubscriber(sender.address, full_resolution=True) as whole:
        thinned, every = received(small), received(whole)
    assert (thinned.session, thinned.frame, thinned.step, thinned.pixels.dtype) == (7, 5, 2, np.uint8)
    greys = thinned.offset + thinned.scale * thinned.pixels.astype(float)
    assert np.abs(greys - pixels[::2, ::2]).max() <= 0.51 * thinned.scale
    assert (every.step, every.offset, every.scale) == (1, 0.0, 1.0)
    np.testing.assert_array_equal(every.pixels, pixels)


def test_no_preview_is_made_without_a_subscriber(sender: PreviewSender, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    original = PreviewSender._message

    def noted(self: PreviewSender, topic: bytes, frame: Frame, now_s: float) -> bytearray:
        made.append(frame.index)
        return original(self, topic, frame, now_s)

    monkeypatch.setattr(PreviewSender, "_message", noted)
    sender.submit(frame_of(np.zeros((4, 4), np.uint8), 1))
    time.sleep(0.1)
    assert made == []
    with PreviewSubscriber(sender.address) as pictures:
        assert received(pictures).frame == 1
    deadline = time.monotonic() + 5
    while sender._subscribed:  # until it has noticed that the only subscriber has gone
        assert time.monotonic() < deadline
        time.sleep(0.01)
    made.clear()
    sender.submit(frame_of(np.zeros((4, 4), np.uint8), 2))
    time.sleep(0.1)
    assert made == []


def test_large_previews_in_full_resolution_come_less_often(
    sender: PreviewSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "_MAX_FULL_BYTES_S", 100_000)
    with PreviewSubscriber(sender.address, full_resolution=True) as whole:
        count, start = 0, time.monotonic()
        while (now := time.monotonic()) - start < 1.0:
            sender.submit(frame_of(np.zeros((100, 200), np.uint8), round(now * 1000)))
            count += whole.receive(0.002) is not None
    assert 2 <= count <= 7  # five a second
