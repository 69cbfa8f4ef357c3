"""The window bench: its scene, its baseline, and a short run of each part."""

from __future__ import annotations

import numpy as np
import pyqtgraph
import pytest

from livetrack.bench.report import Report, markdown
from livetrack.bench.result import TargetResult
from livetrack.bench.viewer import cpu_load, interference, refresh
from livetrack.bench.viewer.run import PARTS, run_window
from livetrack.bench.viewer.scene import MARKERS, TRAIL_POINTS, TRAILS, Scene
from livetrack.cli import main
from livetrack.viewer.data.history import History


@pytest.fixture
def app(qtbot):
    return pyqtgraph.mkQApp()


def test_the_scene_is_that_of_the_target():
    scene, history = Scene(512), History(TRAIL_POINTS)
    for _ in range(TRAIL_POINTS + 2):
        frame = scene.next()
        history.add(frame.update)
    assert len(frame.update.particles) == MARKERS
    links = history.segments(frame.update)
    assert sum(len(each.ids) for each in links) == TRAILS * TRAIL_POINTS
    assert frame.trails.shape == (TRAILS, TRAIL_POINTS, 2)
    np.testing.assert_allclose(links[-1].segments[:, 1], frame.trails[:, -1], atol=1e-3)
    assert Scene(2048).next().preview.pixels.shape == (1024, 1024)
    again = Scene(512)
    assert (again.next().image == Scene(512).next().image).all()


def test_a_refresh_is_compared_with_the_baseline(app, monkeypatch):
    monkeypatch.setattr(refresh, "_WARM_UP", 3)
    (line,) = refresh.refresh_time(app, 512, 5)
    assert line.n == 5
    assert 0.2 < line.figures["ratio"] < 20
    assert line.figures["window_ms"] > 0.1
    assert (line.met is True) == (line.figures["ratio"] <= 1.3)


@pytest.mark.measured
def test_the_refresh_rate_is_measured_under_load(app, monkeypatch):
    monkeypatch.setattr(cpu_load, "_SETTLE_S", 0.5)
    monkeypatch.setattr(cpu_load, "lower_priority", lambda: None)  # do not slow down the other tests
    (line,) = cpu_load.refresh_under_load(app, 1.6)
    assert 1 <= line.figures["min"] <= line.figures["median"] <= 32


def test_the_bootstrap_interval_contains_the_median():
    low, high = interference._interval(np.array([0.9, 1.0, 1.1, 1.05, 0.95, 1.0, 1.02, 0.98]))
    assert 0.94 < low < 1.0 < high < 1.06


def test_the_report_as_markdown():
    report = run_window(only=())
    assert isinstance(report, Report)
    line = TargetResult(name="a", definition="b", n=3, figures={"p50_factor": 1.05}, target="below 1.2", met=True)
    text = markdown(Report(bench="window", machine="m", quick=True, targets=[line]))
    assert "| a | p50 factor 1.05 | below 1.2 | yes | 3 |" in text


def test_an_unknown_part_is_rejected(capsys):
    assert main(["bench", "window", "--only", "nothing"]) == 2
    assert ", ".join(PARTS) in capsys.readouterr().err
