"""Checks of movies, on images of known particles drawn by independent formulas."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from livetrack.check import CheckReport, check_movie, report_text
from livetrack.check.annotated_image import Mark, Marks, save_annotated_image
from livetrack.check.blobs import find_blobs, find_blobs_of_size, pixel_noise
from livetrack.check.choice import choose
from livetrack.check.measure import measure_particles
from livetrack.check.search_radius import suggest_search_radius
from livetrack.config import load_config
from livetrack.errors import InputError, UsageError

Array = npt.NDArray[Any]
SHARED = Path(__file__).parents[2] / "shared" / "data"


def gaussian(r_squared: Array, s: float) -> Array:
    return np.exp(-r_squared / (2 * s * s))


def ringed(r_squared: Array, s: float) -> Array:
    """Return a core with a ring of opposite sign: 0.27 of the core's intensity at r = 2 s."""
    return (1 - r_squared / (2 * s * s)) * np.exp(-r_squared / (4 * s * s))


def disc(r_squared: Array, s: float) -> Array:
    """Return a disc of radius 1.41 s with an edge one pixel wide."""
    return np.clip(s * math.sqrt(2) - np.sqrt(r_squared) + 0.5, 0, 1)


def render(places: Array, shape: tuple[int, int], profile: Any, s: float, height: float) -> Array:
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for place_y, place_x in places:
        image += height * profile((x - place_x) ** 2 + (y - place_y) ** 2, s)
    return image


def grid(count: int, spacing: float, rng: np.random.Generator) -> Array:
    side = math.ceil(math.sqrt(count))
    places = np.argwhere(np.ones((side, side)))[:count] * spacing + spacing
    return places + rng.uniform(-spacing / 6, spacing / 6, places.shape)


def scene(
    profile: Any = gaussian,
    s: float = 1.5,
    height: float = 200.0,
    *,
    count: int = 36,
    spacing: float = 20.0,
    step: float = 0.4,
    noise: float = 10.0,
    background: float = 1000.0,
    frames: int = 12,
    dtype: Any = np.uint16,
    seed: int = 1,
) -> list[Array]:
    rng = np.random.default_rng(seed)
    places = grid(count, spacing, rng)
    size = math.ceil(spacing * (math.sqrt(count) + 1)) + 1
    movie = []
    for _ in range(frames):
        image = background + render(places, (size, size), profile, s, height)
        image += noise * rng.standard_normal(image.shape)
        movie.append(np.clip(np.rint(image), 0, np.iinfo(dtype).max).astype(dtype))
        places = places + step * rng.standard_normal(places.shape)
    return movie


def write(path: Path, frames: list[Array]) -> Path:
    tifffile.imwrite(path, np.stack(frames), photometric="minisblack")
    return path


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("s", [1.2, 2.0, 4.0, 7.0])
def test_blobs_are_found_with_their_size_and_sign(s: float, sign: int) -> None:
    rng = np.random.default_rng(5)
    places = grid(9, 10 * s, rng)
    size = round(40 * s)
    image = 100 + render(places, (size, size), gaussian, s, sign * 50.0) + rng.standard_normal((size, size))
    assert pixel_noise(image) == pytest.approx(1, abs=0.1)
    blobs = find_blobs(image, 1.0)
    strong = blobs.select(np.abs(blobs.response) > 15)
    assert len(strong.x) == 9
    np.testing.assert_allclose(strong.sigma, s, rtol=0.1)
    np.testing.assert_allclose(strong.response, sign * 25, rtol=0.15)  # half the height where sigma fits
    order = np.lexsort((strong.x.round(-1), strong.y.round(-1)))
    expected = places[np.lexsort((places[:, 1].round(-1), places[:, 0].round(-1)))]
    np.testing.assert_allclose(np.stack((strong.y, strong.x), 1)[order], expected, atol=0.25)
    again = find_blobs_of_size(image, 1.0, s, sign * 15.0)
    assert sorted(again.x.round(1)) == pytest.approx(sorted(strong.x.round(1)), abs=0.3)
    assert not len(find_blobs_of_size(image, 1.0, s, -sign * 15.0).x)


def test_noise_gives_no_blobs() -> None:
    rng = np.random.default_rng(2)
    assert not len(find_blobs(7 * rng.standard_normal((300, 300)), 7.0).x)
    assert measure_particles([rng.normal(100, 5, (128, 128)).astype(np.uint8) for _ in range(3)]) is None
    assert measure_particles([np.full((64, 64), 7, np.uint8)] * 3) is None


