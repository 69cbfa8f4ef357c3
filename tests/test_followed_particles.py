"""Followed particles are measured without a search in most frames: nothing that happens to them goes unnoticed.

Each movie is also tracked with a full search in every frame: ids, positions and the ends of tracks must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from livetrack.following import LOOK_EVERY
from livetrack.linking import Linker
from livetrack.localize import Localizer, load_localizer
from livetrack.localize.crops import Crops
from livetrack.localize.followed import begin_measuring, confirm, merge
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import NO_ID, Flag, Rows, empty_rows
from livetrack.tracker import Tracker

FPS = 100.0
NOISE = 5.0
SNR = 12.0
FRAMES = 4 * LOOK_EVERY
EVENT = 2 * LOOK_EVERY + LOOK_EVERY // 2  # far from the frames in which small images are searched
SIDES = pytest.mark.parametrize("side", [64, 128, 256])

Image = npt.NDArray[np.uint16]
Places = npt.NDArray[np.float64]


class Network:
    """Counts the runs of a localizer's network."""

    def __init__(self) -> None:
        localizer = load_localizer("spot", threads=1)
        assert isinstance(localizer, NetworkLocalizer)
        self.localizer = localizer
        self.runs = 0
        inference = localizer.inference
        run = inference.run

        def counted(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            self.runs += 1
            result: npt.NDArray[np.float32] = run(batch)
            return result

        inference.run = counted


@pytest.fixture(scope="module")
def followed() -> Network:
    return Network()


@pytest.fixture(scope="module")
def reference() -> Localizer:
    return load_localizer("spot", threads=1)


class Scene:
    """Spots that diffuse, about 28 px apart, in an image of `side` x `side` px."""

    def __init__(self, side: int, seed: int = 0, step_px: float = 0.4) -> None:
        self.rng = np.random.default_rng(seed)
        self.step_px = step_px
        self.side = side
        axis = np.arange(18.0, side - 17, 28)
        self.places: Places = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)[:12]
        self._y, self._x = np.mgrid[:side, :side].astype(np.float32)

    def frames(self, brightness: Callable[[int], npt.ArrayLike], count: int = FRAMES) -> Iterator[Image]:
        """Yield images; the argument gives each spot's brightness in each frame."""
        for n in range(count):
            yield self.image(np.broadcast_to(brightness(n), len(self.places)))
            self.places = self.places + self.step_px * self.rng.standard_normal(self.places.shape)

    def image(self, brightness: npt.NDArray[np.float64], width: float = 1.4) -> Image:
        image = self.rng.normal(200.0, NOISE, (self.side, self.side))
        for (x, y), bright in zip(self.places, brightness, strict=True):
            near = np.s_[max(0, int(y) - 12) : int(y) + 13, max(0, int(x) - 12) : int(x) + 13]
            distance = (self._x[near] - x) ** 2 + (self._y[near] - y) ** 2
            image[near] += bright * SNR * NOISE * np.exp(-distance / (2 * width**2))
        return image.round().clip(0, 65535).astype(np.uint16)


class Comparison:
    """A movie, tracked while following and with a full search in every frame."""

    def __init__(self, followed: Network, reference: Localizer, images: Iterable[Image], memory: int = 2) -> None:
        following = Tracker(followed.localizer, Linker(5.0, memory, "velocity"), follow=True)
        searching = Tracker(reference, Linker(5.0, memory, "velocity"))
        self.rows: list[Rows] = []
        self.expected: list[Rows] = []
        self.runs: list[int] = []
        for n, image in enumerate(images):
            before = followed.runs
            self.rows.append(following.update(image, n / FPS))
            self.runs.append(followed.runs - before)
            self.expected.append(searching.update(image, n / FPS))

    def assert_same(self, within_frames: int = 1, within_std: float = 0.2) -> None:
        """Require the same tracks, their ends within some frames, and the same positions within some x_std."""
        spans, expected_spans = _spans(self.rows), _spans(self.expected)
        assert spans.keys() == expected_spans.keys()
        for number, (first, last) in spans.items():
            assert abs(first - expected_spans[number][0]) <= within_frames
            assert abs(last - expected_spans[number][1]) <= within_frames
        differences = []
        for rows, expected in zip(self.rows, self.expected, strict=True):
            for row in rows[np.isin(rows["id"], list(spans))]:  # the ids of one-frame tracks may be different rows
                same = expected[expected["id"] == row["id"]]
                if len(same):
                    differences += [(row[axis] - same[axis][0]) / same[f"{axis}_std"][0] for axis in "xy"]
        assert np.sqrt(np.mean(np.square(differences))) < within_std


