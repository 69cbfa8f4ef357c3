"""A particle of a session becomes a model: outline, alignment, symmetry, recipe, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import odd_particles
import pytest

from livetrack.cli import main
from livetrack.client import Remote, Subscriber
from livetrack.errors import InputError, UsageError
from livetrack.localize import load_localizer
from livetrack.session.engine import Engine
from livetrack.training import load_recipe
from livetrack.training.particle.align import AlignedParticle, align_crops
from livetrack.training.particle.crops import SIDE_PX, collect_crops
from livetrack.training.particle.write import write_recipe

SIDE = 65
NOISE = 8.0


def comma(x: float, y: float, angle: float) -> np.ndarray:
    return odd_particles.comma(x, y, angle, SIDE)


def rod(x: float, y: float, angle: float) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    u, v = columns - x, rows - y
    along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    return np.exp(-(along**2) / (2 * 3.5**2) - across**2 / (2 * 1.5**2))


def ring(x: float, y: float, _: float) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    r = np.hypot(columns - x, rows - y)
    return np.exp(-(r**2) / (2 * 1.6**2)) - 0.4 * np.exp(-((r - 5) ** 2) / (2 * 1.0**2))


def crops_of(
    shape: Any, snr: float, count: int = 100, *, turning: float = 0.2, neighbours: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return crops of a particle that turns, on a slope, tracked 1 px off; some with a neighbour that touches it."""
    rng = np.random.default_rng(5)
    angle, crops, places = 0.3, [], []
    for n in range(count):
        angle += turning * rng.standard_normal()
        x, y = SIDE // 2 + rng.uniform(-0.5, 0.5, 2)
        image = shape(x, y, angle)
        if n < neighbours * count:
            image += shape(x + 9 * np.cos(n), y + 9 * np.sin(n), n)
        slope = 0.3 * np.arange(SIDE)
        crops.append(100 + slope + snr * NOISE * image + NOISE * rng.standard_normal((SIDE, SIDE)))
        places.append((x + rng.normal(), y + rng.normal()))
    x, y = np.transpose(places)
    return np.array(crops, np.float32), x, y


