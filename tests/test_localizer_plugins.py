"""Localizers of other packages: found by their entry points, built with the user's options, used like any model."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas
import pytest
import tifffile
from live_engine import running

from livetrack import Remote, load_localizer
from livetrack.cli import main
from livetrack.errors import ModelError
from livetrack.localize import GuidedLocalizer, Localizer
from livetrack.localize.models import installed_localizers, localizer_names
from livetrack.particles import Flag, Rows, empty_rows


class Brightest(Localizer):
    """The brightest pixel of each image."""

    def find(self, image: np.ndarray) -> Rows:
        rows = empty_rows(1)
        rows["y"], rows["x"] = np.unravel_index(image.argmax(), image.shape)
        rows["score"] = 0.9
        return rows[rows["score"] >= self.threshold]


class WithOptions(Brightest):
    name = "other"
    default_threshold = 0.3

    def __init__(self, diameter_px: float = 5.0, threads: int = 1) -> None:
        self.options = diameter_px, threads


class NoFind(Localizer):
    pass


class Broken(Brightest):
    def __init__(self) -> None:
        raise RuntimeError("no licence")


class Careful(Brightest):
    def __init__(self) -> None:
        raise ModelError("plug in the dongle")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return what installs localizers under their names."""

    def install(**factories: Any) -> None:
        module = ModuleType("somebodys_package")
        vars(module).update(factories)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        points = [EntryPoint(name, f"somebodys_package:{name}", "livetrack.localizers") for name in factories]
        points.append(EntryPoint("lost", "no_such_package:Lost", "livetrack.localizers"))
        real = sys.modules["importlib.metadata"].entry_points
        monkeypatch.setattr(
            "importlib.metadata.entry_points",
            lambda **params: points if params == {"group": "livetrack.localizers"} else real(**params),
        )
        installed_localizers.cache_clear()

    yield install
    installed_localizers.cache_clear()


def spot(x: int, y: int) -> np.ndarray:
    image = np.full((40, 60), 100, np.uint16)
    image[y, x] = 200
    return image


def test_an_installed_localizer_is_loaded_by_its_name(install: Callable[..., None]) -> None:
    install(brightest=Brightest)
    localizer = load_localizer("brightest")
    assert (localizer.name, localizer.provider, localizer.threads) == ("brightest", "Python", "1 thread")
    localizer.warmup((40, 60), np.dtype(np.uint16))
    rows = localizer.localize(spot(17, 3))
    assert (rows["x"].tolist(), rows["y"].tolist()) == ([17.0], [3.0])
    assert len(load_localizer("brightest", threshold=0.95).localize(spot(17, 3))) == 0
    assert "brightest" in localizer_names()


def test_it_is_built_with_the_options_it_has(install: Callable[..., None]) -> None:
    install(other=WithOptions, plain=Brightest)
    assert load_localizer("other").options == (5.0, 1)
    given = {"diameter_px": 7.0, "threads": 3, "provider": "cpu", "profile_fit": False}
    assert load_localizer("other", **given).options == (7.0, 3)
    assert load_localizer("other").threshold == 0.3
    assert load_localizer("plain", threads=3, provider="cuda").name == "plain"
    with pytest.raises(ModelError, match=r"localizer plain \(.*somebodys_package:plain\) has no option diameter_px"):
        load_localizer("plain", diameter_px=7.0)
    with pytest.raises(ModelError, match=r"has no option contrast; leave it out"):
        load_localizer("other", contrast="dark")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lost", r"localizer lost \(entry point no_such_package:Lost\) cannot be imported: ModuleNotFoundError: "),
        ("no_find", r"localizer no_find \(.*\) cannot be built: TypeError: .* abstract"),
        ("broken", r"localizer broken \(.*\) cannot be built: RuntimeError: no licence"),
        ("careful", "^plug in the dongle$"),
        ("number", r"localizer number \(.*\) is no localizer: it lacks default_threshold, find, .*; inherit from"),
        ("brightes", "did you mean brightest?"),
    ],
)
def test_what_cannot_be_loaded_is_reported_in_one_line(
    install: Callable[..., None], tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    install(brightest=Brightest, no_find=NoFind, broken=Broken, careful=Careful, number=lambda: 1)
    with pytest.raises(ModelError, match=words) as caught:
        load_localizer(name)
    tifffile.imwrite(tmp_path / "movie.tif", np.stack([spot(5, 6)] * 2))
    command = ["track", str(tmp_path / "movie.tif"), "-o", str(tmp_path / "tracks.csv"), "--model", name]
    assert main(command) == 2
    assert capfd.readouterr().err.splitlines()[-1] == f"livetrack: {caught.value}"


def test_shipped_models_and_classical_methods_keep_their_names(install: Callable[..., None]) -> None:
    install(spot=Brightest, centroid=Brightest)
    assert not isinstance(load_localizer("spot"), Brightest)
    assert not isinstance(load_localizer("centroid"), Brightest)


def test_known_particles_are_measured_again_by_default(install: Callable[..., None]) -> None:
    install(brightest=Brightest)
    rows = empty_rows(2)
    rows["id"], rows["x"], rows["y"], rows["vx"] = (7, 8), (19.0, 30.0), (4.0, 30.0), 2.5
    rows["flags"] = Flag.NEW | Flag.EDGE
    refined = load_localizer("brightest").refine(spot(17, 3), rows)
    assert refined["id"].tolist() == [7, 8]
    assert refined["vx"].tolist() == [2.5, 2.5]
    assert (refined["x"][0], refined["y"][0], refined["flags"][0]) == (17.0, 3.0, Flag.NEW)
    assert refined["score"].tolist() == [np.float32(0.9), 0.0]
    assert rows["x"].tolist() == [19.0, 30.0]


def test_a_movie_is_tracked_with_it_and_it_is_listed(
    install: Callable[..., None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    install(brightest=Brightest)
    tifffile.imwrite(tmp_path / "movie.tif", np.stack([spot(x, 9) for x in range(10, 16)]))
    assert main(["track", str(tmp_path / "movie.tif"), "-o", str(tmp_path / "t.csv"), "--model", "brightest"]) == 0
    table = pandas.read_csv(tmp_path / "t.csv")
    assert table["x"].tolist() == list(range(10, 16))
    assert table["particle"].nunique() == 1
    assert main(["models"]) == 0
    listed = " ".join(capfd.readouterr().out.split())
    assert "The brightest pixel of each image. (somebodys_package)" in listed
    assert "no_such_package:Lost) cannot be imported" in listed


def test_guided_search_is_offered_by_whoever_can_search_crops(install: Callable[..., None]) -> None:
    install(brightest=Brightest)
    assert isinstance(load_localizer("spot"), GuidedLocalizer)
    assert not isinstance(load_localizer("brightest"), GuidedLocalizer)


def test_it_is_swapped_into_a_live_session(install: Callable[..., None]) -> None:
    install(brightest=Brightest)
    size = [f"camera.simulated.{key}" for key in ("width=64", "height=64", "count=1", "exposure_ms=2")]
    with running(size) as engine, Remote(engine.command_address) as remote:
        assert "brightest" in remote.hello().models
        assert remote.swap_model("brightest") == "brightest"
        deadline, tracked = time.monotonic() + 10, remote.state().tracked
        while remote.state().tracked < tracked + 20:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert remote.state().model == "brightest"
        assert remote.swap_model("spot") == "spot"
