"""Folders of images: which images are the frames, and how one of several movies in a folder is chosen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image
from test_movie import STACK, blinking, same, write_video
from test_tiff_parts import write_micro_manager, write_ome_set

from livetrack.cli import main
from livetrack.errors import InputError
from livetrack.movies import open_movie

SMALL = STACK[:, :24, :32]


def save(folder: Path, names: Iterable[str], images: npt.NDArray[Any] = SMALL) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    for name, image in zip(names, images, strict=False):
        Image.fromarray(image).save(folder / name)
    return folder


def numbers(movie: Any) -> list[int]:
    return [frame.number for frame in movie.frames()]


# what is no frame


@pytest.mark.parametrize("name", ["Thumbs.db", ".DS_Store", "notes.txt", "metadata.txt", "tracks.csv", "desktop.ini"])
def test_files_that_are_no_images_do_not_matter(tmp_path: Path, name: str) -> None:
    save(tmp_path, (f"img_{n:03}.png" for n in range(12)))
    (tmp_path / name).write_bytes(b"\0\1\2")
    movie = open_movie(tmp_path)
    assert same(movie, SMALL)
    assert (movie.problem, movie.notes) == (None, [])


@pytest.mark.parametrize("name", ["._img_000.png", ".img_012.png", ".thumb.jpg"])
def test_hidden_images_are_left_out(tmp_path: Path, name: str) -> None:
    save(tmp_path, (f"img_{n:03}.png" for n in range(12)))
    (tmp_path / name).write_bytes(b"\0\5\x16\7Mac OS X")
    movie = open_movie(tmp_path)
    assert same(movie, SMALL)
    assert movie.notes == ["1 hidden file is left out"]


@pytest.mark.parametrize(
    "name", ["movie-check.png", "img_000-check.png", "thumb.png", "img_thumbnail.jpg", "Preview1.png"]
)
def test_pictures_of_livetrack_and_thumbnails_are_left_out(tmp_path: Path, name: str) -> None:
    save(tmp_path, (f"img_{n:03}.png" for n in range(12)))
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / name)
    movie = open_movie(tmp_path)
    assert same(movie, SMALL)
    assert movie.notes == [f"left out, as no frames: {name}"]


def test_frames_that_are_called_previews_are_frames(tmp_path: Path) -> None:
    save(tmp_path, (f"preview_{n}.png" for n in range(12)))
    assert same(open_movie(tmp_path), SMALL)


# numbers


def test_frame_numbers_have_the_gaps_of_the_names(tmp_path: Path) -> None:
    present = [*range(6), *range(11, 17)]
    save(tmp_path, (f"img_{n:03}.png" for n in present))
    movie = open_movie(tmp_path)
    assert movie.problem == f"{tmp_path}: 5 images are missing after img_005.png"
    assert numbers(movie) == present
    assert movie.problem == f"{tmp_path}: 5 images are missing after img_005.png; read the 12 of 17 frames"
    assert [frame.number for frame in open_movie(tmp_path, frames=(4, 12, 1)).frames()] == [4, 5, 11]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([f"{n}.png" for n in range(12)], range(12)),
        ([f"img{n + 1}.png" for n in range(12)], range(12)),
        ([f"a ({n + 1}).png" for n in range(12)], range(12)),
        ([f"exp3_{n:05}.png" for n in range(100, 112)], range(12)),
        ([f"2024-01-31_{n:04}.png" for n in range(12)], range(12)),
        ([f"run2_t{10 * n:04}.png" for n in range(12)], range(12)),
        ([f"f{n}_{1000 + 40 * n + n % 2}ms.png" for n in range(12)], range(12)),  # number and time
        ([f"s{n:02}.png" for n in range(12)], range(12)),  # any letter
        ([f"p_{n}.png" for n in range(12)], range(12)),
        ([f"{1700000000 + 37 * n + n * n % 5}.png" for n in range(12)], range(12)),  # times in no even steps
        ([f"{letter}.png" for letter in "abcdefghijkl"], range(12)),
        (["img.png", *(f"img_{n}.png" for n in range(1, 12))], range(12)),
        (["img.png", *(f"img ({n}).png" for n in range(2, 13))], range(12)),
        ([f"IMG_{n}.{'PNG' if n % 2 else 'png'}" for n in range(12)], range(12)),
    ],
)
def test_one_number_counts_the_frames(tmp_path: Path, names: list[str], expected: Iterable[int]) -> None:
    movie = open_movie(save(tmp_path, names))
    assert numbers(movie) == list(expected)
    assert same(movie, SMALL)
    assert movie.problem is None


def test_names_of_several_kinds_need_a_pattern(tmp_path: Path) -> None:
    save(tmp_path, [*(f"a_{n}.png" for n in range(6)), *(f"b_{n}.png" for n in range(6))])
    words = r'names of 2 kinds, a_#\.png \(6\), b_#\.png \(6\); choose some with a pattern such as ".*a_\*\.png"'
    with pytest.raises(InputError, match=words):
        open_movie(tmp_path)
    assert same(open_movie(tmp_path / "a_*.png"), SMALL[:6])
    assert same(open_movie(str(tmp_path / "b_?.png")), SMALL[6:])
    with pytest.raises(InputError, match="no file matches this pattern"):
        open_movie(tmp_path / "c_*.png")


def test_a_pattern_leaves_out_pictures_of_livetrack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:64, :64]
    spot = 100 + 400 * np.exp(-((x - 30) ** 2 + (y - 33) ** 2) / 4)
    images = np.stack([spot + np.random.default_rng(n).normal(0, 5, (64, 64)) for n in range(12)]).astype(np.uint16)
    save(tmp_path / "data", (f"img_{n:03}.png" for n in range(12)), images)
    save(tmp_path / "data", (f"dark_{n:03}.png" for n in range(12)), images)
    for _ in range(2):
        assert main(["check", "data/img_*.png", "--json", "check.json"]) == 0
        report = json.loads(Path("check.json").read_text())
        assert report["length"] == 12
        assert Path(report["picture"]) == Path("data/img-check.png")
    assert same(open_movie("data/img*.png"), images)


def test_a_pattern_that_the_shell_replaced_gets_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path, (f"img_{n:03}.png" for n in range(12)))
    with pytest.raises(SystemExit):
        main(["track", *map(str, sorted(tmp_path.iterdir())), "-o", "x.csv"])
    words = (
        f'12 files were given, as a shell makes of a pattern: put the pattern in quotation marks, such as "{tmp_path}'
    )
    assert words in capsys.readouterr().err


def test_a_few_images_with_other_names_are_left_out_with_a_note(tmp_path: Path) -> None:
    save(tmp_path, (f"img_{n:03}.png" for n in range(12)))
    save(tmp_path, ["dark.png"], SMALL[3:])
    movie = open_movie(tmp_path)
    assert same(movie, SMALL)
    pattern = tmp_path / "dark*.png"
    assert movie.notes == [
        f'left out, as their names are not like img_#.png: dark.png; a pattern such as "{pattern}" chooses others'
    ]
    assert same(open_movie(pattern), SMALL[3:4])


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie[1].tif", SMALL)
    assert same(open_movie(tmp_path / "movie[1].tif"), SMALL)


# channels, positions, planes


def grid(name: str, **sizes: int) -> list[str]:
    """Return names for all combinations, the last fastest."""
    names = [name]
    for letter, size in sizes.items():
        names = [each.replace(f"<{letter}>", str(n).zfill(3)) for each in names for n in range(size)]
    return names


SCHEMES = {
    "Micro-Manager 2": "img_channel<c>_position<p>_time<t>_z<z>.tif",
    "MetaMorph": "exp_w<c>DAPI_s<p>_t<t>_z<z>.TIF",
    "NIS": "xy<p>t<t>z<z>c<c>.tif",
    "short": "a_p<p>_t<t>_z<z>_c<c>.png",
    "words": "cells Position<p> Channel<c> Slice<z> Time<t>.png",
    "plain": "cells_series<p>_ch<c>_z<z>_<t>.png",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_channels_positions_and_planes_in_names(tmp_path: Path, scheme: str) -> None:
    data = np.random.default_rng(8).integers(0, 4000, (2, 2, 3, 2, 24, 32)).astype(np.uint16)  # p t z c
    save(tmp_path, grid(SCHEMES[scheme], p=2, t=2, z=3, c=2), data.reshape(-1, 24, 32))
    with pytest.raises(InputError, match=r"has 2 (channels|positions); choose one with --(channel|position) 0 to 1"):
        open_movie(tmp_path)
    assert same(open_movie(tmp_path, 1, position=0, z=2), data[0, :, 2, 1])
    assert same(open_movie(tmp_path, 0, position=1, z="max"), data[1, :, :, 0].max(axis=1))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_channels_are_not_mixed(tmp_path: Path, scheme: str) -> None:
    save(tmp_path, grid(SCHEMES[scheme], t=6, c=2, p=1, z=1))
    with pytest.raises(InputError, match=r"has 2 channels; choose one with --channel 0 to 1"):
        open_movie(tmp_path)
    movie = open_movie(tmp_path, 1)
    assert same(movie, SMALL[1::2])
    assert numbers(movie) == list(range(6))
    assert movie.problem is None


def test_named_channels_of_micro_manager(tmp_path: Path) -> None:
    names = [f"img_{t:09}_{c}_{z:03}.tif" for t in range(3) for c in ("DAPI", "Cy5-2") for z in range(2)]
    save(tmp_path / "Pos0", names)
    data = SMALL.reshape(3, 2, 2, 24, 32)
    with pytest.raises(InputError, match="has 2 channels"):
        open_movie(tmp_path)
    movie = open_movie(tmp_path, 1, z=1)  # Cy5-2 comes first in the alphabet
    assert same(movie, data[:, 0, 1])
    assert movie.notes == ["Pos0 is read, the only movie in this folder"]


def test_folders_of_positions(tmp_path: Path) -> None:
    for position in range(3):
        names = [f"img_channel000_position{position:03}_time{t:09}_z000.tif" for t in range(4)]
        save(tmp_path / f"Pos{position}", names, SMALL[4 * position :])
    words = r"contains 3 folders with movies, Pos0, Pos1, Pos2; open one, or choose it with --position 0 to 2"
    with pytest.raises(InputError, match=words):
        open_movie(tmp_path)
    assert same(open_movie(tmp_path, position=1), SMALL[4:8])
    with pytest.raises(InputError, match=r"--position 0 to 2, not 3"):
        open_movie(tmp_path, position=3)


def test_a_channel_that_lacks_an_image_says_so(tmp_path: Path) -> None:
    names = grid("img_channel<c>_time<t>.tif", t=6, c=2)
    save(tmp_path, names)
    (tmp_path / names[7]).unlink()  # channel 1, time 3
    movie = open_movie(tmp_path, 1)
    assert numbers(movie) == [0, 1, 2, 4, 5]
    assert "1 image is missing after img_channel001_time002.tif" in (movie.problem or "")
    assert numbers(open_movie(tmp_path, 0)) == list(range(6))


def test_channels_that_take_turns(tmp_path: Path) -> None:
    save(tmp_path, [f"img_c{t % 2}_t{t}.png" for t in range(12)])
    movie = open_movie(tmp_path, 1)
    assert same(movie, SMALL[1::2])
    assert movie.problem is None


def test_a_number_more_than_is_understood_needs_a_name(tmp_path: Path) -> None:
    save(tmp_path, [f"W1F00{field}T{time:04}Z01C1.tif" for field in (1, 2) for time in range(1, 7)])
    with pytest.raises(InputError, match=r"has 2 along number 2 and 6 along T; name its axes with --axes"):
        open_movie(tmp_path)
    assert same(open_movie(tmp_path, axes="PT", position=1), SMALL[6:])


def test_images_of_several_types_are_noted(tmp_path: Path) -> None:
    save(tmp_path, (f"{n}.png" for n in range(6)))
    Image.fromarray((SMALL[3] // 16).astype(np.uint8)).save(tmp_path / "3.png")
    movie = open_movie(tmp_path)
    assert numbers(movie) == list(range(6))
    assert movie.notes == ["frame 3 has pixels of uint8, others of uint16: their grey levels may differ"]


def test_two_numbers_without_names_need_names(tmp_path: Path) -> None:
    save(tmp_path, [f"a_{first}_{second:02}.png" for first in range(2) for second in range(6)])
    with pytest.raises(InputError, match=r"has 2 along number 1 and 6 along number 2; name its axes with --axes"):
        open_movie(tmp_path)
    assert same(open_movie(tmp_path, axes="PT", position=1), SMALL[6:])
    assert same(open_movie(tmp_path, axes="TT"), SMALL)


@pytest.mark.parametrize(("name", "option"), [("c<n>.png", "channels"), ("a_pos<n>.png", "positions")])
def test_frames_that_are_called_otherwise(tmp_path: Path, name: str, option: str) -> None:
    save(tmp_path, grid(name, n=12))
    with pytest.raises(InputError, match=rf"has 12 {option}; .*; if they are frames: --axes T"):
        open_movie(tmp_path)
    assert same(open_movie(tmp_path, axes="T"), SMALL)


def test_planes_alone_are_read_as_frames_with_a_note(tmp_path: Path) -> None:
    movie = open_movie(save(tmp_path, grid("a_z<n>.png", n=12)))
    assert same(movie, SMALL)
    assert "--z 0 to 11, max or mean" in movie.notes[0]
    assert same(open_movie(tmp_path, z="max"), SMALL.max(axis=0)[None])


# stacks, and other movies


def test_the_only_stack_in_a_folder_is_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", SMALL)
    (tmp_path / "metadata.txt").write_text("{}")
    movie = open_movie(tmp_path)
    assert same(movie, SMALL)
    assert movie.notes == ["movie.tif is read, the only one"]


def test_stacks_follow_each_other_on_request(tmp_path: Path) -> None:
    for part in range(3):
        tifffile.imwrite(tmp_path / f"movie_X{part + 1}.tif", SMALL[4 * part : 4 * part + 4], photometric="minisblack")
    words = r'3 files of several images each: .*movie_X3\.tif; open one of them, or, .* with a pattern: ".*\*\.tif"'
    with pytest.raises(InputError, match=words):
        open_movie(tmp_path)
    movie = open_movie(tmp_path / "*.tif")
    assert same(movie, SMALL)
    assert movie.length == 12
    assert numbers(movie) == list(range(12))
    assert [frame.number for frame in movie.frames(3, 3)] == [3, 6, 9]
    assert same([frame.pixels for frame in movie.frames(3, 3)], SMALL[3::3])
    with_frames = "movie_X1.tif with 4 frames, movie_X2.tif with 4 frames, movie_X3.tif with 4 frames"
    assert movie.notes == [f"3 files follow each other: {with_frames}"]


def test_stacks_of_other_sizes_do_not_follow_each_other(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", SMALL)
    tifffile.imwrite(tmp_path / "b.tif", SMALL[:, :20])
    with pytest.raises(InputError, match=r"b.tif has images of 32x20 px and type uint16, a.tif of 32x24 px"):
        open_movie(tmp_path / "*.tif")


def test_a_damaged_stack_among_others_leaves_a_gap(tmp_path: Path) -> None:
    for part in range(3):
        path = tmp_path / f"{part}.tif"
        tifffile.imwrite(path, SMALL[4 * part :][:4], imagej=True, metadata={"axes": "TYX"}, truncate=True)
    data = (tmp_path / "1.tif").read_bytes()
    (tmp_path / "1.tif").write_bytes(data[: -2 * SMALL[0].nbytes])
    movie = open_movie(tmp_path / "?.tif")
    assert numbers(movie) == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]
    assert "1.tif: the file is cut short, and 1 more frame; read the 10 of 12 frames" in (movie.problem or "")


def test_a_stack_among_images_is_a_lost_frame(tmp_path: Path) -> None:
    save(tmp_path, (f"{n}.tif" for n in range(6)))
    tifffile.imwrite(tmp_path / "3.tif", SMALL)
    movie = open_movie(tmp_path)
    assert numbers(movie) == [0, 1, 2, 4, 5]
    assert "3.tif contains 12 images" in (movie.problem or "")


def test_a_stack_and_its_dark_frame_are_refused_with_the_stack(tmp_path: Path) -> None:
    save(tmp_path, ["dark.tif"])
    tifffile.imwrite(tmp_path / "movie.tif", SMALL)
    with pytest.raises(InputError, match=r"contains movie.tif, a stack, and dark.tif; open the stack alone, "):
        open_movie(tmp_path)


def test_the_folder_of_an_ome_tiff_in_several_files_is_one_movie(tmp_path: Path) -> None:
    write_ome_set(tmp_path, ["x.ome.tif", "x_1.ome.tif", "x_2.ome.tif"], STACK)
    movie = open_movie(tmp_path)
    assert same(movie, STACK)
    assert movie.problem is None
    (tmp_path / "x_1.ome.tif").unlink()
    movie = open_movie(tmp_path)
    assert "there is no x_1.ome.tif in this folder" in (movie.problem or "")
    assert numbers(movie) == [0, 1, 2, 3, 8, 9, 10, 11]


def test_the_folder_of_a_micro_manager_recording_of_several_positions_needs_a_choice(tmp_path: Path) -> None:
    files = {f"x_MMStack_Pos{p}.ome.tif": [(0, 0, t, p) for t in range(5)] for p in range(3)}
    images = write_micro_manager(tmp_path, files, {"Frames": 5, "Positions": 3, "Slices": 1, "Channels": 1})
    with pytest.raises(InputError, match=r"has 3 positions; choose one with --position 0 to 2"):
        open_movie(tmp_path)
    assert same(open_movie(tmp_path, position=2), images[2, :, 0, 0])


def test_a_folder_with_one_video_is_that_video(tmp_path: Path) -> None:
    write_video(tmp_path / "movie.mkv", blinking(), "ffv1")
    movie = open_movie(tmp_path)
    assert sum(1 for _ in movie) == 20
    assert movie.notes[0] == "movie.mkv is read, the only movie in this folder"
    write_video(tmp_path / "other.mkv", blinking(), "ffv1")
    with pytest.raises(InputError, match=r"contains 2 movies; open one: movie.mkv, other.mkv"):
        open_movie(tmp_path)
