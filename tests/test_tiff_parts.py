"""Channels, positions, planes and other axes of TIFF stacks, in one file or several, and how they are chosen."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from test_movie import STACK, cut, same

from livetrack.errors import InputError
from livetrack.movies import open_movie

DATA = np.random.default_rng(5).integers(0, 4000, (24, 20, 32)).astype(np.uint16)
UUID = "urn:uuid:00000000-0000-0000-0000-00000000000"


def write_ome_set(folder: Path, names: list[str], stack: npt.NDArray[Any], axes: str = "T") -> list[Path]:
    """Write a stack of pages as an OME-TIFF in several files of equally many pages, as Micro-Manager splits it."""
    each = len(stack) // len(names)
    sizes = {name: stack.shape[0] if name == axes else 1 for name in "TZC"}
    data = "".join(
        f'<TiffData First{axes}="{index * each}" IFD="0" PlaneCount="{each}">'
        f'<UUID FileName="{name}">{UUID}{index}</UUID></TiffData>'
        for index, name in enumerate(names)
    )
    paths = []
    for index, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{UUID}{index}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
            f'SizeX="{stack.shape[2]}" SizeY="{stack.shape[1]}" SizeC="{sizes["C"]}" SizeZ="{sizes["Z"]}" '
            f'SizeT="{sizes["T"]}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
        )
        with tifffile.TiffWriter(folder / name) as writer:
            for page in range(each):
                description = xml.encode() if page == 0 else None
                image = stack[index * each + page]
                writer.write(image, description=description, metadata=None, contiguous=False)
        paths.append(folder / name)
    return paths


# several files


def test_an_ome_tiff_in_several_files_is_one_movie(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    for path in write_ome_set(tmp_path, ["x_0.ome.tif", "x_1.ome.tif", "x_2.ome.tif"], STACK):
        movie = open_movie(path)
        assert same(movie, STACK)
        assert [frame.number for frame in movie.frames(7, 3)] == [7, 10]
        assert movie.problem is None
    assert not recwarn.list


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_missing_file_of_an_ome_tiff_is_named_and_the_others_keep_their_numbers(tmp_path: Path, lost: int) -> None:
    paths = write_ome_set(tmp_path, ["x_0.ome.tif", "x_1.ome.tif", "x_2.ome.tif"], STACK)
    paths.pop(lost).unlink()
    numbers = [number for number in range(12) if number // 4 != lost]
    for path in paths:
        movie = open_movie(path)
        absent = f"4 of its 12 frames are missing: there is no x_{lost}.ome.tif in this folder"
        assert movie.problem == f"{path}: {absent}"
        frames = list(movie.frames())
        assert [frame.number for frame in frames] == numbers
        assert same([frame.pixels for frame in frames], STACK[numbers])
        assert f"x_{lost}.ome.tif" in (movie.problem or "")
        assert "read the 8 of 12 frames" in (movie.problem or "")


def test_renamed_files_of_an_ome_tiff_are_recognised(tmp_path: Path) -> None:
    paths = write_ome_set(tmp_path, ["x.ome.tif", "x_1.ome.tif", "x_2.ome.tif"], STACK)
    for number, path in enumerate(paths):
        path.rename(tmp_path / f"run {3 - number}.tif")
    for path in (*tmp_path.iterdir(), tmp_path):
        movie = open_movie(path)
        assert same(movie, STACK)
        assert movie.problem is None
        assert any("files of this recording were renamed: run " in note for note in movie.notes)


def test_a_renamed_file_of_an_ome_tiff_gives_its_own_frames_and_names_the_others(tmp_path: Path) -> None:
    first, second = write_ome_set(tmp_path, ["x.ome.tif", "x_1.ome.tif"], STACK)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = first.rename(tmp_path / "a" / "run.ome.tif"), second.rename(tmp_path / "b" / "run_1.ome.tif")
    for path, numbers, other in ((first, range(6), "x_1"), (second, range(6, 12), "x")):
        movie = open_movie(path)
        frames = list(movie.frames())
        assert [frame.number for frame in frames] == list(numbers)
        assert same([frame.pixels for frame in frames], STACK[numbers])
        assert f"6 of its 12 frames are missing: there is no {other}.ome.tif in this folder" in (movie.problem or "")


@pytest.mark.parametrize("master", ["x_0.ome.tif", "x.companion.ome"])
def test_metadata_in_another_file(tmp_path: Path, master: str) -> None:
    paths = write_ome_set(tmp_path, ["x_0.ome.tif", "x_1.ome.tif", "x_2.ome.tif"], STACK)
    with tifffile.TiffFile(paths[0]) as file:
        text = file.ome_metadata or ""
    if master.endswith(".ome"):
        (tmp_path / master).write_text(text.replace(f'UUID="{UUID}0"', f'UUID="{UUID}9"'), encoding="utf-8")
    for number, path in enumerate(paths):
        if path.name != master:
            only = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{UUID}{number}">'
            only += f'<BinaryOnly MetadataFile="{master}" UUID="{UUID}0"/></OME>'
            tifffile.tiffcomment(path, only.encode())
        movie = open_movie(path)
        assert same(movie, STACK)
        assert (movie.problem, movie.notes) == (None, [])
    (tmp_path / master).unlink()
    movie = open_movie(paths[1])
    assert same(movie, STACK[4:8])
    assert movie.notes == [f"its metadata are in {master}, which is missing: the images of this file alone are read"]


# positions


def test_a_position_of_an_ome_tiff_is_chosen_never_guessed(tmp_path: Path) -> None:
    positions = DATA.reshape(3, 8, 20, 32)
    with tifffile.TiffWriter(tmp_path / "movie.ome.tif", ome=True) as writer:
        for position in positions:
            writer.write(position, metadata={"axes": "TYX"})
    with pytest.raises(InputError, match=r"has 3 positions; choose one with --position 0 to 2$"):
        open_movie(tmp_path / "movie.ome.tif")
    with pytest.raises(InputError, match=r"choose one with --position 0 to 2, not 3$"):
        open_movie(tmp_path / "movie.ome.tif", position=3)
    for number, position in enumerate(positions):
        movie = open_movie(tmp_path / "movie.ome.tif", position=number)
        assert same(movie, position)
        assert movie.notes == []


def test_positions_with_channels_and_planes(tmp_path: Path) -> None:
    data = DATA.reshape(2, 2, 3, 2, 20, 32)
    with tifffile.TiffWriter(tmp_path / "movie.ome.tif", ome=True) as writer:
        for position in data:
            writer.write(position, metadata={"axes": "TZCYX"}, photometric="minisblack")
    movie = open_movie(tmp_path / "movie.ome.tif", 1, position=1, z="max")
    assert same(movie, data[1, :, :, 1].max(axis=1))
    for missing in ({"position": 1, "z": 0}, {"position": 1, "channel": 0}, {"channel": 0, "z": 0}):
        with pytest.raises(InputError, match=r"--(channel|position|z)"):
            open_movie(tmp_path / "movie.ome.tif", **missing)


def test_a_long_series_is_read_and_a_short_one_can_be_chosen(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "movie.ome.tif", ome=True) as writer:
        writer.write(DATA[0, :10, :10])  # an overview
        writer.write(DATA, metadata={"axes": "TYX"})
    movie = open_movie(tmp_path / "movie.ome.tif")
    assert same(movie, DATA)
    assert movie.notes == ["contains 2 series of images; the longest is read: --position 0 reads another"]
    assert same(open_movie(tmp_path / "movie.ome.tif", position=0), DATA[:1, :10, :10])


# axes


@pytest.mark.parametrize("axes", ["CYX", "ZYX"])
def test_frames_that_are_called_otherwise(tmp_path: Path, axes: str) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": axes})
    if axes == "CYX":
        with pytest.raises(InputError, match=r"has 12 channels; .*; if they are frames: --axes T$"):
            open_movie(path)
    else:
        movie = open_movie(path)
        assert same(movie, STACK)
        as_depth = "its 12 planes of depth are read as frames; --z 0 to 11, max or mean makes one image of them"
        assert movie.notes == [as_depth]
        assert same(open_movie(path, z="max"), STACK.max(axis=0)[None])
    movie = open_movie(path, axes="T")
    assert same(movie, STACK)
    assert movie.notes == []
    assert same(open_movie(path, 3, axes="C"), STACK[3:4])


def test_axes_are_named_in_the_order_of_the_file(tmp_path: Path) -> None:
    data = DATA.reshape(4, 6, 20, 32)
    tifffile.imwrite(tmp_path / "movie.tif", data, photometric="minisblack")  # no names
    with pytest.raises(InputError, match=r"has 4 along Q and 6 along Q; name its axes with --axes"):
        open_movie(tmp_path / "movie.tif")
    assert same(open_movie(tmp_path / "movie.tif", axes="TZ", z=5), data[:, 5])
    assert same(open_movie(tmp_path / "movie.tif", axes="CT", channel=2), data[2])
    assert same(open_movie(tmp_path / "movie.tif", axes="TT"), DATA)
    with pytest.raises(InputError, match=r"--axes T: give one letter for each axis .*: 4 along Q and 6 along Q"):
        open_movie(tmp_path / "movie.tif", axes="T")


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"photometric": "rgb", "planarconfig": "separate"}])
@pytest.mark.filterwarnings("ignore:.*are stored as RGB:DeprecationWarning")
def test_a_few_frames_are_not_colours(tmp_path: Path, count: int, options: dict[str, Any]) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, STACK[:count], metadata={"axes": "TYX"}, **options)
    assert same(open_movie(path), STACK[:count])


@pytest.mark.filterwarnings("ignore:.*are stored as RGB:DeprecationWarning")
@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_few_frames_at_a_time_are_not_colours(tmp_path: Path, count: int, compression: str | None) -> None:
    for metadata, path in (({"axes": "TYX"}, tmp_path / "said.tif"), ({}, tmp_path / "unsaid.tif")):
        for begin in range(0, 12, count):
            images = STACK[begin : begin + count]
            tifffile.imwrite(path, images, append=True, metadata=metadata, compression=compression)
    assert same(open_movie(tmp_path / "said.tif"), STACK)
    movie = open_movie(tmp_path / "unsaid.tif")
    assert len(list(movie)) == 12 // count
    as_colours = f"in each of its images, {count} planes are read as colours; if they are frames: --axes TT"
    assert movie.notes == [as_colours]
    assert same(open_movie(tmp_path / "unsaid.tif", axes="TT"), STACK)
    assert same(open_movie(tmp_path / "unsaid.tif", axes="TZ", z=2), STACK[2::count])


@pytest.mark.filterwarnings("ignore:.*are stored as RGB:DeprecationWarning")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_three_planes_a_frame_are_not_colours(tmp_path: Path, compression: str | None) -> None:
    data = STACK.reshape(4, 3, 40, 64)
    tifffile.imwrite(tmp_path / "said.tif", data, metadata={"axes": "TZYX"}, compression=compression)
    tifffile.imwrite(tmp_path / "unsaid.tif", data, compression=compression)
    for path, axes in ((tmp_path / "said.tif", ""), (tmp_path / "unsaid.tif", "TZ")):
        assert same(open_movie(path, axes=axes, z=1), data[:, 1])
        assert same(open_movie(path, axes=axes, z="max"), data.max(axis=1))
    assert "if they are frames: --axes TT" in open_movie(tmp_path / "unsaid.tif").notes[0]


@pytest.mark.parametrize("shape", [(12, 1, 40, 1, 64), (12, 40, 64, 1), (1, 12, 1, 40, 64), (1, 1, 1, 12, 40, 64)])
def test_axes_of_length_one_mean_nothing(tmp_path: Path, shape: tuple[int, ...]) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", STACK.reshape(shape), photometric="minisblack")
    assert same(open_movie(tmp_path / "movie.tif"), STACK)


@pytest.mark.parametrize("kind", ["shaped", "imagej"])
def test_axes_of_a_truncated_stack_stay_apart(tmp_path: Path, kind: str) -> None:
    data = DATA.reshape(6, 4, 20, 32)
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": "TZYX"}, imagej=kind == "imagej")
    movie = open_movie(cut(path), z=1)
    frames = list(movie)
    assert 2 <= len(frames) <= 4
    assert all(np.array_equal(a, b) for a, b in zip(frames, data[:, 1], strict=False))
    assert "truncated" in (movie.problem or "")


# Micro-Manager stacks


def write_micro_manager(
    folder: Path, files: dict[str, list[tuple[int, int, int, int]]], summary: dict[str, int], prefix: str = "x"
) -> npt.NDArray[np.uint16]:
    """Write multi-page files as Micro-Manager does; return images by (position, time, plane, channel).

    `files` has the channel, plane, time and position of each image in each file.
    """
    sizes = [1 + max(place[axis] for places in files.values() for place in places) for axis in (3, 2, 1, 0)]
    images = np.random.default_rng(7).integers(0, 4000, (*sizes, 20, 32)).astype(np.uint16)
    text = json.dumps(
        {"MicroManagerVersion": "2.0.1", "Prefix": prefix, "TimeFirst": False, "SlicesFirst": False} | summary
    )
    for name, places in files.items():
        header = struct.pack("<2sHI", b"II", 42, 40 + len(text))
        end = 40 + len(text)
        parts, index = b"", b""
        for number, (channel, plane, time, position) in enumerate(places):
            offset, extra = end + len(parts), b'{"Frame": 1}\0'
            size = 2 + 13 * 12 + 4
            data, tail = offset + size, offset + size + 20 * 32 * 2
            following = tail + len(extra) if number + 1 < len(places) else 0
            entries = [
                (256, 4, 1, 32), (257, 4, 1, 20), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, data),
                (277, 3, 1, 1), (278, 3, 1, 20), (279, 4, 1, 1280), (282, 4, 1, 1), (283, 4, 1, 1), (296, 3, 1, 1),
                (51123, 2, len(extra), tail),
            ]  # fmt: skip
            parts += struct.pack("<H", 13) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
            parts += struct.pack("<I", following) + images[position, time, plane, channel].tobytes() + extra
            index += struct.pack("<5I", channel, plane, time, position, offset)
        at = end + len(parts)
        offsets = struct.pack("<8I", 54773648, at, 483765892, 0, 99384722, 0, 2355492, len(text))
        index = struct.pack("<2I", 3453623, len(places)) + index
        (folder / name).write_bytes(header + offsets + text.encode() + parts + index)
    return images


def test_a_micro_manager_stack_with_positions_channels_and_planes(tmp_path: Path) -> None:
    places = [(c, z, t, p) for t in range(3) for p in range(2) for z in range(2) for c in range(2)]
    summary = {"Frames": 3, "Positions": 2, "Slices": 2, "Channels": 2}
    images = write_micro_manager(tmp_path, {"x_MMStack.ome.tif": places}, summary)
    path = tmp_path / "x_MMStack.ome.tif"
    with pytest.raises(InputError, match=r"has 2 positions; choose one with --position 0 to 1"):
        open_movie(path, 0, z=0)
    movie = open_movie(path, 1, position=1, z=0)
    assert same(movie, images[1, :, 0, 1])
    assert movie.problem is None
    assert same(open_movie(path, 0, position=0, z="max"), images[0, :, :, 0].max(axis=1))


def test_a_micro_manager_file_is_read_at_its_own_position(tmp_path: Path) -> None:
    files = {f"x_MMStack_Pos{p}.ome.tif": [(0, 0, t, p) for t in range(5)] for p in range(3)}
    images = write_micro_manager(tmp_path, files, {"Frames": 5, "Positions": 3, "Slices": 1, "Channels": 1})
    for position, name in enumerate(files):
        movie = open_movie(tmp_path / name)
        assert same(movie, images[position, :, 0, 0])
        assert movie.notes == [f"position {position} is read, that of this file; --position N reads another"]
        assert movie.problem is None
    assert same(open_movie(tmp_path / "x_MMStack_Pos0.ome.tif", position=2), images[2, :, 0, 0])


def test_a_micro_manager_recording_in_several_files_lacks_one(tmp_path: Path) -> None:
    files = {
        f"x_MMStack_Pos0{part}.ome.tif": [(0, 0, t, 0) for t in times]
        for part, times in (("", range(4)), ("_1", range(4, 8)), ("_2", range(8, 12)))
    }
    summary = {"Frames": 12, "Positions": 1, "Slices": 1, "Channels": 1}
    images = write_micro_manager(tmp_path, files, summary)[0, :, 0, 0]
    first, second, third = (tmp_path / name for name in files)
    assert same(open_movie(first), images)
    second.unlink()
    movie = open_movie(first)
    frames = list(movie.frames())
    assert [frame.number for frame in frames] == [*range(4), *range(8, 12)]
    assert "4 of its 12 frames are missing: a file of the recording is missing" in (movie.problem or "")
    first.unlink()
    movie = open_movie(third)
    frames = list(movie.frames())
    assert [frame.number for frame in frames] == [*range(8, 12)]
    assert same([frame.pixels for frame in frames], images[8:])
    assert "8 of its 12 frames are missing: a file of the recording is missing" in (movie.problem or "")


def test_a_micro_manager_recording_that_was_stopped_says_so(tmp_path: Path) -> None:
    places = [(0, 0, t, 0) for t in range(5)]
    summary = {"Frames": 100, "Positions": 1, "Slices": 1, "Channels": 1}
    images = write_micro_manager(tmp_path, {"x_MMStack_Pos0.ome.tif": places}, summary)
    movie = open_movie(tmp_path / "x_MMStack_Pos0.ome.tif")
    assert same(movie, images[0, :, 0, 0])
    assert "95 of its 100 frames are missing: a file of the recording is missing, or it was stopped early" in (
        movie.problem or ""
    )
