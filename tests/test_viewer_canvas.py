"""The view: shortcuts, contrast and colours, uncertainty, selection, full resolution when zoomed in."""

from __future__ import annotations

import time

import numpy as np
import pytest
from fake_engine import refresh_until, rows_of, shown_frame, shown_preview, subscription

from livetrack import wire
from livetrack.config import ViewSettings
from livetrack.viewer.actions import ViewerActions
from livetrack.viewer.canvas.uncertainty import DEVIATIONS, ellipse_of
from livetrack.viewer.qt import QtCore, QtGui
from livetrack.viewer.shortcuts import MOUSE_GESTURES, SHORTCUTS
from livetrack.viewer.theme import COLORMAPS, PALETTES, lookup_table
from livetrack.viewer.window import Window

LEFT = QtCore.Qt.MouseButton.LeftButton


def colours(window):
    """Return the view as shown on the screen, (H, W, 3), 0..255."""
    image = window.central.view.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return pixels[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def place(window, x, y):
    """Return the point of the view's widget where x, y of the image is shown."""
    view = window.central.view
    return view.mapFromScene(view.view_box.mapViewToScene(QtCore.QPointF(x, y)))


def press(qtbot, window, sequence):
    combination = QtGui.QKeySequence(sequence)[0]
    qtbot.keyClick(window, combination.key(), combination.keyboardModifiers())


# ---- shortcuts


def test_shortcuts_are_unique_and_each_has_its_method():
    keys = [each for key in SHORTCUTS for each in key.keys.split()]
    assert len(set(keys)) == len(keys)
    assert len({key.name for key in SHORTCUTS}) == len(SHORTCUTS)
    assert all(callable(getattr(ViewerActions, key.name)) for key in SHORTCUTS)


@pytest.mark.parametrize("key", SHORTCUTS, ids=lambda key: key.name)
def test_each_key_triggers_its_action(playing, qtbot, key):
    action = playing.viewer_actions[key.name]
    action.setEnabled(True)  # that of the ROI is enabled only while the selector is open
    for sequence in key.keys.split():
        signal = action.toggled if key.checkable else action.triggered
        with qtbot.waitSignal(signal, timeout=2000):
            press(qtbot, playing, sequence)
        playing.refresh()
    assert key.tip in action.toolTip()


def test_every_button_of_the_tool_bar_triggers_its_action(playing, qtbot):
    for button in playing.tool_bar._buttons:
        action = button.defaultAction()
        with qtbot.waitSignal(action.toggled if action.isCheckable() else action.triggered, timeout=2000):
            qtbot.mouseClick(button, LEFT)
        playing.refresh()
        if playing.central.shortcuts_sheet.isVisible():
            qtbot.mouseClick(playing.central.shortcuts_sheet, LEFT)
            assert not playing.viewer_actions["help"].isChecked()


def test_the_shortcut_sheet_lists_every_key_and_gesture(playing, qtbot):
    press(qtbot, playing, "?")
    assert playing.central.shortcuts_sheet.isVisible()
    text = playing.central.shortcuts_sheet._text.text()
    for key in SHORTCUTS:
        assert key.tip in text
        assert all(f"<b>{each}</b>" in text for each in key.keys.split())
    assert all(gesture in text for gesture, _ in MOUSE_GESTURES)
    press(qtbot, playing, "Esc")
    assert not playing.central.shortcuts_sheet.isVisible()


def test_plus_minus_and_1_zoom_and_stay(engine, playing, qtbot):
    view = playing.central.view
    whole = view.view_box.viewRect().width()
    press(qtbot, playing, "+")
    assert view.view_box.viewRect().width() == pytest.approx(whole / 2)
    engine.positions(4, rows_of((3, 14, 10)))
    engine.preview(4, np.zeros((30, 40), np.uint16))
    refresh_until(playing, lambda: shown_frame(playing) == 4)
    assert view.view_box.viewRect().width() == pytest.approx(whole / 2)
    press(qtbot, playing, "-")
    assert view.view_box.viewRect().width() == pytest.approx(whole)
    press(qtbot, playing, "1")
    assert view.view_box.viewPixelSize()[0] == pytest.approx(view.devicePixelRatioF())


def test_d_switches_the_theme_and_back(playing, qtbot):
    dark = colours(playing)
    press(qtbot, playing, "D")
    light = colours(playing)
    assert tuple(light[2, 2]) == QtGui.QColor(PALETTES["light"].canvas).getRgb()[:3]
    assert PALETTES["light"].panel in playing.styleSheet()
    press(qtbot, playing, "D")
    assert (colours(playing) == dark).all()


def test_shift_s_saves_the_image_pixel_by_pixel(playing, qtbot, tmp_path):
    press(qtbot, playing, "Shift+S")
    (path,) = tmp_path.glob("*-image.png")
    saved = QtGui.QImage(str(path))
    assert (saved.width(), saved.height()) == (40, 30)
    greys = [saved.pixelColor(x, y).red() for y in range(30) for x in range(40)]
    assert (np.diff(greys) >= 0).all()
    assert (greys[0], greys[-1]) == (0, 255)
    assert "saved" in playing.statusBar().currentMessage()


# ---- levels, gamma, colours


def test_a_lookup_table_goes_from_black_to_white_with_gamma():
    for name in COLORMAPS:
        assert lookup_table(name).shape == (256, 3)
    assert lookup_table("grey")[[0, 128, 255], 0].tolist() == [0, 128, 255]
    assert lookup_table("inverted")[[0, 255], 0].tolist() == [255, 0]
    assert lookup_table("grey", 0.5)[64, 0] == pytest.approx(128, abs=1)
    assert lookup_table("grey", 2.0)[128, 0] == pytest.approx(64, abs=1)
    blue, red = lookup_table("HiLo")[[0, -1]]
    assert blue.argmax() == 2
    assert red.argmax() == 0
    assert (lookup_table("HiLo")[1:-1] == lookup_table("grey")[1:-1]).all()
    viridis = lookup_table("viridis").astype(int)
    assert (viridis[:, 1][1:] >= viridis[:, 1][:-1]).all()  # green increases throughout


def grey_of(window, x, y):
    at = place(window, x, y)
    return colours(window)[at.y(), at.x()].tolist()


def test_levels_gamma_and_colour_map_change_the_screen(playing):
    panel, view = playing.central.image_panel, playing.central.view
    for item in (view.markers, view.trails, view.scale_bar):
        item.hide()
    panel.black.setValue(200)
    panel.white.setValue(1000)
    assert not playing.viewer_actions["auto_contrast"].isChecked()  # levels set by hand are kept
    assert grey_of(playing, 39, 4)[0] == 0  # grey 199
    assert grey_of(playing, 0, 15)[0] == pytest.approx(255 * 400 / 800, abs=3)
    assert grey_of(playing, 0, 26)[0] == 255
    panel.gamma_slider.setValue(panel.gamma_slider.value() // 2)
    assert panel.gamma < 1
    assert grey_of(playing, 0, 15)[0] == pytest.approx(255 * 0.5**panel.gamma, abs=3)
    panel.reset_gamma()
    assert panel.gamma == 1
    panel.colormap.setCurrentText("HiLo")
    assert np.argmax(grey_of(playing, 0, 0)) == 2
    assert np.argmax(grey_of(playing, 0, 29)) == 0


def test_levels_can_be_set_while_the_display_is_frozen(playing, qtbot):
    press(qtbot, playing, "Space")
    playing.central.image_panel.black.setValue(1000)
    assert grey_of(playing, 20, 2)[0] == 0


def test_histogram_markers_are_dragged_and_a_double_click_switches_auto_contrast_on(engine, playing, qtbot):
    histogram = playing.central.image_panel.histogram
    playing.refresh()
    levels = playing.frame_presenter.levels._levels
    start = QtCore.QPoint(round(histogram.x_of(levels[0])), 100)
    qtbot.mousePress(histogram, LEFT, pos=start)
    qtbot.mouseMove(histogram, start + QtCore.QPoint(40, 0))
    qtbot.mouseRelease(histogram, LEFT, pos=start + QtCore.QPoint(40, 0))
    black, white = playing.frame_presenter.levels._levels
    assert black > levels[0] + 50
    assert white == levels[1]
    assert not playing.viewer_actions["auto_contrast"].isChecked()
    qtbot.mouseDClick(histogram, LEFT, pos=start)
    assert playing.viewer_actions["auto_contrast"].isChecked()
    for frame in range(4, 20):
        playing.frame_presenter.levels._updated_s = -1.0
        engine.preview(frame, np.arange(1200, dtype=np.uint16).reshape(30, 40))
        refresh_until(playing, lambda frame=frame: shown_preview(playing) == frame)
    assert playing.frame_presenter.levels._levels == pytest.approx(levels, abs=1)


def test_white_cannot_be_dragged_below_black(playing, qtbot):
    histogram = playing.central.image_panel.histogram
    levels = playing.frame_presenter.levels._levels
    start = QtCore.QPoint(round(histogram.x_of(levels[1])), 100)
    qtbot.mousePress(histogram, LEFT, pos=start)
    qtbot.mouseMove(histogram, QtCore.QPoint(1, 100))
    qtbot.mouseRelease(histogram, LEFT, pos=QtCore.QPoint(1, 100))
    black, white = playing.frame_presenter.levels._levels
    assert black == levels[0]
    assert white > black


def test_clip_sets_the_fraction_of_pixels_that_auto_contrast_shows_black(engine, playing):
    playing.central.image_panel.clip_low.setValue(20)
    assert playing.viewer_actions["auto_contrast"].isChecked()
    for frame in range(4, 20):
        playing.frame_presenter.levels._updated_s = -1.0
        engine.preview(frame, np.arange(1200, dtype=np.uint16).reshape(30, 40))
        refresh_until(playing, lambda frame=frame: shown_preview(playing) == frame)
    assert playing.frame_presenter.levels._levels[0] == pytest.approx(0.2 * 1200, abs=3)


def test_8_bit_previews_are_shown_and_read_in_grey_levels(engine, window, qtbot):
    ramp = np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))
    engine.positions(1, rows_of())
    engine._previews.send(wire.encode_preview(wire.Preview(7, 1, 1, ramp, 1000.0, 50.0)))
    refresh_until(window, lambda: (shown_frame(window), shown_preview(window)) == (1, 1))
    assert window.central.image_panel.black.value() == pytest.approx(1000, abs=5)
    assert window.central.image_panel.white.value() == pytest.approx(1000 + 50 * 6 * 39, abs=5)
    seen = [grey_of(window, x, 12)[0] for x in range(40)]
    assert (np.diff(seen) > 0).all()
    qtbot.mouseMove(window.central.view.viewport(), place(window, 20, 20))
    qtbot.mouseMove(window.central.view.viewport(), place(window, 10, 12))
    qtbot.waitUntil(lambda: f"grey ≈ {1000 + 50 * 60}" in window.central.view.readout())


