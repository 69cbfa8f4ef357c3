"""Pixels that are not numbers are filled, and nothing is found there; colours of which one holds all are noted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas
import pytest
import tifffile
from PIL import Image
from test_movie import same, write_video

from livetrack import load_localizer
from livetrack.cli import main
from livetrack.movies import open_movie
from livetrack.movies.fill import fill, rows_outside

Y, X = np.mgrid[:96, :128]
HOLES = {
    "rows": Y < 4,
    "border": (Y < 6) | (X > 118),
    "circle": (X - 64) ** 2 + (Y - 48) ** 2 > 44**2,
    "corner": X + Y < 50,
    "half": X < 64,
    "holes": (X // 8 + Y // 8) % 5 == 0,
}


def scene(frames: int, slope: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return (frames, H, W) images of 20 spots on a slope of background, and the (20, 2) positions x, y."""
    rng = np.random.default_rng(6)
    places = rng.uniform(6, (122, 90), (20, 2))
    spots = sum(150 * np.exp(-((X - x) ** 2 + (Y - y) ** 2) / 4.5) for x, y in places)
    images = 100 + slope * X + spots + rng.normal(0, 5, (frames, 96, 128))
    return images.astype(np.float32), places


@pytest.mark.parametrize("slope", [0.0, 1.0])
@pytest.mark.parametrize("holes", HOLES)
@pytest.mark.parametrize("model", ["spot", "bead"])
def test_nothing_is_found_where_there_was_nothing(holes: str, slope: float, model: str) -> None:
    images, places = scene(3, slope)
    missing = HOLES[holes]
    there = ~missing[np.rint(places[:, 1]).astype(int), np.rint(places[:, 0]).astype(int)]
    localizer = load_localizer(model)
    for image in images:
        with_holes = np.where(missing, np.nan, image).astype(np.float32)
        filled = fill(with_holes, missing)
        assert np.isfinite(filled).all()
        assert np.array_equal(filled[~missing], image[~missing])
        rows = rows_outside(localizer.localize(filled), missing)
        distance = np.hypot(rows["x"][:, None] - places[:, 0], rows["y"][:, None] - places[:, 1])
        assert (distance.min(axis=1) < 3).all()  # no false one
        found = (distance[:, there] < 1.5).any(axis=0).mean()
        assert found >= (0.8 if holes == "holes" else 0.9)


def test_the_share_is_noted_and_the_rest_is_tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images, places = scene(12, 0.5)
    images[:, :8] = np.nan
    images[:, :, 120:] = np.inf
    images[7] = np.nan
    tifffile.imwrite("movie.tif", images)
    movie = open_movie("movie.tif")
    filled = "are not numbers (NaN): they are filled with background, and nothing is found there"
    note = f"14 % of the pixels of frame 0 {filled}"
    assert movie.notes == [note]
    frames = list(movie.frames())
    assert [frame.number for frame in frames] == [number for number in range(12) if number != 7]
    assert "frame 7 has no pixel that is a number; read the 11 of 12 frames" in (movie.problem or "")
    assert all(frame.filled is not None and np.isfinite(frame.pixels).all() for frame in frames)
    part = next(open_movie("movie.tif", region=(100, 0, 28, 40)).frames())
    assert part.filled is not None
    assert part.filled[:8].all()
    assert part.filled[:, 20:].all()
    assert not part.filled[8:, :20].any()
    assert main(["track", "movie.tif", "-o", "tracks.csv", "--json", "out.json"]) == 0
    table = pandas.read_csv("tracks.csv")
    assert json.loads(Path("out.json").read_text())["notes"] == [note]
    assert (table.y > 7.5).all()
    assert (table.x < 119.5).all()
    inside = ((places > (4, 12)) & (places < (116, 92))).all(axis=1).sum()
    assert len(table) >= 0.9 * inside * 11


def test_a_movie_of_numbers_is_left_as_it_is(tmp_path: Path) -> None:
    images, _ = scene(3, 0)
    tifffile.imwrite(tmp_path / "movie.tif", images, photometric="minisblack")
    movie = open_movie(tmp_path / "movie.tif")
    assert movie.notes == []
    frames = list(movie.frames())
    assert same([frame.pixels for frame in frames], images)
    assert [frame.filled for frame in frames] == [None] * 3


# colours


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("kind", ["stack", "planes", "folder", "video"])
def test_all_of_the_signal_in_one_colour(tmp_path: Path, kind: str, channel: int) -> None:
    images = np.zeros((4, 64, 96, 3), np.uint8)
    images[..., channel] = np.clip(scene(4, 0)[0][:, :64, :96] - 60, 0, 255)
    path = tmp_path / "movie"
    if kind == "folder":
        path.mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(path / f"{number}.png")
    elif kind == "video":
        path = write_video(path.with_suffix(".mp4"), images, "mpeg4")
    else:
        path = path.with_suffix(".tif")
        written = images if kind == "stack" else np.moveaxis(images, -1, 1)
        layout = "contig" if kind == "stack" else "separate"
        tifffile.imwrite(path, written, photometric="rgb", planarconfig=layout)
    note = f"all of the signal is in channel {channel}: --channel {channel} reads it in full depth"
    assert any(found.endswith(note) for found in open_movie(path).notes)  # "nearly all" of a lossy video
    assert open_movie(path, channel).notes == []


@pytest.mark.parametrize("colours", [(1, 1, 1), (1, 0.5, 0), (0.3, 0.6, 0.9)])
def test_a_signal_in_several_colours_is_not_in_one(tmp_path: Path, colours: tuple[float, ...]) -> None:
    grey = np.clip(scene(4, 0)[0] - 60, 0, 255)
    tifffile.imwrite(tmp_path / "movie.tif", (grey[..., None] * colours).astype(np.uint8), photometric="rgb")
    assert open_movie(tmp_path / "movie.tif").notes == []
