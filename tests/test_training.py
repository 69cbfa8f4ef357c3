"""Recipes, their scenes, and a training short enough for a test."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from tiny_recipe import TINY

pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper

from livetrack.cli import main
from livetrack.errors import ConfigError, ModelError, UsageError
from livetrack.localize import load_localizer
from livetrack.localize.decode import BLOCK, CELL, MAPS
from livetrack.localize.models import models_folder
from livetrack.localize.network import NetworkLocalizer
from livetrack.optics.spot import add_spots
from livetrack.training import Progress, load_recipe, train
from livetrack.training.families import FAMILIES, Appearance, Family
from livetrack.training.network import Network
from livetrack.training.prefetch import prefetch_batches
from livetrack.training.recipe import Recipe, find_start
from livetrack.training.scenes import Scene, draw_scene
from livetrack.training.sections import Particles
from livetrack.training.start import load_start
from livetrack.training.targets import compute_loss, draw_batch

RECIPES = {path.stem: path for path in models_folder().glob("*.toml")}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the evaluations, which take most of the time of a short training."""
    monkeypatch.setattr("livetrack.training.run._EVALUATIONS", 0)
    monkeypatch.setattr("livetrack.training.trainer.measure_isolated", lambda *_: [])


def test_a_short_training_learns_and_its_model_finds_spots(tiny: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    report = train(tiny, tmp_path / "tiny.onnx", progress=seen.append)
    assert report.steps == len(seen) == 120
    assert seen[-1].fraction == 1
    assert seen[-1].loss < seen[10].loss - 2
    measured = [progress.accuracy.recall for progress in seen if progress.accuracy and progress.isolated]
    assert len(measured) == 9
    assert measured[-1] > measured[0]
    card = Path(report.card).read_text(encoding="utf-8")
    assert "| SNR |" in card
    assert re.search(r"64x64 in [\d.e+]+ ms, .* with \d+ particles in [\d.e+]+ ms", card)
    assert report.accuracy_line in card
    assert report.overall.particles == sum(cell.particles for cell in report.accuracy)
    assert report.overall.recall > 0.5
    at_20 = next(cell for cell in report.isolated if cell.snr == 20)
    assert f"| 20 | {at_20.recall:.3f} | {at_20.rmse_px:.4f} | {at_20.bound_px:.4f} | {at_20.over_bound:.2f} |" in card
    assert at_20.recall > 0.5
    assert at_20.over_bound < 1.5
    # a Gaussian's bound is 0.8 px / SNR, whatever its width
    assert at_20.bound_px == pytest.approx(0.8 / 20, rel=0.1)
    assert sum(cell.particles for cell in report.accuracy) > 100

    image = np.full((40, 48), 50, np.float32)
    x, y = np.array([12.3, 33.8]), np.array([20.6, 15.1])
    add_spots(image, x, y, np.full(2, 1.4), np.full(2, 3000.0))
    rows = load_localizer(report.model).localize(np.random.default_rng(0).poisson(image))
    rows = rows[np.argsort(rows["x"])]
    np.testing.assert_allclose(rows["x"], x, atol=0.6)
    np.testing.assert_allclose(rows["y"], y, atol=0.6)


def test_the_exported_model_equals_the_network(tiny: Path, tmp_path: Path) -> None:
    from livetrack.training.export import export

    torch.manual_seed(3)
    network = Network((8, 16))
    torch.nn.init.normal_(network.head.weight)
    export(network, tmp_path / "any.onnx", {"name": "any"})
    image = torch.randn(2, 1, 40, 56)
    with torch.no_grad():
        expected = network(image).numpy()
    maps = ort.InferenceSession(str(tmp_path / "any.onnx")).run(None, {"image": image.numpy()})[0]
    assert maps.shape == (2, 4 * MAPS, 10, 14)
    np.testing.assert_allclose(maps, expected, atol=1e-4)


@pytest.mark.measured
@pytest.mark.usefixtures("unmeasured")
def test_a_training_stops_in_time_and_repeats_with_its_seed(tiny: Path, tmp_path: Path) -> None:
    first = train(tiny, tmp_path / "a.onnx", steps=3, seed=5)
    again = train(tiny, tmp_path / "b.onnx", steps=3, seed=5)
    other = train(tiny, tmp_path / "c.onnx", steps=3, seed=6)
    assert first.loss == pytest.approx(again.loss, rel=1e-4)
    assert first.loss != pytest.approx(other.loss, rel=1e-4)
    assert train(tiny, tmp_path / "d.onnx", minutes=1e-6).steps == 1


def test_batches_do_not_depend_on_where_one_starts_and_how_many_threads_draw(tiny: Path) -> None:
    recipe = load_recipe(tiny)
    with closing(prefetch_batches(recipe, 7)) as one, closing(prefetch_batches(recipe, 7, 2, threads=3)) as later:
        batches = [next(one) for _ in range(6)]
        for n in range(2, 6):
            again = next(later)
            assert torch.equal(batches[n].inputs, again.inputs)
            assert torch.equal(batches[n].targets, again.targets)
    assert not torch.equal(batches[0].inputs, batches[1].inputs)


KILLED = """
import os, sys
from livetrack.training import train
import livetrack.training.run as run
run._SAVE_EVERY_S = run._EVALUATIONS = 0
def die(progress):
    if progress.step == 4:
        os._exit(9)  # as kill -9, on any system
train(sys.argv[1], sys.argv[2], steps=6, progress=die)
"""


@pytest.mark.measured
@pytest.mark.usefixtures("unmeasured")
def test_a_killed_training_continues_to_the_same_model(tiny: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.onnx", tmp_path / "killed.onnx"
    assert subprocess.run([sys.executable, "-c", KILLED, tiny, killed], check=False).returncode == 9
    with pytest.raises(UsageError, match=r"killed.checkpoint: checkpoint of another recipe or seed"):
        train(tiny, killed, steps=6, seed=2)
    seen: list[Progress] = []
    resumed = train(tiny, killed, steps=6, progress=seen.append)
    assert [progress.step for progress in seen] == [5, 6]
    report = train(tiny, whole, steps=6)
    assert resumed.loss == pytest.approx(report.loss, rel=1e-4)
    image = np.random.default_rng(0).normal(size=(1, 1, 32, 32)).astype(np.float32)
    maps = [ort.InferenceSession(str(path)).run(None, {"image": image})[0] for path in (whole, killed)]
    np.testing.assert_allclose(*maps, atol=1e-5)
    assert not list(tmp_path.glob("*.checkpoint*"))


@pytest.mark.usefixtures("unmeasured")
def test_a_damaged_checkpoint_is_reported_and_a_restart_ignores_it(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "a.checkpoint").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(UsageError, match=r"a.checkpoint: not a readable checkpoint; delete it, or use --restart"):
        train(tiny, tmp_path / "a.onnx", steps=1)
    assert train(tiny, tmp_path / "a.onnx", steps=1, restart=True).steps == 1


def test_an_unknown_device_is_reported_in_one_line(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="device 'gpu' cannot be used") as caught:
        train(tiny, tmp_path / "a.onnx", steps=1, device="gpu")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("unmeasured")
def test_a_training_begins_with_the_weights_of_a_model(tiny: Path, tmp_path: Path) -> None:
    first = train(tiny, tmp_path / "first.onnx", steps=60)
    weights = weights_of(tmp_path / "first.onnx")
    tiny.write_text(TINY + 'start = "first.onnx"\n', encoding="utf-8")
    assert find_start(tiny, load_recipe(tiny)) == tmp_path / "first.onnx"
    tiny.write_text(TINY + 'start = "spot"\n', encoding="utf-8")
    second = train(tiny, tmp_path / "second.onnx", steps=1, start=tmp_path / "first.onnx")
    assert second.loss < first.loss - 1
    for name, value in weights_of(tmp_path / "second.onnx").items():
        np.testing.assert_allclose(value, weights[name], atol=2e-4)  # a step at a rate that has just begun to rise
    card = NetworkLocalizer(tmp_path / "second.onnx").card
    digest = hashlib.sha256((tmp_path / "first.onnx").read_bytes()).hexdigest()
    assert card.start == f"tiny, 60 steps, SHA-256 {digest}"
    assert card.recipe["training"]["start"] == str(tmp_path / "first.onnx")
    assert f"1 steps from the weights of {card.start}, and seed 1" in Path(second.card).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_training_can_begin_with_a_shipped_model(name: str) -> None:
    path = models_folder() / f"{name}.onnx"
    network = Network(load_recipe(RECIPES[name]).network.channels)
    assert load_start(path, network).startswith(f"{name}, ")
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        maps = network(image).numpy()
    expected = ort.InferenceSession(str(path)).run(None, {"image": image.numpy()})[0]
    np.testing.assert_allclose(maps, expected, atol=1e-3)


def test_a_model_to_start_from_must_exist_and_fit(tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.onnx"
    with pytest.raises(UsageError, match=r"channels are \[32, 64\], those of the recipe are \[8, 16\]"):
        train(tiny, output, start="spot")
    with pytest.raises(ModelError, match="did you mean spot"):
        train(tiny, output, start="spots")
    (tmp_path / "b.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot open it"):
        train(tiny, output, start=tmp_path / "b.onnx")
    with pytest.raises(UsageError, match="starts from this model"):
        train(tiny, tmp_path / "b.onnx", start=tmp_path / "b.onnx")


def weights_of(model: Path) -> dict[str, npt.NDArray[np.float32]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(model)).graph.initializer}


def test_a_recipe_is_read_without_pytorch(tiny: Path) -> None:
    code = "import sys; from livetrack.training import load_recipe; load_recipe(sys.argv[1]); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code, tiny], check=True, capture_output=True, text=True)
    assert "numpy" in run.stdout.split()
    assert "torch" not in run.stdout.split()


@pytest.mark.usefixtures("unmeasured")
def test_an_interrupted_training_leaves_a_model_and_reports_its_accuracy(tiny: Path, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 2:
            raise KeyboardInterrupt

    report = train(tiny, tmp_path / "early.onnx", progress=interrupt)
    assert (report.interrupted, report.steps) == (True, 2)
    assert NetworkLocalizer(tmp_path / "early.onnx").card.steps == 2
    assert (tmp_path / "early.checkpoint").exists()
    assert report.accuracy_line.startswith("Found none of")
    card = Path(report.card).read_text(encoding="utf-8")
    assert report.accuracy_line in card
    assert "nan" not in card


@pytest.mark.usefixtures("unmeasured")
def test_a_card_without_particles_has_no_empty_table(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(TINY.replace("snr = [20.0, 40.0]", "snr = [0.1, 0.2]"), encoding="utf-8")
    report = train(tiny, tmp_path / "empty.onnx", steps=1)
    card = Path(report.card).read_text(encoding="utf-8")
    assert "contain no particle of SNR 1 or above" in card
    assert "| SNR | particles |" not in card


def test_the_true_maps_have_the_lowest_loss(tiny: Path) -> None:
    """Confident, correct maps cost less than the same maps shifted, uncertain or empty."""
    batch = draw_batch(load_recipe(tiny), np.random.default_rng(0))
    batch.targets[:, 4:6] = 0.6  # as if these particles had an axis
    batch.targets[:, 7] = batch.targets[:, 6]
    cells = torch.zeros(batch.targets.shape[0], MAPS, *batch.targets.shape[2:])
    cells[:, 0] = torch.logit(batch.targets[:, 0], 1e-4)
    cells[:, 1:3] = batch.targets[:, 1:3]
    cells[:, 3:5] = -4
    cells[:, 5:] = batch.targets[:, 3:6]

    def loss(cells: torch.Tensor) -> torch.Tensor:
        return compute_loss(torch.nn.functional.pixel_unshuffle(cells, BLOCK // CELL), batch)

    best = loss(cells)
    for change in ((0, -8.0), (1, 0.3), (2, -0.3), (3, 2.0), (5, 1.0), (6, -0.5), (7, 0.5)):
        worse = cells.clone()
        worse[:, change[0]] += change[1]
        assert loss(worse) > best


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_shipped_recipes_draw_particles_at_the_stated_positions(name: str) -> None:
    recipe = load_recipe(RECIPES[name])
    rng = np.random.default_rng(1)
    bright, noises = [], []
    for _ in range(60):
        scene = draw_scene(recipe, rng, 64, 56)
        assert scene.image.shape == (56, 64)
        assert np.array_equal(scene.image, np.rint(scene.image))
        assert np.all((scene.x > -0.5) & (scene.x < 63.5) & (scene.y > -0.5) & (scene.y < 55.5))
        snr = np.abs(scene.intensity) / scene.noise
        assert np.all((snr > 0.99 * recipe.particles.snr[0]) & (snr < 1.01 * recipe.particles.snr[1]))
        bright.extend(scene.intensity > 0)
        noises.append(scene.noise)
    assert np.mean(bright) == 1 if recipe.particles.contrast == "bright" else 0.1 < np.mean(bright) < 0.9
    assert max(noises) > 5 * min(noises)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_shipped_model_was_trained_by_the_recipe_next_to_it(name: str) -> None:
    card = NetworkLocalizer(RECIPES[name].with_suffix(".onnx")).card
    recipe = load_recipe(RECIPES[name])
    assert msgspec.convert(card.recipe, Recipe) == recipe
    assert (card.name, card.steps) == (name, recipe.training.steps)


def test_spot_scenes_are_empty_sparse_or_crowded() -> None:
    """A thousand in 512x512 px, the densest that is promised, are 16 in a scene: well inside the range."""
    recipe = load_recipe(RECIPES["spot"])
    counts = np.array([draw_scene(recipe, np.random.default_rng([2, n]), 64, 64).x.size for n in range(300)])
    assert 0.12 < np.mean(counts == 0) < 0.3
    assert np.mean(counts >= 16) > 0.1
    assert np.median(counts) < 8


def scenes_with(tiny: Path, count: int, *, particles: str = "", scenes: str = "") -> list[Scene]:
    """Scenes of 64x64 px of the tiny recipe with more keys in two of its sections."""
    text = TINY.replace("snr = [20.0, 40.0]", "snr = [2.0, 100.0]").replace(
        "[scenes]", f"{particles}\n[scenes]\n{scenes}"
    )
    tiny.write_text(text.replace("count = [2, 6]", "count = [20, 20]"), encoding="utf-8")
    recipe = load_recipe(tiny)
    return [draw_scene(recipe, np.random.default_rng([3, n]), 64, 64) for n in range(count)]


def test_touching_particles_are_crystals_or_pairs(tiny: Path) -> None:
    scenes = scenes_with(tiny, 40, particles="apart = 1.0\ntouching = 1.0\nspacing = [3.0, 3.0]")
    neighbours = []
    for scene in scenes:
        distance = np.hypot(scene.x - scene.x[:, None], scene.y - scene.y[:, None])
        neighbours.append(np.sort(distance, axis=1)[:, 1:7])
    # in a full hexagonal patch the six nearest neighbours of most particles are one spacing away: 3.6 to 4.8 px
    regular = [np.mean((six > 3) & (six < 5.8)) for six in neighbours]
    assert 0.1 < np.mean(np.array(regular) > 0.6) < 0.6
    nearest = np.concatenate([six[:, 0] for six, often in zip(neighbours, regular, strict=True) if often < 0.6])
    assert np.mean(nearest < 4.8) > 0.3
    assert min(six.min() for six in neighbours) > 1.5
    crowds = scenes_with(tiny, 40, particles="apart = 1.0")
    assert np.mean([len(scene.x) for scene in crowds]) < np.mean([len(scene.x) for scene in scenes])


def test_faint_scenes_are_faint_and_plain_ones_have_noise_only(tiny: Path) -> None:
    for scene in scenes_with(tiny, 20, particles="faint = 1.0"):
        assert np.all(scene.intensity <= 6.01 * scene.noise)
    plain = scenes_with(
        tiny, 20, scenes="plain = 1.0\ntilt = [5.0, 5.0]\nvignetting = [0.5, 0.5]\ntexture = [9.0, 9.0]"
    )
    for scene in plain:
        border = scene.image[[0, -1]].ravel()
        assert np.std(border[border < np.median(border) + 3 * scene.noise]) < 1.3 * scene.noise
        assert scene.noise > 1.9
        assert np.std(np.log(scene.intensity)) < 0.3


def test_beads_of_a_single_order_are_airy_patterns_or_rings() -> None:
    recipe = load_recipe(RECIPES["bead"])
    recipe = msgspec.structs.replace(recipe, particles=msgspec.structs.replace(recipe.particles, single_order=1.0))
    at_centre = []
    for n in range(20):
        image = np.zeros((61, 61), np.float32)
        appearance = recipe.draw_appearance(np.random.default_rng(n), np.array([4.0]))
        appearance.render(image, np.array([30.0]), np.array([30.0]), np.ones(1))
        at_centre.append(abs(float(image[30, 30])))
    assert all(value < 0.05 or value > 0.95 for value in at_centre)
    assert 0.2 < np.mean(np.array(at_centre) > 0.5) < 0.8


def test_airy_spots_have_the_core_of_the_gaussians_they_replace() -> None:
    recipe = load_recipe(RECIPES["spot"])
    gauss, airy = (msgspec.structs.replace(recipe.particles, airy=fraction) for fraction in (0.0, 1.0))
    for sigma in (0.8, 3.0):
        images = []
        for particles in (gauss, airy):
            image = np.zeros((81, 81), np.float32)
            one = msgspec.structs.replace(recipe, particles=particles)
            appearance = one.draw_appearance(np.random.default_rng(1), np.array([sigma]))
            appearance.render(image, np.array([40.0]), np.array([40.0]), np.array([100.0]))
            images.append(image)
        assert images[0][40, 40] == pytest.approx(100, rel=1e-5)
        core = np.hypot(*np.mgrid[-40:41, -40:41]) < 1.5 * sigma
        np.testing.assert_allclose(images[1][core], images[0][core], atol=5)
        assert images[1][40, 40 + round(5 * sigma)] > 10 * images[0][40, 40 + round(5 * sigma)] >= 0


def test_saturation_clips_bright_pixels_and_limits_the_true_intensity(tiny: Path) -> None:
    recipe = load_recipe(tiny)
    full = msgspec.structs.replace(recipe, scenes=msgspec.structs.replace(recipe.scenes, saturated=1.0))
    lower = flat = 0
    for seed in range(100):
        unclipped, clipped = (draw_scene(variant, np.random.default_rng(seed), 64, 64) for variant in (recipe, full))
        lower += clipped.intensity.max(initial=0) < unclipped.intensity.max(initial=0)
        flat += (clipped.image == clipped.image.max()).sum() > 3
    assert lower > 75  # in the others the brightest is outside the image
    assert flat > 50


def test_example_recipes_make_scenes(tmp_path: Path) -> None:
    for path in (models_folder() / "examples").glob("*.toml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    crop = crop_of_a_dark_particle(tmp_path)
    for name, signs, symmetry in (("rod", {-1, 1}, "half turn"), ("template", {-1}, "none")):
        recipe = load_recipe(tmp_path / f"{name}.toml")
        scenes = [draw_scene(recipe, np.random.default_rng([3, n]), 64, 64) for n in range(20)]
        assert set(np.sign(np.concatenate([scene.intensity for scene in scenes]))) == signs
        angles = np.concatenate([scene.angle for scene in scenes])
        assert np.isfinite(angles).mean() > 0.8 if name == "rod" else np.isnan(angles).all()
        assert recipe.symmetry == symmetry
    assert recipe.particles.picture is not None
    assert recipe.particles.picture.sha256 == hashlib.sha256(crop.read_bytes()).hexdigest()
    assert recipe.particles.contrast == "dark"
    assert msgspec.convert(json.loads(msgspec.json.encode(recipe)), type(recipe)) == recipe


def test_a_family_is_one_entry(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discs: a function that draws them, and its entry in `FAMILIES`."""

    def draw_discs(particles: Particles, rng: np.random.Generator, size: np.ndarray) -> Appearance:
        def render(photons: np.ndarray, x: np.ndarray, y: np.ndarray, amplitude: np.ndarray) -> None:
            rows, columns = np.indices(photons.shape)
            for n in range(x.size):
                photons += amplitude[n] * (np.hypot(columns - x[n], rows - y[n]) < size[n])

        return Appearance(render, np.full(size.size, np.nan))

    monkeypatch.setitem(FAMILIES, "disc", Family(draw_discs, ("contrast",), "round"))
    tiny.write_text(TINY.replace('family = "spot"', 'family = "disc"'), encoding="utf-8")
    recipe = load_recipe(tiny)
    assert recipe.symmetry == "round"
    scene = draw_scene(recipe, np.random.default_rng(0), 64, 64)
    inside = scene.image[np.rint(scene.y).astype(int).clip(0, 63), np.rint(scene.x).astype(int).clip(0, 63)]
    assert np.all(inside > np.median(scene.image) + 5 * scene.noise)
    wrong = TINY.replace('family = "spot"', 'family = "disc"').replace("[particles]", "[particles]\nairy = 1.0")
    tiny.write_text(wrong, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\[particles.airy\] is a key of spot; this recipe is of family disc"):
        load_recipe(tiny)


def test_a_template_scene_holds_the_image_at_the_stated_position(tmp_path: Path) -> None:
    """One particle of original size, almost without noise: the centroid of the image is at the scene's x, y."""
    crop_of_a_dark_particle(tmp_path)
    text = (models_folder() / "examples" / "template.toml").read_text(encoding="utf-8")
    for old, new in (
        ("size_px = [9.0, 11.0]", "size_px = [10.0, 10.0]"),
        ("snr = [1.5, 200.0]", "snr = [150.0, 200.0]"),
        ("count = [0, 12]", "count = [1, 1]"),
        ("turns = true", "turns = false"),
        ("smoothed = 0.2", "smoothed = 0.0\nhot_pixels = 0"),
        ("compressed = 0.15", "texture = [0.001, 0.001]\ntilt = [0, 0]\nvignetting = [0, 0]"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "one.toml").write_text(text, encoding="utf-8")
    recipe = load_recipe(tmp_path / "one.toml")
    seen = 0
    for n in range(20):
        scene = draw_scene(recipe, np.random.default_rng([5, n]), 64, 64)
        if scene.x.size and 16 < scene.x[0] < 48 and 16 < scene.y[0] < 48:
            light = np.maximum(np.median(scene.image) - scene.image - 5 * scene.noise, 0)
            rows, columns = np.indices(light.shape)
            assert (light * columns).sum() / light.sum() == pytest.approx(scene.x[0], abs=0.15)
            assert (light * rows).sum() / light.sum() == pytest.approx(scene.y[0], abs=0.15)
            seen += 1
    assert seen > 3


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("name", ["rod", "template"])
def test_a_model_of_an_example_uses_the_fit_for_its_particles(name: str, tmp_path: Path) -> None:
    crop_of_a_dark_particle(tmp_path)
    recipe = tmp_path / f"{name}.toml"
    recipe.write_bytes((models_folder() / "examples" / recipe.name).read_bytes())
    report = train(recipe, tmp_path / f"{name}.onnx", steps=1)
    card = Path(report.card).read_text(encoding="utf-8")
    assert "elongation 1 to 5, blur_px 0.8 to 1.6" in card if name == "rod" else "picture 29x27 px with SHA-256" in card
    localizer = NetworkLocalizer(Path(report.model), threshold=1e-4)
    assert localizer.card.oriented == (name == "rod")
    image = np.random.default_rng(1).normal(100, 10, (64, 64)).astype(np.float32)
    found = localizer.find(image)
    assert len(found)
    assert len(localizer.localize(image)) == len(found)
    assert len(localizer.refine(image, found)) == len(found)


def crop_of_a_dark_particle(folder: Path) -> Path:
    rows, columns = np.mgrid[:27, :29]
    blob = np.exp(-((columns - 15.4) ** 2 / 18 + (rows - 12.1) ** 2 / 8)) + 0.5 * np.exp(
        -((columns - 10) ** 2 + (rows - 15) ** 2) / 6
    )
    noise = np.random.default_rng(0).standard_normal(blob.shape)
    tifffile.imwrite(folder / "crop.tif", (1000 - 600 * blob + 10 * noise).astype(np.uint16))
    return folder / "crop.tif"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", r"recipe.toml:3: \[particles.template\] is missing"),
        ('template = "gone.tif"', r"recipe.toml:6: \[particles.template\]: .*gone.tif: there is no such file"),
        ('template = "flat.tif"', r"flat.tif: no particle stands out"),
        ('template = "wide.tif"', r"wide.tif: 300x20 px; crop one particle"),
        ('template = "two.tif"', r"two.tif: contains several images"),
        (
            'template = "crop.tif"\norders = 2',
            r"recipe.toml:7: \[particles.orders\] is a key of bead; .* family template",
        ),
        ('template = "crop.tif"\ncontrast = "dark"', r"recipe.toml:7: \[particles.contrast\] is a key of"),
        ('template = "crop.tif"\n[particles.picture]\nsha256 = "1"', r"recipe.toml:7: \[particles.picture"),
    ],
)
def test_a_wrong_template_is_reported_in_one_line(tmp_path: Path, lines: str, words: str) -> None:
    crop_of_a_dark_particle(tmp_path)
    for name, shape in (("flat", (20, 20)), ("wide", (20, 300)), ("two", (2, 20, 20))):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros(shape, np.uint8), photometric="minisblack")
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'name = "x"\nfamily = "template"\n[particles]\nsize_px = [9.0, 11.0]\ntypical_diameter_px = 10.0\n{lines}\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match=words) as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)


def test_scenes_repeat_with_their_seed() -> None:
    recipe = load_recipe(RECIPES["bead"])
    one, two = (draw_scene(recipe, np.random.default_rng(4), 64, 64) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("[particles]\nsize = 3", r"recipe.toml:4: \[particles.size\] unknown key"),
        ('[particles]\nsize_px = "big"', r"recipe.toml:4: \[particles.size_px\]"),
        ("[particles]\nsize_px = [3.0, 1.0]\ntypical_diameter_px = 3.0", r"recipe.toml:4: .*\[min, max\]"),
        ("[particles]\nsize_px = [0.0, 1.0]\ntypical_diameter_px = 3.0", "both above 0"),
        ("[particles]\ntypical_diameter_px = 3.0", "size_px"),
        (
            '[particles]\nsize_px = [1.0, 2.0]\ntypical_diameter_px = 3.0\n[training]\nstart = "spt"',
            r"recipe.toml:7: \[training.start\]: unknown model 'spt'; .*did you mean spot\?",
        ),
        (
            'family = "spots"\n[particles]\nsize_px = [1.0, 2.0]\ntypical_diameter_px = 3.0',
            r"recipe.toml:2: \[family\] = 'spots': unknown family; did you mean spot\?",
        ),
    ],
)
def test_a_wrong_recipe_is_reported_in_one_line(tmp_path: Path, wrong: str, words: str) -> None:
    path = tmp_path / "recipe.toml"
    family = "" if wrong.startswith("family") else 'family = "spot"\n'
    path.write_text(f'name = "x"\n{family}{wrong}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)


def test_recipes_to_start_from_are_listed_and_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--list"]) == 0
    listed = [Path(line) for line in capsys.readouterr().out.splitlines() if line.endswith(".toml")]
    assert {path.stem for path in listed} >= {"spot", "bead", "rod", "template"}
    assert all(path.is_file() for path in listed)
    assert main(["train"]) == 2
    assert "--list" in capsys.readouterr().err


@pytest.mark.measured
def test_a_training_reports_its_accuracy_on_the_way_and_that_it_continues(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_text(TINY.replace("steps = 120", "steps = 3"), encoding="utf-8")
    monkeypatch.setattr("livetrack.training.run._EVALUATIONS", 3)
    output = tmp_path / "model.onnx"

    def stop(progress: Progress) -> None:
        if progress.step == 1:
            raise KeyboardInterrupt

    train(tiny, output, progress=stop)
    assert main(["train", str(tiny), "-o", str(output), "--json", str(tmp_path / "report.json")]) == 0
    output_text = " ".join(capsys.readouterr().err.split())
    assert "continuing the interrupted training after step 1" in output_text
    assert "step 2: Found none" in output_text
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (report["steps"], report["interrupted"], len(report["isolated"])) == (3, False, 6)


def test_a_model_must_have_somewhere_to_go(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="onnx"):
        train(tiny, tmp_path / "model.pt")
    with pytest.raises(UsageError, match="folder"):
        train(tiny, tmp_path / "nowhere" / "model.onnx")