# ---- zoomed in


def test_an_uncertainty_ellipse_has_the_axes_of_the_covariance():
    assert ellipse_of(0.3, 0.1, 0.0) == pytest.approx((0.3, 0.1, 0.0))
    assert ellipse_of(0.1, 0.3, np.nan) == pytest.approx((0.3, 0.1, np.pi / 2))
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    covariance = turn @ np.diag([0.5**2, 0.2**2]) @ turn.T
    long, short, angle = ellipse_of(*np.sqrt(np.diag(covariance)), covariance[0, 1])
    assert (long, short, angle) == pytest.approx((0.5, 0.2, 0.4))


def test_uncertainty_is_drawn_when_zoomed_in_and_only_then(engine, window, qtbot):
    rows = rows_of((2, 20, 15))
    rows["x_std"] = rows["y_std"] = 0.4
    engine.positions(1, rows)
    engine.preview(1, np.zeros((30, 40), np.uint8))
    refresh_until(window, lambda: (shown_frame(window), shown_preview(window)) == (1, 1))
    view = window.central.view
    for item in (view.markers, view.scale_bar):
        item.hide()
    view.view_box.setRange(QtCore.QRectF(-200, -200, 400, 400))
    assert colours(window)[:, :, 0].max() < 30  # two standard deviations are one screen pixel: not drawn
    view.view_box.setRange(QtCore.QRectF(18, 13, 4, 4))
    lit = np.argwhere(colours(window).max(axis=2) > 120)
    size_px = 2 * DEVIATIONS * 0.4 / view.view_box.viewPixelSize()[0]
    assert np.ptp(lit, axis=0) == pytest.approx([size_px, size_px], abs=4)
    press(qtbot, window, "U")
    assert colours(window)[:, :, 0].max() < 30