@pytest.mark.parametrize(
    ("profile", "s", "height", "contrast", "model", "diameter"),
    [
        (gaussian, 1.3, 150.0, "bright", "spot", 2.83 * 1.3),
        (gaussian, 2.0, 100.0, "bright", "spot", 2.83 * 2.0),
        (gaussian, 2.0, -100.0, "dark", "bead", 2.83 * 2.0),
        (disc, 2.5, -100.0, "dark", "bead", 2.83 * 2.5),
        (ringed, 1.6, 150.0, "bright", "bead", None),
        (ringed, 1.6, -150.0, "dark", "bead", None),
    ],
)
def test_the_model_follows_sign_and_rings(
    profile: Any, s: float, height: float, contrast: str, model: str, diameter: float | None
) -> None:
    frames = scene(profile, s, height, spacing=12 * s)
    measured = measure_particles(frames)
    assert measured is not None
    found = measured.particles
    assert found.contrast == contrast
    assert found.has_ring == (profile is ringed)
    assert choose(frames[:2], found).model == model
    assert found.count == pytest.approx(36, abs=2)
    assert found.noise == pytest.approx(10, rel=0.1)
    assert found.peak == pytest.approx(abs(height), rel=0.2)
    assert found.background == pytest.approx(1000, rel=0.01)
    if diameter is not None:
        assert found.diameter_px == pytest.approx(diameter, rel=0.12)


def test_spots_on_the_haze_of_a_cell_next_to_a_bright_clump_are_measured() -> None:
    frames = scene(s=1.5, height=150, count=64)
    y, x = np.mgrid[: frames[0].shape[0], : frames[0].shape[1]]
    haze = 400 * gaussian((x - 100) ** 2 + (y - 80) ** 2, 35.0)
    clump = 900 * gaussian((x - 30) ** 2 + (y - 150) ** 2, 4.0)
    measured = measure_particles([(frame + haze + clump).astype(np.uint16) for frame in frames])
    assert measured is not None
    assert measured[0].contrast == "bright"
    assert measured[0].diameter_px == pytest.approx(2.83 * 1.5, rel=0.15)
    assert measured[0].count == pytest.approx(64, abs=6)


def test_crowded_spots_have_no_ring() -> None:
    frames = scene(s=1.5, count=225, spacing=9)
    measured = measure_particles(frames)
    assert measured is not None
    assert choose(frames[:2], measured.particles).model == "spot"


def test_bright_and_dark_beads_together_are_beads() -> None:
    bright, dark = scene(s=2, height=200, seed=1), scene(s=2, height=-200, seed=2)
    mixed = [np.hstack((one, other)) for one, other in zip(bright, dark, strict=True)]
    measured = measure_particles(mixed)
    assert measured is not None
    assert measured[0].contrast == "both"
    assert choose(mixed[:2], measured.particles).model == "bead"


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_motion_and_spacing_are_measured(step: float) -> None:
    measured = measure_particles(scene(step=step, spacing=24, count=49, noise=4))
    assert measured is not None
    found = measured.particles
    assert found.step_px == pytest.approx(step, rel=0.2)
    assert found.spacing_px == pytest.approx(21, abs=3)
    radius, reason = suggest_search_radius(found, memory=2)
    assert radius == pytest.approx(4 * math.sqrt(3) * found.step_px, abs=0.5)
    assert "four rms steps over 3 frames" in reason


def test_doubled_frames_do_not_hide_the_motion() -> None:
    frames = scene(step=1.0, spacing=24, noise=4)
    measured = measure_particles([frame for frame in frames for _ in range(2)])
    assert measured is not None
    assert measured[0].step_px == pytest.approx(1 / math.sqrt(2), rel=0.3)