def _spans(frames: list[Rows]) -> dict[int, tuple[int, int]]:
    """Return the first and the last frame of each track that is more than tentative."""
    seen: dict[int, list[int]] = {}
    for n, rows in enumerate(frames):
        for number in rows["id"].tolist():
            seen.setdefault(number, []).append(n)
    return {number: (numbers[0], numbers[-1]) for number, numbers in seen.items() if len(numbers) > 2}


@SIDES
def test_undisturbed_particles_are_measured_without_the_network(
    followed: Network, reference: Localizer, side: int
) -> None:
    result = Comparison(followed, reference, Scene(side).frames(lambda n: 1.0))
    result.assert_same()
    assert len(_spans(result.rows)) == len(Scene(side).places)
    if side <= 128:  # no tiles
        assert np.count_nonzero(result.runs[3:]) <= (FRAMES - 3) / LOOK_EVERY + 3
    measured = [(rows["flags"] & Flag.PARTIAL_SEARCH).all() for rows in result.rows]
    assert np.mean(measured) > 0.8


@SIDES
def test_a_particle_that_vanishes_is_noticed_at_once(followed: Network, reference: Localizer, side: int) -> None:
    def bleaching(n: int) -> npt.NDArray[np.float64]:
        return np.where(np.arange(len(scene.places)) == n // 6, n < 6, n < 6 * np.arange(1, len(scene.places) + 1))

    scene = Scene(side)
    Comparison(followed, reference, scene.frames(bleaching)).assert_same()


@SIDES
@pytest.mark.parametrize("constant", [False, True])
def test_blank_frames(followed: Network, reference: Localizer, side: int, constant: bool) -> None:
    def images() -> Iterator[Image]:
        for n, image in enumerate(Scene(side, step_px=0.2).frames(lambda n: float(not EVENT <= n < EVENT + 2))):
            yield np.full_like(image, 200) if constant and EVENT <= n < EVENT + 2 else image

    result = Comparison(followed, reference, images())
    result.assert_same(within_frames=0)
    assert [len(rows) for rows in result.rows[EVENT : EVENT + 2]] == [0, 0]


@SIDES
@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_step_of_the_illumination(followed: Network, reference: Localizer, side: int, factor: float) -> None:
    result = Comparison(followed, reference, Scene(side).frames(lambda n: factor if n >= EVENT else 1.0))
    result.assert_same(within_frames=0)


@SIDES
def test_a_flash(followed: Network, reference: Localizer, side: int) -> None:
    result = Comparison(followed, reference, Scene(side).frames(lambda n: 4.0 if n == EVENT else 1.0))
    result.assert_same(within_frames=0)


@SIDES
def test_a_jump_of_the_stage(followed: Network, reference: Localizer, side: int) -> None:
    def images() -> Iterator[Image]:
        scene = Scene(side)
        for n, image in enumerate(scene.frames(lambda n: 1.0)):
            yield image
            if n == EVENT:
                scene.places[:, 0] += 3.0

    Comparison(followed, reference, images()).assert_same(within_frames=0)


@SIDES
def test_a_particle_that_leaves_the_focus(followed: Network, reference: Localizer, side: int) -> None:
    def images() -> Iterator[Image]:
        scene = Scene(side)
        for n in range(FRAMES):
            width = 1.4 + 0.06 * max(0, n - LOOK_EVERY) + 0.5 * max(0, n - EVENT)
            light = 0.5 ** max(0, n - EVENT)  # what is wider than the model's particles may be found as several
            yield scene.image(np.full(len(scene.places), light * (1.4 / width) ** 2), width)

    Comparison(followed, reference, images()).assert_same(within_frames=4, within_std=0.3)


@SIDES
@pytest.mark.parametrize("swap", [False, True])
def test_two_particles_that_meet(followed: Network, reference: Localizer, side: int, swap: bool) -> None:
    def images() -> Iterator[Image]:
        scene = Scene(side, step_px=0.0)
        middle = scene.places[:2].mean(axis=0)
        for n in range(FRAMES):
            distance = abs(n - EVENT) * 0.4 + 2.0
            if swap and n > EVENT:
                distance = -distance
            scene.places[:2] = middle + np.array([(-distance, 0.3), (distance, -0.3)])
            yield scene.image(np.ones(len(scene.places)))

    Comparison(followed, reference, images()).assert_same()


def test_a_newcomer_beside_a_followed_particle(followed: Network, reference: Localizer) -> None:
    def images() -> Iterator[Image]:
        scene = Scene(64, step_px=0.2)
        scene.places = np.vstack([scene.places, scene.places[0] + (5.0, 0.0)])
        yield from scene.frames(lambda n: np.append(np.ones(len(scene.places) - 1), n >= EVENT))

    result = Comparison(followed, reference, images())
    spans, expected = _spans(result.rows), _spans(result.expected)
    assert len(spans) == len(expected)
    assert max(first for first, _ in spans.values()) <= EVENT + LOOK_EVERY
    assert all(len(rows) == len(spans) for rows in result.rows[EVENT + LOOK_EVERY :])


def test_a_third_particle_between_two_is_not_believed() -> None:
    measured, found = empty_rows(2), empty_rows(4)
    measured["x"], measured["y"], measured["x_std"], measured["id"] = (100.0, 104.0), 100.0, 0.1, (5, 6)
    found["x"], found["y"], found["score"] = (100.2, 102.0, 104.1, 110.0), 100.0, 0.9
    crops = Crops.around(measured, 48, 48, (256, 256))
    rows, changed = merge(measured, found, [crops], 8.0, (256, 256))
    assert rows["x"].tolist() == [100.0, 104.0, 110.0]
    assert rows["id"].tolist() == [5, 6, NO_ID]
    np.testing.assert_allclose(rows["score"], 0.9)
    assert changed  # the newcomer is to be refined


@pytest.mark.parametrize("score", [0.8, 1.0])
@pytest.mark.parametrize("whole", [False, True])
def test_a_second_particle_in_place_of_one_must_be_sure_unless_the_whole_image_shows_it(
    score: float, whole: bool
) -> None:
    measured, found = empty_rows(1), empty_rows(2)
    measured["x"], measured["y"], measured["x_std"], measured["id"] = 100.0, 100.0, 0.1, 5
    found["x"], found["y"], found["score"] = (101.5, 97.5), 100.0, (1.0, score)
    crops = Crops.around(measured, 256 if whole else 48, 256 if whole else 48, (256, 256))
    rows, changed = merge(measured, found, [crops], 8.0, (256, 256))
    assert rows["x"].tolist() == [101.5, 97.5][: 1 + (whole or score == 1)]
    assert changed


@pytest.mark.parametrize(
    ("usual", "misfit", "confirmed"),
    [(1.0, 3.9, True), (1.0, 4.1, False), (0.01, 3.9, True), (50.0, 190.0, True), (50.0, 210.0, False),
     (np.nan, 3.9, True), (np.nan, 4.1, False), (1.0, np.nan, True)],
)  # fmt: skip
def test_a_misfit_is_judged_by_what_is_usual(usual: float, misfit: float, confirmed: bool) -> None:
    rows = empty_rows(1)
    rows["x"] = rows["y"] = 50.0
    rows["intensity"], rows["x_std"], rows["y_std"] = 10.0, 0.1, 0.1
    known, now, result = np.float32([usual]), np.float32([misfit]), np.zeros(1, np.bool_)
    confirm(rows, known, rows.copy(), now, 100, 100, 2.0, result)
    assert result[0] == confirmed


@pytest.mark.parametrize("shape", ["spot", "dark", "ring"])
def test_measuring_begins_near_the_centre_of_what_is_round(shape: str) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    errors: list[float] = []
    for _ in range(200):
        expected = empty_rows(1)
        centre = rng.uniform(20, 44, 2)
        expected["x"], expected["y"] = centre + 0.4 * rng.standard_normal(2)
        r = np.hypot(x - centre[0], y - centre[1])
        profile = np.exp(-((r - 3 * (shape == "ring")) ** 2) / (2 * 1.4**2)) * (-1 if shape == "dark" else 1)
        image = (500 + 20 * NOISE * profile + NOISE * rng.standard_normal(r.shape)).astype(np.uint16)
        begun = begin_measuring(expected, image, 2.0)
        errors += [float(begun["x"][0]) - centre[0], float(begun["y"][0]) - centre[1]]
    assert np.sqrt(np.mean(np.square(errors))) < 0.06


def test_measuring_begins_where_expected_at_the_edge_beside_another_one_and_where_nothing_is_round() -> None:
    image = np.random.default_rng(0).integers(400, 500, (64, 64)).astype(np.uint16)
    image[:, 32:] = 100
    image[:, 40:] = 900
    expected = empty_rows(5)
    expected["x"], expected["y"] = (3.0, 20.0, 60.0, 15.0, 40.0), (30.0, 61.0, 12.0, 15.0, 50.0)
    expected["x"][3:], expected["y"][3:] = (18.0, 22.0), (20.0, 22.0)  # beside each other
    begun = begin_measuring(expected, image, 2.0)
    assert begun["x"].tolist() == expected["x"].tolist()  # the third is in a plain part
    assert begun["y"].tolist() == expected["y"].tolist()


def test_a_measured_particle_that_the_network_does_not_find_is_left_out_only_within_the_crops() -> None:
    measured = empty_rows(3)
    measured["x"], measured["y"], measured["x_std"], measured["id"] = (100.0, 117.0, 200.0), 100.0, 0.1, (5, 6, 7)
    crops = Crops.around(measured[:1], 48, 48, (256, 256))
    rows, changed = merge(measured, empty_rows(), [crops], 8.0, (256, 256))
    assert rows["id"].tolist() == [6, 7]  # the second is too near to the crop's border to be found
    assert not changed


def test_faint_particles(followed: Network, reference: Localizer) -> None:
    places: list[Places] = []

    def images() -> Iterator[Image]:
        scene = Scene(128)
        for image in scene.frames(lambda n: 4.0 / SNR):
            places.append(scene.places)
            yield image

    result = Comparison(followed, reference, images())
    assert _count_found(result.rows, places) >= 0.99 * _count_found(result.expected, places)


def _count_found(frames: list[Rows], places: list[Places]) -> int:
    """Return how many particles, of all frames together, have a row within 1.5 px."""
    count = 0
    for rows, truth in zip(frames, places, strict=True):
        distance = np.hypot(truth[:, :1] - rows["x"], truth[:, 1:] - rows["y"])
        count += np.count_nonzero(distance.min(axis=1) < 1.5)
    return count


@pytest.mark.parametrize("motion", ["brownian", "velocity", "trap"])
def test_precision_is_that_of_a_full_search(followed: Network, reference: Localizer, motion: str) -> None:
    """Of the true positions, over many frames, with each motion of the linker."""
    scene = Scene(256)
    trackers = [
        Tracker(followed.localizer, Linker(5.0, 2, motion), follow=True), Tracker(reference, Linker(5.0, 2, motion)),
    ]  # fmt: skip
    errors: list[list[float]] = [[], []]
    for n, image in enumerate(scene.frames(lambda n: 0.6, 150)):
        for tracker, own_errors in zip(trackers, errors, strict=True):
            rows = tracker.update(image, n / FPS)
            dx, dy = rows["x"][:, None] - scene.places[:, 0], rows["y"][:, None] - scene.places[:, 1]
            nearest = np.hypot(dx, dy).argmin(axis=0), np.arange(len(scene.places))
            own_errors += [*dx[nearest], *dy[nearest]]
    follows, searches = (np.sqrt(np.mean(np.square(own_errors))) for own_errors in errors)
    assert searches < 0.2  # all were found
    assert follows < 1.03 * searches


class Guided(Localizer):
    """A localizer that searches parts of images, and measures nothing."""

    def __init__(self, network: NetworkLocalizer) -> None:
        self._network = network
        self.name, self.crop_px, self.margin_px = network.name, network.crop_px, network.margin_px

    def find(self, image: npt.NDArray[np.uint16]) -> Rows:
        return self._network.localize(image)

    def crops(self, rows: Rows, side_px: int, shape: tuple[int, ...]) -> Crops:
        return self._network.crops(rows, side_px, shape)

    def localize_within(self, image: npt.NDArray[np.uint16], crops: Sequence[Crops]) -> Rows:
        return self._network.localize_within(image, crops)


@SIDES
def test_a_localizer_that_measures_nothing_searches_in_every_frame(reference: Localizer, side: int) -> None:
    network = Network()
    following = Tracker(Guided(network.localizer), Linker(5.0, 2, "velocity"), follow=True)
    searching = Tracker(reference, Linker(5.0, 2, "velocity"))
    for n, image in enumerate(Scene(side).frames(lambda n: 1.0)):
        before = network.runs
        rows, expected = following.update(image, n / FPS), searching.update(image, n / FPS)
        assert network.runs > before
        rows, expected = (each[each["id"] < len(Scene(side).places)] for each in (rows, expected))  # true ones
        np.testing.assert_allclose(np.sort(rows["x"]), np.sort(expected["x"]), atol=0.05)


def test_the_same_frames_give_the_same_rows(followed: Network) -> None:
    def track() -> list[bytes]:
        tracker = Tracker(followed.localizer, Linker(5.0, 2, "velocity"), follow=True)
        return [tracker.update(image, n / FPS).tobytes() for n, image in enumerate(Scene(128).frames(lambda n: 1.0))]

    assert track() == track()


def test_repeating_the_last_frame_changes_nothing(followed: Network) -> None:
    plain, warmed = (Tracker(followed.localizer, Linker(5.0, 2, "velocity"), follow=True) for _ in range(2))
    images = list(Scene(128).frames(lambda n: 1.0))
    expected = [plain.update(image, n / FPS).tobytes() for n, image in enumerate(images)]
    for n, image in enumerate(images):
        assert warmed.update(image, n / FPS).tobytes() == expected[n]
        warmed.rerun_last_frame(image)


@pytest.mark.parametrize("together", [False, True])
def test_what_may_be_two_or_one_is_left_to_the_search(together: bool) -> None:
    """Two within 3 px, or one that is flagged; not where nobody has looked."""
    measured, found = empty_rows(3), empty_rows(1)
    measured["x"], measured["y"], measured["x_std"], measured["id"] = (100.0, 101.8, 200.0), 100.0, 0.1, (5, 6, 7)
    if not together:
        measured = measured[1:]
        measured["flags"] = Flag.MERGED
    found["x"], found["y"], found["score"] = 101.2, 100.0, 0.9
    crops = Crops.around(measured[:1], 48, 48, (256, 256))
    rows, changed = merge(measured, found, [crops], 8.0, (256, 256))
    assert rows["id"].tolist() == [7, NO_ID]
    assert rows["x"][1] == found["x"][0]
    assert changed