def test_zooming_into_a_subsampled_preview_requests_full_resolution(engine, window, qtbot):
    engine.positions(1, rows_of(), width=2400, height=1800)
    engine.preview(1, np.zeros((600, 800), np.uint8), step=3)
    refresh_until(window, lambda: (shown_frame(window), shown_preview(window)) == (1, 1))
    window.refresh()
    assert not engine._previews.poll(100)  # all of it is visible, so the reduced ones are sufficient
    window.central.view.zoom(8)
    window.refresh()
    assert sorted(subscription(engine._previews) for _ in range(2)) == [b"\0" + wire.PREVIEW, b"\1" + wire.FULL_PREVIEW]
    whole = np.full((1800, 2400), 777, np.uint16)
    engine.raw(wire.encode_preview(wire.Preview(7, 2, 1, whole), full_resolution=True), preview=True)
    refresh_until(window, lambda: shown_preview(window) == 2)
    assert window.frame_presenter.shown[0].pixels.shape == (1800, 2400)
    for _ in range(3):
        window.refresh()
    assert not engine._previews.poll(100)  # it stays subscribed to full resolution
    press(qtbot, window, "F")
    window.refresh()
    assert sorted(subscription(engine._previews) for _ in range(2)) == [b"\0" + wire.FULL_PREVIEW, b"\1" + wire.PREVIEW]


