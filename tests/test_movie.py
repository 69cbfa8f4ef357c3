"""Movies in all formats, complete and damaged, and the movie as a camera."""

from __future__ import annotations

import itertools
import logging
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from livetrack_drivers.movie import MovieCamera, MovieSettings
from PIL import Image

from livetrack.camera import Geometry, load_driver
from livetrack.errors import CameraError, CameraLostError, InputError
from livetrack.movies import open_movie

DATA = Path(__file__).parents[2] / "shared" / "data"
STACK = np.random.default_rng(0).integers(0, 4000, (12, 40, 64)).astype(np.uint16)


def same(movie: Any, stack: npt.NDArray[Any]) -> bool:
    frames = list(movie)
    return len(frames) == len(stack) and all(np.array_equal(a, b) for a, b in zip(frames, stack, strict=True))


def cut(path: Path, share: float = 0.55) -> Path:
    short = path.with_name("cut_" + path.name)
    data = path.read_bytes()
    short.write_bytes(data[: int(len(data) * share)])
    return short


def write_video(path: Path, frames: npt.NDArray[np.uint8], codec: str, **options: str) -> Path:
    """Write (T, H, W) or (T, H, W, 3) frames at 25 frames/s; lossy codecs keep them to a few grey levels."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        stream.gop_size = 4
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="gray" if frame.ndim == 2 else "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def blinking(count: int = 20) -> npt.NDArray[np.uint8]:
    """Return frames whose grey level encodes their number, with noise that does not compress well."""
    level = 40 + 8 * np.arange(count)[:, None, None]
    noise = np.random.default_rng(1).integers(-20, 20, (count, 64, 96))
    return (level + noise).astype(np.uint8)


# TIFF stacks

WRITERS: dict[str, dict[str, Any]] = {
    "plain": {"metadata": None},
    "shaped": {},
    "deflated": {"compression": "zlib", "predictor": True},
    "one directory": {"truncate": True},
    "bigtiff": {"bigtiff": True},
    "big endian": {"byteorder": ">"},
    "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
    "depths": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "metadata": {"axes": "TYX"}},
}


@pytest.mark.parametrize("kind", WRITERS)
def test_tiff_stacks_of_every_kind(tmp_path: Path, kind: str) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", STACK, **WRITERS[kind])
    movie = open_movie(tmp_path / "movie.tif")
    assert (movie.length, movie.shape, movie.dtype) == (12, (40, 64), np.uint16)
    assert same(movie, STACK)
    assert same(movie, STACK)  # again from the start
    assert movie.problem is None


@pytest.mark.parametrize("kind", WRITERS)
def test_a_truncated_tiff_gives_the_frames_it_has(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", STACK, **WRITERS[kind])
    movie = open_movie(cut(tmp_path / "movie.tif"))
    frames = list(movie)
    assert 5 <= len(frames) <= 7
    assert all(np.array_equal(a, b) for a, b in zip(frames, STACK, strict=False))
    assert movie.problem is not None
    assert "cut_movie.tif" in movie.problem
    assert f"read the {len(frames)} " in movie.problem
    assert [record.getMessage() for record in caplog.records] == [movie.problem]  # nothing else, and once
    assert movie.length in (None, 12)


def test_a_tiff_truncated_anywhere_never_gives_a_traceback(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", STACK[:3, :8, :8], ome=True, metadata={"axes": "TYX"})
    for share in np.linspace(0.003, 0.997, 60):
        short = cut(tmp_path / "movie.tif", share)
        try:
            movie = open_movie(short)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
            continue
        frames = list(movie)
        assert all(np.array_equal(a, b) for a, b in zip(frames, STACK[:, :8, :8], strict=False))
        assert movie.problem or len(frames) == 3


@pytest.mark.parametrize("options", [{"imagej": True}, {"compression": "zlib"}, {"tile": (16, 16), "bigtiff": True}])
def test_a_tiff_with_any_number_of_its_directory_changed_gives_frames_or_one_line(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    whole, damaged = tmp_path / "whole.tif", tmp_path / "damaged.tif"
    tifffile.imwrite(whole, STACK[:5, :24, :32], **options)
    with tifffile.TiffFile(whole) as file:
        first, size = file.pages[0], file.tiff.offsetsize
        assert isinstance(first, tifffile.TiffPage)
        places = [tag.offset + at for tag in first.tags for at in (4, 4 + size)]  # number of values; value or offset
    data, rejected = whole.read_bytes(), 0
    for place in places:
        for value in (0, 1, 2**31 - 1, 2**32 - 1):
            damaged.write_bytes(data[:place] + value.to_bytes(size, "little") + data[place + size :])
            try:
                movie = open_movie(damaged)
            except InputError as error:
                rejected += 1
                assert str(damaged) in str(error)  # noqa: PT017
                assert "\n" not in str(error)  # noqa: PT017
            else:
                assert list(itertools.islice(movie, 100)) or movie.problem
    assert rejected > 20


def test_a_tiff_whose_chain_of_directories_ends_early_is_not_short_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, damaged = tmp_path / "whole.tif", tmp_path / "damaged.tif"
    with tifffile.TiffWriter(whole) as writer:
        for image in STACK:
            writer.write(image, contiguous=False, metadata=None)
    assert len(list(open_movie(whole))) == 12
    assert not caplog.records
    with tifffile.TiffFile(whole) as file:
        tenth = file.pages[9].offset
    damaged.write_bytes(whole.read_bytes().replace(tenth.to_bytes(4, "little"), bytes(4)))
    movie = open_movie(damaged)
    assert len(list(movie)) == 9
    assert "bytes belong to none of its 9 images; some may be lost" in (movie.problem or "")


def test_rate_and_pixel_size_of_ome_imagej_and_tifffile(tmp_path: Path) -> None:
    rate = {"axes": "TYX", "TimeIncrement": 40.0, "TimeIncrementUnit": "ms"}
    size = {"PhysicalSizeX": 108.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 108.0, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata=rate | size)
    fiji = {"axes": "TYX", "finterval": 0.05, "unit": "\\u00B5m"}
    tifffile.imwrite(tmp_path / "b.tif", STACK, imagej=True, resolution=(8.0, 8.0), metadata=fiji)
    tifffile.imwrite(tmp_path / "c.tif", STACK, resolution=(72, 72), resolutionunit="INCH")
    inch = {"axes": "TYX", "unit": "pixel"}
    tifffile.imwrite(tmp_path / "d.tif", STACK, imagej=True, resolution=(72, 72), metadata=inch)
    tifffile.imwrite(tmp_path / "e.tif", STACK, metadata={"axes": "TYX", "fps": 24.0})
    scales = [(movie.fps, movie.pixel_size_um) for movie in map(open_movie, sorted(tmp_path.iterdir()))]
    assert scales[0] == pytest.approx((25.0, 0.108))
    assert scales[1] == pytest.approx((20.0, 0.125))
    assert scales[2:] == [(None, None), (None, None), (24.0, None)]


@pytest.mark.parametrize("axes", ["TCYX", "CTYX"])
def test_a_channel_is_chosen_never_guessed(tmp_path: Path, axes: str) -> None:
    data = STACK.reshape(4, 3, 40, 64)  # (T, C, Y, X)
    written = data if axes == "TCYX" else np.ascontiguousarray(np.swapaxes(data, 0, 1))
    tifffile.imwrite(tmp_path / "movie.ome.tif", written, ome=True, photometric="minisblack", metadata={"axes": axes})
    with pytest.raises(InputError, match=r"has 3 channels; choose one with --channel 0 to 2$"):
        open_movie(tmp_path / "movie.ome.tif")
    with pytest.raises(InputError, match=r"--channel 0 to 2, not 3$"):
        open_movie(tmp_path / "movie.ome.tif", channel=3)
    assert same(open_movie(tmp_path / "movie.ome.tif", channel=1), data[:, 1])


def test_channels_of_a_truncated_imagej_stack_stay_separate(tmp_path: Path) -> None:
    data = STACK.reshape(6, 2, 40, 64)
    tifffile.imwrite(tmp_path / "movie.tif", data, imagej=True, metadata={"axes": "TCYX"})
    movie = open_movie(cut(tmp_path / "movie.tif"), channel=1)
    frames = list(movie)
    assert len(frames) == 3
    assert all(np.array_equal(a, b) for a, b in zip(frames, data[:, 1], strict=False))
    assert "read the 3 of 6 frames" in (movie.problem or "")


@pytest.mark.parametrize("planar", [False, True])
def test_colours_turn_to_grey_or_give_one_of_them(tmp_path: Path, planar: bool) -> None:
    rgb = np.random.default_rng(2).integers(0, 255, (5, 24, 32, 3)).astype(np.uint8)
    written = np.moveaxis(rgb, -1, 1) if planar else rgb
    layout = "separate" if planar else "contig"
    tifffile.imwrite(tmp_path / "movie.tif", written, photometric="rgb", planarconfig=layout)
    frames = list(open_movie(tmp_path / "movie.tif"))
    luma = 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]
    assert frames[0].dtype == np.uint8
    np.testing.assert_allclose(np.stack(frames).astype(float), luma, atol=0.51)
    assert same(open_movie(tmp_path / "movie.tif", channel=1), rgb[..., 1])
    with pytest.raises(InputError, match="no channel 3; channels are 0 to 2"):
        open_movie(tmp_path / "movie.tif", channel=3)


def test_times_and_depths_together_need_a_choice(tmp_path: Path) -> None:
    hyperstack = STACK.reshape(4, 3, 40, 64)
    tifffile.imwrite(tmp_path / "movie.tif", hyperstack, imagej=True, metadata={"axes": "TZYX"})
    words = r"has 4 along T and 3 along Z; choose a plane with --z 0 to 2, or a projection with --z max or mean"
    with pytest.raises(InputError, match=words):
        open_movie(tmp_path / "movie.tif")
    assert same(open_movie(tmp_path / "movie.tif", z=2), hyperstack[:, 2])
    assert same(open_movie(tmp_path / "movie.tif", z="max"), hyperstack.max(axis=1))
    mean = np.rint(hyperstack.mean(axis=1)).astype(np.uint16)
    assert same(open_movie(tmp_path / "movie.tif", z="mean"), mean)
    with pytest.raises(InputError, match=r"choose one with --z 0 to 2, not 3"):
        open_movie(tmp_path / "movie.tif", z=3)


def test_the_most_frequent_of_several_kinds_of_images_is_read_with_a_note(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "movie.tif") as tif:
        tif.write(STACK[:2, :10, :10])
        tif.write(STACK)
    movie = open_movie(tmp_path / "movie.tif")
    assert same(movie, STACK)
    assert movie.notes == ["contains images of 2 kinds; the most frequent are read: --position N reads others"]
    assert same(open_movie(tmp_path / "movie.tif", position=0), STACK[:2, :10, :10])


def test_a_single_image_is_a_movie_of_one_frame_without_a_rate(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "one.tif", STACK[0].astype(np.float32))
    assert same(open_movie(tmp_path / "one.tif"), STACK[:1].astype(np.float32))
    Image.fromarray(STACK[0]).save(tmp_path / "one.png")
    movie = open_movie(tmp_path / "one.png")
    assert (movie.length, movie.fps) == (1, None)
    assert same(movie, STACK[:1])


def test_a_mask_is_a_movie_of_zeros_and_ones(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "mask.tif", STACK > 2000)
    movie = open_movie(tmp_path / "mask.tif")
    assert movie.dtype == np.uint8
    assert same(movie, (STACK > 2000).astype(np.uint8))


# folders


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for number in range(12):
        Image.fromarray(STACK[number]).save(tmp_path / f"image{number}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    movie = open_movie(tmp_path)
    assert (movie.length, movie.dtype) == (12, np.uint16)
    assert same(movie, STACK)


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ([0, 1, 2, 3, 4, 5, 9, 10, 11], "3 images are missing after image5.png"),
        ([0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14], "2 images are missing after image2.png and at 1 more places"),
        ([0, 2, 4, 6, 8, 12, 14], "1 image is missing after image8.png"),
        ([0, 10, 20, 30], None),
        ([3, 7, 1000, 1003, 20240101], None),  # no order that could have a gap
    ],
)
def test_a_folder_that_lacks_images_says_so(tmp_path: Path, numbers: list[int], problem: str | None) -> None:
    for number in numbers:
        Image.fromarray(STACK[number % 12]).save(tmp_path / f"image{number}.png")
    movie = open_movie(tmp_path)
    frames = list(movie.frames())
    assert same([frame.pixels for frame in frames], STACK[[number % 12 for number in numbers]])
    steady = numbers[-1] <= 30
    step = numbers[1] - numbers[0]
    expected = [number // step for number in numbers] if steady else list(range(len(numbers)))
    assert [frame.number for frame in frames] == expected
    assert problem in (movie.problem or "") if problem else movie.problem is None


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    Image.fromarray(STACK[0]).save(tmp_path / "0.png")
    (tmp_path / "._0.png").write_bytes(b"\0\5\x16\7Mac OS X")
    assert same(open_movie(tmp_path), STACK[:1])


def test_a_channel_of_a_folder_is_chosen_never_guessed(tmp_path: Path) -> None:
    for number, image in enumerate(STACK):
        name = f"img_channel00{number % 2}_position000_time00000000{number // 2}_z000.tif"
        tifffile.imwrite(tmp_path / name, image)
    with pytest.raises(InputError, match=r"has 2 channels; choose one with --channel 0 to 1$"):
        open_movie(tmp_path)
    with pytest.raises(InputError, match=r"--channel 0 to 1, not 2$"):
        open_movie(tmp_path, channel=2)
    assert same(open_movie(tmp_path, channel=1), STACK[1::2])


def test_a_folder_of_tiffs_has_the_scale_of_its_first(tmp_path: Path) -> None:
    for number in range(3):
        metadata = {"unit": "um"}
        tifffile.imwrite(tmp_path / f"{number}.tif", STACK[number], imagej=True, resolution=(4, 4), metadata=metadata)
    movie = open_movie(tmp_path)
    assert movie.pixel_size_um == 0.25
    assert same(movie, STACK[:3])


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_folder_with_a_damaged_image_gives_the_others(tmp_path: Path, ending: str) -> None:
    for number in range(4):
        Image.fromarray(STACK[number]).save(tmp_path / f"{number}.{ending}")
    data = (tmp_path / f"2.{ending}").read_bytes()
    (tmp_path / f"2.{ending}").write_bytes(data[: len(data) // 2])
    movie = open_movie(tmp_path)
    assert [frame.number for frame in movie.frames()] == [0, 1, 3]
    assert f"2.{ending}" in (movie.problem or "")
    assert "read the 3 of 4 frames" in (movie.problem or "")


@pytest.mark.parametrize("odd", [0, 1, 5])
def test_an_image_of_another_size_in_a_folder_is_left_out(tmp_path: Path, odd: int) -> None:
    for number in range(6):
        Image.fromarray(STACK[number, :20] if number == odd else STACK[number]).save(tmp_path / f"{number}.png")
    movie = open_movie(tmp_path)
    assert movie.shape == (40, 64)
    assert [frame.number for frame in movie.frames()] == [number for number in range(6) if number != odd]
    assert f"frame {odd} is 64x20 px, the others are 64x40" in (movie.problem or "")


# videos


@pytest.mark.parametrize(("name", "codec"), [("movie.mp4", "mpeg4"), ("movie.avi", "mpeg4"), ("movie.mkv", "ffv1")])
def test_videos_turn_to_grey(tmp_path: Path, name: str, codec: str) -> None:
    frames = blinking()
    movie = open_movie(write_video(tmp_path / name, frames, codec))
    read = np.stack(list(movie)).astype(float)
    assert movie.fps == 25
    assert movie.length in (20, None)
    assert read.shape == frames.shape
    np.testing.assert_allclose(read.mean(axis=(1, 2)), frames.mean(axis=(1, 2)), atol=2)


def test_one_colour_of_a_video(tmp_path: Path) -> None:
    rgb = np.zeros((4, 64, 96, 3), np.uint8) + np.array([200, 20, 90], np.uint8)
    path = write_video(tmp_path / "movie.mp4", rgb, "mpeg4")
    means = [next(iter(open_movie(path, channel))).mean() for channel in (0, 1, 2, None)]
    assert means == pytest.approx([200, 20, 90, 0.299 * 200 + 0.587 * 20 + 0.114 * 90], abs=4)


@pytest.mark.parametrize(
    ("name", "options"), [("movie.mp4", {"movflags": "faststart"}), ("movie.avi", {}), ("movie.mkv", {})]
)
def test_a_truncated_video_gives_the_frames_it_has(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    frames = blinking()
    movie = open_movie(cut(write_video(tmp_path / name, frames, "mpeg4", **options)))
    read = np.stack(list(movie)).astype(float)
    assert 7 <= len(read) <= 13
    np.testing.assert_allclose(read.mean(axis=(1, 2)), frames[: len(read)].mean(axis=(1, 2)), atol=2)
    assert movie.problem is not None
    assert f"read the {len(read)} " in movie.problem


def test_an_mp4_truncated_before_its_index_is_rejected(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "movie.mp4", blinking(), "mpeg4"))
    with pytest.raises(InputError, match=r"cut_movie\.mp4: cannot be read as a video .*; provide a complete video"):
        open_movie(path)


# not a movie


def test_unreadable_files_give_one_line_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "empty folder").mkdir()
    (tmp_path / "text.tif").write_text("frame, particle, x, y\n" * 50)
    (tmp_path / "text.mp4").write_text("frame, particle, x, y\n" * 50)
    (tmp_path / "text.csv").write_text("frame, particle, x, y\n" * 50)
    (tmp_path / "nothing.tif").write_bytes(b"")
    (tmp_path / "stacks").mkdir()
    tifffile.imwrite(tmp_path / "stacks" / "a.tif", STACK)
    tifffile.imwrite(tmp_path / "stacks" / "b.tif", STACK)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_text("no picture")
    tifffile.imwrite(tmp_path / "complex.tif", STACK.astype(np.complex64))
    tifffile.imwrite(tmp_path / "points.tif", STACK[:, :1, :1])
    expected = {
        "missing.tif": "there is no such file or folder",
        "empty folder": r"contains no images \(.tif .*\) and no other movie",
        "text.tif": "cannot be read as TIFF: not a TIFF file",
        "text.mp4": "cannot be read as a video",
        "text.csv": "cannot be read as a video",
        "nothing.tif": "the file is empty",
        "stacks": "contains 2 files of several images each: a.tif, b.tif; open one of them",
        "bad": "a.png cannot be read",
        "complex.tif": "complex.tif: its pixels are complex64, not real numbers",
        "points.tif": "only one pixel wide or high",
    }
    for name, words in expected.items():
        with pytest.raises(InputError, match=words) as caught:
            open_movie(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


# the camera


def write(tmp_path: Path, fps: float | None) -> Path:
    path = tmp_path / "movie.tif"
    metadata = {"axes": "TYX", "unit": "um"} | ({"finterval": 1 / fps} if fps else {})
    tifffile.imwrite(path, STACK, imagej=True, resolution=(10, 10), metadata=metadata)
    return path


def test_an_unpaced_camera_reads_as_fast_as_possible_in_movie_time(tmp_path: Path) -> None:
    camera = MovieCamera(MovieSettings(path=str(write(tmp_path, 2)), paced=False))
    geometry = camera.open()
    assert (geometry.width, geometry.height) == (64, 40)
    assert geometry.pixel_size_um == pytest.approx(0.1)
    assert camera.waits
    start = time.perf_counter()
    pictures = [picture for picture in camera.pictures() if picture is not None]
    assert time.perf_counter() - start < 2
    assert [picture.number for picture in pictures] == list(range(12))
    assert [picture.t_s for picture in pictures] == pytest.approx([n / 2 for n in range(12)])
    assert same([picture.pixels for picture in pictures], STACK)
    camera.close()
    camera.close()


def test_the_camera_keeps_the_rate_of_the_movie_and_yields_none_meanwhile(tmp_path: Path) -> None:
    camera = MovieCamera(MovieSettings(path=str(write(tmp_path, 5))))
    camera.open()
    assert not camera.waits
    start = time.perf_counter()
    pictures = list(itertools.takewhile(lambda picture: picture is None or picture.number != 3, camera.pictures()))
    assert 0.6 <= time.perf_counter() - start < 3
    assert pictures.count(None) >= 6


def test_a_set_rate_overrides_that_of_the_movie(tmp_path: Path) -> None:
    camera = MovieCamera(MovieSettings(path=str(write(tmp_path, 5)), fps=100.0))
    camera.open()
    pictures = [picture for picture in camera.pictures() if picture is not None]
    assert pictures[-1].t_s == pytest.approx(0.11)


def test_a_movie_without_a_rate_is_unpaced_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    camera = MovieCamera(MovieSettings(path=str(write(tmp_path, None))))
    camera.open()
    assert camera.waits
    assert "has no frame rate" in caplog.text
    pictures = [picture for picture in camera.pictures() if picture is not None]
    assert pictures[-1].t_s == 11.0


def test_the_camera_reports_damage_of_the_movie(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = cut(write(tmp_path, 10))
    camera = MovieCamera(MovieSettings(path=str(path), paced=False))
    camera.open()
    with caplog.at_level(logging.WARNING):
        pictures = list(camera.pictures())
    assert 5 <= len(pictures) <= 7
    assert "truncated" in (camera.problem or "")
    assert "truncated" in caplog.text


def test_a_camera_without_a_movie_names_the_setting(tmp_path: Path) -> None:
    driver = load_driver("movie")
    with pytest.raises(CameraError, match=r"camera.movie: path is empty; set it to"):
        driver(driver.Settings()).open()
    with pytest.raises(CameraError, match=r"missing.tif: there is no such file"):
        MovieCamera(MovieSettings(path=str(tmp_path / "missing.tif"))).open()
    with pytest.raises(CameraLostError, match="not open"):
        list(MovieCamera().pictures())


def test_the_camera_names_its_settings_where_a_movie_needs_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, STACK.reshape(4, 3, 40, 64), imagej=True, metadata={"axes": "TCYX"})
    with pytest.raises(CameraError, match=r"has 3 channels; choose one with camera.movie.channel = 0 to 2"):
        MovieCamera(MovieSettings(path=str(path))).open()
    camera = MovieCamera(MovieSettings(path=str(path), channel=1, paced=False))
    camera.open()
    assert same([picture.pixels for picture in camera.pictures() if picture is not None], STACK[1::3])
    camera = MovieCamera(MovieSettings(path=str(path), axes="TZ", z="max", paced=False))
    camera.open()
    stack = STACK.reshape(4, 3, 40, 64).max(axis=1)
    assert same([picture.pixels for picture in camera.pictures() if picture is not None], stack)


# recordings by others


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared recordings (../shared/data) are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "length", "shape", "fps"),
    [
        ("bulk_water.tif", 300, (424, 640), 24.0),
        ("brownian_beads.mp4", 50, (500, 500), 19.0),
        ("trapped_good.mp4", 100, (120, 120), 10.0),
    ],
)
def test_recordings_by_others(name: str, length: int, shape: tuple[int, int], fps: float | None) -> None:
    movie = open_movie(DATA / name)
    assert (movie.length, movie.shape, movie.fps, movie.dtype) == (length, shape, fps, np.uint8)
    assert sum(1 for _ in movie) == length
    assert movie.problem is None


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared recordings (../shared/data) are not beside this checkout")
def test_a_truncated_recording_by_others(tmp_path: Path) -> None:
    whole = open_movie(DATA / "bulk_water.tif")
    path = tmp_path / "bulk_water.tif"
    path.write_bytes((DATA / "bulk_water.tif").read_bytes()[:10_000_000])
    movie = open_movie(path)
    pairs = zip(movie, whole, strict=False)
    assert sum(np.array_equal(a, b) for a, b in pairs) > 90
    assert "bulk_water.tif" in (movie.problem or "")


def test_pace_and_roi_change_while_a_movie_plays(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", STACK)
    camera = MovieCamera(MovieSettings(path=str(tmp_path / "stack.tif"), fps=5.0))
    camera.open()
    pictures = (picture for picture in camera.pictures() if picture is not None)
    assert np.array_equal(next(pictures).pixels, STACK[0])
    assert camera.set_property("pace_fps", 1000.0).value == 1000.0
    assert camera.set_roi(8, 4, 32, 20) == Geometry(32, 20, x_origin=8, y_origin=4)
    begun = time.perf_counter()
    rest = list(pictures)
    assert time.perf_counter() - begun < 1.0  # eleven frames at 5 frames/s take 2.2 s
    assert [picture.geometry for picture in rest] == [Geometry(32, 20, x_origin=8, y_origin=4)] + [None] * 10
    assert all(np.array_equal(picture.pixels, STACK[picture.number][4:24, 8:40]) for picture in rest)
    assert [picture.t_s for picture in rest] == [number / 5 for number in range(1, 12)]  # the movie's own time
    assert camera.open() == Geometry(32, 20, x_origin=8, y_origin=4)
    for name, value, why in (("pace_fps", -1, "above 0"), ("exposure_ms", 5, "a movie has only 'pace_fps'")):
        with pytest.raises(CameraError, match=why):
            camera.set_property(name, value)
    with pytest.raises(CameraError, match="the minimum is 16 x 16 px"):
        camera.set_roi(0, 0, 8, 8)
    assert camera.clear_roi() == Geometry(64, 40)


def test_a_pace_that_was_far_too_slow_can_be_changed(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", STACK)
    camera = MovieCamera(MovieSettings(path=str(tmp_path / "stack.tif"), fps=5.0))
    camera.open()
    camera.set_property("pace_fps", 1e-6)
    pictures = camera.pictures()
    assert next(pictures) is not None
    assert next(pictures) is None
    camera.set_property("pace_fps", 1000.0)
    assert next(pictures) is not None
