"""The choice of a model and a scale; no image is drawn by `livetrack.optics`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from livetrack.bench.matching import match
from livetrack.check import check_movie, report_text
from livetrack.check.agreement import compare_with_blobs
from livetrack.check.choice import Choice, choose
from livetrack.check.measure import measure_particles
from livetrack.check.outlines import measure_outlines
from livetrack.check.roundness import measure_roundness

Array = npt.NDArray[Any]
Draw = Callable[[Array, Array, int], Array]

NOISE, BACKGROUND = 10.0, 2000.0


class Scene(NamedTuple):
    frames: list[Array]
    truth: list[Array]
    """(N, 2) as (x, y), of each frame."""


def gaussian(r: Array, s: float) -> Array:
    return np.exp(-r * r / (2 * s * s))


def disc(r: Array, s: float) -> Array:
    return expit(1.7 * (s - r) / max(0.1 * s, 0.5))


def ringed(r: Array, s: float) -> Array:
    edge = max(0.12 * s, 0.6)
    return expit(1.7 * (s - r) / edge) - 0.7 * np.exp(-0.5 * ((r - 1.25 * s) / (1.3 * edge)) ** 2)


def rod(dx: Array, dy: Array, width: float, length: float, angle: float) -> Array:
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    return disc(np.hypot(np.maximum(np.abs(along) - (length - width) / 2, 0), across), width / 2)


def ellipse(dx: Array, dy: Array, diameter: float, ratio: float, angle: float) -> Array:
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    return disc(np.hypot(along / np.sqrt(ratio), across * np.sqrt(ratio)), diameter / 2)


def places(side: int, count: int, apart: float, margin: float, rng: np.random.Generator) -> Array:
    found: list[Array] = []
    for _ in range(4000):
        at = rng.uniform(margin, side - 1 - margin, 2)
        if len(found) < count and all(np.hypot(*(at - other)) > apart for other in found):
            found.append(at)
    return np.array(found).reshape(-1, 2)


def crystal(side: int, pitch: float) -> Array:
    rows = np.arange(pitch, side - pitch, pitch * np.sqrt(3) / 2)
    at = [(x + (n % 2) * pitch / 2, y) for n, y in enumerate(rows) for x in np.arange(pitch, side - 1.5 * pitch, pitch)]
    return np.array(at) + 0.3


def movie(side: int, at: Array, draw: Draw, height: float, *, back: Array | float = 0.0, seed: int = 0) -> Scene:
    rng = np.random.default_rng([seed, 1])
    y, x = np.mgrid[:side, :side].astype(float)
    brightness = height * rng.uniform(0.85, 1.15, len(at))
    scene = Scene([], [])
    for _ in range(3):
        image = BACKGROUND + np.zeros((side, side)) + back
        for n, (px, py) in enumerate(at):
            image += brightness[n] * draw(x - px, y - py, n)
        scene.frames.append(np.rint(rng.normal(image, NOISE)).astype(np.uint16))
        scene.truth.append(at)
        at = at + 0.3 * rng.standard_normal(at.shape)
    return scene


def round_ones(profile: Any, s: float, diameter: float, height: float, side: int = 256, count: int = 12) -> Scene:
    at = places(side, count, 1.4 * diameter, min(diameter / 2 + 3, side / 3), np.random.default_rng(0))
    return movie(side, at, lambda dx, dy, n: profile(np.hypot(dx, dy), s), height)


def textured(side: int, diameter: float) -> Scene:
    """Return one large bead with grains in it."""
    grains = gaussian_filter(np.random.default_rng(5).standard_normal((side, side)), 0.06 * diameter)
    grains *= 0.25 / grains.std()

    def draw(dx: Array, dy: Array, n: int) -> Array:
        return ringed(np.hypot(dx, dy), diameter / 2) * (1 + grains)

    return movie(side, np.array([[side / 2 + 5.3, side / 2 - 8.2]]), draw, 200.0)


def elongated(side: int, count: int, length: float, draw: Callable[[Array, Array, float], Array]) -> Scene:
    rng = np.random.default_rng(3)
    at, angles = places(side, count, 1.25 * length, length / 2 + 3, rng), rng.uniform(0, np.pi, count)
    return movie(side, at, lambda dx, dy, n: draw(dx, dy, angles[n]), 150.0)


def chosen(scene: Scene) -> Choice:
    measured = measure_particles(scene.frames)
    assert measured is not None
    return choose(scene.frames, measured.particles)


def recall_and_false(choice: Choice, scene: Scene, gate_px: float) -> tuple[float, float]:
    found = sum(
        int((match(rows, *at.T, gate_px=gate_px) >= 0).sum()) for rows, at in zip(choice.rows, scene.truth, strict=True)
    )
    rows = sum(map(len, choice.rows))
    return found / sum(map(len, scene.truth)), 1 - found / max(rows, 1)


FITTING: dict[str, tuple[Callable[[], Scene], float, set[str], tuple[float, float]]] = {
    "spots": (lambda: round_ones(gaussian, 1.4, 4, 150, 192, 30), 4, {"spot"}, (1, 1)),
    "dark spots": (lambda: round_ones(gaussian, 1.8, 5, -150, 192, 25), 5, {"bead"}, (1, 2)),
    "wide spots": (lambda: round_ones(gaussian, 6.0, 17, 150), 17, {"spot", "bead"}, (0.25, 1)),
    "very wide spots": (lambda: round_ones(gaussian, 18.0, 50, 150, 384, 6), 50, {"spot", "bead"}, (0.0625, 0.5)),
    "discs of 14 px": (lambda: round_ones(disc, 7.0, 14, -120), 14, {"bead"}, (0.5, 1)),
    "discs of 44 px": (lambda: round_ones(disc, 22.0, 44, 120, 384, 8), 44, {"spot", "bead"}, (0.125, 1)),
    "ringed beads of 5 px": (lambda: round_ones(ringed, 2.5, 6, 200, 192), 6, {"bead", "spot"}, (1, 2)),
    "ringed beads of 70 px": (lambda: round_ones(ringed, 35.0, 80, -120, 448, 5), 70, {"bead"}, (0.125, 0.5)),
    "one bead of 60 px with grains": (lambda: textured(192, 60.0), 60, {"bead"}, (0.0625, 0.5)),
    "one disc": (lambda: round_ones(disc, 12.0, 24, 120, 192, 1), 24, {"spot", "bead"}, (0.125, 1)),
    "a crystal of spots": (
        lambda: movie(128, crystal(128, 10.0), lambda dx, dy, n: gaussian(np.hypot(dx, dy), 2.5), 150.0),
        7, {"spot", "bead"}, (0.5, 2),
    ),
    "ellipses of 30 px": (
        lambda: elongated(288, 14, 36, lambda dx, dy, angle: ellipse(dx, dy, 30, 1.3, angle)),
        30, {"spot", "bead"}, (0.125, 0.5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FITTING)
def test_the_model_and_the_scale_that_find_all_are_chosen(kind: str) -> None:
    make, diameter, models, (least, most) = FITTING[kind]
    scene = make()
    choice = chosen(scene)
    recall, false = recall_and_false(choice, scene, max(2.0, diameter / 4))
    assert recall >= 0.95, choice.reason
    assert false <= 0.05, choice.reason
    assert choice.model in models
    assert least <= choice.scale <= most
    assert choice.diameter_px == pytest.approx(diameter, rel=0.35)
    assert choice.missed <= 0.1
    assert not choice.advice
    assert (choice.trials[0].model, choice.trials[0].scale) == (choice.model, choice.scale)


def texture(px: float) -> Scene:
    field = gaussian_filter(np.random.default_rng(7).standard_normal((256, 256)), px)
    return movie(256, np.empty((0, 2)), lambda dx, dy, n: dx, 0.0, back=80 * field / field.std())


def cells() -> Scene:
    rng = np.random.default_rng(8)
    shape, grain = (gaussian_filter(rng.standard_normal((256, 256)), px) for px in (18, 3))
    inside = expit(12 * (shape / shape.std() - 0.5))
    return movie(
        256, np.empty((0, 2)), lambda dx, dy, n: dx, 0.0, back=120 * inside * (0.5 + 0.35 * grain / grain.std())
    )


@pytest.mark.parametrize("make", [lambda: texture(1.5), lambda: texture(5.0), cells])
def test_nothing_fits_texture(make: Callable[[], Scene]) -> None:
    choice = chosen(make())
    assert choice.model == ""
    assert not choice.rows
    assert choice.reason
    assert choice.advice


@pytest.mark.parametrize("width", [5.0, 9.0, 16.0])
def test_rods_are_named_with_their_recipe(width: float) -> None:
    length = 2.8 * width
    choice = chosen(elongated(320, 14, length, lambda dx, dy, angle: rod(dx, dy, width, length, angle)))
    assert choice.model == ""
    assert "elongated" in choice.reason
    (advice,) = choice.advice
    assert "rod recipe" in advice
    assert ("--scale" in advice) == (width > 7)


def test_what_is_round_explains_the_structure_around_it() -> None:
    scene = round_ones(disc, 8.0, 16, 120, 192, 6)
    at = scene.truth[0]
    there = measure_roundness(scene.frames[0], NOISE, at[:, 0], at[:, 1], 30)
    beside = measure_roundness(scene.frames[0], NOISE, at[:, 0] + 6, at[:, 1], 30)
    assert (there.explained > 0.9).all()
    assert (beside.explained < 0.7).all()
    assert there.covered > 0.95
    assert there.radius_px == pytest.approx(8, abs=1)
    first = measure_roundness(scene.frames[0], NOISE, at[:3, 0], at[:3, 1], 30)
    assert first.covered == pytest.approx(0.5, abs=0.1)
    nowhere = measure_roundness(np.random.default_rng(0).normal(0, 1, (64, 64)), 1.0, at[:1, 0] * 0 + 30, at[:1, 1], 9)
    assert np.isnan(nowhere.explained).all()


def test_outlines_measure_what_stands_apart() -> None:
    scene = elongated(256, 8, 30, lambda dx, dy, angle: ellipse(dx, dy, 24, 1.5, angle))
    outlines = measure_outlines(scene.frames[0], NOISE, 1)
    assert outlines is not None
    at = scene.truth[0]
    nearest = np.hypot(outlines.x[:, None] - at[:, 0], outlines.y[:, None] - at[:, 1]).min(axis=0)
    assert (nearest < 0.5).all()
    assert np.median(outlines.length / outlines.width) == pytest.approx(1.5, abs=0.05)
    assert measure_outlines(scene.frames[0], NOISE, -1) is None
    assert measure_outlines(np.full((64, 64), 7), 1.0, 1) is None


def test_missed_and_doubled_particles_are_counted() -> None:
    scene = round_ones(gaussian, 3.0, 8.5, 120, 192, 12)
    x, y = scene.truth[0].T
    assert compare_with_blobs(scene.frames[0], NOISE, x, y, 8.5, 9.0) == (12, 0, 0)
    assert compare_with_blobs(scene.frames[0], NOISE, x[3:], y[3:], 8.5, 9.0) == (9, 3, 0)
    twice = np.append(x, x[:2] + 1.0), np.append(y, y[:2])
    assert compare_with_blobs(scene.frames[0], NOISE, *twice, 8.5, 9.0) == (14, 0, 2)


def test_the_suggested_command_has_the_scale(tmp_path: Path) -> None:
    path = tmp_path / "beads.tif"
    tifffile.imwrite(path, np.stack(round_ones(ringed, 35.0, 80, -120, 448, 5).frames), photometric="minisblack")
    report = check_movie(path)
    assert report.scale < 1
    assert f"--model {report.model} --scale {report.scale:g} " in report.command
    assert f"scale = {report.scale:g}" in report.config
    assert report.particles is not None
    assert report.particles.diameter_px == pytest.approx(70, rel=0.35)


def test_where_none_fits_nothing_is_suggested(tmp_path: Path) -> None:
    path = tmp_path / "rods.tif"
    frames = elongated(256, 12, 28, lambda dx, dy, angle: rod(dx, dy, 10, 28, angle)).frames
    tifffile.imwrite(path, np.stack(frames), photometric="minisblack")
    report = check_movie(path)
    text = report_text(report)
    assert (report.model, report.command, report.config) == ("", "", "")
    assert "none fits" in text
    assert "rod recipe" in text
    assert "to track it" not in text
