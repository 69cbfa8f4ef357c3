"""Damaged, hostile and missing files, given to the commands in processes of their own: one line, and the exit code."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import tifffile
from real_run import livetrack
from test_movie import STACK, cut
from test_record import frame_of, rows_of
from test_whole_movies import IMAGEJ, bomb, change, many_parts, png, write_pages

from livetrack import limits
from livetrack.localize.models import models_folder
from livetrack.record import Recorder

pytestmark = pytest.mark.measured  # each starts a process

Make = Callable[[Path], tuple[list[str], str]]
"""Makes a file in a folder; returns the arguments of the command, and what its last line contains."""


def movie_that_is_missing(folder: Path) -> tuple[list[str], str]:
    return ["track", "missing.tif", "-o", "out.csv"], "there is no such file or folder"


def movie_of_many_parts(folder: Path) -> tuple[list[str], str]:
    return ["track", "movie.tif", "-o", "out.csv"], many_parts(folder / "movie.tif")


def movie_that_unpacks_without_end(folder: Path) -> tuple[list[str], str]:
    return ["check", "movie.tif"], bomb(folder / "movie.tif")


def image_of_too_many_pixels(folder: Path) -> tuple[list[str], str]:
    (folder / "images").mkdir()
    (folder / "images" / "0.png").write_bytes(png(60_000, 60_000))
    return ["check", "images"], "0.png"


def video_that_is_none(folder: Path) -> tuple[list[str], str]:
    (folder / "movie.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
    return ["track", "movie.mp4", "-o", "out.csv"], "cannot be read as a video"


def settings_that_are_wrong(folder: Path) -> tuple[list[str], str]:
    (folder / "config.toml").write_text("[linker]\nmemory = -1\n")
    return ["run", "config.toml", "--headless"], "config.toml:2: [linker.memory] = -1"


def settings_that_are_no_toml(folder: Path) -> tuple[list[str], str]:
    (folder / "config.toml").write_bytes(b"[[[\xff")
    return ["check", "config.toml"], "config.toml"


def settings_beyond_the_limit(folder: Path) -> tuple[list[str], str]:
    (folder / "config.toml").write_bytes(b"#" * (limits.SETTINGS_BYTES + 1))
    return ["run", "config.toml", "--headless"], "larger than 128 KB, the limit for its kind"


def calibrations_that_are_damaged(folder: Path) -> tuple[list[str], str]:
    (folder / "livetrack-calibration.json").write_text('{"version": 2, "calib')
    return ["run", "--headless", "--seconds=1"], "delete it and run `livetrack calibrate` again"


def calibrations_of_a_newer_livetrack(folder: Path) -> tuple[list[str], str]:
    (folder / "livetrack-calibration.json").write_text('{"version": 99}')
    return ["run", "--headless", "--seconds=1"], "is of format 99"


def model_that_is_damaged(folder: Path) -> tuple[list[str], str]:
    (folder / "mine.onnx").write_bytes((models_folder() / "spot.onnx").read_bytes()[:50_000])
    tifffile.imwrite(folder / "movie.tif", STACK)
    return ["track", "movie.tif", "--model", "mine.onnx", "-o", "out.csv"], "livetrack cannot open it"


def model_with_a_card_out_of_bounds(folder: Path) -> tuple[list[str], str]:
    model = onnx.load(models_folder() / "spot.onnx")
    entry = next(each for each in model.metadata_props if each.key == "livetrack")
    entry.value = json.dumps({**json.loads(entry.value), "diameter_px": -1})
    onnx.save(model, folder / "mine.onnx")
    tifffile.imwrite(folder / "movie.tif", STACK)
    return ["track", "movie.tif", "--model", "mine.onnx", "-o", "out.csv"], "its livetrack metadata cannot be read"


def model_with_data_elsewhere(folder: Path) -> tuple[list[str], str]:
    model = onnx.load(models_folder() / "spot.onnx")
    onnx.save(model, folder / "mine.onnx", save_as_external_data=True, location="data.bin", size_threshold=0)
    tifffile.imwrite(folder / "movie.tif", STACK)
    return ["track", "movie.tif", "--model", "mine.onnx", "-o", "out.csv"], "its data is in other files"


def recipe_that_is_wrong(folder: Path) -> tuple[list[str], str]:
    (folder / "mine.toml").write_text("name = 'mine'\nfamily = 'spots'\n[particles]\nsize_px = [1, 2]\n")
    return ["train", "mine.toml", "-o", "mine.onnx"], "mine.toml"


def session_json_that_is_damaged(folder: Path) -> tuple[list[str], str]:
    session = record(folder)
    (session / "session.json").write_text('{"settings": {')
    return ["track", str(session), "-o", "out.csv"], "session.json: cannot be read"


def record(folder: Path) -> Path:
    recorder = Recorder(folder)
    for index in range(10):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
    recorder.close()
    return recorder.folder


UNUSABLE: list[Make] = [
    movie_that_is_missing, movie_of_many_parts, movie_that_unpacks_without_end, image_of_too_many_pixels,
    video_that_is_none, settings_that_are_wrong, settings_that_are_no_toml, settings_beyond_the_limit,
    calibrations_that_are_damaged, calibrations_of_a_newer_livetrack, model_that_is_damaged,
    model_with_a_card_out_of_bounds, model_with_data_elsewhere, recipe_that_is_wrong, session_json_that_is_damaged,
]  # fmt: skip


@pytest.mark.parametrize("make", UNUSABLE)
def test_a_file_that_cannot_be_used_gives_one_line_and_exit_code_2(tmp_path: Path, make: Make) -> None:
    arguments, expected = make(tmp_path)
    code, output = livetrack(tmp_path, *arguments)
    assert code == 2, output
    assert "Traceback" not in output
    assert expected in output.splitlines()[-1]
    assert not (tmp_path / "out.csv").exists()


def cut_tiff(folder: Path) -> tuple[Path, str]:
    tifffile.imwrite(folder / "movie.tif", STACK)
    return cut(folder / "movie.tif"), "the file is truncated; read the 6 of 12 frames before that"


def cut_imagej(folder: Path) -> tuple[Path, str]:
    path = folder / "movie.tif"
    tifffile.imwrite(path, STACK, truncate=True, **IMAGEJ)
    path.write_bytes(path.read_bytes()[: -4 * STACK[0].nbytes])
    return path, "the file is cut short; read the 8 of 12 frames before that"


def fewer_than_declared(folder: Path) -> tuple[Path, str]:
    path = folder / "movie.tif"
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "TYX"})
    return change(path, b'SizeT="12"', b'SizeT="17"'), "frame 12 and those after it are missing"


def one_of_another_size(folder: Path) -> tuple[Path, str]:
    images = [*STACK[:7], STACK[0, :30, :50], *STACK[8:]]
    path = write_pages(folder / "movie.tif", images, metadata=None)
    return path, "image 7 is of another kind"


def a_chain_that_ends_early(folder: Path) -> tuple[Path, str]:
    path = write_pages(folder / "movie.tif", STACK, metadata=None)
    with tifffile.TiffFile(path) as file:
        tenth = file.pages[9].offset
    return change(path, struct.pack("<I", tenth), bytes(4)), "bytes belong to none of its 9 images"


@pytest.mark.parametrize(
    "make", [cut_tiff, cut_imagej, fewer_than_declared, one_of_another_size, a_chain_that_ends_early]
)
def test_a_movie_that_lacks_frames_is_tracked_and_says_so(
    tmp_path: Path, make: Callable[[Path], tuple[Path, str]]
) -> None:
    path, expected = make(tmp_path)
    code, output = livetrack(tmp_path, "track", path, "-o", "out.csv", "--json", "out.json")
    assert code == 0, output
    assert "incomplete: " in output.splitlines()[-1]
    assert expected in output.splitlines()[-1]
    result = json.loads((tmp_path / "out.json").read_text())
    assert expected in result["problem"]
    assert (tmp_path / "out.csv").exists()


def test_a_session_with_an_altered_page_and_table_is_read_without_them(tmp_path: Path) -> None:
    session = record(tmp_path)
    page, table = session / "frames_0000.tif", session / "trajectories.arrow"
    data = bytearray(page.read_bytes())
    data[len(data) // 2] ^= 1
    page.write_bytes(data)
    table.write_bytes(table.read_bytes()[:-50])
    code, output = livetrack(tmp_path, "check", session)
    assert code == 1, output
    assert "Traceback" not in output
    assert "frames_0000.tif: bytes" in output
    assert "trajectories.arrow: bytes" in output
    assert page.read_bytes() == bytes(data)  # nothing is changed
