"""The panels: diagnostics, plots of the selected particle, banner, tour."""

from __future__ import annotations

import time

import numpy as np
import pytest
from fake_engine import refresh_until, rows_of, shown_frame, status_of

from livetrack.config import ViewSettings
from livetrack.viewer.data.status_text import Banner, conflicting_settings, neighbour_distance, recording_line, skipping
from livetrack.viewer.panels.banner import BannerBar
from livetrack.viewer.panels.latency_chart import STAGES, milliseconds
from livetrack.viewer.panels.tour import STEPS
from livetrack.viewer.qt import QtCore
from livetrack.viewer.window import Window
from livetrack.wire import Latency, RecordingStatus

LEFT = QtCore.Qt.MouseButton.LeftButton


def latency(p50):
    return Latency(p50=p50, p90=1.2 * p50, p99=2 * p50, p999=3 * p50, max=4 * p50)


def update(window):
    window.status_presenter.updated_s = 0.0
    window.refresh()


# ---- diagnostics


def test_the_diagnostics_show_the_heartbeat(engine, playing):
    recording = RecordingStatus(folder="/r", seconds=3723.0, frames=1234, dropped=5, bytes=1_900_000_000)
    status = status_of(
        engine, camera_fps=99.96, tracked_fps=98.4, skipped=1234, lost=7, particles=57, born=321, recording=recording,
        latency_us={stage: latency(1000.0 * (n + 1)) for n, stage in enumerate(STAGES)},
    )  # fmt: skip
    engine.status(status)
    refresh_until(playing, lambda: playing.session_data.status.lost == 7)
    update(playing)
    panel = playing.central.diagnostics
    assert {name: label.text() for name, label in panel.rates.items() if name != "display"} == {
        "camera": "100", "tracked": "98",
    }  # fmt: skip
    assert {name: label.text() for name, label in panel.counts.items()} == {
        "particles": "57", "skipped": "1,234", "lost": "7", "born": "321",
    }  # fmt: skip
    assert panel.recording.text() == "● 01:02:03, 1.9 GB, 1,234 frames, 5 dropped"
    assert list(panel.latency_chart._latency) == list(STAGES)
    before = panel.latency_chart.grab().toImage()
    engine.status(status_of(engine, latency_us={"wait": latency(9000.0), "total": latency(9500.0)}, lost=8))
    refresh_until(playing, lambda: playing.session_data.status.lost == 8)
    update(playing)
    assert list(panel.latency_chart._latency) == ["wait", "total"]
    assert panel.latency_chart.grab().toImage() != before
    assert panel.recording.text() == "off"


def test_hidden_diagnostics_are_not_updated(engine, playing, qtbot):
    playing.viewer_actions["panels"].trigger()
    engine.status(status_of(engine, lost=99))
    refresh_until(playing, lambda: playing.session_data.status.lost == 99)
    update(playing)
    assert playing.central.diagnostics.counts["lost"].text() != "99"
    playing.viewer_actions["panels"].trigger()
    update(playing)
    assert playing.central.diagnostics.counts["lost"].text() == "99"


def test_the_display_rate_counts_the_frames_drawn_in_the_last_second(engine, playing):
    for frame in range(4, 10):
        engine.positions(frame, rows_of((3, 1, 1)))
        engine.preview(frame, np.zeros((30, 40), np.uint8))
        refresh_until(playing, lambda frame=frame: shown_frame(playing) == frame)
    playing.frame_presenter.drawn_s.extendleft([playing.frame_presenter.drawn_s[0] - 5.0] * 3)  # long ago
    update(playing)
    assert 6 <= int(playing.central.diagnostics.rates["display"].text()) <= 9


@pytest.mark.parametrize(("us", "text"), [(4.2, "0.004"), (132, "0.13"), (12_340, "12.3"), (123_400, "123")])
def test_milliseconds(us, text):
    assert milliseconds(us) == text


def test_a_recording_that_stopped_by_itself_shows_why():
    recording = RecordingStatus(folder="/r", seconds=1, frames=1, dropped=0, bytes=1, problem="the disk is full")
    assert recording_line(recording) == "the disk is full"