def test_full_resolution_is_requested_by_its_box(engine, playing):
    playing.central.image_panel.full_resolution.setChecked(True)
    playing.refresh()
    assert sorted(subscription(engine._previews) for _ in range(2)) == [b"\0" + wire.PREVIEW, b"\1" + wire.FULL_PREVIEW]
    playing.central.image_panel.full_resolution.setChecked(False)
    playing.refresh()
    assert sorted(subscription(engine._previews) for _ in range(2)) == [b"\0" + wire.FULL_PREVIEW, b"\1" + wire.PREVIEW]


def test_zoom_is_limited(playing):
    view = playing.central.view
    for _ in range(40):
        view.zoom(2)
    assert view.view_box.viewRect().width() >= 4
    for _ in range(40):
        view.zoom(0.5)
    assert view.view_box.viewRect().width() <= 20 * 40 * 2


# ---- selection


def test_a_click_selects_the_nearest_particle_and_escape_deselects(engine, playing, qtbot):
    view = playing.central.view
    qtbot.mouseClick(view.viewport(), LEFT, pos=place(playing, 13.1, 10.2))
    assert playing.central.particle_panel.trace.track_id == 3
    assert playing.central.particle_panel.trace.points["x"].tolist() == [
        11,
        12,
        13,
    ]  # with what was there before the click
    assert view.selection.isVisible()
    assert (view.selection.pos().x(), view.selection.pos().y()) == (13, 10)
    engine.positions(4, rows_of((3, 15, 11), (8, 1, 1)))
    engine.preview(4, np.zeros((30, 40), np.uint16))
    refresh_until(playing, lambda: shown_frame(playing) == 4)
    assert view.selection.pos().x() == 15
    assert playing.central.particle_panel.trace.points["x"].tolist() == [11, 12, 13, 15]
    qtbot.mouseClick(view.viewport(), LEFT, pos=place(playing, 35, 25))  # nothing is near: the selection stays
    assert playing.central.particle_panel.trace.track_id == 3
    engine.positions(5, rows_of((8, 1, 1)))
    engine.preview(5, np.zeros((30, 40), np.uint16))
    refresh_until(playing, lambda: shown_frame(playing) == 5)
    assert not view.selection.isVisible()
    assert "not found for 1 frames" in playing.central.particle_panel._facts.text()
    press(qtbot, playing, "Esc")
    assert playing.central.particle_panel.trace is None


def test_a_new_session_deselects(engine, playing):
    playing.select(3)
    engine.session = 9
    engine.heartbeat()
    refresh_until(playing, lambda: playing.session_data.session == 9)
    assert playing.central.particle_panel.trace is None


def test_ids_are_drawn_at_the_particles(playing, qtbot):
    before = colours(playing)
    press(qtbot, playing, "L")
    changed = np.argwhere((colours(playing) != before).any(axis=2)).mean(axis=0)
    at = place(playing, 13, 10)
    assert np.abs(changed - [at.y(), at.x()]).max() < 20


# ---- remembered state


def test_the_window_reopens_as_it_was_left(engine, playing, qtbot, store):
    press(qtbot, playing, "V")
    press(qtbot, playing, "G")
    playing.close()
    again = Window(engine.address, ViewSettings(fps=0.01), store=store)
    qtbot.addWidget(again)
    assert not again.viewer_actions["panels"].isChecked()
    assert not again.central.sidebar.isVisibleTo(again)
    assert not again.central.particle_panel.isVisibleTo(again)


def test_twice_the_pixels_are_drawn_on_a_high_resolution_screen(engine, tmp_path, monkeypatch):
    import subprocess
    import sys

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("QT_SCALE_FACTOR", "2")
    path = tmp_path / "scaled.png"
    code = (
        "import sys; from pathlib import Path; from livetrack.config import ViewSettings\n"
        "from livetrack.viewer import main\n"
        f"sys.exit(main({engine.address!r}, ViewSettings(), seconds=0.5, screenshot=Path({str(path)!r})))"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True, capture_output=True)
    assert QtGui.QImage(str(path)).width() >= 1600  # the screen of the test is 800 wide


def test_refreshing_draws_nothing_twice(engine, playing):
    playing.frame_presenter.drawn_s.clear()
    for _ in range(5):
        playing.refresh()
        time.sleep(0.01)
    assert len(playing.frame_presenter.drawn_s) == 0
