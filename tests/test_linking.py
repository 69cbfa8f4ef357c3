"""Linking compared with SciPy's optimum and with trackpy, and under the conditions of a live session."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import trackpy
from scipy.optimize import linear_sum_assignment
from trackpy.linking import link_iter

from livetrack.errors import ConfigError, UsageError
from livetrack.linking import Linker, candidates
from livetrack.linking.records import MEASUREMENT, TRACK
from livetrack.particles import ROW, Flag, Rows, empty_rows

Points = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def _quiet_trackpy() -> None:
    trackpy.quiet()


def rows_at(*positions: tuple[float, float]) -> Rows:
    rows = empty_rows(len(positions))
    rows["x"] = [x for x, _ in positions]
    rows["y"] = [y for _, y in positions]
    return rows


def squared_distances(before: Points, after: Points) -> Points:
    difference = before[:, None] - after[None]
    return (difference**2).sum(axis=-1)


def cost_of(before: Points, after: Points, links: dict[int, int], radius: float) -> float:
    """Return the cost of the links, plus the squared radius for each unlinked row; check that links are allowed."""
    costs = squared_distances(before, after)
    assert len(set(links.values())) == len(links)
    assert all(costs[i, j] <= radius**2 for i, j in links.items())
    return float(sum(costs[i, j] for i, j in links.items()) + (len(before) - len(links)) * radius**2)


def scipy_cost(before: Points, after: Points, radius: float) -> float:
    """Solve the augmented matrix, in which each row has a column of its own for being unlinked."""
    costs = squared_distances(before, after)
    forbidden = 1e6
    links = np.where(costs <= radius**2, costs, forbidden)
    alone = np.where(np.eye(len(before), dtype=bool), radius**2, forbidden)
    augmented = np.hstack([links, alone])
    i, j = linear_sum_assignment(augmented)
    return float(augmented[i, j].sum())


def linked(before: Points, after: Points, radius: float) -> dict[int, int]:
    """Link two frames; return the links from rows before to rows after."""
    linker = Linker(radius)
    linker.link_points(before)
    return {int(i): j for j, i in enumerate(linker.link_points(after)) if i < len(before)}


def brownian(count: int, frames: int, step: float, seed: int, size: float) -> list[Points]:
    rng = np.random.default_rng(seed)
    start = rng.random((count, 2)) * size
    return list(start + np.cumsum(rng.normal(0, step, (frames, count, 2)), axis=0))


def grid(side: int) -> Points:
    axis = np.arange(float(side))
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def scattered(rng: np.random.Generator) -> tuple[Points, Points]:
    size = rng.choice([3, 10, 30, 100])
    return rng.random((rng.integers(0, 60), 2)) * size, rng.random((rng.integers(0, 60), 2)) * size


def jittered(rng: np.random.Generator) -> tuple[Points, Points]:
    before = rng.random((rng.integers(1, 60), 2)) * 10
    return before, before + rng.normal(0, rng.choice([0.1, 1, 3]), before.shape)


def contracting(rng: np.random.Generator) -> tuple[Points, Points]:
    return grid(8), grid(8) * rng.choice([0.5, 0.7, 0.9, 1.1])


def drifting(rng: np.random.Generator) -> tuple[Points, Points]:
    kept = rng.permutation(64)[: rng.integers(32, 65)]
    return grid(8), (grid(8) + rng.choice([0.3, 0.5, 1, 1.5], 2))[kept]


def crowded(rng: np.random.Generator) -> tuple[Points, Points]:
    # whole numbers on a small area: many at one place, ties everywhere
    return rng.integers(0, 5, (50, 2)).astype(float), rng.integers(0, 5, (40, 2)).astype(float)


@pytest.mark.parametrize("scene", [scattered, jittered, contracting, drifting, crowded])
def test_total_cost_equals_scipys_optimum(scene: Any) -> None:
    rng = np.random.default_rng(7)
    for case in range(200):
        before, after = scene(rng)
        radius = float(rng.choice([0.5, 1, 2, 5, 20]))
        ours = cost_of(before, after, linked(before, after, radius), radius * (1 + 1e-9))
        best = scipy_cost(before, after, radius)
        assert ours == pytest.approx(best, rel=1e-8, abs=1e-8), (case, len(before), len(after), radius)


def test_missed_tracks_compete_at_the_same_cost() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        first, second, third = (rng.random((20, 2)) * 6 for _ in range(3))
        linker = Linker(1.0, memory=1)
        linker.link_points(first)
        ids = linker.link_points(second)
        where = dict(enumerate(first)) | {int(i): p for i, p in zip(ids, second, strict=True)}
        order = sorted(where)
        before = np.array([where[i] for i in order])
        links = {order.index(i): j for j, i in enumerate(linker.link_points(third)) if i in where}
        assert cost_of(before, third, links, 1 + 1e-9) == pytest.approx(scipy_cost(before, third, 1.0), rel=1e-8)


def test_the_candidates_are_exactly_those_within_the_radius() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        count, size = rng.integers(0, 80), 10.0 ** rng.integers(-3, 6)
        points = (rng.random((count, 2)) - 0.5) * size
        particles = np.zeros(count, MEASUREMENT)
        particles["x"], particles["y"] = points.T
        places = np.zeros(rng.integers(0, 80), TRACK)
        places["x"], places["y"] = (rng.random((2, len(places))) - 0.5) * size
        radius = float(10.0 ** rng.integers(-3, 6))
        first, column, cost, complete = candidates.find_candidates(places, particles, radius)
        assert complete
        costs = squared_distances(np.column_stack([places["x"], places["y"]]), points)
        for i in range(len(places)):
            of_row = slice(first[i], first[i + 1])
            assert sorted(column[of_row]) == list(np.flatnonzero(costs[i] <= radius * radius))
            np.testing.assert_array_equal(cost[of_row], costs[i, column[of_row]])


def tracks_of(ids: list[npt.NDArray[np.int64]]) -> set[frozenset[tuple[int, int]]]:
    """Return tracks without ids, as sets of (frame, row)."""
    of: dict[int, set[tuple[int, int]]] = {}
    for frame, of_frame in enumerate(ids):
        for row, i in enumerate(of_frame):
            of.setdefault(int(i), set()).add((frame, row))
    return {frozenset(rows) for rows in of.values()}


@pytest.mark.parametrize("memory", [0, 1, 3])
def test_tracks_equal_trackpys(memory: int) -> None:
    rng = np.random.default_rng(memory)
    frames = [f[rng.random(len(f)) > 0.15] for f in brownian(60, 40, 0.4, seed=memory, size=100)]
    frames[10] = frames[20] = frames[21] = np.zeros((0, 2))
    theirs = [np.array(ids) for _, ids in link_iter(iter(frames), 4.0, memory=memory)]
    linker = Linker(4.0, memory=memory)
    assert tracks_of([linker.link_points(f) for f in frames]) == tracks_of(theirs)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # trackpy 0.7 with pandas 3.1
def test_tracks_of_a_table_equal_trackpys() -> None:
    frames = brownian(200, 20, 0.5, seed=1, size=200)
    table = pd.concat(
        pd.DataFrame({"x": f[:, 0], "y": f[:, 1], "frame": number}) for number, f in enumerate(frames)
    ).reset_index(drop=True)
    theirs = trackpy.link_df(table, 4.0)
    linker = Linker(4.0)
    ours = [linker.link_points(table.loc[table.frame == n, ["x", "y"]]) for n in range(len(frames))]
    assert tracks_of(ours) == tracks_of([theirs.loc[theirs.frame == n, "particle"].to_numpy() for n in range(20)])


@pytest.mark.parametrize("memory", [0, 1, 2, 5])
@pytest.mark.parametrize("empty", [True, False])
def test_memory_bridges_exactly_that_many_missed_frames(memory: int, empty: bool) -> None:
    elsewhere = [] if empty else [[500.0, 500.0]]
    for missed in range(8):
        linker = Linker(2.0, memory=memory)
        (first,) = linker.link_points([[1, 1]])
        for _ in range(missed):
            linker.link_points(elsewhere)
        (again,) = linker.link_points([[2, 1]])
        assert (again == first) == (missed <= memory)


def test_memory_starts_again_after_each_measurement() -> None:
    linker = Linker(2.0, memory=1)
    for seen in [1, 0, 1, 0, 1, 1, 0, 1]:
        ids = linker.link_points([[1, 1]] * seen)
        assert list(ids) == [0] * seen
    linker.link_points([])
    linker.link_points([])
    assert list(linker.link_points([[1, 1]])) == [1]


def test_ids_count_from_zero_in_the_order_of_the_rows_and_are_never_used_again() -> None:
    rng = np.random.default_rng(2)
    linker = Linker(1.0)
    born: list[int] = []
    alive: set[int] = set()
    for frame in range(200):
        ids = [int(i) for i in linker.link_points(rng.random((rng.integers(0, 30), 2)) * 10)]
        assert len(set(ids)) == len(ids)
        new = [i for i in ids if i not in alive]
        assert new == list(range(len(born), len(born) + len(new))), frame
        born += new
        alive = set(ids)
        if frame == 100:
            linker.reset()
            alive = set()


def test_reset_ends_tracks_and_clears_the_time() -> None:
    linker = Linker(5.0, memory=9)
    linker.link_points([[1, 1], [9, 9]], t_s=7.0)
    linker.reset()
    assert list(linker.link_points([[1, 1], [9, 9]], t_s=0.0)) == [2, 3]


@pytest.mark.parametrize(
    ("before", "after"), [((0.1, 0.0), (0.4, 0.0)), ((0.0, 0.0), (0.18, 0.24)), ((2, 2), (2.3, 2))]
)
def test_the_radius_is_inclusive_and_a_tie_is_a_link(before: tuple[float, float], after: tuple[float, float]) -> None:
    radius = 0.3
    assert linked(np.array([before]), np.array([after]), radius) == {0: 0}
    beyond = np.array([after]) + 1e-6
    assert linked(np.array([before]), beyond, radius) == {}


def test_two_links_are_preferred_to_one_of_the_same_cost() -> None:
    # 3² + 4² = 5²: either both links, or the short one at no cost and a trajectory left alone
    before = np.array([[0.0, 0.0], [0.0, -4.0]])
    after = np.array([[0.0, 3.0], [0.0, 0.0]])
    assert linked(before, after, 5.0) == {0: 0, 1: 1}


def test_ties_are_broken_the_same_way_in_every_run() -> None:
    rng = np.random.default_rng(11)
    frames = [rng.integers(0, 6, (40, 2)).astype(float) for _ in range(20)]
    used = Linker(3.0)
    for _ in range(3):
        used.link_points(rng.random((500, 2)))  # its buffers have grown
    used.reset()
    offset = used.link_points([[0, 0]])[0] + 1
    used.reset()
    fresh = Linker(3.0)
    for frame in frames:
        np.testing.assert_array_equal(used.link_points(frame) - offset, fresh.link_points(frame))


def test_three_hundred_particles_within_one_search_radius() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.random((300, 2)), rng.random((300, 2))
    ours = cost_of(before, after, linked(before, after, 10.0), 10.0)
    assert ours == pytest.approx(scipy_cost(before, after, 10.0), rel=1e-9)
    same_place = np.ones((300, 2))
    assert linked(same_place, same_place, 1.0) == {i: i for i in range(300)}


def test_ten_thousand_particles_keep_their_ids() -> None:
    rng = np.random.default_rng(6)
    start = grid(100) * 10
    linker = Linker(6.0)
    order = np.arange(len(start))
    ids = linker.link_points(start)
    for _ in range(5):
        order = rng.permutation(order)
        ids = linker.link_points((start + rng.normal(0, 1, start.shape))[order])
        wrong = np.count_nonzero(ids != order)
        assert wrong < 20  # two neighbours may come closer to each other's old places


def test_a_distant_single_particle_does_no_harm() -> None:
    points = np.vstack([grid(20), [[1e12, -1e12]], [[-1e90, 1e90]]])
    assert linked(points, points + 0.1, 0.4) == {i: i for i in range(len(points))}


def test_rows_carry_identity_velocity_and_flags() -> None:
    linker = Linker(5.0, memory=1, confirm_after=3)
    edge = int(Flag.EDGE)
    states = []
    for frame, t_s in enumerate([0.0, 0.1, 0.15, None, 0.4]):
        rows = rows_at((10 + frame, 20 - 2 * frame))
        rows["flags"] = Flag.EDGE | Flag.NEW | Flag.TENTATIVE if frame % 2 else Flag.EDGE
        before = rows.copy()
        linker.update(rows, t_s)
        for name in set(ROW.names or ()) - {"id", "vx", "vy", "flags"}:
            np.testing.assert_array_equal(rows[name], before[name])
        states.append((rows["id"][0], rows["vx"][0], rows["vy"][0], rows["flags"][0] - edge))
    ids, vx, vy, flags = zip(*states, strict=True)
    assert ids == (0,) * 5
    assert flags == (Flag.NEW | Flag.TENTATIVE, Flag.TENTATIVE, 0, 0, 0)
    np.testing.assert_allclose(vx, [np.nan, 10, 20, np.nan, np.nan], rtol=1e-5)
    np.testing.assert_allclose(vy, [np.nan, -20, -40, np.nan, np.nan], rtol=1e-5)


def test_velocity_is_over_the_time_since_last_seen() -> None:
    linker = Linker(5.0, memory=2)
    linker.update(rows_at((0, 0)), 1.0)
    linker.update(rows_at(), 1.5)
    linker.update(rows_at((50, 50)), 1.7)
    rows = rows_at((3, 0))
    linker.update(rows, 2.0)
    assert (rows["vx"][0], rows["vy"][0]) == (3.0, 0.0)
    linker.update(rows, 2.0)
    assert np.isnan(rows["vx"][0])  # no time has passed


def test_a_track_is_tentative_until_seen_often_enough_not_until_old_enough() -> None:
    linker = Linker(5.0, memory=3, confirm_after=2)
    rows = rows_at((0, 0))
    linker.update(rows)
    assert rows["flags"][0] == Flag.NEW | Flag.TENTATIVE
    linker.update(rows_at())
    linker.update(rows_at())
    linker.update(rows)
    assert rows["flags"][0] == 0
    at_once = Linker(5.0, confirm_after=1)
    at_once.update(rows)
    assert rows["flags"][0] == Flag.NEW


def test_rows_in_any_layout_are_filled_in_place() -> None:
    every_other = empty_rows(6)[::2]
    every_other["x"] = every_other["y"] = [0, 50, 100]
    linker = Linker(5.0)
    linker.update(every_other[::-1])
    linker.update(every_other)
    assert list(every_other["id"]) == [2, 1, 0]


def test_points_and_rows_are_linked_alike() -> None:
    by_rows, by_points = Linker(3.0, memory=1), Linker(3.0, memory=1)
    for frame in brownian(80, 20, 1.0, seed=9, size=50):
        rows = empty_rows(len(frame))
        rows["x"], rows["y"] = frame.T
        by_rows.update(rows)
        as_float32 = np.asfortranarray(frame.astype(np.float32))
        np.testing.assert_array_equal(by_points.link_points(as_float32), rows["id"])


def test_memory_use_does_not_grow_with_the_number_of_tracks() -> None:
    rng = np.random.default_rng(8)
    linker = Linker(1.0, memory=2)
    sizes = []
    for frame in range(1500):
        last = linker.link_points(rng.random((20, 2)) * 100)
        if frame in (100, 1499):
            sizes.append([a.nbytes for a in arrays_within(linker)])
    assert last.max() > 25_000
    assert sizes[0] == sizes[1]
    assert sum(sizes[1]) < 50_000


def arrays_within(thing: object) -> Iterator[npt.NDArray[Any]]:
    for value in vars(thing).values():
        if isinstance(value, np.ndarray):
            yield value
        elif type(value).__module__.startswith("livetrack."):
            yield from arrays_within(value)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"search_radius_px": 0}, "search_radius_px"),
        ({"search_radius_px": -1.0}, "search_radius_px"),
        ({"search_radius_px": np.nan}, "search_radius_px"),
        ({"search_radius_px": np.inf}, "search_radius_px"),
        ({"search_radius_px": "wide"}, "search_radius_px"),
        ({"memory": -1}, "memory"),
        ({"memory": 1.5}, "memory"),
        ({"confirm_after": 0}, "confirm_after"),
        ({"motion": "ballistic"}, "motion must be 'brownian', 'velocity' or 'trap', not 'ballistic'"),
        ({"gate": "wide"}, "gate must be 'radius' or 'learnt', not 'wide'"),
        ({"trap_centres_px": [[1, 2]]}, "requires motion 'trap', not 'brownian'"),
        ({"motion": "trap", "trap_centres_px": [1, 2]}, "trap_centres_px must be pairs"),
        ({"motion": "trap", "trap_centres_px": [[1, np.nan]]}, "trap_centres_px must be pairs of finite"),
        ({"motion": "trap", "trap_centres_px": "here"}, "trap_centres_px must be pairs of numbers"),
        ({"drift_px": [1.0]}, "drift_px must be two finite numbers"),
        ({"drift_px": [1.0, np.nan]}, "drift_px must be two finite numbers"),
        ({"drift_px": "6,0"}, "drift_px must be two finite numbers"),
        ({"motion": "trap", "drift_px": [0.0, 1.0]}, "drift_px requires motion 'velocity' or 'brownian', not 'trap'"),
    ],
)
def test_a_parameter_out_of_bounds_is_named(arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        Linker(**{"search_radius_px": 5.0, **arguments})


def read_only(rows: Rows) -> Rows:
    rows.flags.writeable = False
    return rows


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (lambda linker: linker.link_points([[1, 2, 3]]), r"shape \(N, 2\), not \(1, 3\)"),
        (lambda linker: linker.link_points(np.zeros((0, 3))), r"shape \(N, 2\), not \(0, 3\)"),
        (lambda linker: linker.link_points([1, 2]), r"shape \(N, 2\), not \(2,\)"),
        (lambda linker: linker.link_points([["a", "b"]]), "numbers, not list"),
        (lambda linker: linker.link_points([[1, 2], [3]]), "numbers, not list"),
        (lambda linker: linker.link_points([[1, 2], [3, np.nan]]), r"particle 1 is at \(3.0, nan\)"),
        (lambda linker: linker.link_points([[-np.inf, 2]]), "particle 0"),
        (lambda linker: linker.link_points([[1e200, 2]]), "particle 0"),
        (lambda linker: linker.update(empty_rows(3)), "particle 0 is at"),
        (lambda linker: linker.update(np.zeros((3, 2))), r"ROW, not float64 of shape \(3, 2\)"),
        (lambda linker: linker.update(empty_rows(4).reshape(2, 2)), r"shape \(2, 2\)"),
        (lambda linker: linker.update(read_only(empty_rows(4))), "not read-only"),
        (lambda linker: linker.update([1, 2]), "ROW, not list"),
        (lambda linker: linker.link_points([[1, 1]], t_s=4.9), r"backwards: 4.9 s after 5.0 s"),
        (lambda linker: linker.link_points([[1, 1]], t_s=np.nan), "t_s must be finite"),
        (lambda linker: linker.link_points([[1, 1]], t_s=1e300), r"within 1e\+18 s of 0"),
        (lambda linker: linker.update(rows_at((1, 1)), t_s=-np.inf), "t_s must be finite"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(wrong: Any, word: str) -> None:
    linker = Linker(5.0)
    linker.link_points([[1, 1], [50, 50]], t_s=5.0)
    with pytest.raises(UsageError, match=word):
        wrong(linker)
    assert list(linker.link_points([[50, 50], [90, 90], [1, 2]], t_s=5.0)) == [1, 2, 0]


def test_warmup_compiles_all_kernels_and_leaves_the_state_unchanged() -> None:
    mine = Linker(5.0, memory=np.int64(1))
    mine.link_points([[1, 1]], t_s=3.0)
    mine.warmup()
    modules = [module for name, module in sys.modules.items() if name.startswith("livetrack.linking.")]
    kernels = {value for module in modules for value in vars(module).values() if hasattr(value, "signatures")}
    before = {kernel: len(kernel.signatures) for kernel in kernels}
    assert len(kernels) >= 9
    assert list(mine.link_points(np.array([[1, 1], [9, 9]], np.uint16), t_s=np.float32(4))) == [0, 1]
    other = Linker(np.float32(3), memory=np.uint8(2))
    for points in (np.zeros((0, 2), np.float32), np.ones((3000, 2), order="F"), [[1, 2]], np.ones((4, 4))[::2, ::2]):
        other.link_points(points, t_s=1)
    other.update(empty_rows(0))
    other.update(rows_at((1, 2))[::-1], t_s=np.float64(2))
    trapped = Linker(3.0, motion="trap", trap_centres_px=[(1, 2)])
    trapped.link_points([[1, 2]], 0.0)
    trapped.predict(1)
    assert {kernel: len(kernel.signatures) for kernel in kernels} == before


@pytest.mark.measured
def test_linking_works_without_a_writable_cache_folder(tmp_path: Path) -> None:
    program = """
import numba
from livetrack.linking import Linker, candidates

try:
    numba.njit(cache=True)(candidates.find_candidates.py_func)
except RuntimeError as error:
    print(error)
linker = Linker(5.0)
linker.warmup()
print(linker.link_points([[1, 1], [9, 9]]), linker.link_points([[9, 9], [1, 1]]), candidates._find.stats.cache_path)
"""
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(in_the_way / "cache"),
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",  # nowhere else
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "no locator available" in done.stdout
    assert done.stdout.splitlines()[-1] == "[0 1] [1 0] None"


def test_a_thousand_particles_are_linked_in_a_fraction_of_a_frame() -> None:
    frames = brownian(1000, 30, 2.0, seed=3, size=600)
    linker = Linker(12.0)
    linker.warmup()
    stamps = [time.perf_counter()]
    for frame in frames:
        linker.link_points(frame)
        stamps.append(time.perf_counter())
    assert np.median([b - a for a, b in pairwise(stamps)]) < 0.02  # about 0.0003 when nothing else runs