def test_sub_pixel_phases_are_counted_from_the_stream(engine, playing):
    counted = playing.central.diagnostics.phases.positions
    engine.positions(4, rows_of((1, 5.25, 5), (2, 6.25, 6)))
    refresh_until(playing, lambda: playing.session_data.history.at(None).frame == 4)
    assert playing.central.diagnostics.phases.positions == counted + 2
    engine.session = 8
    engine.heartbeat()
    refresh_until(playing, lambda: playing.session_data.session == 8)
    assert playing.central.diagnostics.phases.positions == 0


# ---- plots of the selected particle


def test_the_plots_show_the_selected_particle(engine, playing):
    rng = np.random.default_rng(4)
    x, y = 20 + rng.normal(0, 0.1, 400).cumsum(), 15 + rng.normal(0, 0.1, 400).cumsum()
    for n in range(400):
        rows = rows_of((5, x[n], y[n]))
        rows["x_std"] = rows["y_std"] = 0.02
        engine.positions(10 + n, rows, t_s=n / 100, pixel_size_um=0.5)
    refresh_until(playing, lambda: playing.session_data.history.at(None).frame == 409)
    playing.select(5)
    engine.positions(410, rows_of((5, x[-1], y[-1])), t_s=4.0, pixel_size_um=0.5)
    engine.preview(410, np.zeros((30, 40), np.uint8))
    refresh_until(playing, lambda: shown_frame(playing) == 410)
    plots = playing.central.particle_panel.plots
    plots._updated_s = 0.0  # as if long ago
    playing.refresh()
    t_s, shown = plots.graphs["trace"].curves["x"].getData()
    assert t_s[-1] == pytest.approx(0)
    assert t_s[0] == pytest.approx(-4.0)
    assert shown * 2 == pytest.approx(np.r_[x, x[-1]] - np.r_[x, x[-1]].mean(), abs=1e-4)  # px of 0.5 µm
    edges, counts = plots.graphs["histogram"].curves["y"].getData()
    assert counts.sum() == 401
    assert len(edges) == len(counts) + 1
    lags, squares = plots.graphs["displacement"].curves["points"].getOriginalDataset()
    assert squares[0] == pytest.approx(0.25 * 2 * 0.1**2, rel=0.3)
    assert lags[0] == pytest.approx(0.01, rel=0.01)
    frequency, density = plots.graphs["spectrum"].curves["x"].getOriginalDataset()
    assert frequency[-1] == pytest.approx(50, rel=0.1)
    assert density[0] > density[-1]
    assert plots.graphs["trace"].getAxis("left").labelText.endswith("µm")


def test_plots_are_drawn_at_most_three_times_a_second_and_only_while_visible(playing, monkeypatch):
    plots, drawn = playing.central.particle_panel.plots, []
    monkeypatch.setattr(plots, "_draw", drawn.append)
    playing.select(3)
    drawn.clear()
    points = playing.central.particle_panel.trace.points
    for later_s in np.arange(10, 12, 0.01):
        plots.update_if_due(points, None, time.perf_counter() + later_s)
    assert 5 <= len(drawn) <= 7
    playing.viewer_actions["plots"].trigger()
    plots.update_if_due(points, None, time.perf_counter() + 99)
    assert len(drawn) <= 7


def test_plots_of_a_particle_without_positions_are_empty(playing):
    playing.select(77)
    playing.refresh()
    assert playing.central.particle_panel._facts.text() == "not found yet"
    assert len(playing.central.particle_panel.plots.graphs["spectrum"].curves["x"].getOriginalDataset()[0] or ()) == 0
    playing.grab()


# ---- the banner


def test_skipping_is_reported_with_its_reason():
    stages = {"localize": latency(15_000.0), "link": latency(100.0), "publish": latency(5.0), "total": latency(16e3)}
    status = status_of(camera_fps=100.0, tracked_fps=60.0, latency_us=stages)
    assert skipping(status).startswith(
        "40% of the frames are skipped: tracking a frame takes 15.1 ms, and one arrives every 10.0 ms"
    )
    text = skipping(status_of(camera_fps=50.0, tracked_fps=30.0, latency_us=stages))
    assert (
        "because the CPU is busy with other programs: tracking a frame takes 15.1 ms, and one arrives every 20.0 ms"
        in text
    )
    assert skipping(status_of(camera_fps=100.0, tracked_fps=96.0, latency_us=stages)) == ""
    assert skipping(status_of(camera_fps=100.0, tracked_fps=0.0, latency_us=stages, state="paused")) == ""
    assert skipping(status_of(camera_fps=0.0, tracked_fps=0.0, tracked=0)) == ""


