"""The part of a movie that is read, and its frames with their numbers and times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import tifffile
from PIL import Image
from test_movie import STACK, blinking, same, write_video

from livetrack.cli import main
from livetrack.errors import InputError
from livetrack.movies import FrameRange, Region, Selection, open_movie


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    metadata = {"axes": "TYX", "finterval": 0.5}
    tifffile.imwrite(tmp_path / "movie.tif", STACK, imagej=True, metadata=metadata)
    return tmp_path / "movie.tif"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    for number, image in enumerate(STACK):
        Image.fromarray(image).save(tmp_path / "folder" / f"{number}.png")
    return tmp_path / "folder"


def test_frames_have_numbers_and_times(stack: Path, folder: Path) -> None:
    movie = open_movie(stack)
    frames = list(movie.frames(start=3, step=4))
    assert [(frame.number, frame.t_s) for frame in frames] == [(3, 1.5), (7, 3.5), (11, 5.5)]
    assert same([frame.pixels for frame in frames], STACK[3::4])
    assert movie.problem is None
    assert [(frame.number, frame.t_s) for frame in open_movie(folder).frames(9)] == [(9, None), (10, None), (11, None)]


def test_frames_of_a_video_have_numbers(tmp_path: Path) -> None:
    movie = open_movie(write_video(tmp_path / "movie.mkv", blinking(), "ffv1"))
    frames = list(movie.frames(start=2, step=5))
    assert [frame.number for frame in frames] == [2, 7, 12, 17]
    assert [frame.t_s for frame in frames] == pytest.approx([0.08, 0.28, 0.48, 0.68])
    levels = [frame.pixels.mean() for frame in frames]
    np.testing.assert_allclose(levels, blinking()[2::5].mean(axis=(1, 2)), atol=2)


@pytest.mark.parametrize(
    ("frames", "numbers"),
    [((0, None, 1), range(12)), ((5, None, 1), range(5, 12)), ((2, 9, 3), (2, 5, 8)), ((4, 100, 1), range(4, 12))],
)
@pytest.mark.parametrize("kind", ["stack", "folder", "video"])
def test_a_range_of_frames_keeps_their_numbers(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, frames: Any, numbers: Any
) -> None:
    if kind == "video":  # in which the number of frames is unknown
        path = write_video(tmp_path / "movie.mkv", blinking(12), "ffv1")
    else:
        path = request.getfixturevalue(kind)
    movie = open_movie(path, frames=frames)
    assert [frame.number for frame in movie.frames()] == list(numbers)
    assert [frame.number for frame in movie.frames(1, 2)] == list(numbers)[1::2]
    assert movie.length in (None, len(numbers))
    assert movie.problem is None


def test_a_range_without_frames_is_refused(stack: Path) -> None:
    with pytest.raises(InputError, match=r"--frames 12:20 contains none of its frames, 0 to 11"):
        open_movie(stack, frames=(12, 20, 1))


@pytest.mark.parametrize("kind", ["stack", "folder"])
def test_a_region_is_a_part_of_every_image(request: pytest.FixtureRequest, kind: str) -> None:
    path = request.getfixturevalue(kind)
    movie = open_movie(path, region=(10, 4, 30, 20))
    assert movie.shape == (20, 30)
    assert movie.origin == (10, 4)
    assert same(movie, STACK[:, 4:24, 10:40])
    with pytest.raises(InputError, match=r"--region 40,0,30,20 reaches beyond its 64x40 px"):
        open_movie(path, region=(40, 0, 30, 20))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"channel": -1}, "--channel -1: the first is 0"),
        ({"position": -1}, "--position -1: the first is 0"),
        ({"z": -1}, "--z -1: the first is 0"),
        ({"z": "median"}, "--z median: choose a number from 0, max or mean"),
        ({"axes": "TQ"}, "--axes TQ: use the letters"),
        ({"frames": (3, 3, 1)}, "--frames 3:3: contains no frames"),
        ({"frames": (0, 3, 0)}, "--frames 0:3:0: contains no frames"),
        ({"region": (0, 0, 0, 5)}, "--region 0,0,0,5: use X,Y,WIDTH,HEIGHT"),
    ],
)
def test_a_choice_out_of_bounds_is_refused(stack: Path, choice: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_movie(stack, **choice)


@pytest.mark.parametrize("choice", [{"position": 0}, {"z": "max"}, {"axes": "T"}])
def test_a_choice_that_a_video_cannot_honour_is_refused(tmp_path: Path, choice: dict[str, Any]) -> None:
    path = write_video(tmp_path / "movie.mkv", blinking(4), "ffv1")
    with pytest.raises(InputError, match=rf"a video offers no --{next(iter(choice))}; leave it out"):
        open_movie(path, **choice)


def test_a_selection_as_options_of_the_command_line() -> None:
    selection = Selection(1, 0, "max", "TC", FrameRange(10, None, 2), Region(1, 2, 3, 4))
    options = "--channel 1 --position 0 --z max --axes TC --frames 10::2 --region 1,2,3,4"
    assert selection.options == options
    assert Selection().options == ""


def test_a_table_of_a_region_has_the_positions_and_numbers_of_the_movie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:64, :96]
    spots = [100 + 400 * np.exp(-((x - 60.0 - n / 2) ** 2 + (y - 40.25) ** 2) / 4) for n in range(12)]
    noise = np.random.default_rng(3).normal(0, 5, (12, 64, 96))
    tifffile.imwrite("movie.tif", (spots + noise).astype(np.uint16), metadata={"axes": "TYX"})
    part = ["--region", "40,24,48,36", "--frames", "4:10"]
    assert main(["track", "movie.tif", "-o", "tracks.csv", "--json", "out.json", *part]) == 0
    table = pandas.read_csv("tracks.csv")
    assert table.frame.tolist() == [4, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(table.x, 60 + table.frame / 2, atol=0.2)
    np.testing.assert_allclose(table.y, 40.25, atol=0.2)
    assert json.loads(Path("out.json").read_text())["notes"] == []
    assert main(["check", "movie.tif", "--json", "check.json", *part]) == 0
    report = json.loads(Path("check.json").read_text())
    assert (report["width"], report["height"], report["length"]) == (48, 36, 6)
    assert report["selection"] == "--frames 4:10 --region 40,24,48,36"
