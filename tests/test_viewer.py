"""The window with data that a fake engine sends over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import zmq
from fake_engine import (
    FakeEngine,
    refresh_until,
    rows_of,
    shown_frame,
    shown_preview,
    status_of,
    subscription,
    update_of,
)
from live_engine import ANY_PORT

from livetrack import wire
from livetrack.annotate.labels import round_length
from livetrack.annotate.trail_segments import MAX_SEGMENTS, OPACITIES, segments_by_pen
from livetrack.cli import main as cli
from livetrack.config import ViewSettings
from livetrack.curve_keys import generate_keys, secure_server
from livetrack.errors import UsageError
from livetrack.particles import Flag
from livetrack.viewer import display_problem, main
from livetrack.viewer.canvas.view import preview_rect
from livetrack.viewer.data.history import History
from livetrack.viewer.data.levels import Levels, grey_histogram
from livetrack.viewer.data.status_text import banner, recording_text, status_line
from livetrack.viewer.qt import QtCore, QtGui
from livetrack.viewer.window import Window


def markers(window):
    return window.central.view.markers.positions


def trail_points(window):
    return sum(path.elementCount() for _, path in window.central.view.trails._paths)


# ---- where things are drawn


def brightness(window):
    """Return the view as shown on the screen, (H, W), 0..255."""
    image = window.central.view.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_Grayscale8)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return pixels[:, : image.width()].astype(float)


def centre_of(bright):
    """Return x, y of the centre of a mask, in screen pixels whose centres are at half-integers."""
    y, x = np.nonzero(bright)
    return np.array([x.min() + x.max() + 1, y.min() + y.max() + 1]) / 2


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_marker_is_centred_on_its_pixel_on_the_screen(engine, window, step, kind):
    frame = np.full((30, 42), 10, kind)
    frame[12, 24] = 200  # on the grid of every step
    window.central.view.scale_bar.hide()
    engine.positions(1, rows_of((0, 24, 12)), width=42)
    engine.preview(1, frame[::step, ::step], step)
    refresh_until(window, lambda: (shown_frame(window), shown_preview(window)) == (1, 1))

    window.central.view.markers.hide()
    pixel = centre_of(brightness(window) > 128)
    window.central.view.markers.show()
    window.central.view.image.hide()
    ring = brightness(window)
    ring = centre_of(ring > ring.min() + 60)

    screen_px = 1 / window.central.view.view_box.viewPixelSize()[0]  # per image px
    assert screen_px > 10
    assert np.abs(pixel - ring).max() < 0.1 * screen_px


@pytest.mark.parametrize("step", [1, 2, 3])
def test_every_particle_lies_within_half_a_pixel_of_its_brightest_pixel(engine, window, step):
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(np.arange(20, 200, 24), np.arange(20, 140, 24)), axis=-1).reshape(-1, 2)
    spots = grid + rng.uniform(-4, 4, grid.shape)
    y, x = np.mgrid[:160, :220]
    frame = np.zeros((160, 220))
    for spot in spots:
        frame += 1000 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 3.0**2))
    engine.positions(1, rows_of(*((n, *spot) for n, spot in enumerate(spots))), width=220, height=160)
    engine.preview(1, frame[::step, ::step].astype(np.uint16), step)
    refresh_until(window, lambda: (shown_frame(window), shown_preview(window)) == (1, 1))

    for marker in markers(window):
        scene = window.central.view.view_box.mapViewToScene(QtCore.QPointF(*marker))
        corner = window.central.view.image.mapFromScene(scene)  # in the thinned picture, pixel k from k to k + 1
        column, row = int(corner.x()), int(corner.y())
        around = frame[::step, ::step][row - 3 : row + 4, column - 3 : column + 4]
        peak = np.unravel_index(around.argmax(), around.shape)
        centre = window.central.view.image.mapToScene(column - 3 + peak[1] + 0.5, row - 3 + peak[0] + 0.5)
        apart = window.central.view.view_box.mapSceneToView(centre) - QtCore.QPointF(*marker)
        assert max(abs(apart.x()), abs(apart.y())) <= 0.5 * step + 1e-3


def test_pixel_k_of_a_subsampled_preview_is_at_k_times_step():
    for step in (1, 2, 5):
        rect = preview_rect(wire.Preview(7, 0, step, np.zeros((6, 8))))
        for k in (0, 3):
            assert rect.left() + (k + 0.5) * rect.width() / 8 == k * step
            assert rect.top() + (k + 0.5) * rect.height() / 6 == k * step


# ---- what is drawn


def test_markers_belong_to_the_frame_of_the_preview(engine, window):
    for frame in range(1, 6):
        engine.positions(frame, rows_of((3, frame, 10)))
    engine.preview(3, np.zeros((30, 40), np.uint16))
    refresh_until(window, lambda: shown_preview(window) == 3 and window.session_data.history.at(None).frame == 5)
    assert shown_frame(window) == 3
    assert markers(window).tolist() == [[3, 10]]
    engine.preview(5, np.zeros((30, 40), np.uint16))
    refresh_until(window, lambda: shown_preview(window) == 5)
    assert markers(window).tolist() == [[5, 10]]


def test_without_previews_the_newest_positions_are_shown(engine, window):
    for frame in range(1, 6):
        engine.positions(frame, rows_of((3, frame, 10)))
    refresh_until(window, lambda: shown_frame(window) == 5)
    assert markers(window).tolist() == [[5, 10]]


def test_trails_miss_no_frame_however_many_arrive_between_two_refreshes(engine, window):
    for frame in range(1, 31):
        engine.positions(frame, rows_of((3, frame, 10), (4, frame, 20)))
    time.sleep(0.2)
    refresh_until(window, lambda: shown_frame(window) == 30)
    assert trail_points(window) == 2 * 2 * 29  # two particles, two ends, 29 segments
    assert len(window.session_data.history.segments(window.frame_presenter.shown[1])) == 29


def test_positions_that_cannot_be_drawn_are_left_out(engine, window):
    rows = rows_of((0, np.nan, 5), (1, np.inf, 5), (2, 1e30, 5), (-1, 5, 5), (2**62, 6, 6))
    engine.positions(1, rows)
    engine.positions(2, rows)
    refresh_until(window, lambda: shown_frame(window) == 2)
    assert markers(window).tolist() == [[5, 5], [6, 6]]
    window.viewer_actions["labels"].trigger()
    window.grab()


def segments_of(updates, trail_frames=1000):
    """Return the trail segments of `updates` by pen."""
    history = History(trail_frames)
    for update in updates:
        history.add(update)
    return dict(segments_by_pen(history.segments(updates[-1]))) if updates else {}


def test_trail_segments_follow_ids_and_fade_with_age():
    updates = [update_of(n, rows_of((14, n, 1), (3, 50 - n, 2))) for n in range(21)]
    updates[7] = update_of(7, rows_of((3, 43, 2)))  # 14 was missed once
    per_colour = {}
    for group, points in segments_of(updates).items():
        per_colour.setdefault(group // len(OPACITIES), []).append((group % len(OPACITIES), points.reshape(-1, 2, 2)))
    assert sorted(per_colour) == [2, 3]  # 14 modulo 12, and 3
    for colour, count, y in ((2, 19, 1), (3, 20, 2)):
        quarters, segments = zip(*per_colour[colour], strict=True)
        assert quarters == (0, 1, 2, 3)
        assert sum(map(len, segments)) == count
        assert all((segment[:, :, 1] == y).all() for segment in segments)
    newest, oldest = per_colour[2][0][1], per_colour[2][3][1]
    assert newest[:, :, 0].max() == 20
    assert oldest[:, :, 0].min() == 0
    assert newest[:, :, 0].min() >= oldest[:, :, 0].max()
    joined = np.concatenate([segments for _, segments in per_colour[2]])
    assert [6, 8] in joined[:, :, 0].tolist()  # across the missed frame


def test_trails_leave_out_positions_that_were_not_measured():
    updates = [
        update_of(0, rows_of((1, 0, 0))),
        update_of(1, rows_of((1, 9, 9), flags=Flag.COASTED)),
        update_of(2, rows_of((1, 2, 2), (-1, 3, 3))),
        update_of(3, rows_of((1, np.nan, 3), (-1, 4, 4))),
    ]
    assert [points.tolist() for points in segments_of(updates).values()] == [[[0, 0], [2, 2]]]
    assert segments_of([]) == {}


def test_a_new_track_is_not_connected_to_an_old_one_of_the_same_id():
    updates = [update_of(0, rows_of((1, 0, 0))), update_of(1, rows_of((1, 9, 9), flags=Flag.NEW))]
    assert segments_of(updates) == {}


def test_trails_have_the_requested_length():
    updates = [update_of(n, rows_of((1, n, 0))) for n in range(30)]
    x = np.concatenate(list(segments_of(updates, trail_frames=10).values()))[:, 0]
    assert (x.min(), x.max()) == (19, 29)


def test_too_many_segments_are_cut_at_the_old_end():
    rows = [rows_of(*((n, frame, n) for n in range(1000))) for frame in range(201)]
    points = np.concatenate(list(segments_of([update_of(frame, row) for frame, row in enumerate(rows)]).values()))
    assert len(points) == 2 * MAX_SEGMENTS
    assert points[:, 0].max() == 200
    assert points[:, 0].min() == 150


def test_history_keeps_continuing_updates_and_drops_the_rest():
    history = History(trail_frames=3)
    assert history.at(None) is None
    for frame in (2, 4, 6, 8, 10):
        history.add(update_of(frame, rows_of((1, frame, 0))))
    assert [history.at(frame).frame for frame in (2, 5, 10, 99, None)] == [2, 4, 10, 10, 10]
    assert history.at(1).frame == 10  # older than all that is kept
    assert [links.segments[:, 1, 0].tolist() for links in history.segments(history.at(8))] == [[4], [6], [8]]
    history.add(update_of(11, rows_of(), geometry=1))
    assert [update.frame for update in history.all()] == [11]
    history.add(update_of(12, rows_of(), geometry=1, session=8))
    history.add(update_of(5, rows_of(), geometry=1, session=8))
    assert [update.frame for update in history.all()] == [5]
    for frame in range(6, 5000):
        history.add(update_of(frame, rows_of()))
    assert len(history._updates) < 1100


# ---- the keys


def press(qtbot, window, key):
    qtbot.keyClick(window, getattr(QtCore.Qt.Key, f"Key_{key}"))


def test_space_freezes_the_display_while_messages_are_still_read(engine, playing, qtbot):
    press(qtbot, playing, "Space")
    engine.positions(4, rows_of((3, 20, 10)))
    refresh_until(playing, lambda: playing.session_data.history.at(None).frame == 4)
    assert shown_frame(playing) == 3
    press(qtbot, playing, "Space")
    engine.preview(4, np.zeros((30, 40), np.uint16))
    refresh_until(playing, lambda: shown_frame(playing) == 4)
    assert trail_points(playing) == 2 * 3


def test_a_switches_auto_contrast(engine, playing, qtbot):
    before = playing.central.view.image.levels
    press(qtbot, playing, "A")
    for frame, again in ((4, False), (5, True)):
        if again:
            press(qtbot, playing, "A")
        time.sleep(0.3)
        engine.preview(frame, np.arange(1200, dtype=np.uint16).reshape(30, 40) + 5000)
        refresh_until(playing, lambda frame=frame: shown_preview(playing) == frame)
        assert (tuple(playing.central.view.image.levels) != tuple(before)) == again


def test_t_and_l_show_and_hide(playing, qtbot):
    for key, item, shown in (("T", playing.central.view.trails, True), ("L", playing.central.view.labels, False)):
        assert item.isVisible() == shown
        before = brightness(playing)
        press(qtbot, playing, key)
        assert item.isVisible() != shown
        assert (brightness(playing) != before).any()
        press(qtbot, playing, key)
        assert item.isVisible() == shown


def test_f_fits_and_the_users_zoom_survives_the_next_frames(engine, playing, qtbot):
    box = playing.central.view.view_box
    box.scaleBy((0.2, 0.2))
    box.sigRangeChangedManually.emit((True, True))
    zoomed = box.viewRect()
    engine.positions(4, rows_of((3, 20, 10)))
    engine.preview(4, np.zeros((30, 40), np.uint16))
    refresh_until(playing, lambda: shown_frame(playing) == 4)
    playing.resize(800, 700)
    assert box.viewRect().width() == pytest.approx(zoomed.width(), rel=0.2)
    press(qtbot, playing, "F")
    assert box.viewRect().contains(QtCore.QRectF(-0.5, -0.5, 40, 30))
    playing.resize(500, 600)
    QtCore.QCoreApplication.processEvents()
    assert box.viewRect().contains(QtCore.QRectF(-0.5, -0.5, 40, 30))


def test_s_saves_a_png_and_shows_its_path(playing, qtbot, tmp_path):
    press(qtbot, playing, "S")
    (path,) = tmp_path.glob("*.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert str(path) in playing.statusBar().currentMessage()
    assert "frame3" in path.name
    playing.viewer_actions.folder = tmp_path / "missing"
    press(qtbot, playing, "S")
    assert "cannot write" in playing.statusBar().currentMessage()


def test_the_readout_shows_position_grey_level_and_particle(playing, qtbot):
    place = playing.central.view.mapFromScene(playing.central.view.view_box.mapViewToScene(QtCore.QPointF(13.1, 9.9)))
    assert playing.central.view.readout() == ""
    for point in (place + QtCore.QPoint(20, 20), place):
        qtbot.mouseMove(playing.central.view.viewport(), point)
    qtbot.waitUntil(lambda: "#3" in playing.central.view.readout())
    text = playing.central.view.readout()
    assert "x 13.1  y 9.9 px" in text
    assert "1.31, 0.99 µm" in text
    assert f"grey {10 * 40 + 13}" in text
    assert "#3 at 13.00, 10.00 px" in text


# ---- status texts


def test_the_status_line_shows_the_rates(engine, playing):
    playing.status_presenter.updated_s = 0.0
    playing.refresh()
    line = playing.status_presenter.rates.text().replace("\u2007", "")
    for piece in ("frame 3", "camera 100.0 fps", "tracked 98.0 fps", "display", "latency 4.1 ms (p99 6.3)", "skipped 3",
                  "lost 1", "1 particles"):  # fmt: skip
        assert piece in line


def test_recording_shows_time_size_and_drops():
    recording = wire.RecordingStatus(folder="x", seconds=3672.4, frames=9, dropped=0, bytes=1_900_000_000)
    assert recording_text(recording) == "● REC 01:01:12  1.9 GB"
    dropped = wire.RecordingStatus(folder="x", seconds=1, frames=9, dropped=1200, bytes=1500)
    assert recording_text(dropped) == "● REC 00:00:01  1.5 kB  1,200 dropped"
    assert recording_text(None) == ""
    assert status_line(None, None, 0) == ["display \u20070 fps"]


@pytest.mark.parametrize(
    ("state", "silent_s", "error", "text", "alarm"),
    [
        (None, None, "", "Waiting for an engine at tcp://x: start one with `livetrack demo`", False),
        ("running", 0.1, "", None, None),
        ("running", 3.2, "", "No message from the engine at tcp://x for 3 s", True),
        ("stalled", 0.1, "", "The camera has stalled: no frame for 2.1 s", True),
        ("retrying", 0.1, "", "The camera is disconnected, retrying: no frame for 2.1 s", True),
        ("waiting", 0.1, "", "No frame is due: no frame for 2.1 s", False),
        ("starting", 0.1, "", "The engine is starting: no frame for 2.1 s", False),
        ("stopped", 30.0, "", "The engine has stopped: no frame for 2.1 s", True),
        ("failed", 30.0, "", "The engine has stopped: no frame for 2.1 s", True),
        ("ended", 30.0, "", "The movie has ended", False),
        (
            "running",
            0.1,
            "tcp://x: not a livetrack message",
            "could not be read. tcp://x: not a livetrack message",
            True,
        ),
    ],
)
def test_banner(state, silent_s, error, text, alarm):
    status = status_of(state=state, message="" if state == "running" else "no frame for 2.1 s") if state else None
    shown = banner("tcp://x", status, silent_s, error)
    assert (shown is None) == (text is None)
    if shown:
        assert text in shown.text
        assert shown.alarm == alarm


def test_the_message_of_a_running_engine_is_shown():
    shown = banner("tcp://x", status_of(message="the disk is full"), 0.1, "")
    assert (shown.text, shown.alarm) == ("the disk is full", True)


def test_a_banner_waits_for_an_engine(qtbot, store):
    window = Window("tcp://127.0.0.1:9", ViewSettings(fps=0.01), store=store)
    qtbot.addWidget(window)
    window.show()
    window.refresh()
    assert window.central.banner.isVisible()
    assert "livetrack demo" in window.central.banner.text()


def test_a_banner_reports_missing_keys(qtbot, store, tmp_path, monkeypatch):
    monkeypatch.setattr("livetrack.viewer.data.connection_check._FIRST_S", 0.1)
    generate_keys(tmp_path / "keys")
    with zmq.Context.instance().socket(zmq.PUB) as engine_with_keys:
        secure_server(engine_with_keys, tmp_path / "keys")
        engine_with_keys.bind("tcp://127.0.0.1:*")
        address = engine_with_keys.last_endpoint.decode()
        window = Window(address, ViewSettings(fps=0.01), store=store)
        qtbot.addWidget(window)
        with qtbot.waitExposed(window):
            window.show()
        text = f"Nothing can be received from {address}: the engine there requires keys"
        refresh_until(window, lambda: text in window.central.banner.text())


def test_a_banner_shows_the_state_in_the_heartbeat(engine, window):
    assert not window.central.banner.isVisible()
    engine.heartbeat("stalled", "no frame for 2.1 s")
    refresh_until(window, window.central.banner.isVisible)
    assert window.central.banner.text() == "The camera has stalled: no frame for 2.1 s"
    engine.heartbeat()
    refresh_until(window, lambda: not window.central.banner.isVisible())


def test_an_engine_that_stops_and_restarts(engine, playing):
    assert trail_points(playing) == 4
    engine.close()
    refresh_until(playing, playing.central.banner.isVisible)
    assert f"No message from the engine at {engine.address}" in playing.central.banner.text()
    assert shown_frame(playing) == 3  # the last image stays

    again = FakeEngine(8, engine.address, engine.preview_address)
    try:
        again.wait_for_window(playing)
        assert not playing.central.banner.isVisible()
        assert shown_frame(playing) is None
        assert trail_points(playing) == len(markers(playing)) == 0
        again.positions(0, rows_of((1, 5, 5)))
        again.preview(0, np.zeros((30, 40), np.uint8))
        refresh_until(playing, lambda: shown_preview(playing) == 0)
        assert markers(playing).tolist() == [[5, 5]]
    finally:
        again.close()


def test_previews_of_another_session_are_ignored(engine, window):
    engine.positions(1, rows_of((1, 5, 5)))
    engine.raw(wire.encode_preview(wire.Preview(99, 1, 1, np.zeros((30, 40), np.uint8))), preview=True)
    refresh_until(window, lambda: shown_frame(window) == 1)
    time.sleep(0.1)
    window.refresh()
    assert shown_preview(window) is None


def test_random_bytes_are_reported_and_survived(engine, playing):
    rng = np.random.default_rng(0)
    for topic in (wire.POSITIONS, wire.HEARTBEAT):
        for size in (0, 5, 200, 5000):
            engine.raw(topic + rng.bytes(size))
    engine.raw(wire.PREVIEW + rng.bytes(500), preview=True)
    refresh_until(playing, playing.central.banner.isVisible)
    assert "could not be read" in playing.central.banner.text()
    engine.positions(4, rows_of((3, 9, 10)))
    engine.preview(4, np.zeros((30, 40), np.uint16))
    refresh_until(playing, lambda: shown_preview(playing) == 4)
    assert markers(playing).tolist() == [[9, 10]]
    playing.session_data._error_s -= 10  # as if long ago
    engine.heartbeat()
    refresh_until(playing, lambda: not playing.central.banner.isVisible())


@pytest.mark.parametrize("kind", sorted(wire.preview._PIXEL_TYPES.values(), key=str))
def test_previews_of_every_pixel_type_are_shown(engine, window, kind):
    ramp = np.tile(np.arange(40), (30, 1)).astype(kind)
    engine.preview(1, ramp)
    refresh_until(window, lambda: shown_preview(window) == 1)
    window.central.view.scale_bar.hide()
    seen = brightness(window)
    middle = seen[seen.shape[0] // 2]
    assert middle.max() > 250
    assert (np.diff(middle[middle.argmin() : middle.argmax()]) >= 0).all()


def test_random_changes_of_a_preview_give_a_preview_or_a_wire_error():
    rng = np.random.default_rng(1)
    whole = wire.encode_preview(wire.Preview(7, 1, 1, np.zeros((4, 5), np.uint16)))
    for _ in range(3000):
        message = bytearray(whole)
        for _ in range(rng.integers(1, 6)):
            message[rng.integers(8, len(message))] = rng.integers(256)
        try:
            preview = wire.decode_preview(bytes(message[: rng.integers(1, 2 * len(message))]))
        except wire.WireError:
            continue
        assert preview.step >= 1
        assert preview.pixels.size


# ---- contrast and scale bar


def preview_of(pixels, offset=0.0, scale=1.0):
    return wire.Preview(7, 0, 1, pixels, offset, scale)


def test_auto_contrast_goes_half_way_four_times_a_second_and_can_be_switched_off():
    levels = Levels()
    ramp = np.linspace(0, 1000, 512 * 512).reshape(512, 512)
    low, high = levels.of(preview_of(ramp), 0.0)
    assert (low, high) == pytest.approx((5, 999.5), abs=2)
    assert levels.of(preview_of(ramp + 100), 0.1) == (low, high)
    assert levels.of(preview_of(ramp + 100), 0.3) == pytest.approx((low + 50, high + 50), abs=1)
    levels.auto = False
    assert levels.of(preview_of(ramp + 9000), 5.0) == pytest.approx((low + 50, high + 50), abs=1)
    levels.auto = True
    levels.reset()
    assert levels.of(preview_of(ramp + 9000), 5.1) == pytest.approx((low + 9000, high + 9000), abs=2)


def test_levels_are_grey_levels_whatever_the_scale_of_the_preview():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    assert Levels().of(preview_of(ramp, 1000.0, 3.0), 0.0) == pytest.approx((1003, 1765), abs=4)


def test_levels_set_by_hand_stay_and_white_is_above_black():
    levels = Levels()
    levels.set(300, 200)
    assert not levels.auto
    black, white = levels.of(preview_of(np.zeros((9, 9))), 99.0)
    assert black == 300
    assert white > black
    levels.reset()  # another engine: what was set by hand is kept
    assert levels.of(preview_of(np.ones((9, 9))), 0.0) == (black, white)


@pytest.mark.parametrize("pixels", [np.full((8, 8), 7, np.uint16), np.full((8, 8), np.nan), np.zeros((1, 1), np.uint8)])
def test_white_is_above_black_in_a_uniform_image(pixels):
    low, high = Levels().of(preview_of(pixels), 0.0)
    assert low < high
    counts, low, high = grey_histogram(preview_of(pixels))
    assert low < high
    assert counts.sum() == np.isfinite(pixels).sum()


@pytest.mark.parametrize(("scale", "kind"), [(1.0, np.uint16), (0.7, np.uint8), (30.0, np.uint8), (1.0, np.float32)])
def test_a_histogram_counts_every_pixel_of_the_sample_in_its_bin(scale, kind):
    pixels = np.random.default_rng(2).integers(3, 200, (40, 50)).astype(kind)
    counts, low, high = grey_histogram(preview_of(pixels, 100.0, scale))
    assert counts.sum() == pixels.size
    assert low <= 100 + 3 * scale
    assert high >= 100 + 199 * scale
    middles = low + (np.arange(len(counts)) + 0.5) * (high - low) / len(counts)
    assert (counts * middles).sum() / counts.sum() == pytest.approx(100 + scale * pixels.mean(), abs=scale)
    assert counts.min() > 0  # no bin between two levels


@pytest.mark.parametrize(("longest", "length"), [(9.99, 5), (10, 10), (0.0314, 0.02), (1, 1), (4999, 2000)])
def test_round_length(longest, length):
    assert round_length(longest) == pytest.approx(length)


# ---- the process


def test_importing_the_viewer_loads_no_qt():
    code = "import sys, livetrack.viewer; sys.exit(any('PySide6' in m or 'pyqtgraph' in m for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_without_a_display_there_is_a_one_line_error(monkeypatch):
    assert not display_problem()
    for name in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert display_problem()
    with pytest.raises(UsageError, match="no display: neither DISPLAY nor WAYLAND_DISPLAY is set"):
        main("tcp://127.0.0.1:9", ViewSettings())
    monkeypatch.setenv("DISPLAY", ":987")
    assert display_problem()


DEAD_DISPLAYS = [
    {"WAYLAND_DISPLAY": "wayland-987"},
    {"WAYLAND_DISPLAY": "wayland-987", "DISPLAY": ":987"},
    {"WAYLAND_DISPLAY": "wayland-987", "XDG_SESSION_TYPE": "wayland", "XDG_RUNTIME_DIR": "/nowhere"},
    {"DISPLAY": ":987"},
    {"QT_QPA_PLATFORM": "wayland"},
    {"QT_QPA_PLATFORM": "xcb"},
    {"QT_QPA_PLATFORM": "mistyped"},
]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
@pytest.mark.parametrize("variables", DEAD_DISPLAYS, ids=str)
def test_a_display_that_does_not_work_is_a_one_line_error(variables):
    """Qt would abort the process, with a core dump."""
    names = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY", "XDG_SESSION_TYPE")
    environment = {key: value for key, value in os.environ.items() if key not in names} | variables
    command = [sys.executable, "-m", "livetrack", "view", "tcp://127.0.0.1:9", "--seconds=1"]
    view = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert view.returncode == 2
    (line,) = view.stderr.splitlines()
    assert line.startswith("livetrack: no display: ")
    assert line.endswith("; `livetrack run --headless` and `livetrack listen` need none")
    named = [f"{name}={value}" for name, value in variables.items() if name in names[:3]]
    assert all(each in line for each in named)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_a_session_goes_on_in_the_console_where_no_compositor_responds(monkeypatch, capfd):
    for name in ("QT_QPA_PLATFORM", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-987")
    small = [f"--set=camera.simulated.{each}" for each in ("width=64", "height=64", "count=2")]
    assert cli(["demo", "--seconds=0.3", *small, *(f"--set={port}" for port in ANY_PORT)]) == 0
    messages = capfd.readouterr().err
    assert "no display: Qt can open no window with WAYLAND_DISPLAY=wayland-987" in messages
    assert "continuing without a window" in messages
    assert "positions in another terminal: livetrack listen tcp://127.0.0.1:" in messages


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_a_display_that_does_not_respond_is_no_display(monkeypatch, tmp_path):
    """As a compositor that hangs: the connection is accepted."""
    monkeypatch.setattr("livetrack.viewer.display._TRIAL_S", 2.0)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as compositor:
        compositor.bind("wayland-0")
        compositor.listen()
        monkeypatch.setenv("WAYLAND_DISPLAY", str(tmp_path / "wayland-0"))
        assert display_problem().startswith("no display: nothing responds at WAYLAND_DISPLAY=")


RUN = """
import sys
from pathlib import Path
from livetrack.config import ViewSettings
from livetrack.viewer import main
"""


def complaints(stderr):
    return [line for line in stderr.splitlines() if "This plugin does not support" not in line]


def test_the_process_ends_by_itself_with_a_screenshot(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "window.png"
    code = RUN + f"sys.exit(main({engine.address!r}, ViewSettings(), seconds=0.5, screenshot=Path({str(path)!r})))"
    ended = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True, check=False)
    assert (ended.returncode, complaints(ended.stderr)) == (0, [])
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_the_process_cleanly(engine, tmp_path, monkeypatch, ending):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    code = RUN + f"sys.exit(main({engine.address!r}, ViewSettings()))"
    with ExitStack() as opened:
        command = [sys.executable, "-c", code]
        process = opened.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        opened.callback(process.kill)
        for _ in range(2):
            subscription(engine._positions)
        time.sleep(1.0)
        process.send_signal(ending)
        assert process.wait(timeout=60) == 0
        assert complaints(process.stderr.read()) == []


def test_view_reads_the_settings_in_the_folder_as_run_does(tmp_path, monkeypatch, capfd):
    opened = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("livetrack.viewer.main", lambda address, view, **_: opened.append(view) or 0)
    Path("config.toml").write_text('[view]\npalette = "light"\ntail_frames = 7\n')
    assert cli(["view"]) == 0
    assert cli(["view", "--set=view.tail_frames=9"]) == 0
    assert cli(["view", "--no-config"]) == 0
    assert [(view.palette, view.tail_frames) for view in opened] == [("light", 7), ("light", 9), ("dark", 50)]
    Path("config.toml").write_text('[view]\npalette = "pink"\n')
    assert cli(["view"]) == 2
    assert "config.toml:2" in capfd.readouterr().err


def test_an_invalid_address_is_rejected():
    with pytest.raises(UsageError, match="not an address"):
        main("nowhere", ViewSettings())


def test_closing_the_window_closes_its_sockets(engine, window):
    window.close()
    gone = [subscription(engine._positions) for _ in range(2)]
    assert all(message.startswith(b"\0") for message in gone)
    assert not window._timer.isActive()
    assert Path(window.viewer_actions.folder).exists()


def test_a_preview_is_drawn_when_it_arrives_and_not_too_often(engine, qtbot, store):
    window = Window(engine.address, ViewSettings(fps=20), store=store)
    qtbot.addWidget(window)
    window.show()
    engine.wait_for_window(window)
    window._refreshed_s = time.perf_counter()
    engine.preview(1, np.zeros((30, 40), np.uint8))
    sent_s = time.perf_counter()
    qtbot.waitUntil(lambda: shown_preview(window) == 1)
    assert time.perf_counter() - sent_s > 0.03  # not before nine tenths of 50 ms after the last refresh
    for frame in range(2, 60):
        engine.preview(frame, np.zeros((30, 40), np.uint8))
        qtbot.wait(10)
    seconds = window.frame_presenter.drawn_s[-1] - window.frame_presenter.drawn_s[0]
    assert (len(window.frame_presenter.drawn_s) - 1) / seconds < 24
