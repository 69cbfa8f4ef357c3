"""Motion models, learnt gates, prediction, saved state and crowds, on particles with known motion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import linear_sum_assignment

from livetrack.config import load_config
from livetrack.errors import InputError, UsageError
from livetrack.linking import Linker, matching
from livetrack.linking import linker as linker_module
from livetrack.linking.assignment import solve
from livetrack.linking.frame_clock import FrameClock
from livetrack.linking.motion import MOTIONS
from livetrack.linking.motion_statistics import MotionStatistics
from livetrack.particles import ROW, Flag, Rows, empty_rows
from livetrack.tracker import Tracker

Points = npt.NDArray[np.float64]


def rows_of(points: npt.ArrayLike, std_px: float = np.nan, score: float = np.nan) -> Rows:
    places = np.asarray(points, np.float64).reshape(-1, 2)
    rows = empty_rows(len(places))
    rows["x"], rows["y"] = places.T
    rows["x_std"] = rows["y_std"] = std_px
    rows["score"] = score
    return rows


def directed(count: int, frames: int, step: float, missed: float, seed: int) -> list[tuple[Points, npt.NDArray[Any]]]:
    """Return particles at unit density, each with its own velocity: positions and true ids, in random order.

    One that leaves comes in again at the other side, under a new name.
    """
    rng = np.random.default_rng(seed)
    side = count**0.5
    place, angle = rng.random((count, 2)) * side, rng.random(count) * 2 * np.pi
    name, free = np.arange(count), count
    scene = []
    for _ in range(frames):
        seen = np.flatnonzero(rng.random(count) >= missed)
        order = rng.permutation(seen)
        scene.append((place[order], name[order].copy()))
        place = place + step * np.stack([np.cos(angle), np.sin(angle)], 1)
        left = np.flatnonzero(((place < 0) | (place >= side)).any(axis=1))
        place %= side
        name[left] = np.arange(free, free + len(left))
        free += len(left)
    return scene


def correct_links(linker: Linker, scene: list[tuple[Points, npt.NDArray[Any]]]) -> float:
    """Return the fraction of particles seen in two successive frames that kept their id."""
    before: dict[int, int] = {}
    kept = total = 0
    for number, (points, names) in enumerate(scene):
        ids = linker.link_points(points, t_s=number * 0.01).tolist()
        now = dict(zip(names.tolist(), ids, strict=True))
        shared = now.keys() & before.keys()
        total += len(shared)
        kept += sum(now[name] == before[name] for name in shared)
        before = now
    return kept / total


@pytest.mark.parametrize(("step", "least"), [(0.3, 0.96), (0.6, 0.85)])
def test_directed_particles_keep_their_ids(step: float, least: float) -> None:
    scene = directed(500, 60, step, 0.05, seed=1)
    share = correct_links(Linker(1.5, 2, "velocity"), scene)
    assert share >= least
    assert share > correct_links(Linker(1.5, 2), scene) + 0.1


def test_without_directed_motion_velocity_is_as_good_as_brownian() -> None:
    rng = np.random.default_rng(2)
    start = rng.random((400, 2)) * 20
    walk = start + np.cumsum(rng.normal(0, 0.2, (60, 400, 2)), axis=0)
    scene = [(frame, np.arange(400)) for frame in walk]
    ours, theirs = correct_links(Linker(1.5, 0, "velocity"), scene), correct_links(Linker(1.5, 0), scene)
    assert ours > theirs - 0.01


def test_a_common_drift_is_estimated_and_applied_to_new_tracks() -> None:
    rng = np.random.default_rng(3)
    linker = Linker(6.0, 0, "velocity")
    place = rng.random((100, 2)) * 200
    for frame in range(40):
        linker.link_points(place + rng.normal(0, 0.1, place.shape), frame / 50)
        place += np.array([3.0, -1.0])
    linker.link_points([[500.0, 500.0]], 40 / 50)
    (newcomer,) = linker.predict(42 / 50)
    assert (newcomer["x"], newcomer["y"]) == pytest.approx((506, 498), abs=0.2)
    assert (newcomer["vx"], newcomer["vy"]) == pytest.approx((150, -50), abs=5)


def test_the_filtered_velocity_is_closer_than_the_displacement() -> None:
    rng = np.random.default_rng(4)
    velocity = rng.normal(0, 50, (40, 2))  # px/s
    filtered, raw = Linker(8.0, 0, "velocity"), Linker(8.0)
    start = rng.random((40, 2)) * 1000
    for frame in range(80):
        points = start + velocity * frame * 0.01 + rng.normal(0, 0.2, start.shape)
        by_filter, by_difference = rows_of(points, 0.2), rows_of(points, 0.2)
        filtered.update(by_filter, frame * 0.01)
        raw.update(by_difference, frame * 0.01)
    errors = [np.abs(rows["vx"] - velocity[:, 0]).mean() for rows in (by_filter, by_difference)]
    assert errors[0] < errors[1] / 2


def test_motion_is_scaled_by_time_not_frames() -> None:
    linker = Linker(3.0, 0, "velocity")
    times = np.cumsum([0.0] + [0.01, 0.01, 0.02, 0.01, 0.03] * 8)
    for t_s in times:  # 10 px/s and 100 px/s
        linker.link_points([[10 * t_s, 0], [100 * t_s, 50]], t_s)
    soon, late = linker.predict(times[-1] + 0.01).copy(), linker.predict(times[-1] + 0.1).copy()
    assert soon["x"] == pytest.approx([10 * times[-1] + 0.1, 100 * times[-1] + 1], abs=0.2)
    assert (late["x_std"] > soon["x_std"]).all()
    assert sorted(linker.link_points([[100 * times[-1] + 10, 50], [10 * times[-1] + 1, 0]], times[-1] + 0.1)) == [0, 1]


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_uncertainty_of_predictions_is_that_of_their_errors(motion: str) -> None:
    rng = np.random.default_rng(5)
    linker = Linker(6.0, 0, motion, gate="learnt")
    centre = np.stack(np.meshgrid(np.arange(6) * 300.0, np.arange(6) * 300.0), -1).reshape(-1, 2)
    place, velocity = centre.copy(), np.zeros_like(centre)
    pulls = []
    for frame in range(300):
        if motion == "trap":
            place = centre + 0.8 * (place - centre) + rng.normal(0, 0.5, place.shape)
        else:
            velocity = 0.9 * velocity + rng.normal(0, 0.3, place.shape) * (motion == "velocity")
            place = place + velocity + rng.normal(0, 0.3, place.shape)
        points = place + rng.normal(0, 0.1, place.shape)
        if frame > 100:
            expected = linker.predict(frame * 0.02)
            pulls.append((expected["x"] - points[:, 0]) / np.hypot(expected["x_std"], 0.1))
        rows = rows_of(points, 0.1)
        linker.update(rows, frame * 0.02)
        assert list(rows["id"]) == list(range(36))
    assert np.std(pulls) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("given", [True, False])
def test_a_missed_particle_is_predicted_nearer_to_the_centre_of_its_trap(given: bool) -> None:
    rng = np.random.default_rng(6)
    centre = np.array([[20.0, 20.0], [60.0, 25.0], [25.0, 60.0], [60.0, 60.0]])
    linker = Linker(8.0, 5, "trap", trap_centres_px=centre if given else ())
    place = centre + rng.normal(0, 1, centre.shape)
    for frame in range(400):
        place = centre + 0.7 * (place - centre) + rng.normal(0, 0.7, place.shape)
        linker.link_points(place, frame * 0.01)
    linker.link_points(centre + np.array([3.0, 0.0]), 4.0)
    later = linker.predict(4.2)  # twenty frames on: back at the centre, as sure as the trap holds
    np.testing.assert_allclose(np.column_stack([later["x"], later["y"]]), centre, atol=0.2 if given else 0.8)
    assert later["x_std"] == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize("motion", MOTIONS)
def test_an_isolated_particle_may_jump_up_to_the_search_radius(motion: str) -> None:
    rng = np.random.default_rng(7)
    linker = Linker(5.0, 2, motion, gate="learnt")
    for frame in range(400):
        rows = rows_of(np.array([50.0 + 4 * (frame // 100), 50]) + rng.normal(0, 0.02, 2), 0.02, 0.95)
        linker.update(rows, frame * 0.01)
        assert rows["id"][0] == 0


def test_crowding_narrows_the_gate_of_well_predicted_tracks() -> None:
    rng = np.random.default_rng(8)
    still = np.stack(np.meshgrid(np.arange(20) * 3.0, np.arange(20) * 3.0), -1).reshape(-1, 2)
    by_radius, learnt = Linker(4.0, 0, gate="radius"), Linker(4.0, 0, gate="learnt")
    for linker in (by_radius, learnt):
        for frame in range(30):
            linker.link_points(still + rng.normal(0, 0.05, still.shape), frame * 0.01)
    away = still.copy()
    away[210] += [1.5, 1.5]  # a particle went, and another came 2.1 px away
    assert by_radius.link_points(away, 0.3)[210] == 210
    assert learnt.link_points(away, 0.3)[210] > 210


def test_a_high_score_is_preferred_to_a_low_one() -> None:
    for doubtful in (0, 1):
        linker = Linker(5.0, gate="learnt")
        linker.update(rows_of([[10, 10]], 0.1, 0.9))
        rows = rows_of([[9, 10], [11, 10]], 0.1, 0.99)
        rows["score"][doubtful] = 0.3
        linker.update(rows)
        assert rows["id"][1 - doubtful] == 0


def test_positions_are_weighted_by_their_uncertainty() -> None:
    linker = Linker(5.0, 0, "brownian", gate="learnt")
    rng = np.random.default_rng(9)
    for frame in range(200):
        linker.update(rows_of(50 + rng.normal(0, 0.3, 2), 0.3), frame * 0.01)
    at_rest = linker.predict(2.0)["x_std"][0]
    assert at_rest < 0.2  # many uncertain positions of a particle at rest make a sure one
    rows = rows_of([[51, 50]], 0.3)
    rows["x_std"] = 3.0
    linker.update(rows, 2.0)
    assert linker.predict(2.01)["x"][0] == pytest.approx(50, abs=0.3)


@pytest.mark.parametrize("claimed", [0.02, 0.5])
def test_wrong_uncertainties_of_a_localizer_do_not_spoil_the_prediction(claimed: float) -> None:
    rng = np.random.default_rng(16)
    linker = Linker(5.0, 0, "velocity")
    place = np.stack(np.meshgrid(np.arange(6) * 300.0, np.arange(6) * 300.0), -1).reshape(-1, 2)
    errors = []
    for frame in range(200):
        place = place + rng.normal(0, 0.3, place.shape)
        if frame > 50:
            errors.append(linker.predict(frame * 0.01)["x"] - place[:, 0])
        rows = rows_of(place + rng.normal(0, 0.2, place.shape), claimed)  # 0.2 is true
        linker.update(rows, frame * 0.01)
        assert list(rows["id"]) == list(range(36))
    best = 0.346  # of a filter that knows the noise: root of (q + root of (q² + 4 q r)) / 2, q = 0.09, r = 0.04
    assert best * 0.95 < np.std(errors) < best * 1.5


def costs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Points, float, Any]]:
    """Record the costs of each frame: full matrix, inf without a link; cost of an unlinked track; the links."""
    frames = []

    def noting(rows: int, columns: int, first: Any, column: Any, cost: Any, unlinked: float) -> Any:
        matrix = np.full((rows, columns), np.inf)
        for i in range(rows):
            matrix[i, column[first[i] : first[i + 1]]] = cost[first[i] : first[i + 1]]
        link, exact = solve(rows, columns, first, column, cost, unlinked)
        frames.append((matrix, unlinked, link.copy()))
        return link, exact

    monkeypatch.setattr(matching, "solve", noting)
    monkeypatch.setattr(linker_module, "match", matching.match.py_func)  # type: ignore[attr-defined]
    return frames


@pytest.mark.parametrize("motion", MOTIONS)
def test_total_cost_by_likelihood_equals_scipys_optimum(motion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(10)
    frames = costs(monkeypatch)
    cases = 0
    for _ in range(12):
        frames.clear()
        linker = Linker(float(rng.choice([1.0, 2.0, 4.0])), 2, motion, gate="learnt")
        place, velocity = rng.random((40, 2)) * 8, rng.normal(0, 0.4, (40, 2))
        for frame in range(12):
            place = place + velocity + rng.normal(0, 0.2, place.shape)
            rows = rows_of(place[rng.random(40) > 0.1], 0.1)
            rows["score"] = rng.random(len(rows))
            rows["x_std"] = rng.random(len(rows)) * 0.3
            rows["xy_cov"] = rows["x_std"] * 0.05
            linker.update(rows, frame * 0.1)
        for matrix, unlinked, link in frames:
            ours = sum(matrix[i, j] if j >= 0 else unlinked for i, j in enumerate(link))
            alone = np.where(np.eye(len(matrix), dtype=bool), unlinked, 1e6)
            augmented = np.hstack([np.where(matrix < np.inf, matrix, 1e6), alone])
            i, j = linear_sum_assignment(augmented)
            assert ours == pytest.approx(augmented[i, j].sum(), rel=1e-9, abs=1e-9)
            cases += len(matrix) > 0 and bool((matrix < 0).any())
    assert cases > 50  # prices below 0 among them


def test_started_and_ended_tracks_are_reported() -> None:
    linker = Linker(2.0, memory=1)
    history = []
    for points in ([[0, 0], [9, 9]], [[0, 0]], [[0, 0], [50, 50]], [], [], [[0, 0]]):
        linker.link_points(points)
        history.append((linker.started.tolist(), linker.ended.tolist()))
    assert history == [([0, 1], []), ([], []), ([2], [1]), ([], []), ([], [0, 2]), ([3], [])]
    linker.reset()
    assert (linker.started.tolist(), linker.ended.tolist()) == ([], [3])


def test_predictions_are_rows_of_all_active_tracks() -> None:
    linker = Linker(3.0, 2, "velocity", confirm_after=2)
    assert len(linker.predict(5.0)) == 0
    linker.link_points([[1, 1], [30, 30]], 0.0)
    linker.link_points([[2, 1]], 0.1)
    rows = linker.predict(0.2)
    assert list(rows["id"]) == [0, 1]
    assert list(rows["flags"]) == [Flag.COASTED, Flag.COASTED | Flag.TENTATIVE]
    assert np.isnan(rows["score"]).all()
    before = rows.copy()
    np.testing.assert_array_equal(linker.predict(0.2)["x"], before["x"])  # asking changes nothing
    assert linker.link_points([[3, 1], [30, 30]], 0.2).tolist() == [0, 1]
    with pytest.raises(UsageError, match="backwards"):
        linker.predict(0.1)


def test_the_settings_reach_the_linker() -> None:
    chosen = {
        "search_radius_px": 7.5, "memory": 4, "motion": "trap", "gate": "radius", "confirm_after": 5,
        "trap_centres_px": [[1.0, 2.0], [3.0, 4.0]], "drift_px": [0.0, 0.0],
    }  # fmt: skip
    overrides = [f"linker.{name}={json.dumps(value)}" for name, value in chosen.items()]
    config = load_config(None, ["localizer.model=centroid", "localizer.diameter_px=9", *overrides])
    assert Tracker.from_config(config).linker.settings == chosen
    defaults = Tracker.from_config(
        load_config(None, ["localizer.model=centroid", "localizer.diameter_px=9"])
    ).linker.settings
    assert (defaults["motion"], defaults["gate"], defaults["memory"]) == ("velocity", "learnt", 2)


def test_brownian_prediction_is_the_last_position_as_in_trackpy() -> None:
    linker = Linker(3.0, 1)
    for x, std in ((10.0, 0.01), (12.5, 5.0)):
        rows = rows_of([[x, 20.0]], std)
        linker.update(rows, x)
    expected = linker.predict(13.0)
    assert (expected["id"][0], expected["x"][0], expected["y"][0]) == (0, 12.5, 20)
    assert np.isnan(expected["x_std"][0])  # nothing is learnt


def test_predictions_without_times_are_one_frame_ahead() -> None:
    linker = Linker(3.0, 0, "velocity")
    for frame in range(30):
        linker.link_points([[frame, 0.0], [40, 40 - frame]])
    rows = linker.predict()
    assert rows["x"][0] == pytest.approx(30, abs=0.3)
    assert np.isnan(rows["vx"]).all()


def test_the_clock_tolerates_pauses_and_coarse_ticks() -> None:
    clock = FrameClock()
    assert [clock.advance(clock.check(t)) for t in (None, None)] == [1.0, 1.0]
    clock.reset()
    assert clock.advance(clock.check(7.0)) == 1.0
    assert clock.advance(clock.check(7.1)) == pytest.approx(0.1)
    assert clock.advance(clock.check(7.1)) == pytest.approx(0.1)  # the same tick
    assert clock.advance(clock.check(17.1)) == pytest.approx(10.0)
    assert clock.interval_s == pytest.approx(0.11)
    assert clock.advance(clock.check(None)) == pytest.approx(0.11)
    assert clock.advance(clock.check(17.3)) == pytest.approx(0.09)


def test_the_motion_statistics_match_the_motion() -> None:
    rng = np.random.default_rng(11)
    linker = Linker(10.0, gate="learnt")
    velocity = np.zeros((50, 2))
    place = np.stack(np.meshgrid(np.arange(10) * 400.0, np.arange(5) * 400.0), -1).reshape(-1, 2)
    for frame in range(400):
        velocity = 0.8 * velocity + rng.normal(0, 0.3, velocity.shape)  # variance 0.25
        place = place + velocity + rng.normal(0, 0.4, place.shape) + [0.5, 0.0]
        linker.update(rows_of(place + rng.normal(0, 0.2, place.shape), 0.2), frame * 0.1)
    learnt = linker._statistics
    assert learnt.drift_px == pytest.approx((0.5, 0), abs=0.06)
    assert learnt.square_px2 == pytest.approx(0.25 + 0.16, rel=0.1)
    assert learnt.lag_1_px2 == pytest.approx(0.8 * 0.25, rel=0.15)
    assert learnt.lag_2_px2 == pytest.approx(0.64 * 0.25, rel=0.2)
    fresh = MotionStatistics(10.0)
    assert fresh.square_px2 == 25.0


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_loaded_linker_continues_identically(motion: str, tmp_path: Path) -> None:
    scene = directed(80, 40, 0.3, 0.1, seed=12)
    centres = [[1.0, 1.0]] if motion == "trap" else []
    whole = Linker(1.5, 2, motion, confirm_after=4, trap_centres_px=centres)
    ids = [whole.link_points(points, n * 0.01).tolist() for n, (points, _) in enumerate(scene)]
    first = Linker(1.5, 2, motion, confirm_after=4, trap_centres_px=centres)
    for n in range(20):
        first.link_points(scene[n][0], n * 0.01)
    first.save(tmp_path / "state")
    second = Linker.load(tmp_path / "state")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert second.settings == first.settings
    assert [second.link_points(scene[n][0], n * 0.01).tolist() for n in range(20, 40)] == ids[20:]
    for name in ROW.names or ():
        np.testing.assert_array_equal(second.predict(1.0)[name], whole.predict(1.0)[name])


def test_a_file_that_is_no_linker_state_raises_one_line(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    with pytest.raises(InputError, match=r"state\.npz: cannot be read: No such file"):
        Linker.load(path)
    for wrong in (b"", b"some text", b"PK\x03\x04 but not a zip"):
        path.write_bytes(wrong)
        with pytest.raises(InputError, match="not the state of a linker"):
            Linker.load(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(InputError, match="not the state of a linker"):
        Linker.load(path)
    np.savez(path, figures=np.array(json.dumps({"version": 1})), alive=np.zeros(0), sums=np.zeros(9))
    with pytest.raises(InputError, match="not the state of a linker"):
        Linker.load(path)
    with pytest.raises(UsageError, match="cannot be written"):
        Linker(1.0).save(tmp_path / "no such folder" / "state")


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"version": 99}, "incompatible version of livetrack"),
        ({"settings": {"search_radius_px": -1}}, "not the state of a linker"),
        ({"settings": {"unknown": 1}}, "not the state of a linker"),
        ({"clock": {}}, "not the state of a linker"),
        ({"next_id": "many"}, "not the state of a linker"),
    ],
)
def test_a_modified_or_incompatible_state_is_rejected(wrong: dict[str, Any], word: str, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    Linker(1.0).save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    figures = json.loads(str(arrays["figures"])) | wrong
    np.savez(path, **(arrays | {"figures": np.array(json.dumps(figures))}))
    with pytest.raises(InputError, match=word):
        Linker.load(path)


@pytest.mark.parametrize("gate", ["radius", "learnt"])
def test_an_extreme_crowd_is_flagged_and_linked_the_same_in_every_run(gate: str) -> None:
    rng = np.random.default_rng(13)
    frames = [rng.random((3000, 2)) for _ in range(3)]
    runs = []
    for _ in range(2):
        linker = Linker(10.0, 1, gate=gate)
        for number, frame in enumerate(frames):
            rows = rows_of(frame)
            linker.update(rows, number * 0.1)
            flagged = (rows["flags"] & Flag.APPROXIMATE) != 0
            assert flagged.all() if number else not flagged.any()
        assert linker.approximate_frames == 2
        assert len(set(rows["id"].tolist())) == 3000
        runs.append(rows["id"].copy())
    np.testing.assert_array_equal(*runs)
    after = rows_of(frames[-1][:10])
    linker.update(after, 1.0)
    assert ((after["flags"] & Flag.APPROXIMATE) == 0).all()


def test_thousands_at_one_position_are_linked() -> None:
    linker = Linker(1.0)
    for _ in range(2):
        ids = linker.link_points(np.ones((3000, 2)))
    assert len(set(ids.tolist())) == 3000
    assert linker.approximate_frames == 1


def test_an_approximate_solution_is_still_a_valid_set_of_links() -> None:
    rng = np.random.default_rng(14)
    count = 600
    cost = rng.random(count * count)
    column = np.tile(np.arange(count, dtype=np.int32), count)
    link, exact = solve(count, count, np.arange(count + 1, dtype=np.int64) * count, column, cost, 2.0)
    assert not exact
    assert sorted(link) == list(range(count))


def test_memory_use_does_not_grow_with_motion_and_prediction() -> None:
    rng = np.random.default_rng(15)
    linker = Linker(1.0, 2, "velocity")
    sizes = []
    for frame in range(800):
        linker.link_points(rng.random((20, 2)) * 20, frame * 0.01)
        linker.predict(frame * 0.01 + 0.01)
        if frame in (100, 799):
            parts = [linker._tracks, linker._predictions, linker._measurements, linker._statistics]
            arrays = [value for part in parts for value in vars(part).values() if isinstance(value, np.ndarray)]
            sizes.append(sum(array.nbytes for array in arrays))
    assert linker.started.max() > 1000
    assert sizes[0] == sizes[1] < 150_000
