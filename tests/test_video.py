"""Videos have the times of their frames, and go to any frame exactly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from fuzz.microscope_files import write_cine
from test_movie import same

from livetrack.check.sampling import take_sample
from livetrack.movies import open_movie

TIMES_MS = np.cumsum([0, *([40, 40, 160] * 20)[:59]])
"""As of a telephone or a screen recorder."""
_OPEN = "open-gop=1:scenecut=0:keyint=12:min-keyint=12"
CODECS = {
    "closed.mp4": ("libx264", {"g": "12", "bf": "3"}),
    "open.mp4": ("libx264", {"g": "12", "bf": "3", "x264-params": _OPEN}),
    "open.mkv": ("libx264", {"g": "12", "bf": "3", "x264-params": _OPEN}),
    "open.ts": ("libx264", {"g": "12", "bf": "3", "x264-params": _OPEN}),
    "reordered.avi": ("mpeg4", {"g": "12", "bf": "2"}),
    "reordered.mpg": ("mpeg2video", {"g": "12", "bf": "2"}),
    "alone.avi": ("rawvideo", {}),
    "hidden.webm": ("libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
}


def write(path: Path, codec: str, options: dict[str, str], times_ms: np.ndarray | None = None) -> Path:
    """Write 60 frames whose grey level grows, at 25 frames/s or at given times."""
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    noise = np.random.default_rng(0).integers(-8, 8, (60, 64, 96))
    images = (20 + 3 * np.arange(60)[:, None, None] + noise).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.options = 64, 96, "yuv420p", options
        stream.bit_rate, stream.gop_size = 4_000_000, 12
        if times_ms is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="gray")
            if times_ms is not None:
                frame.pts, frame.time_base = int(times_ms[number]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", CODECS)
def test_a_video_goes_to_any_frame_exactly(tmp_path: Path, name: str) -> None:
    movie = open_movie(write(tmp_path / name, *CODECS[name]))
    images = list(movie)
    assert len(images) == 60
    assert movie.fps == pytest.approx(25)
    for start in (59, 1, 24, 23, 37, 13, 48):
        frame = next(movie.frames(start))
        assert frame.number == start
        assert np.array_equal(frame.pixels, images[start])
        assert frame.t_s == pytest.approx(start * 0.04, abs=0.001)
    assert same([frame.pixels for frame in movie.frames(3, 25)], images[3::25])
    assert movie.problem is None


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv", "vfr.mov"])
def test_uneven_times_are_those_of_the_file(tmp_path: Path, name: str) -> None:
    movie = open_movie(write(tmp_path / name, "libx264", {"bf": "2"}, TIMES_MS))
    assert movie.times_s() == pytest.approx(TIMES_MS / 1000)
    assert [frame.t_s for frame in movie.frames()] == pytest.approx(TIMES_MS / 1000)
    assert movie.fps == pytest.approx(25, rel=0.001)


def test_frames_that_were_trimmed_off_are_not_missing(tmp_path: Path) -> None:
    source = write(tmp_path / "whole.mp4", "libx264", {"g": "12", "bf": "2"})
    with av.open(str(source)) as whole, av.open(str(tmp_path / "trimmed.mp4"), "w") as trimmed:
        stream = whole.streams.video[0]
        copy = trimmed.add_stream_from_template(stream)
        for packet in whole.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts = (stamp - int(0.2 / stream.time_base) for stamp in (packet.pts, packet.dts))
                packet.stream = copy
                trimmed.mux(packet)
    movie = open_movie(tmp_path / "trimmed.mp4")
    assert same(movie, list(open_movie(source))[5:])
    assert movie.length == 55
    assert movie.problem is None
    assert movie.notes == ["5 frames that were trimmed off, but are in the file, are left out"]


def test_recordings_that_were_joined_have_no_common_times(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{name}.ts", "mpeg2video", {}).read_bytes() for name in "ab"]
    (tmp_path / "joined.ts").write_bytes(b"".join(parts))
    movie = open_movie(tmp_path / "joined.ts")
    assert [frame.number for frame in movie.frames()] == list(range(120))
    assert next(movie.frames(100)).number == 100


def test_a_video_that_begins_late_is_whole(tmp_path: Path) -> None:
    movie = open_movie(write(tmp_path / "late.mkv", "libx264", {}, TIMES_MS + 9000))
    assert len(list(movie)) == 60
    assert movie.problem is None
    assert movie.times_s() == pytest.approx(TIMES_MS / 1000)


def test_a_video_that_is_cut_says_so_before_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "movie.mkv", "libx264", {"g": "1"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    movie = open_movie(path)
    assert movie.problem == f"{path}: the file ends early"
    assert 10 < len(list(movie)) < 50
    assert "the file ends early" in (movie.problem or "")
    assert take_sample(open_movie(path)).problems == [f"{path}: the file ends early"]


def test_empty_frames_of_avi_files_are_not_missing(tmp_path: Path) -> None:
    movie = open_movie(write(tmp_path / "dropped.avi", "rawvideo", {}, TIMES_MS))
    assert movie.length == len(list(movie)) == 60
    assert movie.problem is None
    assert any("frames are empty" in note for note in movie.notes)
    assert movie.times_s() == pytest.approx(TIMES_MS / 1000)


# cine


def test_a_cine_file_has_the_rate_that_was_set_and_the_times_that_were_measured(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 255, (6, 32, 48)).astype(np.uint8)
    movie = open_movie(write_cine(tmp_path / "set.cine", images, 1000, []))
    assert same(movie, images)
    assert movie.fps == pytest.approx(1000)
    times = [12.999, 13.0, 13.001, 13.003, 13.004, 13.005]
    movie = open_movie(write_cine(tmp_path / "measured.cine", images, 500, times))
    assert movie.times_s() == pytest.approx([0, 0.001, 0.002, 0.004, 0.005, 0.006], abs=1e-6)
    assert movie.fps == pytest.approx(1000, rel=0.001)
    assert movie.notes == ["states 500 frames/s, but its times give 1000, which are used"]
