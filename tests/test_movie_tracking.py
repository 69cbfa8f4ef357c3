"""Numbers and times of a movie's frames reach the linker: gaps, uneven and backward times, and a mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import tifffile

from livetrack.camera import Frame, Geometry
from livetrack.cli import main
from livetrack.linking import Linker
from livetrack.localize import load_localizer
from livetrack.movie_tracking import SequenceTracker, usual_interval_s
from livetrack.movies import Movie, open_movie
from livetrack.record import Recorder
from livetrack.tracker import Tracker

SHAPE = (48, 96)
CENTROID = ["--model", "centroid", "--set", "localizer.diameter_px=9"]


def image(*places: tuple[float, float]) -> npt.NDArray[np.uint16]:
    """Return spots at (x, y) px on a flat background."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    spots = sum((300 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 5) for x, y in places), np.full(SHAPE, 100.0))
    return spots.astype(np.uint16)


def sequence(memory: int = 0, step: int = 1, interval_s: float | None = None, **options: Any) -> SequenceTracker:
    linker = Linker(5.0, memory, "velocity", **options)
    return SequenceTracker(Tracker(load_localizer("centroid", diameter_px=9), linker), interval_s, step)


def ids(tracker: SequenceTracker, numbers: list[int], times_s: list[float | None]) -> list[int]:
    """Return the id of a particle that moves by 1 px per number, frame by frame."""
    rows = [tracker.update(n, image((10 + n, 20)), t_s)["id"][0] for n, t_s in zip(numbers, times_s, strict=True)]
    return [int(row) for row in rows]


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("step", [1, 10])
def test_numbers_that_are_left_out_are_passed_time(timed: bool, step: int) -> None:
    """3 px an interval, and four missing: 15 px further, where only the velocity expects the particle."""
    tracker = sequence(step=step)
    numbers = [*range(12), 16, 17]
    for n in numbers:
        rows = tracker.update(n * step, image((10 + 3 * n, 20)), n / 50 if timed else None)
        assert rows["id"].tolist() == [0]  # also with memory 0
    np.testing.assert_allclose(rows["vx"], 3 * 50 if timed else 3, rtol=0.05)


def test_velocities_have_the_times_of_the_frames() -> None:
    times_s = (0.04 * np.cumsum([1, 1, 1, 2, 1, 1, 3, 1, 1, 2, 1, 1, 1, 3, 1])).tolist()
    tracker = sequence(interval_s=0.04)
    for number, t_s in enumerate(times_s):
        rows = tracker.update(number, image((10 + 50 * t_s, 20)), t_s)  # 2 px per interval
        assert rows["id"].tolist() == [0]
    np.testing.assert_allclose(rows["vx"], 50, rtol=0.05)


def test_times_that_run_backwards_count_as_one_interval() -> None:
    tracker = sequence(interval_s=0.1)
    assert ids(tracker, [0, 1, 2, 3, 4], [5.0, 5.1, 0.0, 0.1, 0.2]) == [0] * 5
    assert tracker.backward == 1
    assert ids(sequence(), [0, 1, 2, 3], [0.0, 0.1, float("nan"), 0.3]) == [0] * 4


def movie_at(times_s: list[float] | None, fps: float | None = None, numbers: list[int] | None = None) -> Movie:
    times = None if times_s is None else np.array(times_s)
    numbered = None if numbers is None else np.array(numbers)
    return Movie(Path("a"), (1, 1), np.dtype("u1"), 5, fps, None, lambda _: iter(()), lambda: times, numbered)


