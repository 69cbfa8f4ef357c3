"""What a check says about a movie: each finding where it is true, with its figure, and none on a clean movie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from livetrack.check.blobs import Blobs
from livetrack.check.busy_part import Part
from livetrack.check.comparison import agreement_diagnostics, compare, edge_diagnostics
from livetrack.check.diagnostics import frame_diagnostics, particle_diagnostics
from livetrack.check.finding import Finding
from livetrack.check.image_diagnostics import image_diagnostics
from livetrack.check.measure import measure_series
from livetrack.check.sampling import Sample, holding_range, take_sample
from livetrack.check.time_diagnostics import frame_course, particle_course, time_diagnostics
from livetrack.movies import open_movie
from livetrack.particles import ROW

Array = npt.NDArray[Any]

SIDE = 160


def movie(
    frames: int = 40,
    *,
    count: int = 25,
    step: float = 0.4,
    noise: float = 6.0,
    background: float = 400.0,
    height: Callable[[int], float] = lambda n: 150.0,
    sigma: Callable[[int], float] = lambda n: 1.5,
    shown: Callable[[int, np.random.Generator], Array | bool] = lambda n, rng: True,
    drift: tuple[float, float] = (0.0, 0.0),
    seed: int = 1,
) -> list[Array]:
    """Return frames of Brownian spots, float64."""
    rng = np.random.default_rng(seed)
    places = np.argwhere(np.ones((5, 5)))[:count] * 28.0 + 22 + rng.uniform(-4, 4, (count, 2))
    y, x = np.mgrid[:SIDE, :SIDE]
    made = []
    for n in range(frames):
        image = np.full((SIDE, SIDE), float(background))
        visible = np.broadcast_to(shown(n, rng), count)
        for (row, column), there in zip(places, visible, strict=True):
            if there:
                image += height(n) * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * sigma(n) ** 2))
        made.append(image + noise * rng.standard_normal(image.shape))
        places = (places + step * rng.standard_normal(places.shape) + drift[::-1]) % SIDE
    return made


def digital(frames: list[Array], dtype: Any = np.uint16) -> list[Array]:
    top = np.iinfo(dtype).max
    return [np.clip(np.rint(frame), 0, top).astype(dtype) for frame in frames]


def sample_of(path: Path, frames: list[Array]) -> tuple[Sample, tuple[int | None, int | None], list[Finding]]:
    tifffile.imwrite(path / "movie.tif", np.stack(frames), photometric="minisblack")
    opened = open_movie(path / "movie.tif")
    sample = take_sample(opened)
    limits = holding_range(opened, sample)
    series = sample.series()
    images = [frame.pixels for some in series for frame in some if frame.pixels is not None]
    found = frame_course(sample, *limits) + frame_diagnostics(images) + image_diagnostics(images)
    measured = measure_series([[frame.pixels for frame in some if frame.pixels is not None] for some in series])
    if measured is not None:
        numbers = [[frame.number for frame in some] for some in series]
        found += particle_diagnostics(measured.particles, images[0].dtype)
        found += particle_course(numbers, measured.blobs, measured.diameters_px, 20.0, bright=True)
    return sample, limits, found


def findings(path: Path, frames: list[Array]) -> dict[str, Finding]:
    return {finding.kind: finding for finding in sample_of(path, frames)[2]}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("step", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_nothing_is_said_of_a_clean_movie(tmp_path: Path, seed: int, step: float, dtype: Any) -> None:
    frames = movie(
        30, step=step, background=60.0 if dtype == np.uint8 else 400.0, noise=4.0, height=lambda n: 120.0, seed=seed
    )
    assert (
        findings(tmp_path, [f.astype(dtype) for f in frames] if dtype == np.float32 else digital(frames, dtype)) == {}
    )


def test_nothing_is_said_of_a_long_clean_movie_that_is_sampled_to_its_end(tmp_path: Path) -> None:
    frames = digital(movie(30, seed=5))
    sample, limits, found = sample_of(
        tmp_path, [frames[n % 30] for n in (*range(60), *range(60), *range(60), *range(60))]
    )
    assert found == []
    assert limits == (0, 239)
    assert not sample.complete
    assert len(sample.series()) == 5
    assert (sample.frames[0].number, sample.frames[-1].number) == (0, 239)


@pytest.mark.parametrize(("length", "dark"), [(60, 20), (400, 137), (400, 300)])
def test_an_empty_beginning_and_end_are_counted_exactly(tmp_path: Path, length: int, dark: int) -> None:
    bright, empty = digital(movie(40)), digital(movie(40, height=lambda n: 0.0, seed=2))
    frames = [empty[n % 40] if n < dark else bright[n % 40] for n in range(length)]
    for images, kind, limits in (
        (frames, "begins empty", (dark, length - 1)),
        (frames[::-1], "ends empty", (0, length - 1 - dark)),
    ):
        _, range_, found = sample_of(tmp_path, images)
        assert range_ == limits
        named = next(finding for finding in found if finding.kind == kind)
        assert named.figures == {"frames": dark}
        assert f"--frames {f'{dark}:' if kind == 'begins empty' else f'0:{length - dark}'}" in named.cure


def test_empty_frames_between_are_counted(tmp_path: Path) -> None:
    found = findings(tmp_path, digital(movie(40, height=lambda n: 0.0 if n in (7, 20, 21) else 150.0)))
    assert set(found) == {"blinks"}
    assert found["blinks"].figures == {"frames": 3}
    assert "linker.memory=2" in found["blinks"].cure


def test_blinking_particles_are_measured(tmp_path: Path) -> None:
    found = findings(tmp_path, digital(movie(40, shown=lambda n, rng: rng.random(25) > 0.25)))
    assert found["blinking"].figures["fraction"] == pytest.approx(0.25, abs=0.07)


def test_a_drift_is_said_with_its_setting(tmp_path: Path) -> None:
    found = findings(tmp_path, digital(movie(30, drift=(1.5, -0.5))))
    assert found["drift"].figures == pytest.approx({"x_px": 1.5, "y_px": -0.5}, abs=0.1)
    assert "to the right" in found["drift"].text
    assert " up" in found["drift"].text
    assert "--set linker.drift_px=[1.5" in found["drift"].cure or "--set linker.drift_px=[1.4" in found["drift"].cure


def test_bleaching_is_said_with_its_half_life(tmp_path: Path) -> None:
    found = findings(tmp_path, digital(movie(60, height=lambda n: 300.0 * 0.5 ** (n / 50))))
    assert found["bleaching"].figures["half_life_frames"] == pytest.approx(50, rel=0.15)
    assert "2.5 s" in found["bleaching"].text  # at 20 frames/s


def test_flicker_is_said_with_its_period(tmp_path: Path) -> None:
    frames = [frame * (1 + 0.05 * np.sin(2 * np.pi * n / 5)) for n, frame in enumerate(movie(40))]
    found = findings(tmp_path, digital(frames))
    assert found["flicker"].figures == pytest.approx({"rms": 0.035, "period_frames": 5}, rel=0.1)
    rng = np.random.default_rng(1)
    irregular = [frame * (1 + 0.04 * rng.standard_normal()) for frame in movie(40)]
    assert "period_frames" not in findings(tmp_path, digital(irregular))["flicker"].figures


def test_a_background_that_changes_is_said(tmp_path: Path) -> None:
    frames = digital([frame + 1.0 * n for n, frame in enumerate(movie(30) * 6)])
    assert findings(tmp_path, frames)["background changes"].figures["last"] == pytest.approx(560, rel=0.1)


def test_a_focus_that_changes_is_said(tmp_path: Path) -> None:
    frames = digital(movie(130, sigma=lambda n: 1.4 + 1.6 * n / 130, height=lambda n: 400.0))
    found = findings(tmp_path, frames)
    assert found["focus"].figures == pytest.approx({"first_px": 4.0, "last_px": 8.3}, rel=0.12)


def test_saturation_clipping_and_few_levels_are_said(tmp_path: Path) -> None:
    assert (
        "255"
        in findings(tmp_path, digital(movie(12, background=60, height=lambda n: 300.0), np.uint8))["saturated"].text
    )
    assert findings(tmp_path, digital(movie(12, background=3.0)))["clipped"].figures["fraction"] > 0.2
    few = findings(tmp_path, digital([frame / 20 for frame in movie(12)]))
    assert few["few levels"].figures["grey_levels"] == pytest.approx(7.5, rel=0.3)
    stretched = [16 * frame for frame in digital([frame / 16 for frame in movie(12)])]
    assert findings(tmp_path, stretched)["coarse"].figures["step"] == 16


def test_interlacing_is_said(tmp_path: Path) -> None:
    fields = movie(40, drift=(3.0, 0.0), height=lambda n: 400.0)
    frames = []
    for even, odd in zip(fields[::2], fields[1::2], strict=True):
        frame = even.copy()
        frame[1::2] = odd[1::2]
        frames.append(frame)
    assert "interlaced" in findings(tmp_path, digital(frames))


@pytest.mark.parametrize("quality", [50, 80])
def test_jpeg_compression_is_said(tmp_path: Path, quality: int) -> None:
    frames = []
    for frame in digital(movie(12, background=100, noise=4), np.uint8):
        Image.fromarray(frame).save(tmp_path / "frame.jpg", quality=quality)
        with Image.open(tmp_path / "frame.jpg") as image:
            frames.append(np.asarray(image))
    assert "8x8 px blocks" in findings(tmp_path, frames)["compressed"].text


def test_repeated_frames_are_counted(tmp_path: Path) -> None:
    frames = digital(movie(24))
    exact = findings(tmp_path, [frame for n, frame in enumerate(frames) for _ in range(2 if n % 4 == 0 else 1)])
    assert exact["repeated frames"].figures == {"frames": 6}
    nearly = [
        frame for n, frame in enumerate(frames) for frame in ([frame, frame + (n % 2)] if n % 4 == 0 else [frame])
    ]
    assert findings(tmp_path, nearly)["repeated frames"].figures["frames"] >= 3


def test_hot_pixels_and_a_fixed_pattern_are_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    hot = np.zeros((SIDE, SIDE))
    for row, column in rng.integers(5, SIDE - 5, (20, 2)):
        hot[row, column] = 300
    found = findings(tmp_path, digital([frame + hot for frame in movie(20)]))
    assert found["hot pixels"].figures["count"] == pytest.approx(20, abs=4)
    assert "fixed pattern" not in found
    pattern = 12 * rng.standard_normal((SIDE, SIDE))
    assert findings(tmp_path, digital([frame + pattern for frame in movie(20)]))[
        "fixed pattern"
    ].figures == pytest.approx({"pattern": 12, "noise": 6}, rel=0.15)


def test_uneven_illumination_is_said(tmp_path: Path) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    beam = np.exp(-((x - 80) ** 2 + (y - 60) ** 2) / (2 * 60**2))
    found = findings(tmp_path, digital([frame * beam for frame in movie(12, background=800)]))
    assert found["uneven light"].figures["high"] == pytest.approx(800, rel=0.2)


def test_a_large_particle_is_no_uneven_light(tmp_path: Path) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    bead = 1500 / (1 + np.exp((np.hypot(x - 80, y - 80) - 25) / 2))
    assert "uneven light" not in findings(tmp_path, digital([frame + bead for frame in movie(12, count=1)]))


def test_uneven_times_are_said_and_rounded_ones_are_not() -> None:
    uneven = np.array([0, 0.04, 0.08, 0.24, 0.28, 0.32, 0.48])
    (found,) = time_diagnostics(uneven)
    assert found.figures == pytest.approx({"interval_ms": 40, "longest_ms": 160, "fraction": 1 / 3})
    assert "after frame 2" in found.text
    n = np.arange(200)
    assert time_diagnostics(n / 29.97) == []
    assert time_diagnostics(np.round(n / 30, 2)) == []  # an animated GIF: 30, 30, 40 ms
    assert time_diagnostics(np.round(n / 600, 3)) == []  # Micro-Manager's whole milliseconds
    assert time_diagnostics(None) == []
    gap = np.where(n < 100, n, n + 30) / 20
    assert time_diagnostics(gap)[0].figures["longest_ms"] == pytest.approx(1550)


def test_a_missing_end_is_found_without_reading_all(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "whole.tif", np.stack(digital(movie(30) * 10)), imagej=True, metadata={"axes": "TYX"})
    data = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(data[: round(0.7 * len(data))])
    opened = open_movie(tmp_path / "cut.tif")
    sample = take_sample(opened)
    assert sample.frames[-1].number == pytest.approx(210, abs=2)
    assert any("cut" in problem for problem in [*sample.problems, opened.problem or ""])


def test_what_fades_by_degrees_is_not_called_empty(tmp_path: Path) -> None:
    found = findings(tmp_path, digital(movie(40, height=lambda n: 400.0 * (0.02 + abs(n - 20) / 20))))
    assert not {"begins empty", "ends empty", "blinks"} & set(found)


def rows_at(x: Array, y: Array, score: float = 0.99) -> Any:
    rows = np.zeros(len(x), ROW)
    rows["x"], rows["y"], rows["score"] = x, y, score
    return rows


def blobs_at(x: Array, y: Array) -> Blobs:
    return Blobs(np.asarray(x, float), np.asarray(y, float), np.full(len(x), 1.5), np.full(len(x), 100.0))


@pytest.mark.parametrize(("missed", "doubled"), [(0, 0), (4, 0), (6, 0), (0, 5), (0, 9)])
def test_missed_and_doubled_particles_are_said_from_a_fifth_on(missed: int, doubled: int) -> None:
    x, y = (np.repeat(np.arange(5), 5) * 20.0 + 20, np.tile(np.arange(5), 5) * 20.0 + 20)
    rows = rows_at(
        np.append(x[missed:], x[missed : missed + doubled] + 1.5), np.append(y[missed:], y[missed : missed + doubled])
    )
    compared = compare(rows, blobs_at(x, y), Part(0, 0, 140, 140, 1.0), 4.2)
    assert compared.missed_x.size == missed
    assert compared.doubled == doubled
    particles = measure_series([digital(movie(4))])
    assert particles is not None
    said = {finding.kind for finding in agreement_diagnostics("spot", [rows], [compared], particles.particles)}
    assert said == {
        *(["missed"] if missed >= 5 else []),
        *(["doubled"] if doubled >= 0.2 * len(rows) and doubled else []),
    }


def test_low_scores_and_rows_where_nothing_stands_out_are_said() -> None:
    x, y = (np.repeat(np.arange(5), 5) * 20.0 + 20, np.tile(np.arange(5), 5) * 20.0 + 20)
    measured = measure_series([digital(movie(4))])
    assert measured is not None
    part, particles = Part(0, 0, 140, 140, 1.0), measured.particles
    low = rows_at(x, y, 0.6)
    found = agreement_diagnostics("spot", [low], [compare(low, blobs_at(x, y), part, 4.2)], particles)
    assert [finding.kind for finding in found] == ["low score"]
    extra = rows_at(np.append(x, x + 10), np.append(y, y))
    found = agreement_diagnostics("spot", [extra], [compare(extra, blobs_at(x, y), part, 4.2)], particles)
    assert [finding.kind for finding in found] == ["unseen"]
    nothing = rows_at(np.empty(0), np.empty(0))
    found = agreement_diagnostics("spot", [nothing], [compare(nothing, blobs_at(x, y), part, 4.2)], particles)
    assert found[0].text.startswith("spot finds nothing where about 25")


def test_what_lies_along_one_edge_is_said_with_the_region_without_it(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", np.zeros((2, 200, 160), np.uint8), photometric="minisblack")
    opened = open_movie(tmp_path / "movie.tif", region=(10, 20, 120, 160))
    rng = np.random.default_rng(1)
    upper = edge_diagnostics(rows_at(rng.uniform(0, 120, 30), rng.uniform(0, 15, 30)), opened)
    assert "upper eighth" in upper[0].text
    assert "--region 10,40,120,140" in upper[0].cure
    assert edge_diagnostics(rows_at(rng.uniform(0, 120, 300), rng.uniform(0, 160, 300)), opened) == []


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_floats_of_any_size_are_checked(tmp_path: Path, scale: float) -> None:
    frames = movie(24, background=0.0)
    assert findings(tmp_path, [(scale * frame).astype(np.float32) for frame in frames]) == {}
