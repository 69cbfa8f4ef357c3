"""Formats of microscope makers and OME-Zarr, whose packages are in the extra `formats`."""

from __future__ import annotations

import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fuzz.microscope_files import write_czi as write_plain_czi
from fuzz.microscope_files import write_lif, write_nd2
from test_formats import STACK, cut
from test_movie import same

from livetrack.errors import InputError
from livetrack.movies import open_movie

_EXTRA = 'needs the extra: python -m pip install "livetrack[formats]"'
_WRITER = "needs Zeiss' own library, which writes such files: python -m pip install pylibCZIrw"
TIMES_MS = [0, 40, 80, 240, 280, 320, 480, 520, 560, 720, 760, 800]

# ND2


@pytest.fixture
def nd2() -> None:
    pytest.importorskip("nd2", reason=_EXTRA)


@pytest.mark.usefixtures("nd2")
def test_an_nd2_file_is_a_movie_with_its_times_and_pixel_size(tmp_path: Path) -> None:
    movie = open_movie(write_nd2(tmp_path / "movie.nd2", STACK[..., None], times_ms=TIMES_MS, period_ms=80))
    assert same(movie, STACK)
    assert movie.pixel_size_um == 0.25
    assert movie.times_s() == pytest.approx(np.array(TIMES_MS) / 1000)
    assert [frame.t_s for frame in movie.frames(10)] == pytest.approx([0.76, 0.8])
    assert movie.notes == ["states 12.5 frames/s, but its times give 25, which are used"]


@pytest.mark.usefixtures("nd2")
def test_channels_planes_and_positions_of_an_nd2_file(tmp_path: Path) -> None:
    channels = np.stack([STACK, STACK + 1], axis=-1)
    path = write_nd2(tmp_path / "movie.nd2", channels, planes=3, positions=2, period_ms=50)
    for choices, message in [
        ({}, "--position 0 to 1"),
        ({"position": 1}, "--channel 0 to 1"),
        ({"position": 1, "channel": 1}, "a plane with --z 0 to 2"),
        ({"position": 2, "channel": 1, "z": 0}, "--position 0 to 1, not 2"),
    ]:
        with pytest.raises(InputError, match=message):
            open_movie(path, **choices)
    movie = open_movie(path, position=1, channel=1, z=2)
    assert same(movie, (STACK + 1).reshape(2, 2, 3, 24, 32)[:, 1, 2])
    assert movie.fps == 20
    assert same(open_movie(path, position=0, channel=0, z="max"), STACK.reshape(2, 2, 3, 24, 32)[:, 0].max(axis=1))


@pytest.mark.usefixtures("nd2")
def test_an_image_that_an_nd2_file_lacks_is_not_read_as_black(tmp_path: Path) -> None:
    movie = open_movie(write_nd2(tmp_path / "movie.nd2", STACK[..., None], without=[3]))
    assert [frame.number for frame in movie.frames()] == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert movie.problem is not None
    assert "the file has no image of it (T 3); read the 11 of 12 frames" in movie.problem


@pytest.mark.usefixtures("nd2")
def test_a_channel_that_was_recorded_at_some_times_only_has_gaps(tmp_path: Path) -> None:
    channels = np.stack([STACK, STACK + 1], axis=-1)
    channels[[n % 3 > 0 for n in range(12)], :, :, 1] = 0
    path = write_nd2(tmp_path / "movie.nd2", channels)
    assert same(open_movie(path, channel=0), STACK)
    movie = open_movie(path, channel=1)
    assert [frame.number for frame in movie.frames()] == [0, 3, 6, 9]
    assert movie.problem is not None
    assert "this channel was not recorded there (T 1, C 1)" in movie.problem


@pytest.mark.usefixtures("nd2")
@pytest.mark.parametrize("share", [0.6, 0.0005])
def test_an_nd2_file_that_is_cut_short_is_refused_in_one_line(tmp_path: Path, share: float) -> None:
    path = cut(write_nd2(tmp_path / "movie.nd2", STACK[..., None]), share)
    with pytest.raises(InputError, match="is cut short") as caught:
        open_movie(path)
    assert "\n" not in str(caught.value)


# CZI


def write_czi(path: Path, scenes: int = 1, channels: int = 1, planes: int = 1, without: tuple[int, ...] = ()) -> Path:
    """Write STACK; a scene 1 is lighter by 100, a plane 1 by 10, a channel 1 by 1. Leave out some times."""
    czi = pytest.importorskip("pylibCZIrw.czi", reason=_WRITER)
    with czi.create_czi(str(path)) as document:
        for time, image in enumerate(STACK):
            for scene in range(scenes if time not in without else 0):
                for z in range(planes):
                    for channel in range(channels):
                        lighter = image + np.uint16(100 * scene + 10 * z + channel)
                        place = {"T": time, "Z": z, "C": channel}
                        document.write(lighter, plane=place, scene=scene, location=(1000 * scene, 0))
        document.write_metadata(scale_x=0.2e-6, scale_y=0.2e-6)
    return path


