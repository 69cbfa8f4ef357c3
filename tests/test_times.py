"""When frames were taken and how large pixels are, as files state it: used where it can be right, else it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from test_export import WIDE, record
from test_record import frame_of

from livetrack.movies import open_movie
from livetrack.movies.timing import judge_times

STACK = np.random.default_rng(1).integers(0, 4000, (6, 24, 32)).astype(np.uint16)
TIMES_MS = [0.0, 40.0, 80.0, 240.0, 280.0, 320.0]
DEFAULT_SIZE = (
    "states exactly 1 µm per px, which programs also write if none was calibrated; --pixel-size UM replaces it"
)
DEFAULT_RATE = "states exactly 1 frame/s, which programs also write if no rate was set; --fps N replaces it"


def planes(times_ms: list[float], channels: int = 1) -> dict[str, Any]:
    """Return OME metadata of planes; a channel 1 is 1 ms later than a channel 0."""
    times = [time + channel for time in times_ms for channel in range(channels)]
    return {"Plane": {"DeltaT": times, "DeltaTUnit": ["ms"] * len(times)}}


def test_the_times_of_planes_in_ome_tiff(tmp_path: Path) -> None:
    metadata = {"axes": "TYX", "PhysicalSizeX": 100, "PhysicalSizeXUnit": "nm", **planes(TIMES_MS)}
    tifffile.imwrite(tmp_path / "movie.ome.tif", STACK, metadata=metadata)
    movie = open_movie(tmp_path / "movie.ome.tif")
    assert movie.times_s() == pytest.approx(np.array(TIMES_MS) / 1000)
    assert [frame.t_s for frame in movie.frames(3)] == pytest.approx([0.24, 0.28, 0.32])
    assert movie.fps == pytest.approx(25)
    assert movie.pixel_size_um == pytest.approx(0.1)


def test_the_times_are_those_of_the_chosen_channel_and_position(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "movie.ome.tif") as writer:
        for position in range(2):
            times = [time * (1 + position) for time in TIMES_MS]
            writer.write(np.stack([STACK, STACK], axis=1), metadata={"axes": "TCYX", **planes(times, 2)})
    for position in range(2):
        movie = open_movie(tmp_path / "movie.ome.tif", channel=1, position=position)
        assert movie.times_s() == pytest.approx(np.array(TIMES_MS) * (1 + position) / 1000)


def write_micro_manager(path: Path, elapsed_ms: list[float | None], **metadata: Any) -> Path:
    """Write pages with the metadata that Micro-Manager gives each image."""
    with tifffile.TiffWriter(path) as writer:
        for image, elapsed in zip(STACK, elapsed_ms, strict=True):
            of_image = metadata if elapsed is None else {"ElapsedTime-ms": elapsed, **metadata}
            tag = (51123, "s", 0, json.dumps(of_image), True)
            writer.write(image, contiguous=False, metadata=None, extratags=[tag])
    return path


def test_the_times_of_micro_managers_images(tmp_path: Path) -> None:
    movie = open_movie(write_micro_manager(tmp_path / "movie.tif", [*TIMES_MS], PixelSizeUm=0.16))
    assert movie.times_s() == pytest.approx(np.array(TIMES_MS) / 1000)
    assert movie.pixel_size_um == 0.16


@pytest.mark.parametrize(
    ("metadata", "resolution", "fps", "size", "notes"),
    [
        ({"finterval": 0.05, "unit": "\\u00B5m"}, (10, 10), 20, 0.1, []),
        ({"finterval": 50, "tunit": "msec", "unit": "micron"}, (4, 4), 20, 0.25, []),
        ({"finterval": 1.0, "unit": "um"}, (1, 1), 1, 1, [DEFAULT_RATE, DEFAULT_SIZE]),
        (
            {"fps": 7.0},
            (1, 1),
            7,
            None,
            ["states only how fast ImageJ shows it, 7 frames/s, which is used; --fps N replaces it"],
        ),
        ({"finterval": 0.0, "unit": "inch"}, (72, 72), None, None, []),
    ],
)
def test_what_imagej_states(
    tmp_path: Path,
    metadata: dict[str, Any],
    resolution: tuple[int, int],
    fps: float | None,
    size: float | None,
    notes: list[str],
) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, STACK, imagej=True, resolution=resolution, metadata={"axes": "TYX", **metadata})
    movie = open_movie(path)
    assert movie.fps == (None if fps is None else pytest.approx(fps))
    assert movie.pixel_size_um == (None if size is None else pytest.approx(size))
    assert movie.times_s() is None
    assert movie.notes == notes


def write_single_images(folder: Path, version: int) -> Path:
    """Write single images with metadata.txt, as Micro-Manager 1.4 and 2 do."""
    entries = [json.dumps("Summary") + ": " + json.dumps({"Interval_ms": 40, "PixelSize_um": 0})]
    for number, (image, elapsed) in enumerate(zip(STACK, TIMES_MS, strict=True)):
        new = f"img_channel000_position000_time{number:09d}_z000.tif"
        name = new if version == 2 else f"img_{number:09d}_Default_000.tif"
        tifffile.imwrite(folder / name, image, metadata=None)
        of_image = {"ElapsedTime-ms": elapsed, "FileName": name, "PixelSizeUm": 0.16, "Nested": {"a": {"b": "}"}}}
        key = f"Metadata-Default/{name}" if version == 2 else f"FrameKey-{number}-0-0"
        entries += [f'"Coords-Default/{name}": {{"time": {number}}}'] if version == 2 else []
        entries.append(f"{json.dumps(key)}: {json.dumps(of_image, indent=2)}")
    (folder / "metadata.txt").write_text("{" + ",\n".join(entries) + "}")
    return folder


@pytest.mark.parametrize("version", [1, 2])
def test_a_folder_of_micro_manager_has_the_times_in_its_metadata(tmp_path: Path, version: int) -> None:
    movie = open_movie(write_single_images(tmp_path, version))
    assert movie.times_s() == pytest.approx(np.array(TIMES_MS) / 1000)
    assert movie.pixel_size_um == 0.16
    text = (tmp_path / "metadata.txt").read_text()
    (tmp_path / "metadata.txt").write_text(text[: int(len(text) * 0.75)])  # stopped in the middle
    movie = open_movie(tmp_path)
    assert movie.length == 6
    times = movie.times_s()
    assert times is not None
    assert times[:4] == pytest.approx([0, 0.04, 0.08, 0.24])
    assert any("have no time; it is interpolated" in note for note in movie.notes)
    (tmp_path / "metadata.txt").write_bytes(bytes(1000))
    assert open_movie(tmp_path).times_s() is None


def test_the_frames_of_a_recorded_session_have_their_times(tmp_path: Path) -> None:
    session = record(tmp_path, [frame_of(index, WIDE) for index in range(20)])
    for path in (session, session / "frames_0000.tif"):
        movie = open_movie(path)
        assert movie.times_s() == pytest.approx(np.arange(20) / 200)
        assert movie.pixel_size_um == 0.125


def test_stacks_that_follow_each_other_have_one_interval_between_them(tmp_path: Path) -> None:
    for name in "ab":
        write_micro_manager(tmp_path / f"{name}.tif", [*TIMES_MS])
    movie = open_movie(tmp_path / "*.tif")
    times = np.array(TIMES_MS) / 1000
    assert movie.times_s() == pytest.approx([*times, *(times + times[-1] + 0.04)])
    assert "between its files one frame interval is assumed" in movie.notes


# what cannot be right


@pytest.mark.parametrize(
    ("stated", "times", "note"),
    [
        ([0, 1, 2, 4], [0, 1, 2, 4], None),
        ([7, 8, 9, 11], [0, 1, 2, 4], None),
        ([0, 0, 0, 0], None, "the times of all its frames are the same and are not used; --fps N gives a rate"),
        ([0, 2, 1, 3], None, "its times decrease at frame 2; they are not used, --fps N gives a rate"),
        (
            [0, 1, 1, 3],
            [0, 1, 2, 3],
            "1 of its frames have the time of the frame before; even times are used, --fps N replaces them",
        ),
        ([0, None, 2, 3], [0, 1, 2, 3], "1 of its 4 frames have no time; it is interpolated"),
        ([None, 2, 4, None, 8], [0, 2, 4, 6, 8], "2 of its 5 frames have no time; it is interpolated"),
        (
            [None, 1, None, None],
            None,
            "3 of its 4 frames have no time, so no times are used; --fps N gives a rate",
        ),
        ([None, None], None, None),
        ([0], None, None),
        ([0, float("nan"), float("inf"), 3], None, "2 of its 4 frames have no time"),
    ],
)
def test_times_that_cannot_be_right_are_not_used(
    stated: list[Any], times: list[float] | None, note: str | None
) -> None:
    timing = judge_times(stated)
    if note is None:
        assert timing.notes == []
    else:
        assert note in timing.notes[0]
    if times is None:
        assert timing.times is None
        assert timing.fps is None
    else:
        assert timing.times == pytest.approx(times)


def test_the_rate_ignores_pauses_and_jitter() -> None:
    pause = np.cumsum([0, *[0.1] * 10, 5, *[0.1] * 10])
    assert judge_times(pause.tolist()).fps == pytest.approx(10)
    rounded = np.round(np.arange(100) / 30, 3)  # to ms
    assert judge_times(rounded.tolist()).fps == pytest.approx(30, rel=1e-3)
    assert judge_times(None, 0.04).fps == pytest.approx(25)
    assert judge_times([0, 0, 0], 0.04).fps == pytest.approx(25)
    assert judge_times(None, float("inf")).fps is None
