"""The accuracy bench: its bound against closed forms, its baselines against published values, its verdicts."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tifffile
from scipy.ndimage import distance_transform_edt

from livetrack.bench.accuracy.bound import position_bound
from livetrack.bench.accuracy.conditions import EqualParticles, scenes
from livetrack.bench.accuracy.displacements import displacement_errors
from livetrack.bench.accuracy.gaussian_fit import fit_gaussians
from livetrack.bench.accuracy.grids import grids
from livetrack.bench.accuracy.measure import ConditionResult, Figures, measure_condition
from livetrack.bench.accuracy.methods import Method, peers
from livetrack.bench.accuracy.recording import degrade, robustness
from livetrack.bench.accuracy.reference_values import REFERENCE_VALUES, reference_results
from livetrack.bench.accuracy.run import PARTS
from livetrack.bench.accuracy.scene import Hints, Particles, Scene
from livetrack.bench.accuracy.shapes import Floats, airy, bessel, gaussian
from livetrack.bench.accuracy.tables import ConditionReport
from livetrack.bench.accuracy.targets import target_results
from livetrack.bench.accuracy.trained_particle import FAMILIES, trained_particle
from livetrack.bench.matching import match, nearest_neighbour
from livetrack.bench.report import Report
from livetrack.cli import main
from livetrack.errors import ModelError
from livetrack.localize import load_localizer
from livetrack.localize.models import models_folder
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows, empty_rows
from livetrack.training import load_recipe

HINTS = Hints(diameter_px=9, sigma_px=1.5, bright=True, particles=1, shot=0.0, read=1.0)


def spot(sigma: float, height: float, variance: Callable[[Floats], Floats], side: int = 61) -> Scene:
    """Nine spots of one kind in as many places of the pixel, each as if it were alone."""
    x, y = (side // 2 + each.ravel() for each in np.meshgrid([0.0, 0.25, 0.5], [0.0, 0.25, 0.5]))
    steps = np.arange(side) - side // 2
    image = height * gaussian(steps[None, :], steps[:, None], np.array(sigma))
    particles = Particles(gaussian, x, y, np.full(9, height), np.full(9, sigma))
    return Scene(image, variance(image), np.ones((side, side)), particles, HINTS)


def rows_at(x: Floats, y: Floats, std: float = math.nan) -> Rows:
    rows = empty_rows(len(x))
    rows["x"], rows["y"], rows["x_std"], rows["y_std"] = x, y, std, std
    return rows


def network(name: str) -> NetworkLocalizer:
    localizer = load_localizer(name, threads=1)
    assert isinstance(localizer, NetworkLocalizer)
    return localizer


# the bound


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.5])
def test_the_bound_in_additive_noise_is_the_closed_form_at_any_width(sigma: float) -> None:
    """sqrt(2 / pi) noise / amplitude, of the Gaussian broadened by the pixel width."""
    scene = spot(sigma, 50.0, lambda image: np.full_like(image, 4.0))
    broad = sigma**2 + 1 / 12
    amplitude = scene.image.sum() / (2 * math.pi * broad)
    assert np.sqrt(position_bound(scene, 25, ())) == pytest.approx(math.sqrt(2 / math.pi) * 2 / amplitude, rel=0.01)


@pytest.mark.parametrize(("background", "read"), [(2.0, 0.0), (30.0, 0.0), (10.0, 16.0)])
def test_the_bound_in_poisson_noise_agrees_with_rieger_and_stallinga(background: float, read: float) -> None:
    """(s^2 / N)(1 + 4 t + sqrt(2 t / (1 + 4 t))), t = 2 pi s^2 (b + g) / N: ChemPhysChem 15, 664 (2014)."""
    sigma, broad = 1.3, 1.3**2 + 1 / 12
    centred = spot(sigma, 80.0, np.ones_like)  # the noise follows each spot's own image: one at a time
    photons = centred.image.sum()
    tau = 2 * math.pi * broad * (background + read) / photons
    expected = broad / photons * (1 + 4 * tau + math.sqrt(2 * tau / (1 + 4 * tau)))
    steps = np.arange(61) - 30.0
    for x in (0.0, 0.3, 0.5):
        particles = Particles(gaussian, *(np.array([value]) for value in (30 + x, 30 - x, 80.0, sigma)))
        image = 80 * gaussian(steps[None, :] - x, steps[:, None] + x, np.array(sigma))
        scene = Scene(image, image + background + read, np.ones((61, 61)), particles, HINTS)
        assert position_bound(scene, 25, ()) == pytest.approx(expected, rel=0.05)


def test_unknown_parameters_cost_precision() -> None:
    """A tilt in a window 2 L wide costs 1 / (1 - 6 pi (s/L)^4), by the overlap with the derivative; a level nothing."""
    scene = spot(2.0, 50.0, np.ones_like)
    known, level, tilt = (
        position_bound(scene, 6, nuisances)[4].mean() for nuisances in ((), ("intensity", "background"), ("tilt",))
    )
    assert level == pytest.approx(known, rel=0.01)
    overlap = 6 * math.pi * ((2.0**2 + 1 / 12) / 6.5**2) ** 2
    assert tilt / known == pytest.approx(1 / (1 - overlap), rel=0.02)
    assert (position_bound(scene, 20)[:, 0] < 1.03 * known).all(), "in a wide window nothing costs much"


def test_pixels_outside_or_clipped_carry_no_information() -> None:
    scene = spot(1.5, 50.0, np.ones_like)
    half = scene._replace(variance=np.where(np.arange(61) < 30, 1.0, np.inf) * np.ones((61, 1)))
    cut = scene._replace(variance=np.ones((61, 30)), illumination=np.ones((61, 30)))
    assert position_bound(half, 20, ()) == pytest.approx(position_bound(cut, 20, ()))
    assert (position_bound(half, 20, ()) > 1.2 * position_bound(scene, 20, ())).all()


@pytest.mark.parametrize("shape", [airy, bessel(1)])
def test_shapes_are_round_and_1_at_the_centre(shape: Callable[..., Floats]) -> None:
    steps = np.arange(-20.0, 21.0)
    image = shape(steps[None, :], steps[:, None], np.array(1.5))
    assert image[20, 20] == pytest.approx(1)
    assert image == pytest.approx(image.T)
    assert image == pytest.approx(image[::-1, ::-1])


# the other methods


@pytest.mark.measured
@pytest.mark.parametrize("snr", [10.0, 50.0])
@pytest.mark.parametrize("noise", ["additive", "Poisson"])
def test_the_gaussian_fit_reaches_the_bound_where_its_model_is_right(noise: str, snr: float) -> None:
    condition = next(
        condition for condition in grids()["spot"] if f"sigma 1.5 px, SNR {snr:g}, {noise}" in condition.name
    )  # fmt: skip
    finder = load_localizer("centroid", diameter_px=9)
    (figures,) = measure_condition(replace(condition, images=3), {"fit": peers(finder)["Gaussian fit"]}).figures
    assert figures.particles == 3 * 16**2
    assert figures.recall == 1
    assert figures.ratio is not None
    assert 0.9 < figures.ratio < 1.1
    assert figures.spread is not None
    assert 0.9 < figures.spread < 1.1
    assert figures.coverage is not None
    assert 0.92 < figures.coverage < 0.98


@pytest.mark.measured
@pytest.mark.parametrize(("snr", "unweighted"), [(20, 1.16), (100, 1.30)])
def test_weights_improve_the_fit_by_the_published_factor(snr: float, unweighted: float) -> None:
    """Least squares without weights, under Poisson noise: this verifies the definition of SNR."""
    (condition,) = (
        condition
        for condition in grids()["spot"]
        if condition.name.endswith(f"sigma 1.5 px, SNR {snr:g}, Poisson noise")
    )
    finder = load_localizer("centroid", diameter_px=9)

    def fit(shot: float) -> Method:
        return lambda scene: fit_gaussians(
            scene.image, finder.find(scene.image), sigma_px=1.5, shot=shot, read=1 - shot
        )

    weighted, equal = measure_condition(replace(condition, images=6), {"weighted": fit(1.0), "equal": fit(0.0)}).figures
    assert weighted.ratio == pytest.approx(1, abs=0.05)
    assert equal.ratio == pytest.approx(unweighted, abs=0.06)


@pytest.mark.measured
def test_the_baselines_reproduce_published_values_on_deeptracks_images() -> None:
    """Radial symmetry and the bound; 400 images per condition, a fifth of the full run."""
    radial = {"radial symmetry": peers(load_localizer("centroid"))["radial symmetry"]}
    conditions = [
        condition
        for condition in grids()["bead"]
        if (condition.snr, getattr(condition, "gradient", 0)) in REFERENCE_VALUES
    ]
    lines = list(
        reference_results([measure_condition(replace(condition, images=400), radial) for condition in conditions])
    )
    assert len(lines) == 2 * len(REFERENCE_VALUES) == 14
    for line in lines:
        assert line.met, f"{line.name}: {line.figures}"


# figures of merit


def test_matching_is_one_to_one_with_the_smallest_total_distance() -> None:
    """Greedy matching would pair the row at 1 with the particle at 1.4, and leave the other particle unmatched."""
    x, y = np.array([0.0, 1.4]), np.zeros(2)
    assert match(rows_at(np.array([1.0, 3.5]), np.zeros(2)), x, y).tolist() == [0, 1]
    assert match(rows_at(np.array([1.0]), np.zeros(1)), x, y).tolist() == [-1, 0]
    assert match(rows_at(np.array([4.5]), np.zeros(1)), x, y).tolist() == [-1, -1]
    assert match(empty_rows(), x, y).tolist() == [-1, -1]
    assert nearest_neighbour(x, y) == pytest.approx([1.4, 1.4])


def small(**options: object) -> EqualParticles:
    common = {
        "name": "test", "grid": "spot", "family": "spot", "definition": "", "generator": "", "snr": 20.0,
        "intensity": 400.0, "shape": gaussian, "size_px": 1.5, "sigma_px": 1.5, "background": 1000.0, "read": 20.0,
        "side_px": 256, "pitch_px": 32, "images": 12,
    }  # fmt: skip
    return EqualParticles(**(common | options))  # type: ignore[arg-type]


def test_figures_are_those_of_a_method_whose_errors_are_known() -> None:
    """Errors of N(0.02, 0.05) px stated as 0.1 px; one particle in 64 is missed, and one row is false."""
    rng = np.random.default_rng(1)

    def method(scene: Scene) -> Rows:
        x, y = scene.particles.x, scene.particles.y
        rows = rows_at(x + rng.normal(0.02, 0.05, x.size), y + rng.normal(0.02, 0.05, y.size), 0.1)
        rows["x"][0] += 10  # the next is 32 px away: a miss and a false row
        return rows

    condition = small()
    (figures,) = measure_condition(condition, {"ours": method}).figures
    assert (figures.images, figures.particles) == (12, 12 * 64)
    assert figures.recall == pytest.approx(63 / 64)
    assert figures.f1 == pytest.approx(63 / 64)
    assert figures.f1_isolated == pytest.approx(63 / 64)
    assert figures.false_per_image == 1
    assert figures.rmse_px == pytest.approx(math.hypot(0.02, 0.05), rel=0.05)
    assert figures.bias_px == pytest.approx(0.02, abs=0.006)
    assert figures.crlb_px == pytest.approx(0.0399, rel=0.02)
    assert figures.ratio == pytest.approx(0.0539 / 0.0399, rel=0.06)
    assert figures.spread == pytest.approx(0.53, abs=0.04)
    assert figures.coverage == pytest.approx(1, abs=0.005)
    assert figures.phase_bias == pytest.approx(0.02 / 0.0399, abs=0.25)


def test_pixel_locking_is_detected() -> None:
    def locked(scene: Scene) -> Rows:
        x, y = scene.particles.x, scene.particles.y
        return rows_at(x + 0.05 * np.sin(2 * np.pi * x), y + 0.05 * np.sin(2 * np.pi * y))

    (figures,) = measure_condition(small(), {"locked": locked}).figures
    assert figures.bias_px is not None
    assert figures.bias_px < 0.005, "the mean over all phases hides it"
    assert figures.phase_bias == pytest.approx(0.05 / 0.0399, rel=0.15)
    assert (figures.spread, figures.coverage) == (None, None), "no uncertainty was stated"


def test_false_rows_and_misses_of_crowds_do_not_count_for_isolated_particles() -> None:
    def half(scene: Scene) -> Rows:
        x, y = scene.particles.x, scene.particles.y
        alone = nearest_neighbour(x, y) > 4
        return rows_at(x[alone], y[alone])

    (figures,) = measure_condition(small(pitch_px=None, count=400, images=2), {"half": half}).figures
    assert figures.f1_isolated == 1
    assert figures.f1 is not None
    assert 0.5 < figures.f1 < 0.95


def test_a_conditions_images_are_its_own_and_the_same_in_every_run() -> None:
    first, again = (next(scenes(small(images=1))) for _ in range(2))
    other = next(scenes(small(images=1, name="another")))
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)
    assert sum(1 for _ in scenes(small(images=9), quick=True)) == 2


@pytest.mark.parametrize(
    "condition",
    [condition for grid, conditions in grids().items() for condition in conditions[:: 9 if grid == "finding" else 1]],
    ids=lambda condition: condition.name,
)
def test_the_images_have_the_stated_noise(condition: EqualParticles) -> None:
    scene = condition.draw(np.random.default_rng(0))
    assert scene.image.shape == (condition.side_px, condition.side_px)
    assert len(scene.particles.x) * condition.images >= 2000 or condition.grid == "empty"
    away = np.ones(scene.image.shape, bool)
    away[np.rint(scene.particles.y).astype(int), np.rint(scene.particles.x).astype(int)] = False
    bare = distance_transform_edt(away) > 6 * scene.particles.size.max(initial=1.0)
    quiet = bare & (scene.variance > 0) & (scene.variance < np.inf)
    across = np.diff(scene.image.astype(float), axis=1)[quiet[:, 1:] & quiet[:, :-1]]
    spread = 1.4826 * np.median(np.abs(across - np.median(across)))
    assert spread == pytest.approx(math.sqrt(2 * np.mean(scene.variance[quiet])), rel=0.25)


# the targets


def figures_of(method: str, **values: float) -> Figures:
    usual = {
        "images": 9, "particles": 2000, "recall": 1.0, "f1": 1.0, "f1_isolated": 1.0, "false_per_image": 0.0,
        "rmse_px": 0.05, "bias_px": 0.0, "crlb_px": 0.05, "ratio": 1.0, "ratio_error": 0.01, "spread": 1.0,
        "coverage": 0.95, "phase_bias": 0.1,
    }  # fmt: skip
    return Figures(method=method, **(usual | values))  # type: ignore[arg-type]


def verdicts(family: str, **values: float) -> dict[str, bool | None]:
    conditions = [condition for some in grids().values() for condition in some if condition.family == family]
    lines = target_results(
        [ConditionResult(condition, [figures_of("mine", **values)]) for condition in conditions], "mine", family
    )
    return {line.name: line.met for line in lines}


def test_every_target_is_listed_and_met_by_perfect_figures() -> None:
    spots, beads = verdicts("spot"), verdicts("bead", rmse_px=0.0095, ratio=1.0)
    assert all(spots.values())
    assert all(beads.values())
    expected = (
        "sigma 2.5 px, Poisson noise, SNR 4-100, SNR 2-4, gradient, flicker, vignetting, SNR 3, plain noise, "
        "no neighbour within 4 px, all, spread, coverage, pixel locking"
    )
    for words in expected.split(", "):
        assert any(words in name for name in spots), words
    assert sum("DeepTrack's images" in name for name in beads) == 7
    assert "mine: no floor at SNR 100" in beads


@pytest.mark.parametrize(
    ("values", "missed"),
    [
        ({"ratio": 1.11}, "SNR 4-100"),
        ({"ratio": 1.26}, "SNR 2-4"),
        ({"f1": 0.89}, "SNR 3, additive"),
        ({"f1": 0.96}, "SNR 4, additive"),
        ({"f1": 0.87}, "SNR 7, all"),
        ({"f1_isolated": 0.96}, "no neighbour within 4 px"),
        ({"false_per_image": 0.5}, "plain noise"),
        ({"spread": 1.11}, "spread"),
        ({"spread": 0.89}, "spread"),
        ({"coverage": 0.985}, "coverage"),
        ({"phase_bias": 0.31}, "pixel locking"),
    ],
)
def test_a_target_is_missed_beyond_its_limit(values: dict[str, float], missed: str) -> None:
    found = {name: met for name, met in verdicts("spot", **values).items() if missed in name}
    assert found
    assert not any(found.values())


def test_conditions_with_too_few_particles_found_are_left_out_and_counted() -> None:
    conditions = [condition for condition in grids()["spot"] if condition.snr <= 3]
    results = [
        ConditionResult(condition, [figures_of("mine", recall=0.05 if condition.snr == 2 else 1.0, spread=1.0)])
        for condition in conditions
    ]
    lines = [line for line in target_results(results, "mine", "spot") if "every condition" in line.name]
    assert [(line.figures["conditions"], line.figures["conditions_with_too_few_found"]) for line in lines] == 3 * [
        (6, 6)
    ]


def test_bead_must_be_below_deeptrack_and_near_the_bound() -> None:
    assert not any(met for name, met in verdicts("bead", rmse_px=0.5).items() if "DeepTrack's images" in name)
    assert not any(met for name, met in verdicts("bead", rmse_px=0.009, ratio=1.31).items() if "images" in name)


# the recording, and the command


def test_a_recording_is_degraded_as_stated() -> None:
    frame = np.full((200, 400), 128, np.uint8)
    worse = [degrade(frame, np.random.default_rng(seed)).astype(float) for seed in range(20)]
    light = np.array([each.mean() for each in worse]) / (128 * 30_000 / 255)
    assert 0.5 < light.min() < 0.7
    assert 1.3 < light.max() < 1.5
    assert worse[0][:, :40].mean() / worse[0][:, -40:].mean() == pytest.approx(1.45 / 0.55, rel=0.02)
    assert worse[0][:, 100].var() == pytest.approx(worse[0][:, 100].mean(), rel=0.3)


class FakeLocalizer:
    """Finds 100 particles to 0.05 px in clean frames, and all but every 25th with 0.12 px of added noise in others."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(2)
        self._places = 20 + 40 * np.stack(np.divmod(np.arange(100), 10)).astype(float)

    def localize(self, image: np.ndarray) -> Rows:
        x, y = self._places
        if image.dtype == np.uint8:
            return rows_at(x, y, 0.05)
        keep = np.arange(100) % 25 != 0
        x, y = self._places + self._rng.normal(0, 0.12, (2, 100))
        return rows_at(x[keep], y[keep], 0.13)


