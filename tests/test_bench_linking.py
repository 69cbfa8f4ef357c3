"""The linking bench: its scenes, its count of correct links, its targets, and the command."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from livetrack.bench.linking import methods, optimum, speed
from livetrack.bench.linking.link_accuracy import correct_fraction, measure_link_accuracy
from livetrack.bench.linking.methods import LIVETRACK, LIVETRACK_VELOCITY, METHODS
from livetrack.bench.linking.optimum import PATTERNS, count_optimal
from livetrack.bench.linking.scenes import ObservedFrame, brownian, directed
from livetrack.bench.linking.speed import MOTIONS, Motion, measure_speed
from livetrack.cli import main


def test_the_scenes_move_as_stated() -> None:
    scene = brownian(2000, 5, 0.2, seed=1)
    moved = np.concatenate(steps_of(scene))
    assert np.sqrt((moved**2).sum(axis=1).mean()) == pytest.approx(0.2, rel=0.05)
    straight = steps_of(directed(500, 4, 0.6, seed=1))
    np.testing.assert_allclose(np.hypot(*np.concatenate(straight).T), 0.6)
    lossy = brownian(2000, 5, 0.2, missed=0.1, spurious=0.05, seed=1)
    assert np.mean([(frame.identities >= 0).sum() for frame in lossy]) == pytest.approx(1800, rel=0.03)
    assert np.mean([(frame.identities < 0).sum() for frame in lossy]) == pytest.approx(100, rel=0.2)


def steps_of(scene: list[ObservedFrame]) -> list[np.ndarray]:
    steps = []
    for before, after in pairwise(scene):
        _, i, j = np.intersect1d(before.identities, after.identities, return_indices=True)
        steps.append(after.points[j] - before.points[i])
    return steps


def test_correct_links_are_counted_between_successive_frames() -> None:
    names = [[0, 1, 2], [2, 0, -1], [0, 1, 2]]
    scene = [ObservedFrame(np.zeros((3, 2)), np.array(of_frame)) for of_frame in names]
    ids = [np.array(of_frame) for of_frame in ([5, 6, 7], [7, 9, 5], [9, 6, 8])]
    assert correct_fraction(scene, ids) == (0.5, 4)  # 2 kept, 0 lost; then 0 kept, 2 lost


def test_every_method_links_an_easy_scene() -> None:
    scene = brownian(60, 12, 0.05, seed=2)
    links = measure_link_accuracy("easy", 0.05, scene, 0.2, 2)
    assert {LIVETRACK, LIVETRACK_VELOCITY, "trackpy"} <= set(links.fractions)
    assert all(share is not None and share > 0.99 for share in links.fractions.values())


def test_a_peers_exception_is_recorded_and_the_others_continue() -> None:
    crowded = Motion(0.5, missed=0.02, spurious=0.02, memory=2)
    measured = measure_speed(crowded, 100, repeats=1, step=lambda: None)
    by_name = {time.method: time for time in measured.times}
    assert by_name["trackpy"].error == "SubnetOversizeException"
    assert by_name["trackpy"].p50_us is None
    assert 1 < (measured.p50_us(LIVETRACK) or 0) < 20_000
    assert measured.p50_us("SciPy") is not None


@pytest.mark.parametrize("kind", PATTERNS)
def test_livetracks_links_have_the_optimal_cost(kind: str) -> None:
    assert count_optimal(kind, 10) == 10


def test_links_that_cost_more_are_not_counted_as_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greedy:
        def __init__(self, radius: float) -> None:
            self.before: np.ndarray | None = None

        def link_points(self, points: np.ndarray) -> np.ndarray:
            return np.arange(len(points)) + (0 if len(points) == 0 else 10_000)

    monkeypatch.setattr(optimum, "Linker", Greedy)
    assert count_optimal("rigid drift", 10) < 10


def test_the_command_writes_report_table_and_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speed, "_FRAMES", dict.fromkeys(speed.COUNTS, 4))
    monkeypatch.setattr("livetrack.bench.linking.run.COUNTS", (10, 100, 1000))
    monkeypatch.setattr("livetrack.bench.linking.run._FRAMES", 12)
    monkeypatch.setattr("livetrack.bench.linking.run._PARTICLES", 80)
    monkeypatch.chdir(tmp_path)
    files = ["--json", "r.json", "--markdown", "r.md", "--figure", "r.png"]
    assert main(["bench", "linking", "--quick", *files]) == 0
    report = json.loads(Path("r.json").read_text())
    assert set(METHODS) <= set(report["methods"])
    assert [case["count"] for case in report["measurements"]["speed"]] == [10, 100] * len(MOTIONS)
    (optimal,) = [line for line in report["targets"] if line["name"] == "optimal total cost"]
    assert optimal["met"]
    text = Path("r.md").read_text(encoding="utf-8")
    assert "A quick run" in text
    assert "raises SubnetOversizeException" in text
    assert Path("r.png").stat().st_size > 10_000
    assert capsys.readouterr().out == ""


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(__import__("sys").modules, "trackpy", None)
    assert main(["bench", "linking"]) == 2
    assert "pip install matplotlib scipy trackpy" in capsys.readouterr().err


def test_laptracks_ids_are_those_of_its_tree() -> None:
    pytest.importorskip("laptrack")
    scene = brownian(30, 6, 0.05, seed=3)
    ids = methods.laptrack_movie([frame.points for frame in scene], 0.2, 0)
    assert correct_fraction(scene, ids)[0] == 1