def add_times(path: Path, times_s: list[float]) -> None:
    """Attach times as Zeiss' program does."""
    data = bytearray(path.read_bytes())

    def segment(name: bytes, contents: bytes) -> int:
        data.extend(bytes(-len(data) % 32))
        begin = len(data)
        data.extend(name.ljust(16, b"\0") + struct.pack("<qq", len(contents), len(contents)) + contents)
        return begin

    times = struct.pack("<ii", 8 + 8 * len(times_s), len(times_s)) + struct.pack(f"<{len(times_s)}d", *times_s)
    entry = bytearray(128)
    entry[48:58] = b"TimeStamps"
    at = segment(b"ZISRAWATTACH", struct.pack("<i", len(times)).ljust(16, b"\0") + bytes(entry) + bytes(112) + times)
    struct.pack_into("<2s10xq", entry, 0, b"A1", at)
    directory = segment(b"ZISRAWATTDIR", struct.pack("<i", 1).ljust(256, b"\0") + bytes(entry))
    struct.pack_into("<q", data, 32 + 72, directory)
    path.write_bytes(data)


def test_a_czi_file_is_a_movie_with_its_times_and_pixel_size(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "movie.czi")
    movie = open_movie(path)
    assert same(movie, STACK)
    assert movie.pixel_size_um == pytest.approx(0.2)
    assert movie.times_s() is None
    add_times(path, [100 + each / 1000 for each in TIMES_MS])
    assert open_movie(path).times_s() == pytest.approx(np.array(TIMES_MS) / 1000)
    assert same(open_movie(path), STACK)


def test_a_czi_file_that_is_not_compressed_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert same(open_movie(write_plain_czi(tmp_path / "movie.czi", STACK)), STACK)


def test_channels_planes_and_scenes_of_a_czi_file(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "movie.czi", scenes=2, channels=2, planes=2)
    for choices, message in [
        ({}, "--position 0 to 1"),
        ({"position": 1}, "--channel 0 to 1"),
        ({"position": 1, "channel": 1}, "a plane with --z 0 to 1"),
    ]:
        with pytest.raises(InputError, match=message):
            open_movie(path, **choices)
    assert same(open_movie(path, position=1, channel=1, z=0), STACK + 101)
    assert same(open_movie(path, position=0, channel=1, z="max"), STACK + 11)


def test_an_image_that_a_czi_file_lacks_is_not_read_as_black(tmp_path: Path) -> None:
    movie = open_movie(write_czi(tmp_path / "movie.czi", without=(3, 4)))
    assert [frame.number for frame in movie.frames()] == [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]
    assert movie.problem is not None
    assert "the file has no image of it (T 3), and 1 more" in movie.problem
    assert "read the 10 of 12 frames" in movie.problem


@pytest.mark.parametrize("compression", ["zstd0:", "zstd1:PreProcess=HiLoByteUnpack", "zstd1:"])
@pytest.mark.parametrize("samples", [1, 3])
def test_compressed_pixels_and_colours_of_a_czi_file(tmp_path: Path, compression: str, samples: int) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi", reason=_WRITER)
    pytest.importorskip("imagecodecs", reason=_EXTRA)
    images = np.random.default_rng(2).integers(0, 200, (24, 33, samples)).astype("u1" if samples == 3 else "u2")
    with czi.create_czi(str(tmp_path / "movie.czi"), compression_options=compression) as document:
        document.write(images, plane={"T": 0})
    for channel in range(samples):  # blue, green, red in the file
        chosen = open_movie(tmp_path / "movie.czi", channel=channel if samples == 3 else None)
        assert same(chosen, images[None, :, :, samples - 1 - channel])