def test_differences_are_compared_with_the_stated_uncertainty() -> None:
    frames = [np.zeros((64, 64), np.uint8)] * 20
    kept, differences = robustness(FakeLocalizer(), "known", frames)  # type: ignore[arg-type]
    assert kept.figures["recall"] == pytest.approx(0.96)
    assert kept.met
    assert differences.figures["spread"] == pytest.approx(12 / 13, abs=0.05)
    assert differences.figures["spread_over_added"] == pytest.approx(1, abs=0.06)
    assert (differences.met, differences.n) == (True, 20 * 96)


class Diffusing:
    """Returns 400 particles that diffuse, 0.25 px² per frame and axis, and drift, with an error of 0.2 px."""

    def __init__(self, frames: int) -> None:
        rng = np.random.default_rng(3)
        places = 20 + 40 * np.stack(np.divmod(np.arange(400), 20)).astype(float)
        steps = np.array([0.1, -0.05])[:, None] + rng.normal(0, 0.5, (frames, 2, 400))
        self._places = places + np.cumsum(steps, axis=0)
        self._seen = self._places + rng.normal(0, 0.2, self._places.shape)

    def find(self, image: np.ndarray) -> Rows:
        return rows_at(*self._places[image[0, 0]], 0.2)

    def localize(self, image: np.ndarray) -> Rows:
        return rows_at(*self._seen[image[0, 0]], 0.2)