def test_the_search_radius_is_at_most_half_the_distance_between_neighbours() -> None:
    measured = measure_particles(scene(step=1.0, spacing=12, s=1.2, count=100))
    assert measured is not None
    radius, reason = suggest_search_radius(measured[0], memory=2)
    assert measured[0].spacing_px is not None
    assert radius <= measured[0].spacing_px / 2 + 0.5
    assert "half the distance between neighbours" in reason
    still = msgspec.structs.replace(measured[0], step_px=0.01, spacing_px=100.0)
    assert suggest_search_radius(still, 2) == (2.0, "half a diameter, which exceeds the motion")
    alone = msgspec.structs.replace(measured[0], step_px=None, spacing_px=None)
    assert suggest_search_radius(alone, 2)[0] == 3.5
    by_chance = msgspec.structs.replace(measured[0], step_px=20.0, spacing_px=40.0)
    assert suggest_search_radius(by_chance, 2)[0] == 20.0


def test_a_check_reports_everything_and_draws(tmp_path: Path) -> None:
    movie = write(tmp_path / "my cells.tif", scene(frames=12, noise=4))
    report = check_movie(movie, tmp_path / "check.png")
    assert report.model == "spot"
    assert report.frames_checked == 12
    assert {trial.model for trial in report.trials} == {"spot", "bead"}
    assert all(trial.count > 0 or trial.problem for trial in report.trials)
    assert report.warnings == []
    assert (report.found, report.doubtful, report.missed) == (36, 0, 0)
    assert (report.drawn_frame, report.frames_read) == (0, [(0, 11)])
    text = report_text(report)
    for word in ("my cells.tif", "12 frames", "bright", "uint16", "spot", report.command):
        assert word in text
    words = shlex.split(report.command)
    assert words[:3] == ["livetrack", "track", str(movie)]
    assert f"linker.search_radius_px={report.search_radius_px:g}" in words
    (tmp_path / "config.toml").write_text(report.config)
    config = load_config(tmp_path / "config.toml")
    assert (config.localizer.model, config.linker.search_radius_px) == ("spot", report.search_radius_px)
    assert msgspec.json.decode(msgspec.json.encode(report), type=CheckReport) == report
    with Image.open(tmp_path / "check.png") as picture:
        assert picture.size[0] >= 700


def test_the_picture_shows_each_kind_of_mark_where_it_belongs_and_the_legend_below(tmp_path: Path) -> None:
    frame = np.full((100, 140), 50, np.uint8)
    kinds = [
        Marks(Mark.FOUND, "1 found", np.array([20.0]), np.array([40.0])),
        Marks(Mark.DOUBTFUL, "1 doubtful", np.array([70.0]), np.array([60.0])),
        Marks(Mark.MISSED, "1 missed", np.array([130.5]), np.array([60.0])),
    ]
    save_annotated_image(tmp_path / "a.png", frame, kinds, 7.0, 0.1, "three particles")
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture).astype(int)
    zoom = 10
    assert pixels.shape == (100 * zoom + 68, 140 * zoom, 3)
    for kind in kinds:
        same = np.abs(pixels - kind.mark.value[1]).max(axis=2) < 3
        rows, columns = np.nonzero(same[: 100 * zoom])
        assert rows.mean() / zoom - 0.5 == pytest.approx(kind.y[0], abs=0.1)
        assert columns.mean() / zoom - 0.5 == pytest.approx(kind.x[0], abs=0.1)
        assert same[100 * zoom :].any()  # its symbol in the legend
        edge = np.hypot(rows - rows.mean(), columns - columns.mean()) / zoom  # each shape has another outline
        assert np.ptp(edge) == pytest.approx(
            {"circle": 0.2, "diamond": 2.7, "square": 3.0}[kind.mark.value[0]], abs=0.4
        )
    bar = np.argwhere((pixels[100 * zoom :] == (225, 230, 235)).all(axis=2).sum(axis=1) >= 190)
    assert len(bar)  # 2 µm at 0.1 µm per px and 10 image px per px: 200 px
    with pytest.raises(UsageError, match="the picture cannot be written"):
        save_annotated_image(tmp_path / "none" / "a.png", frame, kinds, 8.0, None, "")


