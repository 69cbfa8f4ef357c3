"""Annotated videos: every frame at its rate, particles where they are, and nothing unfinished under the final name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageColor

from livetrack.annotate.annotated_video import AnnotatedVideo, playable_rate
from livetrack.annotate.colours import track_colour
from livetrack.annotate.drawing import MAX_SIDE, FrameDrawing, drawn_size
from livetrack.annotate.grey import levels_of, to_bytes
from livetrack.annotate.labels import interval_decimals, time_text
from livetrack.annotate.video_file import VideoFile
from livetrack.errors import LivetrackError, UsageError
from livetrack.particles import Flag, Rows, empty_rows

SHAPE = (48, 64)


def rows_of(*particles: tuple[int, float, float]) -> Rows:
    rows = empty_rows(len(particles))
    if particles:
        rows["id"], rows["x"], rows["y"] = np.transpose(particles)
    return rows


def coloured(image: Any, colour: str) -> Any:
    """Return x, y, (N, 2), of the pixels that are nearly of this colour."""
    distance = np.abs(np.asarray(image).astype(int) - ImageColor.getrgb(colour)).sum(axis=2)
    return np.argwhere(distance < 60)[:, ::-1]


def write(path: Path, count: int = 12, fps: float | None = 24.0, **options: Any) -> Path:
    with AnnotatedVideo(path, fps, 0.1, **options) as video:
        for number in range(count):
            image = np.full(SHAPE, 100, np.uint16) + number
            video.add(number, image, number / fps if fps else None, rows_of((3, 10 + number, 20)))
    return path


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov", "out.avi"])
def test_a_video_has_every_frame_at_the_rate_of_the_movie_in_the_kind_of_pixels_that_players_open(
    tmp_path: Path, name: str
) -> None:
    with av.open(str(write(tmp_path / name))) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate) == ("mpeg4" if name.endswith("avi") else "h264", 24)
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert len(list(container.decode(stream))) == 12
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["out.gif", "out.webp"])
def test_animations_have_every_frame_and_its_duration(tmp_path: Path, name: str) -> None:
    with Image.open(write(tmp_path / name, fps=20.0)) as image:
        assert image.n_frames == 12
        image.seek(3)
        image.load()
        assert image.info["duration"] == 50


@pytest.mark.parametrize("fps", [1.0, 23.976, 29.97, 100.0, 240.0])
def test_uneven_rates_are_kept(tmp_path: Path, fps: float) -> None:
    with av.open(str(write(tmp_path / "out.mp4", fps=fps))) as container:
        rate = container.streams.video[0].average_rate
        assert rate is not None
        assert float(rate) == pytest.approx(fps, rel=1e-4)


def test_rates_that_no_player_shows_become_25_frames_a_second() -> None:
    assert [playable_rate(fps) for fps in (None, 0.01, 1.0, 60.0, 1000.0)] == [25, 25, 1, 60, 25]


@pytest.mark.parametrize("shape", [(48, 64), (51, 33), (512, 512), (1100, 900), (2048, 2048), (3000, 4001), (1, 9)])
def test_small_frames_are_enlarged_by_whole_factors_and_huge_ones_reduced_to_even_sizes(shape: tuple[int, int]) -> None:
    (width, height), zoom = drawn_size(shape)
    assert width % 2 == height % 2 == 0
    assert MAX_SIDE / 4 < max(width, height) <= MAX_SIDE
    assert zoom == int(zoom) or zoom < 1
    drawn = FrameDrawing(shape, None).draw(np.zeros(shape, np.uint8), rows_of(), "")
    assert drawn.shape == (height, width, 3)


def test_a_particle_is_circled_in_its_tracks_colour_where_it_is() -> None:
    drawing = FrameDrawing(SHAPE, None)
    zoom = drawn_size(SHAPE)[1]
    drawn = drawing.draw(np.zeros(SHAPE, np.uint8), rows_of((3, 30.25, 20.5)), "")
    ring = coloured(drawn, track_colour(3))
    centre = (ring.min(axis=0) + ring.max(axis=0) + 1) / 2 / zoom - 0.5
    assert np.abs(centre - (30.25, 20.5)).max() < 1 / zoom
    image = np.zeros(SHAPE, np.uint8)
    image[20, 30] = 255
    bright = np.argwhere(FrameDrawing(SHAPE, None).draw(image, rows_of(), "")[:, :, 0] > 128)
    inside = bright[(bright[:, 0] < 40 * zoom) & (bright[:, 0] > 10 * zoom)]  # without the scale bar
    assert np.abs((inside.min(axis=0) + inside.max(axis=0) + 1) / 2 / zoom - 0.5 - (20, 30)).max() < 1 / zoom


def test_trails_are_as_long_as_asked_for() -> None:
    lengths = {}
    for trail_frames in (0, 5, 20):
        drawing = FrameDrawing(SHAPE, None, trail_frames=trail_frames)
        zoom = drawn_size(SHAPE)[1]
        for number in range(40):
            drawn = drawing.draw(np.zeros(SHAPE, np.uint8), rows_of((3, 10 + number, 24)), "")
        line = drawn[round(24.5 * zoom), : round(46 * zoom)].sum(axis=1) > 0  # left of the ring
        lengths[trail_frames] = (46 * zoom - np.argmax(line)) / zoom if line.any() else 0
    assert lengths[0] == 0
    assert lengths[5] == pytest.approx(5 - 3, abs=0.6)
    assert lengths[20] == pytest.approx(20 - 3, abs=0.6)


def test_ids_are_written_on_request_and_positions_that_cannot_be_drawn_are_left_out() -> None:
    rows = rows_of((3, 30, 20), (4, np.nan, 5), (5, 1e30, 5), (-1, 9, 9))
    rows["flags"][0] = Flag.TENTATIVE
    plain, labelled = (
        FrameDrawing(SHAPE, None, ids=ids).draw(np.zeros(SHAPE, np.uint8), rows, "") for ids in (False, True)
    )
    assert (labelled != plain).any()


def test_frames_of_another_size_are_fitted(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "out.mp4", 24.0, None) as video:
        for shape in ((48, 64), (24, 64), (60, 80)):
            video.add(0, np.zeros(shape, np.uint8), None, rows_of((1, 5, 5)))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert {(frame.width, frame.height) for frame in container.decode(video=0)} == {drawn_size(SHAPE)[0]}


def test_an_error_leaves_nothing_and_an_earlier_video_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"earlier")
    video = AnnotatedVideo(path, 24.0, None)
    video.add(0, np.zeros(SHAPE, np.uint8), None, rows_of())
    assert sorted(each.suffix for each in tmp_path.iterdir()) == [".mp4", ".new"]  # no reader takes .new for a movie
    with pytest.raises(ZeroDivisionError), video:
        raise ZeroDivisionError
    assert path.read_bytes() == b"earlier"
    assert [each.name for each in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import contextmanager

    @contextmanager
    def full(path: Path) -> Any:
        yield Path("/dev/full")

    monkeypatch.setattr("livetrack.annotate.video_file.replacing", full)
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)

    def write_all() -> None:
        with VideoFile(tmp_path / "out.mkv", (640, 480), 25.0) as file:
            for _ in range(40):
                file.write(noise)

    with pytest.raises(LivetrackError, match=r"out\.mkv: cannot be written: the disk is full"):
        write_all()


@pytest.mark.parametrize(
    ("name", "reason"), [("out.wmv", "use .mp4"), ("out", "no suffix"), ("no/out.mp4", "no folder")]
)
def test_names_that_no_video_can_have(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        AnnotatedVideo(tmp_path / name, 24.0, None)


def test_grey_levels_are_finite_whatever_the_image() -> None:
    hostile = np.array([[np.nan, np.inf], [-np.inf, 3e38]], np.float32)
    assert to_bytes(hostile, levels_of(hostile[np.isfinite(hostile)].astype(float))).dtype == np.uint8
    assert to_bytes(np.array([[0, 100, 200]], np.uint16), (50, 150)).tolist() == [[0, 127, 255]]
    assert levels_of(np.zeros(0)) == (0.0, 1.0)
    black, white = levels_of(np.full(9, 7.0))
    assert black < white


@pytest.mark.parametrize(
    ("t_s", "decimals", "text"),
    [
        (0.0, 2, "0.00 s"),
        (12.344, 2, "12.34 s"),
        (59.999, 1, "1:00.0"),
        (61.5, 1, "1:01.5"),
        (3723.25, 2, "1:02:03.25"),
        (-0.5, 1, "-0.5 s"),
        (7200, 0, "2:00:00"),
    ],
)
def test_times_are_written_with_the_decimals_that_distinguish_frames(t_s: float, decimals: int, text: str) -> None:
    assert time_text(t_s, decimals) == text


def test_decimals_follow_the_interval() -> None:
    assert [interval_decimals(interval_s) for interval_s in (60, 1, 0.5, 0.04, 0.001, 1e-9, 0)] == [0, 0, 1, 2, 3, 6, 3]
