"""Movies with their tracks, in any order: frames, tables, tracks made on the fly, sessions, the clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from test_record import GEOMETRY, frame_of
from waiting import wait_for

from livetrack.camera import Geometry
from livetrack.cli import main
from livetrack.config import load_config
from livetrack.errors import InputError, UsageError
from livetrack.movies import EVERYTHING, FrameRange, Movie, MovieFrame, Region, Selection, open_movie
from livetrack.movies.movie import DamagedMovieError, LostFrame
from livetrack.particles import Flag, empty_rows
from livetrack.playback.clock import PlaybackClock
from livetrack.playback.frame_reader import FrameReader
from livetrack.playback.playback import Playback, open_source, open_tracks
from livetrack.playback.session_movie import session_movie
from livetrack.playback.track_feed import TableTracks, TrackFeed
from livetrack.playback.track_store import TrackSpan, TrackStore
from livetrack.playback.track_table import open_track_table
from livetrack.record import Recorder

SHAPE = (48, 64)


def made_movie(
    count: int, *, length: int | None = -1, lost: tuple[int, ...] = (), damaged: str = "", **options: Any
) -> tuple[Movie, list[int]]:
    """Return a movie whose frame n has the grey level n, and a list of the indices at which it was opened."""
    opened: list[int] = []

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        for place, index in enumerate(takewhile(lambda index: index < count, indices)):
            if place == 0:
                opened.append(index)
            if index in lost:
                yield LostFrame(index, f"frame {index} is gone")
            else:
                yield MovieFrame(index, np.full(SHAPE, index, np.uint16), None)
        if damaged:
            raise DamagedMovieError(damaged)

    length = count if length == -1 else length
    return Movie(Path("made"), SHAPE, np.dtype(np.uint16), length, 20.0, None, read, **options), opened


@pytest.fixture
def reading() -> Iterator[Any]:
    readers: list[FrameReader] = []

    def open_reader(movie: Movie, **options: Any) -> FrameReader:
        readers.append(FrameReader(movie, **options))
        return readers[-1]

    yield open_reader
    for reader in readers:
        reader.close()


def grey(reader: FrameReader, index: int) -> int:
    reader.want(index)
    frame = wait_for(lambda: reader.get(index))
    return int(frame.pixels[0, 0])


# ---- frames


def test_frames_are_read_in_any_order(reading: Any) -> None:
    movie, _ = made_movie(300)
    reader = reading(movie)
    assert [grey(reader, index) for index in (0, 1, 250, 3, 299, 298, 0)] == [0, 1, 250, 3, 299, 298, 0]


def test_stepping_back_reads_the_frames_before_in_one_go(reading: Any) -> None:
    movie, opened = made_movie(300)
    reader = reading(movie)
    for index in range(200, 160, -1):
        assert grey(reader, index) == index
    assert len(opened) <= 5


def test_memory_is_bounded_and_the_wanted_frame_is_kept(reading: Any) -> None:
    movie, _ = made_movie(500)
    frame_bytes = SHAPE[0] * SHAPE[1] * 2
    reader = reading(movie, cache_bytes=10 * frame_bytes)
    for index in (0, 100, 101, 99, 400, 0):
        assert grey(reader, index) == index
        assert len(reader._cache) <= 11
    assert grey(reading(movie, cache_bytes=1), 7) == 7


def test_a_movie_without_a_length_has_one_once_it_was_read(reading: Any) -> None:
    movie, _ = made_movie(40, length=None)
    reader = reading(movie)
    assert reader.read_to >= 1
    for index in range(0, 40, 10):
        assert grey(reader, index) == index
    assert wait_for(lambda: reader.length) == 40


@pytest.mark.parametrize("wanted", [5, 35, 99])
def test_a_movie_that_is_shorter_than_it_says_ends_at_its_end(reading: Any, wanted: int) -> None:
    movie, _ = made_movie(30, length=100, damaged="the file ends early")
    reader = reading(movie)
    reader.want(wanted)
    wait_for(lambda: reader.length == 30 or reader.want(min(wanted, 29)))
    assert grey(reader, 29) == 29
    assert "the file ends early" in wait_for(lambda: reader.problem)


def test_frames_that_cannot_be_read_are_lost_and_the_others_are_right(reading: Any) -> None:
    movie, _ = made_movie(20, lost=(4, 5))
    reader = reading(movie)
    assert [grey(reader, index) for index in (3, 6, 19)] == [3, 6, 19]
    reader.want(4)
    wait_for(lambda: reader.lost(4) and reader.lost(5))
    assert not reader.lost(3)


def test_gaps_in_the_numbers_stay_gaps(reading: Any) -> None:
    numbers = np.array([0, 1, 2, 7, 8, 20])

    def read(indices: Iterator[int]) -> Iterator[MovieFrame]:
        for index in takewhile(lambda index: index < 6, indices):
            yield MovieFrame(int(numbers[index]), np.full(SHAPE, index, np.uint16), None)

    reader = reading(Movie(Path("made"), SHAPE, np.dtype(np.uint16), 6, None, None, read, numbers=numbers))
    assert [grey(reader, index) for index in (5, 3, 0)] == [5, 3, 0]
    frame = reader.get(3)
    assert frame is not None
    assert frame.number == 7


def test_a_movie_that_cannot_be_read_any_more_is_reported(reading: Any, tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.zeros((5, *SHAPE), np.uint8), photometric="minisblack")
    movie = open_movie(path)
    path.unlink()
    reader = reading(movie)
    assert wait_for(lambda: reader.problem)


# ---- tracks


@pytest.fixture
def store() -> Iterator[TrackStore]:
    store = TrackStore()
    yield store
    store.close()


def rows_at(*ids: int, x: float = 1.0) -> Any:
    rows = empty_rows(len(ids))
    rows["id"], rows["x"], rows["y"] = ids, x, 2.0
    return rows


def test_rows_of_each_frame_are_kept_with_the_length_of_the_tracks(store: TrackStore) -> None:
    coasted = rows_at(8)
    coasted["flags"] = Flag.COASTED
    for number, rows in ((0, rows_at(7, 8)), (1, rows_at(7)), (4, coasted), (6, rows_at(8, 5000, -1, x=9.0))):
        store.append(number, rows)
    assert store.rows(7) is None
    store.finish()
    found = [store.rows(number) for number in range(8)]
    assert [None if rows is None else rows["id"].tolist() for rows in found] == [
        [7, 8], [7], [], [], [8], [], [8, 5000, -1], [],
    ]  # fmt: skip
    assert store.span(7) == TrackSpan(2, 0, 1)
    assert store.span(8) == TrackSpan(2, 0, 6)
    assert store.span(5000) == TrackSpan(1, 6, 6)
    assert store.span(3) is store.span(10**9) is store.span(-1) is None
    assert store.row_count == 7


def table_of(frames: int = 30) -> pd.DataFrame:
    return pd.DataFrame(
        [(frame, track, 10.0 * track, frame + 0.5, 0.1, np.nan) for frame in range(frames) for track in (1, 2, 9)],
        columns=["frame", "particle", "y", "x", "x_std", "score"],
    )


def filled(path: Path) -> TrackStore:
    table, store = open_track_table(path), TrackStore()
    try:
        table.fill(store, lambda: False)
    except InputError:
        store.close()
        raise
    return store


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather"])
@pytest.mark.parametrize("order", ["frame", "particle"])
def test_tables_are_read_in_every_format_and_order(tmp_path: Path, suffix: str, order: str) -> None:
    path = tmp_path / f"tracks{suffix}"
    table = table_of().sort_values([order, "frame"]).reset_index(drop=True)
    {".csv": table.to_csv, ".parquet": table.to_parquet, ".feather": table.to_feather}[suffix](path)
    store = filled(path)
    rows = store.rows(12)
    assert rows is not None
    assert rows["id"].tolist() == [1, 2, 9]
    assert rows["x"].tolist() == [12.5] * 3
    assert rows["y"].tolist() == [10, 20, 90]
    assert np.isnan(rows["score"]).all()
    assert (rows["flags"] == 0).all()
    assert store.span(9) == TrackSpan(30, 0, 29)
    assert store.complete
    store.close()


def test_frames_that_span_batches_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.playback.track_table._CSV_BLOCK", 200)
    table_of().to_csv(tmp_path / "tracks.csv", index=False)
    store = filled(tmp_path / "tracks.csv")
    found = [store.rows(number) for number in range(30)]
    assert [0 if rows is None else len(rows) for rows in found] == [3] * 30
    store.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", "it has no columns frame, particle, x, y"),
        ("frame,particle,x,y\n1,2,3,left\n", "column y contains string, not numbers"),
        ("frame,particle,x,y\n1,,3,4\n", "column id has empty fields"),
        ("frame,particle,x,y\n9007199254740993,2,3,4\n", "column frame contains values that are no whole numbers"),
        ("frame,particle,x,y\ninf,2,3,4\n", "column frame contains values that are no whole numbers"),
        ("frame,particle,x,y\n1,2\n", "cannot be read as a table"),
        ("", "cannot be read as a table"),
    ],
)
def test_what_is_no_table_of_tracks_is_refused_in_one_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        filled(path)
    assert reason in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_damaged_or_missing_table_is_refused(tmp_path: Path) -> None:
    for name, reason in (("no.csv", "no such file"), ("a.xml", "unsupported format"), ("b.parquet", "cannot be read")):
        if name != "no.csv":
            (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(InputError, match=reason):
            open_track_table(tmp_path / name)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather"])
def test_changed_bytes_of_a_table_are_read_or_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    path, rng = tmp_path / f"tracks{suffix}", np.random.default_rng(3)
    table = table_of(8)
    {".csv": table.to_csv, ".parquet": table.to_parquet, ".feather": table.to_feather}[suffix](path)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    read, refusals = 0, []
    for _ in range(300):
        changed = content.copy()
        changed[rng.integers(0, len(changed), rng.integers(1, 8))] = rng.integers(0, 256)
        path.write_bytes(changed.tobytes()[: rng.integers(1, len(changed)) if rng.random() < 0.1 else None])
        try:
            filled(path).close()
            read += 1
        except InputError as error:
            refusals.append(str(error))
    assert read > 0 < len(refusals)
    assert [text for text in refusals if len(text.splitlines()) != 1] == []


def test_a_table_that_turns_bad_later_is_reported_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tracks.csv"
    monkeypatch.setattr("livetrack.playback.track_table._CSV_BLOCK", 2000)
    table_of(300).to_csv(path, index=False)
    path.write_text(path.read_text() + "299,nonsense\n")
    feed = TrackFeed(TableTracks(open_track_table(path)))
    wait_for(lambda: feed.store.ended)
    assert "cannot be read as a table" in feed.problem
    assert not feed.store.complete
    feed.close()


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a movie of bright spots, two of which come and go."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    frames = []
    for t in range(14):
        image = rng.normal(100, 4, SHAPE)
        for n, (left, top) in enumerate(((12 + t, 12), (40, 12 + t), (30 - t, 36))):
            if n == 0 or (t + n) % 7:
                image += 300 * np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * 1.3**2))
        frames.append(image.clip(0, 65535).astype(np.uint16))
    path = tmp_path_factory.mktemp("spots") / "spots.tif"
    tifffile.imwrite(
        path, np.array(frames), photometric="minisblack", imagej=True, metadata={"axes": "TYX", "finterval": 0.05}
    )
    return path


SETTINGS = ["localizer.model=spot", "localizer.threads=1"]
OPTIONS = [f"--set={setting}" for setting in SETTINGS]


@pytest.mark.parametrize("part", [[], ["--frames", "2:12:2"], ["--region", "3,4,50,40"]])
def test_tracks_made_on_the_fly_are_those_of_track(spots: Path, tmp_path: Path, part: list[str]) -> None:
    assert main(["track", str(spots), "-o", str(tmp_path / "tracks.parquet"), *OPTIONS, *part]) == 0
    table = pd.read_parquet(tmp_path / "tracks.parquet")
    selection = {
        0: EVERYTHING,
        1: Selection(frames=FrameRange(2, 12, 2)),
        2: Selection(region=Region(3, 4, 50, 40)),
    }[["", "--frames", "--region"].index(part[0] if part else "")]
    movie = open_source(spots, selection)
    feed = TrackFeed(open_tracks(spots, movie, load_config(None, SETTINGS), frames=selection.frames))
    wait_for(lambda: feed.store.ended, 120)
    assert feed.problem == ""
    found = 0
    for number, expected in table.groupby("frame"):
        rows = feed.store.rows(int(number))
        assert rows is not None
        rows = rows[rows["flags"] & Flag.COASTED == 0]
        assert rows["id"].tolist() == expected["particle"].tolist()
        assert np.allclose(rows["x"], expected["x"], atol=1e-4)
        assert np.allclose(rows["y"], expected["y"], atol=1e-4)
        found += len(rows)
    assert found == len(table) > 10
    feed.close()


def test_a_feed_ends_while_it_tracks(spots: Path) -> None:
    movie = open_source(spots)
    feed = TrackFeed(open_tracks(spots, movie, load_config(None, SETTINGS)))
    feed.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "livetrack-tracks"]


def test_a_model_that_does_not_exist_is_the_problem_of_the_feed(spots: Path) -> None:
    feed = TrackFeed(open_tracks(spots, open_source(spots), load_config(None, ["localizer.model=no.onnx"])))
    wait_for(lambda: feed.store.ended)
    assert "no.onnx" in feed.problem
    feed.close()


# ---- sessions


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of frames 100 to 129 in several files; frame 110 was dropped, 125 on are smaller."""
    recorder = Recorder(tmp_path_factory.mktemp("playback"), tables=(), file_mb=0.02)
    for index in range(100, 130):
        small = Geometry(GEOMETRY.width // 2, GEOMETRY.height, pixel_size_um=GEOMETRY.pixel_size_um)
        frame = frame_of(index) if index < 125 else frame_of(index, small, 1)
        if index != 110:
            recorder.offer_frame(frame)
        rows = rows_at(3, x=index / 10)
        rows["flags"] = 0
        recorder.offer_rows(frame, rows)
    recorder.close()
    return recorder.folder


def test_a_session_is_a_movie_with_its_own_tracks(session: Path) -> None:
    movie = session_movie(session)
    frames = list(movie.frames())
    assert [frame.number for frame in frames] == [n for n in range(100, 125) if n != 110]
    assert "frame" in (movie.problem or "")
    for frame in frames:
        assert np.array_equal(frame.pixels, frame_of(frame.number).pixels)
    assert [frame.number for frame in movie.frames(12, 5)][:2] == [113, 118]
    assert movie.pixel_size_um == GEOMETRY.pixel_size_um
    assert len(list(session.glob("frames_*.tif"))) > 2
    playback = Playback(movie, open_tracks(session, movie, load_config(None, SETTINGS)))
    wait_for(lambda: playback.feed.store.ended)
    rows = playback.feed.store.rows(104)
    assert rows is not None
    assert rows["x"].tolist() == [pytest.approx(10.4)]
    assert playback.number(10) == 111
    assert playback.index(110) == 10
    playback.close()


def test_a_session_that_is_tracked_again_gives_the_ids_of_track(spots: Path, tmp_path: Path) -> None:
    """The ROI moves after frame 7, so all tracks end there."""
    recorder = Recorder(tmp_path / "sessions", tables=())
    for index, image in enumerate(tifffile.imread(spots)):
        geometry = Geometry(SHAPE[1], SHAPE[0], x_origin=0 if index < 8 else 5)
        frame = replace(frame_of(index), pixels=image, geometry=geometry, geometry_number=int(index >= 8))
        recorder.offer_frame(frame)
    recorder.close()
    folder, output = recorder.folder, tmp_path / "tracks.parquet"
    assert main(["track", str(folder), "-o", str(output), *OPTIONS]) == 0
    table = pd.read_parquet(output)
    feed = TrackFeed(open_tracks(folder, session_movie(folder), load_config(None, SETTINGS), anew=True))
    wait_for(lambda: feed.store.ended, 120)
    assert feed.problem == ""
    for number, expected in table.groupby("frame"):
        rows = feed.store.rows(int(number))
        assert rows is not None
        assert rows["id"][rows["flags"] & Flag.COASTED == 0].tolist() == expected["particle"].tolist()
    first, last = (set(table["particle"][part]) for part in (table["frame"] < 8, table["frame"] >= 8))
    assert first
    assert last
    assert not first & last
    feed.close()


def test_a_part_of_a_session_and_a_folder_that_is_none_are_refused(session: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--frames 1:2 applies to movies"):
        open_source(session, Selection(frames=FrameRange(1, 2)))
    with pytest.raises(InputError):
        open_source(tmp_path)


# ---- the clock


def played(clock: PlaybackClock, length: int, seconds: float, every_s: float) -> list[int]:
    """Return the frames that are shown, of a player that looks every so many seconds."""
    clock.start(0, 0.0)
    shown, now_s = [0], 0.0
    while now_s < seconds:
        now_s += every_s
        if (due := clock.due(shown[-1], length, now_s)) != shown[-1]:
            shown.append(due)
    return shown


def test_every_frame_is_shown_in_time() -> None:
    clock = PlaybackClock(None)
    clock.set_speed(50.0, recorded=False, index=0, now_s=0.0)
    assert played(clock, 1000, 2.0, 0.005) == list(range(101))
    assert clock.stride(0) == 1


def test_a_slow_computer_shows_every_frame_later() -> None:
    clock = PlaybackClock(None)
    clock.set_speed(50.0, recorded=False, index=0, now_s=0.0)
    shown = played(clock, 1000, 5.0, 0.1)
    assert shown == list(range(len(shown)))
    assert len(shown) > 45


def test_beyond_the_rate_of_displays_equal_steps_are_shown() -> None:
    clock = PlaybackClock(None)
    clock.set_speed(400.0, recorded=False, index=0, now_s=0.0)
    assert clock.stride(0) == 7
    shown = played(clock, 10_000, 3.0, 0.002)
    assert set(np.diff(shown)) == {7}
    assert shown[-1] == pytest.approx(1200, abs=10)
    assert played(clock, 100, 3.0, 0.002)[-1] == 99


def test_uneven_times_are_kept_at_every_speed() -> None:
    times = np.cumsum([0, 0.1, 0.1, 1.0, 0.1, 0.1, 0.5])
    clock = PlaybackClock(times)
    for speed in (0.5, 1.0, 4.0):
        clock.set_speed(speed, recorded=True, index=0, now_s=0.0)
        clock.start(0, 0.0)
        for index in range(1, 7):
            before = clock.due(index - 1, 7, times[index] / speed - 1e-3)
            assert (before, clock.due(index - 1, 7, times[index] / speed + 1e-3)) == (index - 1, index)
