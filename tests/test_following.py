"""Track-guided against full search: the same particles, also new and lost ones, at almost the same positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from livetrack.camera import load_driver
from livetrack.config import load_config
from livetrack.errors import ConfigError, InputError
from livetrack.following import LOOK_EVERY
from livetrack.linking import Linker
from livetrack.localize import load_localizer
from livetrack.localize.crops import Crops
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Flag, Rows, empty_rows
from livetrack.tracker import Tracker

SIDE = 512
ROUND = 100  # frames: more than all tiles of a frame
FPS = 100.0


@pytest.fixture(scope="module")
def localizer() -> NetworkLocalizer:
    localizer = load_localizer("spot", threads=2)
    assert isinstance(localizer, NetworkLocalizer)
    return localizer


class Spots:
    """Bright spots at given positions, with camera noise."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._y, self._x = np.mgrid[:SIDE, :SIDE].astype(np.float32)

    def frame(self, places: npt.ArrayLike) -> npt.NDArray[np.uint16]:
        image = self._rng.normal(200.0, 5.0, (SIDE, SIDE))
        for x, y in np.asarray(places, float).reshape(-1, 2):
            near = np.s_[max(0, int(y) - 9) : int(y) + 10, max(0, int(x) - 9) : int(x) + 10]
            distance = (self._x[near] - x) ** 2 + (self._y[near] - y) ** 2
            image[near] += 150 * np.exp(-distance / (2 * 1.5**2))
        return image.astype(np.uint16)


def follower(localizer: NetworkLocalizer, memory: int = 2) -> Tracker:
    return Tracker(localizer, Linker(6.0, memory, "velocity"), follow=True)


def nearest(rows: Rows, x: float, y: float) -> float:
    return float(np.hypot(rows["x"] - x, rows["y"] - y).min(initial=np.inf))


def follow(tracker: Tracker, spots: Spots, places: npt.ArrayLike, frames: int, start: int = 0) -> list[Rows]:
    return [tracker.update(spots.frame(places), (start + n) / FPS) for n in range(frames)]


def test_the_same_particles_as_a_full_search_at_the_same_places(localizer: NetworkLocalizer) -> None:
    camera: Any = load_driver("simulated")
    settings = camera.Settings(
        width=SIDE, height=SIDE, count=40, fps=FPS, lockstep=True, min_distance_um=1.0, drift_um_s=(0, 0)
    )
    device = camera(settings)
    device.open()
    following, searching = follower(localizer), Tracker(localizer, Linker(6.0, 2, "velocity"))
    differences, missed, extra, inside = [], 0, 0, 0
    for number, picture in zip(range(ROUND + 40), device.pictures(), strict=False):
        rows = following.update(picture.pixels, number / FPS)
        if number < ROUND:
            continue
        assert (rows["flags"] & Flag.PARTIAL_SEARCH).all()
        whole = searching.update(picture.pixels, number / FPS)
        middle = (np.abs(whole["x"] - SIDE / 2) < SIDE / 2 - 12) & (np.abs(whole["y"] - SIDE / 2) < SIDE / 2 - 12)
        whole = whole[middle]  # at the edges particles come and go
        inside += len(whole)
        for each in whole:
            distance = np.hypot(rows["x"] - each["x"], rows["y"] - each["y"])
            near = rows[distance.argmin()]
            if distance.min() > 1:
                missed += 1
                continue
            differences += [(near[axis] - each[axis]) / each[f"{axis}_std"] for axis in "xy"]
        extra += len(rows) - len(searching.localizer.find(picture.pixels))
    assert inside > 30 * 40
    assert missed <= 0.01 * inside
    assert extra <= 0.01 * inside
    assert np.sqrt(np.mean(np.square(differences))) < 0.2
    assert np.median(np.abs(differences)) < 0.1  # the fit starts from the prediction instead of the network's position


def test_a_newcomer_is_found_within_one_round_wherever_it_appears(localizer: NetworkLocalizer) -> None:
    rng = np.random.default_rng(5)
    spots, tracker = Spots(), follower(localizer)
    follow(tracker, spots, [], 3)
    places = [(x, y) for x in np.arange(30.0, SIDE, 56) for y in np.arange(30.0, SIDE, 56)]  # the corners of all tiles
    places = np.array(places) + rng.uniform(-0.5, 0.5, (len(places), 2))
    rows = follow(tracker, spots, places, ROUND, start=3)[-1]
    assert len(rows) == len(places)
    assert max(nearest(rows, x, y) for x, y in places) < 0.5


