"""The files that a check writes and the commands that it prints, run as they stand from where the user is."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from livetrack.check.command import command_line, movie_name
from livetrack.cli import main
from livetrack.movies import open_movie

ODD = "my data (1)/bead & cell's [2]"


def spots(frames: int = 6) -> np.ndarray:
    """Return (N, 96, 96) uint16 with nine bright spots."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:96, :96]
    image = sum(200 * np.exp(-((x - 16 - 32 * (n % 3)) ** 2 + (y - 16 - 32 * (n // 3)) ** 2) / 4.5) for n in range(9))
    return np.rint(500 + image + 5 * rng.standard_normal((frames, 96, 96))).astype(np.uint16)


def folder_of_images(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(spots()):
        Image.fromarray(image).save(folder / f"img_{number:03}.png")


def file_of_images(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(file, spots(), photometric="minisblack", metadata={"axes": "TYX"})


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a shell in which `livetrack` prints its arguments."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    (tools / "arguments.py").write_text(program, encoding="utf-8")
    if os.name == "nt":
        (tools / "livetrack.cmd").write_text(f'@"{sys.executable}" "{tools / "arguments.py"}" %*\n')
    else:
        (tools / "livetrack").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {tools}/arguments.py "$@"\n')
        (tools / "livetrack").chmod(0o755)
    return {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("make", "where", "target", "options", "picture"),
    [
        (file_of_images, "movie.tif", "movie.tif", [], "movie-check.png"),
        (file_of_images, f"{ODD}.tif", f"{ODD}.tif", [], f"{ODD}-check.png"),
        (file_of_images, "run.ome.tif", "run.ome.tif", ["--frames", "1:5", "--region", "0,0,64,96"], "run-check.png"),
        (file_of_images, "-run.tif", "./-run.tif", [], "run-check.png"),
        (folder_of_images, "my frames", "my frames", [], "my frames-check.png"),
        (folder_of_images, "a/2025.01.31 run", ".", [], "a/2025.01.31 run-check.png"),
        (folder_of_images, "p", "p/img_*.png", [], "p/img-check.png"),
        (folder_of_images, "b", "../b", ["--frames", "0:6:2"], "b-check.png"),
    ],
)  # fmt: skip
def test_the_printed_command_runs_as_it_stands(
    make, where, target, options, picture, tmp_path, monkeypatch, capsys, shell
) -> None:
    make(tmp_path / where)
    place = tmp_path / where if target in (".", "../b") else tmp_path
    monkeypatch.chdir(place)
    before = sorted(path.name for path in (tmp_path / where).iterdir()) if (tmp_path / where).is_dir() else []
    assert main(["check", target, *options, "--json", str(tmp_path / "report.json")]) == 0
    printed = capsys.readouterr().out
    (command,) = (line.strip() for line in printed.splitlines() if line.strip().startswith("livetrack track"))
    assert (tmp_path / picture).exists()
    if before:  # a folder of images stays one
        assert sorted({path.name for path in (tmp_path / where).iterdir()} - {Path(picture).name}) == before
    done = subprocess.run(command, shell=True, env=shell, cwd=place, capture_output=True, text=True, check=True)
    assert main(json.loads(done.stdout)) == 0
    table = json.loads(done.stdout)[-1]
    assert table == f"{Path(picture).name.removesuffix('-check.png')}-tracks.csv"
    rows = (place / table).read_text(encoding="utf-8").splitlines()
    selected = {"1:5": 4, "0:6:2": 3}.get("".join(options[1:2]), 6)
    assert len(rows) - 1 == pytest.approx(selected * (6 if "--region" in options else 9), abs=1)
    assert open_movie(tmp_path / where).length == 6
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["picture"]


def test_commands_are_quoted_for_both_kinds_of_shell() -> None:
    words = [
        "livetrack",
        "track",
        "C:\\my data\\a.tif",
        "--region",
        "1,2,3,4",
        "--set",
        "linker.drift_px=[1.5,-0.2]",
        "-o",
        "a.csv",
    ]
    assert command_line(words, windows=True) == (
        'livetrack track "C:\\my data\\a.tif" --region "1,2,3,4" --set "linker.drift_px=[1.5,-0.2]" -o a.csv'
    )
    assert shlex.split(command_line(words, windows=False)) == words


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.ome.tif", "a"),
        ("x/y.b.mp4", "y.b"),
        (".hidden.tif", "hidden"),
        ("-dash.tif", "dash"),
        ("/", "movie"),
        ("p/a_[0-9]*.tif", "a"),
    ],
)
def test_files_are_named_after_the_movie(path: str, name: str) -> None:
    assert movie_name(Path(path)) == name


def test_the_picture_goes_to_this_folder_if_that_of_the_movie_cannot_be_written(tmp_path, monkeypatch, capsys) -> None:
    file_of_images(tmp_path / "data" / "movie.tif")
    (tmp_path / "data" / "movie-check.png").mkdir()  # nobody can write a file there
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["check", "../data/movie.tif"]) == 0
    assert "picture     movie-check.png" in capsys.readouterr().out
    assert (tmp_path / "here" / "movie-check.png").exists()
    (tmp_path / "here" / "movie-check.png").unlink()
    (tmp_path / "here" / "movie-check.png").mkdir()
    assert main(["check", "../data/movie.tif"]) == 0
    assert "no annotated image" in capsys.readouterr().out