def test_the_usual_interval_is_one_that_occurs() -> None:
    assert usual_interval_s(movie_at([0, 1, 2, 62, 122])) == 1.0  # a burst, then slowly
    assert usual_interval_s(movie_at([0, 0.1, 0.2, 0.2, 0.35])) == pytest.approx(0.1)
    assert usual_interval_s(movie_at([0, 0], 25.0)) == 0.04
    assert usual_interval_s(movie_at(None, 25.0)) == 0.04
    assert usual_interval_s(movie_at(None, 25.0, [0, 5, 10, 20])) == 0.2
    assert usual_interval_s(movie_at(None)) is None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with a movie of two particles, on the left and on the right."""
    monkeypatch.chdir(tmp_path)
    frames = [image((20 + 2 * n, 15), (70 + n / 2, 30)) for n in range(8)]
    tifffile.imwrite("movie.tif", np.array(frames), photometric="minisblack")
    left = np.zeros(SHAPE, np.uint8)
    left[:, :48] = 255
    tifffile.imwrite("left.tif", left)
    return tmp_path


def track(*arguments: str, code: int = 0) -> pd.DataFrame:
    assert main(["track", "movie.tif", "-o", "tracks.csv", *CENTROID, *arguments]) == code
    return pd.read_csv("tracks.csv")


def test_scales_given_by_hand_reach_the_table(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table = track("--pixel-size", "0.25", "--fps", "20", "--region", "0,5,96,40")
    np.testing.assert_allclose(table["t_s"], table["frame"] / 20, atol=1e-9)
    np.testing.assert_allclose(table["x_um"], table["x"] / 4, atol=1e-5)
    np.testing.assert_allclose(table["y_um"], table["y"] / 4, atol=1e-5)
    np.testing.assert_allclose(table.groupby("particle")["y"].median(), [15, 30], atol=0.1)  # of the whole image
    assert "empty columns" not in capfd.readouterr().err
    unknown = track()
    assert "empty columns: x_um, y_um (give --pixel-size UM), t_s (give --fps N)\n" in capfd.readouterr().err
    assert unknown[["t_s", "x_um", "y_um", "angle"]].isna().all(axis=None)


def test_frame_numbers_are_those_of_the_data(folder: Path) -> None:
    assert track("--frames", "2:8:2")["frame"].unique().tolist() == [2, 4, 6]
    images = folder / "images"
    images.mkdir()
    for number in (3, 4, 5, 9, 10):
        tifffile.imwrite(images / f"image_{number:03d}.tif", image((20 + 2 * number, 15)))
    assert main(["track", "images", "-o", "gap.csv", *CENTROID, "--set", "linker.memory=2"]) == 0
    table = pd.read_csv("gap.csv")
    assert table["frame"].tolist() == [frame.number for frame in open_movie(images).frames()]
    assert np.diff(table["frame"]).tolist() == [1, 1, 4, 1]


def test_particles_outside_of_a_mask_are_left_out(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table = track("--mask", "left.tif", "--json", "figures.json")
    assert len(table) == 8
    assert table["x"].max() < 48
    assert "note: 8 localisations outside of the mask left.tif are left out" in capfd.readouterr().err
    figures = json.loads(Path("figures.json").read_text())
    assert (figures["particles"], figures["trajectories"]) == (8, 1)
    part = track("--mask", "left.tif", "--region", "40,0,56,48")  # the mask is of the whole image
    np.testing.assert_array_equal(part["frame"], np.flatnonzero(20 + 2 * np.arange(8) > 43.5))
    empty = np.where(tifffile.imread("left.tif") > 0, 1, np.nan).astype(np.float32)
    tifffile.imwrite("nan.tif", empty)  # as some programs mark what does not count
    assert track("--mask", "nan.tif")["x"].max() < 48


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((48, 95), np.uint8), "the mask is 95x48 px, the images of movie.tif are 96x48 px"),
        (np.zeros(SHAPE, np.uint8), "the mask is 0 everywhere"),
        (np.full(SHAPE, np.nan, np.float32), "mask.tif: frame 0 has no pixel that is a number"),
        (np.ones((3, *SHAPE), np.uint8), "contains 3 images; a mask is a single image"),
        (None, "there is no such file"),
    ],
)
def test_a_mask_that_cannot_be_used_is_one_line(
    folder: Path, mask: npt.NDArray[Any] | None, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if mask is not None:
        tifffile.imwrite("mask.tif", mask, photometric="minisblack")
    before = set(folder.iterdir())
    assert main(["track", "movie.tif", "-o", "tracks.csv", "--mask", "mask.tif", *CENTROID]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert words in line
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--drift", "6"], "'6' is not a drift X,Y"),
        (["--drift=nan,1"], "is not a drift X,Y"),
        (["--pixel-size", "0"], "is not a positive number"),
        (["--fps=-3"], "is not a positive number"),
        (["--format", "imaris"], "invalid choice: 'imaris'"),
        (["--format", "trackmate"], "a table for trackmate cannot be .csv; use .xml"),
        (["--drift=1,2", "--set", "linker.motion=trap"], "drift_px requires motion 'velocity' or 'brownian'"),
        (["--set", "linker.drift_px=[1]"], "linker.drift_px"),
    ],
)
def test_nonsense_is_refused(folder: Path, options: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = set(folder.iterdir())
    try:
        code = main(["track", "movie.tif", "-o", "tracks.csv", *CENTROID, *options])
    except SystemExit as caught:  # an argument
        code = int(caught.code or 0)
    assert code == 2
    assert words in capfd.readouterr().err.splitlines()[-1]
    assert set(folder.iterdir()) == before


def test_a_drift_beyond_the_search_radius_is_linked_with_the_option_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frames = [image((80 - 6 * n, 12), (90 - 6 * n, 34)) for n in range(10)]
    tifffile.imwrite("movie.tif", np.array(frames), photometric="minisblack")
    lengths = {}
    for options in ([], ["--drift=-6,0"], ["--set", "linker.drift_px=[-6,0]"]):
        lengths[" ".join(options)] = track(*options).groupby("particle").size().max()
    assert lengths == {"": 1, "--drift=-6,0": 10, "--set linker.drift_px=[-6,0]": 10}


@pytest.mark.parametrize(("layout", "ending"), [("napari", "parquet"), ("trackpy", "feather"), ("trackmate", "xml")])
def test_each_layout_is_written_on_request(folder: Path, layout: str, ending: str) -> None:
    output = f"tracks.{ending}"
    assert main(["track", "movie.tif", "-o", output, "--format", layout, *CENTROID]) == 0
    if layout == "napari":
        assert list(pd.read_parquet(output).columns) == ["track_id", "t", "y", "x"]
    elif layout == "trackpy":
        assert {"y", "x", "signal", "frame", "particle"} < set(pd.read_feather(output).columns)
    else:
        assert 'filename="movie.tif"' in Path(output).read_text(encoding="utf-8")


def test_uneven_times_of_the_file_are_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    times_s = [0.0, 0.04, 0.08, 0.24, 0.28, 0.32, 0.48]
    frames = np.array([image((10 + 100 * t_s, 20)) for t_s in times_s])  # 4 px in 0.04 s, 16 px in 0.16 s
    metadata = {
        "axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm",
        "Plane": {"DeltaT": times_s, "DeltaTUnit": ["s"] * 7},
    }  # fmt: skip
    tifffile.imwrite("movie.ome.tif", frames, metadata=metadata)
    Path("movie.ome.tif").rename("movie.tif")
    table = track("--set", "linker.search_radius_px=6")
    np.testing.assert_allclose(table["t_s"], times_s, atol=1e-9)
    np.testing.assert_allclose(table["x_um"], table["x"] / 2, atol=1e-5)
    assert table["particle"].nunique() == 1  # at 16 px, by its velocity
    replaced = track("--fps", "10", "--pixel-size", "2")
    np.testing.assert_allclose(replaced["t_s"], np.arange(7) / 10, atol=1e-9)
    np.testing.assert_allclose(replaced["x_um"], replaced["x"] * 2, atol=2e-5)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to the folder of a recorded session, whose pixel size changes from its third frame on."""
    monkeypatch.chdir(tmp_path)
    recorder = Recorder(tmp_path)
    for index in range(4):
        geometry = Geometry(SHAPE[1], SHAPE[0], pixel_size_um=0.1 if index < 2 else 0.4)
        recorder.offer_frame(
            Frame(image((20 + index, 15)), index + 5, index, 0, None, 90 + index / 8, geometry, int(index > 1))
        )
    recorder.close()
    recorder.folder.rename("session")
    return tmp_path / "session"


def test_a_session_has_its_own_times_and_pixel_sizes(session: Path) -> None:
    assert main(["track", "session", "-o", "tracks.parquet", *CENTROID]) == 0
    table = pd.read_parquet("tracks.parquet")
    assert table["frame"].tolist() == [5, 6, 7, 8]
    assert table["t_s"].tolist() == [90, 90.125, 90.25, 90.375]
    np.testing.assert_allclose(table["x_um"] / table["x"], [0.1, 0.1, 0.4, 0.4])
    assert main(["track", "session", "-o", "tracks.csv", "--pixel-size", "3", *CENTROID]) == 0
    table = pd.read_csv("tracks.csv")
    np.testing.assert_allclose(table["x_um"] / table["x"], 3, rtol=1e-5)


@pytest.mark.parametrize("option", ["--mask=left.tif", "--fps=3", "--frames=0:2"])
def test_options_of_movies_are_refused_for_sessions(
    session: Path, option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["track", "session", "-o", "tracks.csv", option, *CENTROID]) == 2
    assert f"{option.partition('=')[0]}" in capfd.readouterr().err
    assert not Path("tracks.csv").exists()