def crowd(spacing_px):
    return rows_of(*((n, n % 8 * spacing_px, n // 8 * spacing_px) for n in range(64)))


def test_conflicting_settings_are_reported():
    status = status_of(latency_us={"wait": latency(500_000.0)})
    assert conflicting_settings({}, status, crowd(4)) == ""
    assert "preview_fps" in conflicting_settings({"publish": {"preview_fps": 0}}, status, crowd(4))
    assert "frames wait 500 ms" in conflicting_settings({"camera": {"every_frame": True}}, status, crowd(4))
    text = conflicting_settings({"linker": {"search_radius_px": 5.0}}, status, crowd(4))
    assert "The search radius, 5 px, is larger than the 4.0 px between neighbours" in text
    assert conflicting_settings({"linker": {"search_radius_px": 3.9}}, status, crowd(4)) == ""


def test_the_neighbour_distance_is_the_median_over_particles():
    assert neighbour_distance(crowd(7)) == pytest.approx(7)
    assert neighbour_distance(rows_of((1, 0, 0), (2, 1, 1))) == np.inf
    rows = crowd(7)
    rows["x"][:60] = np.nan
    assert neighbour_distance(rows) == np.inf


def test_advice_can_be_dismissed_and_alarms_cannot(qtbot):
    bar = BannerBar()
    qtbot.addWidget(bar)
    bar.show_banner(Banner("many skipped", alarm=False, kind="skipping"))
    assert bar.isVisibleTo(bar.parentWidget())
    assert bar.dismiss_button.isVisibleTo(bar)
    qtbot.mouseClick(bar.dismiss_button, LEFT)
    bar.show_banner(Banner("more skipped", alarm=False, kind="skipping"))
    assert bar.isHidden()
    bar.show_banner(Banner("The camera is stalled", alarm=True))
    assert not bar.isHidden()
    assert not bar.dismiss_button.isVisibleTo(bar)
    assert bar.property("alarm") is True
    bar.show_banner(None)
    bar.reset()
    bar.show_banner(Banner("many skipped", alarm=False, kind="skipping"))
    assert not bar.isHidden()
    assert bar.property("alarm") is False


# ---- the tour


@pytest.fixture
def newcomer(engine, qtbot, tmp_path):
    store = QtCore.QSettings(str(tmp_path / "new.ini"), QtCore.QSettings.Format.IniFormat)
    window = Window(engine.address, ViewSettings(fps=0.01), folder=tmp_path, store=store)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    engine.wait_for_window(window)
    return window


def test_the_tour_has_three_steps_and_is_shown_once(engine, newcomer, qtbot):
    tour = newcomer.central.tour
    assert tour.isVisible()
    assert len(STEPS) == 3
    for title, _ in STEPS:
        assert tour._title.text() == title
        assert newcomer.central.view.rect().contains(tour.geometry())
        qtbot.mouseClick(tour.next_button, LEFT)
    assert not tour.isVisible()
    again = Window(engine.address, ViewSettings(fps=0.01), store=newcomer._store)
    qtbot.addWidget(again)
    assert not again.central.tour.isVisibleTo(again)


def test_doing_what_a_step_describes_shows_the_next(engine, newcomer, qtbot):
    tour = newcomer.central.tour
    newcomer.select(3)  # this is not yet the step for it
    assert tour.step == 0
    newcomer.central.view.view_box.sigRangeChangedManually.emit((True, True))
    assert tour.step == 1
    newcomer.select(3)
    assert tour.step == 2
    qtbot.mouseClick(tour.next_button, LEFT)
    assert not tour.isVisible()


def test_the_tour_can_be_skipped(newcomer, qtbot):
    qtbot.mouseClick(newcomer.central.tour.skip_button, LEFT)
    assert not newcomer.central.tour.isVisible()
    assert newcomer._store.value("tour/seen", type=bool)