def test_the_error_is_found_from_displacements() -> None:
    frames = [np.full((16, 16), n, np.uint8) for n in range(60)]
    intercept, squared = displacement_errors(Diffusing(60), "known", frames)  # type: ignore[arg-type]
    assert (intercept.n, squared.n) == (400, 400)
    assert intercept.figures["intercept_px2"] == pytest.approx(0.08, abs=0.01)
    assert intercept.figures["without_refinement"] == pytest.approx(0, abs=0.01)
    assert squared.figures["squared_error_px2"] == pytest.approx(0.04, abs=0.005)
    assert 0.001 < squared.figures["standard_error"] < 0.003
    assert not squared.met
    assert displacement_errors(Diffusing(60), "none", frames[:5])[0].n == 0  # type: ignore[arg-type]


@pytest.mark.measured
def test_a_users_model_is_measured_on_its_own_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "spot", "recipe")
    mine, recipe = network("spot"), load_recipe(models_folder() / "spot.toml")
    mine.card = msgspec.structs.replace(mine.card, recipe=msgspec.to_builtins(recipe))
    line = trained_particle(mine, "mine", 8)
    assert (line.name, line.n) == ("mine: a new particle type by recipe", 40)
    ratios = [line.figures[f"ratio_{snr}"] for snr in (5, 10, 20, 50, 100)]
    assert line.figures["ratio"] == max(ratios)
    assert 0.4 < min(ratios) < max(ratios) < 5
    mine.card = msgspec.structs.replace(mine.card, recipe={"name": "of old"})
    with pytest.raises(ModelError, match="recipe is from another version of livetrack"):
        trained_particle(mine, "mine", 8)