def error_over_noise(average: AlignedParticle, shape: Any) -> float:
    """Return the error of a pixel of the average over what the noise of its crops leaves, at the best orientation."""
    half = average.image.shape[0] // 2
    errors = []
    for angle in np.linspace(0, 2 * np.pi, 360, endpoint=False):
        true = shape(SIDE // 2, SIDE // 2, angle)
        rows, columns = np.indices(true.shape)
        light = np.where(np.abs(true) > 0.03 * np.abs(true).max(), np.abs(true), 0)
        x, y = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
        true = shape(SIDE - 1 - x, SIDE - 1 - y, angle)  # its centre of light is in the middle
        true = true[SIDE // 2 - half : SIDE // 2 + half + 1, SIDE // 2 - half : SIDE // 2 + half + 1]
        scale = (average.image * true).sum() / (true**2).sum()
        errors.append(np.sqrt(((average.image - scale * true) ** 2).mean()))
    return min(errors) * np.sqrt(average.used) / NOISE


@pytest.mark.parametrize(
    ("shape", "symmetry", "diameter"), [(comma, "none", 8.5), (rod, "half turn", 8.2), (ring, "round", 10.0)]
)
def test_aligned_crops_show_the_particle_better_than_one(shape: Any, symmetry: str, diameter: float) -> None:
    average = align_crops(*crops_of(shape, 12.0))
    assert average.symmetry == symmetry
    assert average.used > 90
    assert average.snr == pytest.approx(12.0 * shape(SIDE // 2, SIDE // 2, 0).max(), rel=0.1)
    assert average.noise == pytest.approx(NOISE, rel=0.05)
    assert average.diameter_px == pytest.approx(diameter, rel=0.25)
    assert error_over_noise(average, shape) < 1.25


def test_a_dark_faint_particle_is_averaged() -> None:
    crops, x, y = crops_of(comma, -5.0)
    average = align_crops(crops, x, y)
    assert average.snr == pytest.approx(-5.0, rel=0.15)
    assert error_over_noise(average, lambda *place: -comma(*place)) < 1.4  # orientations are known less well


def test_crops_with_a_neighbour_are_left_out() -> None:
    average = align_crops(*crops_of(comma, 12.0, neighbours=0.4))
    assert 50 <= average.used <= 62
    assert error_over_noise(average, comma) < 1.25


def test_the_surroundings_beyond_the_images_edge_do_not_matter() -> None:
    crops, x, y = crops_of(comma, 12.0)
    inside = align_crops(crops, x, y)
    crops[:, :12], crops[:, :, -10:] = np.nan, np.nan
    at_the_edge = align_crops(crops, x, y)
    assert at_the_edge.noise == pytest.approx(inside.noise, rel=0.03)
    assert error_over_noise(at_the_edge, comma) < 1.25


def test_what_cannot_be_averaged_is_reported_in_one_line() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(100, NOISE, (20, SIDE, SIDE)).astype(np.float32)
    place = np.full(20, SIDE / 2)
    with pytest.raises(InputError, match="nothing stands out from the noise at the particle's position"):
        align_crops(noise, place, place)
    crops, x, y = crops_of(comma, 12.0, 20)
    crops[:, :, SIDE // 2 :] = np.nan
    with pytest.raises(InputError, match="only 0 of 20 images show the particle alone and in full, 12 are needed"):
        align_crops(crops, x, y)


@pytest.mark.parametrize("name", ["mine", "12 Ö"])
def test_the_recipe_can_be_loaded_and_covers_what_was_measured(tmp_path: Path, name: str) -> None:
    average = align_crops(*crops_of(comma, 12.0, 40))
    write_recipe(tmp_path / f"{name}.toml", average, "spot")
    recipe = load_recipe(tmp_path / f"{name}.toml")
    particles = recipe.particles
    assert recipe.name == {"mine": "mine", "12 Ö": "particle_12"}[name]
    assert (particles.turns, particles.symmetry, particles.contrast) == (True, "none", "bright")
    assert particles.size_px[0] < average.diameter_px < particles.size_px[1]
    assert particles.snr[0] < 4 < average.snr < particles.snr[1]
    assert recipe.training.start == "spot"
    assert particles.picture is not None
    assert particles.picture.template("picture").sign == 1


def test_a_round_dark_particle_gets_the_radial_fit(tmp_path: Path) -> None:
    crops, x, y = crops_of(ring, -12.0, 40)
    write_recipe(tmp_path / "mine.toml", align_crops(crops, x, y), "bead")
    particles = load_recipe(tmp_path / "mine.toml").particles
    assert (particles.turns, particles.symmetry, particles.contrast) == (False, "round", "dark")


def test_the_centre_of_a_round_particle_is_its_centre_of_symmetry() -> None:
    """Although light from one side, as of a large particle out of focus, moves the centroid."""

    def lit(x: float, y: float, _: float) -> np.ndarray:
        rows, columns = np.mgrid[:SIDE, :SIDE]
        return ring(x, y, 0) + 0.08 * np.exp(-((columns - x - 7) ** 2 + (rows - y) ** 2) / (2 * 2.0**2))

    average = align_crops(*crops_of(lit, 30.0, turning=0.0))
    assert average.symmetry == "round"
    half = average.image.shape[0] // 2
    np.testing.assert_allclose(average.image, average.image[::-1, ::-1], atol=1e-4)
    true = 30 * NOISE * ring(SIDE // 2, SIDE // 2, 0)[SIDE // 2 - 4 : SIDE // 2 + 5, SIDE // 2 - 4 : SIDE // 2 + 5]
    np.testing.assert_allclose(average.image[half - 4 : half + 5, half - 4 : half + 5], true, atol=0.05 * true.max())


@pytest.fixture(scope="module")
def session() -> Iterator[Engine]:
    with odd_particles.odd_session() as engine:
        yield engine


def particle_near(session: Engine, x: float, y: float) -> int:
    """Return the id of the particle there, which is made the target."""
    with Remote(session.publisher.address) as remote, Subscriber(session.publisher.address) as positions:
        for _ in range(20):
            positions.receive(5)
        return remote.choose_target(x=x, y=y)


def test_crops_of_a_track_are_collected_from_the_wire(session: Engine) -> None:
    particle, seen = particle_near(session, *odd_particles.CENTRES[2]), []
    crops = collect_crops(session.publisher.address, particle, count=15, progress=seen.append)
    assert seen == list(range(1, 16))
    assert crops.particle == particle
    assert crops.grey.shape == (15, SIDE_PX, SIDE_PX)
    assert np.isnan(crops.grey[:, -1]).all()  # 45 px from the lower edge
    assert np.isfinite(crops.grey[:, 0]).all()
    middle = crops.grey[:, SIDE_PX // 2 - 3 : SIDE_PX // 2 + 4, SIDE_PX // 2 - 3 : SIDE_PX // 2 + 4]
    assert middle.max(axis=(1, 2)).min() > 200 + 10 * odd_particles.NOISE
    np.testing.assert_allclose(crops.x, SIDE_PX // 2, atol=0.5)


def test_a_particle_whose_track_has_ended_is_found_where_it_was(session: Engine) -> None:
    crops = collect_crops(session.publisher.address, 10**9, at=odd_particles.CENTRES[0], count=12)
    assert len(crops.grey) == 12
    with pytest.raises(UsageError, match="particle 1000000000 is not in the images; choose another one"):
        collect_crops(session.publisher.address, 10**9, seconds=1.0)


def test_without_a_target_the_particle_must_be_named(session: Engine) -> None:
    with Remote(session.publisher.address) as remote:
        remote.clear_target()
    with pytest.raises(UsageError, match="the session has no target: click a particle in the window"):
        collect_crops(session.publisher.address)


def test_learn_writes_a_model_and_makes_the_session_use_it(
    session: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    monkeypatch.setattr("livetrack.cli.learn.lower_priority", lambda: None)  # the tests' own process
    monkeypatch.setattr("livetrack.training.run._EVALUATIONS", 0)
    monkeypatch.setattr("livetrack.training.trainer.measure_isolated", lambda *_: [])
    monkeypatch.setattr("livetrack.training.card.speed_line", lambda *_: "")
    monkeypatch.setattr("livetrack.training.calibrate._SCENES", 10)
    particle = particle_near(session, *odd_particles.CENTRES[0])
    model, results = tmp_path / "comma.onnx", tmp_path / "results.json"
    address = session.publisher.address
    options = ["--address", address, "--crops", "20", "--minutes", "0.01", "--use", "--json", str(results)]
    assert main(["learn", "-o", str(model), *options]) == 0
    output = capfd.readouterr().err
    assert f"particle {particle}: SNR 15" in output or f"particle {particle}: SNR 14" in output
    assert "without symmetry" in output
    assert "the session uses comma" in output
    with Remote(address) as remote:
        assert remote.state().model == "comma"
        remote.swap_model("bead")
    found = json.loads(results.read_bytes())
    assert (found["particle"], found["symmetry"]) == (particle, "none")
    assert found["training"]["steps"] > 0
    card = load_localizer(model).card
    assert card.start.startswith("bead, ")
    assert {path.name for path in tmp_path.iterdir()} == {
        "comma.onnx", "comma.md", "comma.toml", "comma.tif", "results.json",
    }  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="priority and cores are read as Linux reports them")
def test_the_training_makes_way_for_the_session() -> None:
    code = (
        "import os; from livetrack.cli.priority import lower_priority; lower_priority(); "
        "print(os.nice(0), len(os.sched_getaffinity(0)))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["19", "1"]


def test_missing_pytorch_is_reported_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("livetrack.cli.training_bars.find_spec", lambda name: None if name == "torch" else object())
    assert main(["learn", "-o", str(tmp_path / "a.onnx"), "--address", "tcp://127.0.0.1:9"]) == 2
    assert capsys.readouterr().err == (
        "livetrack: training needs torch, not installed here: python -m pip install 'livetrack[train]'\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_model_needs_an_existing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    for name in ("a.pt", "missing/a.onnx"):
        assert main(["learn", "-o", str(tmp_path / name)]) == 2
        assert "expected an .onnx file in an existing folder" in capsys.readouterr().err