def test_small_marks_and_small_images_are_enlarged(tmp_path: Path) -> None:
    nothing = np.empty(0)
    for side, radius, zoom in ((1024, 2.0, 2), (1024, 20.0, 1), (64, 2.0, 21)):
        marks = [Marks(Mark.FOUND, "0 found", nothing, nothing)]
        save_annotated_image(tmp_path / "a.png", np.zeros((side, side), np.uint16), marks, radius, None, "")
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.size == (side * zoom, side * zoom + 68)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"height": 400.0, "background": 100.0, "noise": 3.0, "dtype": np.uint8}, "saturated at 255"),
        ({"height": 300.0, "background": 5.0, "noise": 10.0}, "of the pixels are 0"),
        ({"height": 6.0, "background": 100.0, "noise": 0.5, "dtype": np.uint8}, "are only 6 grey levels"),
        ({"height": 35.0, "noise": 10.0, "s": 3.0, "spacing": 30.0}, "times the noise"),
        ({"frames": 4}, "only 4 frames"),
        ({"spacing": 6.0, "count": 400, "s": 1.6}, "overlap"),
        ({"step": 4.0}, "tracks will be mixed up"),
    ],
)
def test_problems_are_reported_as_warnings(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    report = check_movie(write(tmp_path / "movie.tif", scene(**settings)))
    assert words in " ".join(report.warnings)


def test_frames_saved_twice_are_reported(tmp_path: Path) -> None:
    frames = scene(frames=6)
    report = check_movie(write(tmp_path / "movie.tif", [frame for frame in frames for _ in range(2)]))
    assert any("6 of 12 frames are exact copies of the one before" in warning for warning in report.warnings)


def test_a_movie_of_nothing_gets_no_suggestion(tmp_path: Path) -> None:
    frames = [np.random.default_rng(n).normal(100, 5, (96, 96)).astype(np.uint8) for n in range(3)]
    report = check_movie(write(tmp_path / "movie.tif", frames), tmp_path / "check.png")
    assert report.particles is None
    assert report.picture == ""
    assert not (tmp_path / "check.png").exists()
    assert "no particles stand out from the noise in these frames" in report_text(report)
    assert "track it" not in report_text(report)
    with pytest.raises(InputError):
        check_movie(tmp_path / "missing.tif")


def test_a_pixel_that_no_image_can_have_is_named(tmp_path: Path) -> None:
    frames = [frame.astype(np.float64) for frame in scene(frames=3)]
    frames[1][5, 7] = 1e300
    with pytest.raises(InputError, match=r"movie.tif: frame 1: image: pixel x=7, y=5 is 1e.300; every pixel must be"):
        check_movie(write(tmp_path / "movie.tif", frames))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_numbers_are_filled_and_noted(tmp_path: Path, value: float) -> None:
    frames = [frame.astype(np.float64) for frame in scene(frames=3)]
    frames[1][5, 7] = value
    report = check_movie(write(tmp_path / "movie.tif", frames))
    assert any("of the pixels of frame 1 are not numbers (NaN): they are filled" in note for note in report.notes)
    assert report.model


def test_images_too_small_and_other_picture_formats_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frame 0: image: 10x10 px is too small; the minimum is 16x16"):
        check_movie(write(tmp_path / "movie.tif", [np.eye(10, dtype=np.uint8)] * 3))
    with pytest.raises(UsageError, match=r"a.txt: the picture is a PNG file"):
        check_movie(tmp_path / "movie.tif", tmp_path / "a.txt")


def test_masks_empty_images_and_still_images_are_checked(tmp_path: Path) -> None:
    masks = [frame > 1060 for frame in scene(frames=3)]
    mask = check_movie(write(tmp_path / "mask.tif", masks), tmp_path / "mask.png")
    assert mask.particles is not None
    assert mask.particles.contrast == "bright"
    empty = check_movie(write(tmp_path / "empty.tif", [np.zeros((40, 40), np.uint16)] * 3))
    assert empty.warnings[0].startswith("all pixels are 0;")
    faint = np.zeros((500, 500), np.uint16)
    faint[0, 0] = 7
    warnings = check_movie(write(tmp_path / "one.tif", [faint])).warnings
    assert warnings[0].startswith("99.9 % of the pixels are 0")
    assert warnings[1].startswith("a single frame:")


@pytest.mark.parametrize("name", ["bulk_water.tif", "brownian_beads.mp4", "trapped_good.mp4", "trapped_bad.mp4"])
def test_recordings_of_beads_are_recognised_as_beads(name: str) -> None:
    if not (SHARED / name).exists():
        pytest.skip(f"needs the recording {name} beside the repository, in shared/data")
    report = check_movie(SHARED / name)
    assert report.model == "bead"
    assert report.particles is not None
    assert report.particles.contrast == ("dark" if name == "bulk_water.tif" else "bright")