def test_the_first_frame_and_that_after_a_reset_are_searched_in_full(localizer: NetworkLocalizer) -> None:
    spots, tracker = Spots(), follower(localizer)
    places = [(100.0, 100.0), (300.3, 200.7), (480.0, 30.0)]
    first, second = follow(tracker, spots, places, 2)
    assert max(nearest(rows, x, y) for rows in (first, second) for x, y in places) < 0.5
    assert not (first["flags"] & Flag.PARTIAL_SEARCH).any()
    assert (second["flags"] & Flag.PARTIAL_SEARCH).all()
    tracker.reset()
    (third,) = follow(tracker, spots, places, 1, start=2)
    assert not (third["flags"] & Flag.PARTIAL_SEARCH).any()
    assert set(third["id"].tolist()).isdisjoint(second["id"].tolist())


def test_every_position_of_the_frame_is_well_within_a_tile(localizer: NetworkLocalizer) -> None:
    for shape in ((512, 512), (300, 1000), (2048, 2044), (160, 161)):
        tracker = follower(localizer)
        assert tracker._guided_search is not None
        seen = np.zeros(shape, bool)
        margin = int(localizer.margin_px)
        tracker._guided_search._make_tiles(shape)
        assert len(tracker._guided_search._tiles) < ROUND
        for tile in tracker._guided_search._tiles:
            left, top = int(tile.left[0]), int(tile.top[0])
            right, bottom = left + tile.width, top + tile.height
            seen[
                top + margin * (top > 0) : bottom - margin * (bottom < shape[0]),
                left + margin * (left > 0) : right - margin * (right < shape[1]),
            ] = True
        assert seen.all(), shape


@pytest.mark.parametrize("memory", [0, 2])
def test_a_particle_that_jumps_farther_than_its_crop_reaches_is_found_by_the_wider_one(
    localizer: NetworkLocalizer, memory: int
) -> None:
    spots, tracker = Spots(), follower(localizer, memory)
    follow(tracker, spots, [(250.0, 250.0)], ROUND)
    jumped = (250.0, 267.0)
    first, second = follow(tracker, spots, [jumped], 2, start=ROUND)
    assert nearest(first, *jumped) > 2
    assert nearest(second, *jumped) < 0.5


def test_neighbours_are_not_taken_for_one_another(localizer: NetworkLocalizer) -> None:
    """Two particles closer than half a crop: each is in both crops, and found once."""
    spots, tracker = Spots(), follower(localizer)
    places = [(250.0, 250.0), (256.0, 250.0)]
    runs = follow(tracker, spots, places, ROUND + 20)[ROUND:]
    assert all(len(rows) == 2 for rows in runs)
    assert len({tuple(sorted(rows["id"].tolist())) for rows in runs}) == 1


def test_a_frame_without_pixels_is_rejected(localizer: NetworkLocalizer) -> None:
    with pytest.raises(InputError, match="64x0 px is too small"):
        Tracker(localizer, Linker(5.0), follow=True).update(np.zeros((0, 64), np.uint16))


def test_a_small_frame_full_of_particles_is_searched_in_full_now_and_then(localizer: NetworkLocalizer) -> None:
    tracker = follower(localizer)
    crowd = np.array([(x, y) for x in range(8, 128, 12) for y in range(8, 128, 12)]) + 0.3
    image = Spots().frame(crowd)[:128, :128].copy()
    rows = [tracker.update(image, n / FPS) for n in range(ROUND)]
    assert all(len(each) == len(crowd) for each in rows)
    in_full = [n for n, each in enumerate(rows) if not (each["flags"] & Flag.PARTIAL_SEARCH).any()]
    assert set(range(0, ROUND, LOOK_EVERY)) <= set(in_full)
    assert len(in_full) < ROUND / 2


def test_the_same_frames_give_the_same_rows(localizer: NetworkLocalizer) -> None:
    def session() -> list[bytes]:
        return [rows.tobytes() for rows in follow(follower(localizer), Spots(3), [(100, 100), (300.3, 200.7)], ROUND)]

    assert session() == session()


def test_windows_stay_inside_the_image() -> None:
    rows = empty_rows(3)
    rows["x"], rows["y"] = (-5.0, 100.2, 511.0), (3.0, 511.0, 250.6)
    windows = Crops.around(rows, 32, 64, (512, 512))
    assert windows.left.tolist() == [0, 85, 480]
    assert windows.top.tolist() == [0, 448, 219]
    assert windows.pixels == 3 * 32 * 64


def test_windows_begin_where_blocks_of_the_full_search_begin() -> None:
    rows = empty_rows(4)
    rows["x"], rows["y"] = (-5.0, 100.2, 511.0, 57.0), (3.0, 509.0, 250.6, 31.0)
    windows = Crops.around(rows, 32, 64, (510, 512), 4)
    assert windows.left.tolist() == [0, 84, 480, 40]
    assert windows.top.tolist() == [0, 448, 220, 0]  # up to 512: the last rows are mirrored, as in a full search


def test_following_needs_a_network() -> None:
    with pytest.raises(ConfigError, match=r'\[localizer.search\] centroid does not support "follow"; use "full"'):
        Tracker.from_config(load_config(None, ["localizer.model=centroid", "localizer.search=follow"]))