def test_the_command_writes_its_report(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    figures, tables = tmp_path / "figures.json", tmp_path / "tables.md"
    arguments = ["--quick", "--only", "empty", "--without-peers", "--json", str(figures), "--markdown", str(tables)]
    assert main(["bench", "accuracy", *arguments]) == 0
    report = json.loads(figures.read_text())
    assert report["quick"] is True
    assert {condition["grid"] for condition in report["measurements"]["conditions"]} == {"empty"}
    assert [line["n"] for line in report["targets"]] == [7, 7]
    for line in report["targets"]:
        assert line["met"] == (line["figures"]["false_per_frame"] < 0.5)
    assert "**A quick run" in tables.read_text(encoding="utf-8")
    assert "## Targets" not in capfd.readouterr().out


@pytest.mark.parametrize("bench", ["accuracy", "linking", "latency"])
def test_an_unsupported_figure_format_is_rejected_at_once(bench: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", bench, "--figure", "f.docx"])
    assert "must end in .png, .svg or .pdf" in capfd.readouterr().err


def test_the_benches_keep_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines() if re.match(r"    \S", line)]
    assert names == ["accuracy", "linking", "latency", "window", "feedback"]


def test_the_help_names_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "accuracy", "--help"])
    assert f"parts to run: {', '.join(PARTS)} (all)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "missing", "expected"),
    [
        (["--only", "spots"], None, "--only spots: no such part; choose from spot, bead"),
        (["--only", "empty", "--figure", "f.png"], None, "--figure shows the parts spot and bead"),
        (["--model", "nowhere.onnx"], None, "nowhere.onnx: no such file"),
        (["--recording", "nowhere.tif"], None, "nowhere.tif: there is no such file"),
        (["--recording", "DEEP"], None, "the bench needs 8 bits"),
        ([], "trackpy", "pip install matplotlib scipy trackpy"),
        (["--figure", "f.png"], "matplotlib", "pip install matplotlib scipy trackpy"),
    ],
)
def test_a_mistake_gives_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: list[str],
    missing: str | None, expected: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    if "DEEP" in arguments:
        tifffile.imwrite("deep.tif", np.zeros((2, 64, 64), np.uint16), photometric="minisblack")
        arguments = [*arguments[:-1], "deep.tif"]
    code = main(["bench", "accuracy", *arguments])
    lines = capfd.readouterr().err.strip().splitlines()
    assert code == 2
    assert len(lines) == 1, lines
    assert expected in lines[0]


def test_the_figure_is_drawn_from_a_report(tmp_path: Path) -> None:
    from livetrack.bench.accuracy.figure import draw

    conditions = [condition for grid in ("spot", "bead") for condition in grids()[grid]]
    methods = ("spot", "bead", "centroid", "radial symmetry", "trackpy", "Gaussian fit")
    reached = [
        ConditionReport(
            condition.name,
            condition.grid,
            condition.family,
            "",
            "",
            "",
            condition.snr,
            [figures_of(each) for each in methods],
        )
        for condition in conditions
    ]
    report = Report(bench="accuracy", machine="here", quick=False, targets=[], measurements={"conditions": reached})
    draw(report, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 20_000