def test_tiles_of_a_mosaic_are_put_together(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi", reason=_WRITER)
    with czi.create_czi(str(tmp_path / "movie.czi")) as document:
        for column in range(2):
            tile = STACK[0, :, 16 * column : 16 * (column + 1), None]
            document.write(np.ascontiguousarray(tile), plane={"T": 0}, location=(16 * column - 5, -7))
    assert same(open_movie(tmp_path / "movie.czi"), STACK[:1])


def test_of_a_czi_file_that_is_cut_short_the_frames_before_are_read(tmp_path: Path) -> None:
    movie = open_movie(cut(write_czi(tmp_path / "movie.czi")))
    read = list(movie)
    assert 5 < len(read) < 12
    assert same(read, STACK[: len(read)])
    assert movie.problem is not None
    assert "it is cut short, or was never finished; the images that were found are read" in movie.problem


@pytest.mark.parametrize(("share", "reason"), [(0.03, "before its first image"), (0.003, "it is cut short")])
def test_what_is_left_of_a_czi_file_is_refused_in_one_line(tmp_path: Path, share: float, reason: str) -> None:
    path = cut(write_czi(tmp_path / "movie.czi"), share)
    with pytest.raises(InputError, match=reason) as caught:
        open_movie(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_czi_file_is_reported_and_ends_no_program(tmp_path: Path) -> None:
    data = write_czi(tmp_path / "movie.czi").read_bytes()
    for seed in range(100):
        random = np.random.default_rng(seed)
        changed = np.frombuffer(data, np.uint8).copy()
        changed[random.integers(0, len(changed), 20)] = random.integers(0, 256, 20)
        (tmp_path / "movie.czi").write_bytes(changed.tobytes())
        with suppress(InputError):
            list(open_movie(tmp_path / "movie.czi"))


# LIF


@pytest.fixture
def lif(tmp_path: Path) -> Path:
    pytest.importorskip("liffile", reason=_EXTRA)
    series = {"beads": np.stack([STACK, STACK + 1], axis=1), "overview": (STACK[:1, None] >> 4).astype(np.uint8)}
    stamps = [each for time in TIMES_MS for each in (time, time)]
    return write_lif(tmp_path / "movie.lif", series, stamps)


def test_the_series_of_a_lif_file_are_its_positions(lif: Path) -> None:
    with pytest.raises(InputError, match=r"--position 0 to 1: 0 beads \(12 T x 2 C x 24 Y x 32 X\), 1 overview"):
        open_movie(lif)
    with pytest.raises(InputError, match="--channel 0 to 1"):
        open_movie(lif, position=0)
    movie = open_movie(lif, position=0, channel=1)
    assert same(movie, STACK + 1)
    assert movie.pixel_size_um == pytest.approx(0.25)
    assert movie.times_s() == pytest.approx(np.array(TIMES_MS) / 1000)
    assert same(open_movie(lif, position=1), (STACK[:1] >> 4).astype(np.uint8))


def test_of_a_lif_file_that_is_cut_short_the_frames_before_are_read(lif: Path) -> None:
    movie = open_movie(cut(lif), position=0, channel=0)
    read = list(movie)
    assert 5 < len(read) < 12
    assert same(read, STACK[: len(read)])
    assert movie.problem is not None
    assert f"read the {len(read)} of 12 frames" in movie.problem
    with pytest.raises(InputError, match="frame 0"):
        open_movie(lif, position=1)
    with pytest.raises(InputError, match="cannot be read as LIF"):
        open_movie(cut(lif, 0.01), position=0)


# OME-Zarr


@pytest.fixture
def zarr() -> Iterator[Any]:
    yield pytest.importorskip("zarr", reason=_EXTRA)
    from zarr.core.sync import cleanup_resources

    cleanup_resources()  # its thread


AXES = [
    {"name": "t", "type": "time", "unit": "millisecond"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "nanometer"},
    {"name": "x", "type": "space", "unit": "nanometer"},
]


def put_image(zarr: Any, group: Any, images: npt.NDArray[Any], version: int) -> None:
    """Write (T, C, Z, Y, X) images as OME-Zarr 0.4 or 0.5, four frames to a chunk."""
    array = group.create_array("0", shape=images.shape, chunks=(4, 1, 1, *images.shape[3:]), dtype=images.dtype)
    array[:] = images
    scale = {"type": "scale", "scale": [50, 1, 0.5, 125, 125]}
    image = {"axes": AXES, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    if version == 2:
        group.attrs["multiscales"] = [{**image, "version": "0.4"}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}


@pytest.fixture(params=[2, 3], ids=["zarr 2", "zarr 3"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def ome(zarr: Any, version: int, tmp_path: Path) -> Path:
    lighter = np.array([[0, 1], [10, 11]], np.uint16)[:, :, None, None]
    group = zarr.open_group(tmp_path / "movie.zarr", mode="w", zarr_format=version)
    put_image(zarr, group, STACK[:, None, None] + lighter, version)
    return tmp_path / "movie.zarr"


def test_an_ome_zarr_folder_is_a_movie_with_its_rate_and_pixel_size(ome: Path) -> None:
    with pytest.raises(InputError, match="--channel 0 to 1"):
        open_movie(ome)
    with pytest.raises(InputError, match="a plane with --z 0 to 1"):
        open_movie(ome, channel=0)
    movie = open_movie(ome, channel=1, z=0)
    assert same(movie, STACK + 10)
    assert movie.fps == pytest.approx(20)
    assert movie.pixel_size_um == pytest.approx(0.125)
    assert same([frame.pixels for frame in movie.frames(5, 3)], (STACK + 10)[5::3])
    assert same(open_movie(ome, channel=0, z="max"), STACK + 1)


@pytest.mark.parametrize("program", ["ome-writers", "pymmcore-plus"])
def test_the_times_that_programs_add_to_ome_zarr(zarr: Any, ome: Path, program: str) -> None:
    group = zarr.open_group(ome, mode="r+")
    places = [(time, channel, z) for time in range(12) for channel in range(2) for z in range(2)]
    times = [TIMES_MS[time] + 10 * channel + z for time, channel, z in places]
    if program == "ome-writers":
        frames = [
            {"storage_index": list(place), "delta_t": time / 1000} for place, time in zip(places, times, strict=True)
        ]
        group.attrs["ome_writers"] = {"frame_metadata": frames}
    else:
        group["0"].attrs["frame_meta"] = [
            {"mda_event": {"index": dict(zip("tcz", place, strict=True))}, "runner_time_ms": time}
            for place, time in zip(places, times, strict=True)
        ]
    movie = open_movie(ome, channel=1, z=1)
    assert movie.times_s() == pytest.approx(np.array(TIMES_MS) / 1000)
    assert movie.notes == ["states 20 frames/s, but its times give 25, which are used"]


def test_chunks_that_are_missing_are_not_read_as_black(ome: Path, version: int) -> None:
    chunk = "0/2.1.0.0.0" if version == 2 else "0/c/2/1/0/0/0"
    (ome / chunk).unlink()
    movie = open_movie(ome, channel=1, z=0)
    assert same(list(movie), (STACK + 10)[:8])
    assert movie.problem is not None
    assert "the files have no image of it, or only an empty one (T 8, C 1, Z 0), and 3 more" in movie.problem


def test_a_chunk_that_is_cut_short_is_lost(ome: Path, version: int) -> None:
    cut(ome / ("0/2.1.0.0.0" if version == 2 else "0/c/2/1/0/0/0"))  # compressed with Blosc and Zstandard
    movie = open_movie(ome, channel=1, z=0)
    assert same(list(movie), (STACK + 10)[:8])
    assert movie.problem is not None
    assert "read the 8 of 12 frames" in movie.problem


def test_metadata_that_are_damaged_are_refused_in_one_line(ome: Path, version: int) -> None:
    (ome / (".zattrs" if version == 2 else "zarr.json")).write_text("{")
    with pytest.raises(InputError, match="cannot be read as OME-Zarr") as caught:
        open_movie(ome)
    assert "\n" not in str(caught.value)


def test_a_plain_array_is_a_movie(zarr: Any, version: int, tmp_path: Path) -> None:
    array = zarr.open_array(
        tmp_path / "any name", mode="w", zarr_format=version, shape=STACK.shape, chunks=(1, 24, 32), dtype="u2"
    )
    array[:] = STACK
    assert same(open_movie(tmp_path / "any name"), STACK)


def test_the_fields_of_a_plate_and_the_images_of_a_group_are_positions(zarr: Any, version: int, tmp_path: Path) -> None:
    series = zarr.open_group(tmp_path / "series.zarr", mode="w", zarr_format=version)
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=version)
    for number, name in enumerate(["0", "1"]):
        put_image(zarr, series.create_group(name), STACK[:, None, None] + np.uint16(number), version)
        well = plate.create_group(f"A/{number + 1}")
        put_image(zarr, well.create_group("0"), STACK[:, None, None] + np.uint16(number), version)
        well.attrs.update({"well": {"images": [{"path": "0"}]}})
    plate.attrs.update({"plate": {"wells": [{"path": "A/1"}, {"path": "A/2"}]}})
    for path, names in [(tmp_path / "series.zarr", "0 0 0, 1 1 0"), (tmp_path / "plate.zarr", "0 A/1/0")]:
        with pytest.raises(InputError, match=f"2 images; choose one with --position: {names}"):
            open_movie(path)
        assert same(open_movie(path, position=1), STACK + 1)


def test_a_copy_of_a_movie_needs_no_suffix(ome: Path) -> None:
    copy = shutil.copytree(ome, ome.with_name("copy"))
    assert open_movie(copy, channel=0, z=0).length == 12
