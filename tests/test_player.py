"""The player: scrubbing, stepping, playing, looping, holding; tracks of a table or made on the fly; what is dropped."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
import tifffile
from waiting import until

from livetrack.cli import main
from livetrack.config import load_config
from livetrack.movies import Region, Selection
from livetrack.particles import empty_rows
from livetrack.playback.playback import open_source, open_tracks
from livetrack.playback.track_store import TrackSpan
from livetrack.viewer.player import window as player_window
from livetrack.viewer.player.opening import Opened, PlayerOptions
from livetrack.viewer.player.particle_bar import particle_facts
from livetrack.viewer.player.speeds import speeds_of
from livetrack.viewer.player.window import PlayerWindow
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets

SHAPE = (48, 64)
FRAMES = 15
SETTINGS = ["localizer.model=spot", "localizer.threads=1"]
KEY = QtCore.Qt.Key


def position(number: int) -> tuple[float, float]:
    return 12.0 + 2 * number, 20.0 + number


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a movie of one spot that moves, at 20 frames/s."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    frames = []
    for number in range(FRAMES):
        left, top = position(number)
        spot = 400 * np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * 1.5**2))
        frames.append((rng.normal(100, 3, SHAPE) + spot).astype(np.uint16))
    path = tmp_path_factory.mktemp("player") / "spot.tif"
    metadata = {"axes": "TYX", "fps": 20.0}
    tifffile.imwrite(path, np.array(frames), photometric="minisblack", metadata=metadata)
    return path


@pytest.fixture(scope="module")
def table(movie: Path) -> Path:
    """Return a table of two tracks, whose positions are whole numbers."""
    rows = [(n, track, position(n)[1], position(n)[0] + track) for n in range(FRAMES) for track in (0, 7)]
    path = movie.with_name("tracks.csv")
    pd.DataFrame(rows, columns=["frame", "particle", "y", "x"]).to_csv(path, index=False)
    return path


@pytest.fixture
def player(qtbot: Any, tmp_path: Path, store: Any) -> Iterator[PlayerWindow]:
    window = PlayerWindow(PlayerOptions(load_config(None, SETTINGS)), folder=tmp_path, store=store)
    window.resize(900, 700)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    yield window
    window.close()


@pytest.fixture
def paused(player: PlayerWindow, qtbot: Any, movie: Path, table: Path) -> PlayerWindow:
    """Return the player with the movie and its table, at the first frame."""
    show(player, movie, table, playing=False)
    qtbot.waitUntil(lambda: shown(player) == 0)
    return player


def show(player: PlayerWindow, path: Path, table: Path | None = None, *, playing: bool = True) -> None:
    opened = open_source(path)
    config = load_config(None, SETTINGS)
    player.show_movie(Opened(path, opened, open_tracks(path, opened, config, table=table)), playing=playing)


def shown(player: PlayerWindow) -> int | None:
    """Return the number of the frame on display with its particles; None if there is none."""
    update = player.presenter.update
    return None if update is None else update.frame


def press(player: PlayerWindow, qtbot: Any, key: Any, modifier: Any = QtCore.Qt.KeyboardModifier.NoModifier) -> None:
    qtbot.keyClick(player, key, modifier)


def watched(player: PlayerWindow, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int]]]:
    """Return a list that receives the number and the ids of each frame that is drawn with its particles."""
    seen: list[tuple[int, list[int]]] = []
    draw = player.presenter.show_particles

    def note() -> bool:
        drawn = draw()
        update = player.presenter.update
        if drawn and update is not None:
            seen.append((update.frame, update.particles["id"].tolist()))
        return drawn

    monkeypatch.setattr(player.presenter, "show_particles", note)
    return seen


# ---- playing


def test_every_frame_is_shown_with_its_particles_and_the_last_one_is_held(
    player: PlayerWindow, qtbot: Any, monkeypatch: pytest.MonkeyPatch, movie: Path, tmp_path: Path
) -> None:
    options = [f"--set={setting}" for setting in SETTINGS]
    assert main(["track", str(movie), "-o", str(tmp_path / "tracks.csv"), *options]) == 0
    expected = pd.read_csv(tmp_path / "tracks.csv").groupby("frame")["particle"].apply(list).to_dict()
    seen = watched(player, monkeypatch)
    show(player, movie)
    qtbot.waitUntil(lambda: shown(player) == FRAMES - 1, timeout=120_000)
    qtbot.waitUntil(lambda: not player.playing)
    assert [number for number, _ in seen] == list(range(FRAMES))
    assert {number: ids for number, ids in seen if ids} == expected
    assert player.presenter.frame is not None
    assert player.presenter.frame.number == FRAMES - 1


def test_the_space_key_plays_pauses_and_begins_again_at_the_end(paused: PlayerWindow, qtbot: Any) -> None:
    press(paused, qtbot, KEY.Key_Space)
    assert paused.playing
    qtbot.waitUntil(lambda: (shown(paused) or 0) >= 3)
    press(paused, qtbot, KEY.Key_Space)
    assert not paused.playing
    press(paused, qtbot, KEY.Key_End)
    qtbot.waitUntil(lambda: shown(paused) == FRAMES - 1)
    press(paused, qtbot, KEY.Key_Space)
    qtbot.waitUntil(lambda: paused.playing and (shown(paused) or 99) < 5)


def test_playing_takes_the_time_that_recording_took(paused: PlayerWindow, qtbot: Any) -> None:
    started_s = time.perf_counter()
    paused.play(True)
    qtbot.waitUntil(lambda: shown(paused) == FRAMES - 1)
    assert time.perf_counter() - started_s >= (FRAMES - 1) / 20 - 0.02


def test_a_loop_begins_again(paused: PlayerWindow, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    press(paused, qtbot, KEY.Key_O)
    paused.central.transport.speed.setCurrentText("8x")
    seen = watched(paused, monkeypatch)
    paused.play(True)
    qtbot.waitUntil(lambda: sum(number == FRAMES - 1 for number, _ in seen) >= 2, timeout=30_000)
    assert paused.playing
    assert {number for number, _ in seen} == set(range(0, FRAMES, 3)) | {FRAMES - 1}


def test_keys_step_and_jump(paused: PlayerWindow, qtbot: Any) -> None:
    shift = QtCore.Qt.KeyboardModifier.ShiftModifier
    keys = [
        (KEY.Key_Right, None, 1), (KEY.Key_Right, None, 2), (KEY.Key_Left, None, 1), (KEY.Key_Right, shift, 11),
        (KEY.Key_End, None, 14), (KEY.Key_Right, None, 14), (KEY.Key_Left, shift, 4), (KEY.Key_Home, None, 0),
        (KEY.Key_Left, None, 0),
    ]  # fmt: skip
    for key, modifier, number in keys:
        press(paused, qtbot, key, modifier or QtCore.Qt.KeyboardModifier.NoModifier)
        qtbot.waitUntil(lambda number=number: shown(paused) == number)
        assert paused.central.view.markers.positions[0].tolist() == list(position(number))


def test_the_scrub_bar_goes_where_it_is_pressed(paused: PlayerWindow, qtbot: Any) -> None:
    bar = paused.central.transport.scrub_bar
    qtbot.waitUntil(lambda: bar._length == FRAMES)
    for number in (9, 3, 14):
        place = QtCore.QPoint(round(bar.x_of(number)), bar.height() // 2)
        qtbot.mouseClick(bar, QtCore.Qt.MouseButton.LeftButton, pos=place)
        qtbot.waitUntil(lambda number=number: shown(paused) == number)
    assert "frame 3   0.15 s" in paused._describe(3)


def test_a_frame_number_can_be_entered(paused: PlayerWindow, qtbot: Any) -> None:
    field = paused.central.transport.number
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field.lineEdit(), "11")
    qtbot.keyClick(field, KEY.Key_Return)
    qtbot.waitUntil(lambda: shown(paused) == 11)
    qtbot.waitUntil(lambda: paused.central.transport.time.text() == "0.55 s")


def test_the_speeds_fit_the_movie() -> None:
    speeds, first = speeds_of(24.0, timed=True)
    assert speeds[first].text == "as recorded"
    assert (speeds[first].rate, speeds[first].recorded) == (1.0, True)
    assert {speed.text for speed in speeds} >= {"0.1x", "8x", "25 frames/s"}
    for fps, timed in ((1000.0, True), (0.01, True), (None, False)):
        speeds, first = speeds_of(fps, timed=timed)
        assert speeds[first].text == "25 frames/s"
    speeds, first = speeds_of(24.0, timed=False)
    assert (speeds[first].rate, speeds[first].recorded) == (24.0, False)


def test_brackets_change_the_speed(paused: PlayerWindow, qtbot: Any) -> None:
    speed = paused.central.transport.speed
    assert speed.currentText() == "as recorded"
    press(paused, qtbot, KEY.Key_BracketRight)
    assert speed.currentText() == "2x"
    for _ in range(9):
        press(paused, qtbot, KEY.Key_BracketLeft)
    assert speed.currentText() == "0.1x"
    assert (paused._clock.rate, paused._clock.recorded) == (0.1, True)


# ---- particles


def test_trails_lead_to_each_frame_however_it_was_reached(paused: PlayerWindow, qtbot: Any) -> None:
    for number in (10, 4, 14, 3, 5):
        paused.seek(number)
        qtbot.waitUntil(lambda number=number: shown(paused) == number)
        segments = paused.presenter._history.segments(paused.presenter.update)
        ends = sorted(each for frame in segments for each in frame.segments[:, 1, 1].tolist())
        assert ends == sorted([position(n)[1] for n in range(1, number + 1)] * 2)


def test_a_click_shows_id_position_uncertainty_and_track_length(paused: PlayerWindow, qtbot: Any) -> None:
    paused.seek(5)
    qtbot.waitUntil(lambda: shown(paused) == 5)
    x, y = position(5)
    paused.central.view.clicked.emit(x + 7, y)
    bar = paused.central.particle_bar
    qtbot.waitUntil(lambda: bar.name.text() == "#7" and "15 positions, frames 0 to 14" in bar.facts.text())
    assert bar.facts.text().startswith("x 29.00   y 25.00 px")
    paused.seek(9)
    qtbot.waitUntil(lambda: bar.facts.text().startswith("x 37.00   y 29.00 px"))
    press(paused, qtbot, KEY.Key_Escape)
    qtbot.waitUntil(lambda: bar.facts.text().startswith("Click a particle"))


def test_facts_of_a_particle() -> None:
    row = empty_rows(1)
    row["x"], row["y"], row["x_std"], row["y_std"], row["intensity"], row["score"] = 1.5, 2.25, 0.01, 0.02, 430, 0.97
    assert particle_facts(row[0], TrackSpan(1234, 5, 2000), 0.1) == [
        "x 1.50   y 2.25 px", "± 0.010, 0.020 px", "1,234 positions, frames 5 to 2,000", "intensity 430   score 0.97",
        "0.150, 0.225 µm",
    ]  # fmt: skip
    assert particle_facts(None, TrackSpan(1, 5, 5), None) == ["not in this frame", "1 position, frames 5 to 5"]


def test_a_region_keeps_the_positions_of_the_whole_image(
    player: PlayerWindow, qtbot: Any, movie: Path, table: Path
) -> None:
    selection = Selection(region=Region(10, 15, 40, 30))
    opened = open_source(movie, selection)
    tracks = open_tracks(movie, opened, load_config(None, SETTINGS), table=table)
    player.show_movie(Opened(movie, opened, tracks, selection), playing=False)
    qtbot.waitUntil(lambda: shown(player) == 0)
    assert player.central.view.markers.positions[0].tolist() == list(position(0))
    assert player.central.view.frame == QtCore.QRectF(9.5, 14.5, 40, 30)
    x, y = (round(each) for each in position(0))
    grey = player.central.view._grey(QtCore.QPointF(x, y))
    assert grey == f"{tifffile.imread(movie, key=0)[y, x]}"


def test_a_frame_that_is_not_tracked_yet_is_shown_at_once_and_its_particles_later(
    player: PlayerWindow, qtbot: Any, movie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livetrack.movie_tracking import SequenceTracker

    allowed = 3
    update = SequenceTracker.update

    def slow(self: SequenceTracker, number: int, *arguments: Any) -> Any:
        while number >= allowed and player._timer.isActive() is not False:  # until the window is closed
            time.sleep(0.002)
        return update(self, number, *arguments)

    monkeypatch.setattr(SequenceTracker, "update", slow)
    show(player, movie)
    qtbot.waitUntil(lambda: shown(player) == 2, timeout=120_000)
    qtbot.waitUntil(lambda: player.index == 3)
    assert player.playing
    player.seek(10)
    player.play(False)
    qtbot.waitUntil(lambda: player.presenter.frame is not None and player.presenter.frame.number == 10)
    qtbot.waitUntil(lambda: "Frame 10 is not tracked yet" in player.central.banner.text())
    assert shown(player) is None
    allowed = FRAMES
    qtbot.waitUntil(lambda: shown(player) == 10)
    qtbot.waitUntil(lambda: player.central.banner.text() == "")


def test_a_model_can_be_chosen_and_the_table_again(paused: PlayerWindow, qtbot: Any) -> None:
    panel = paused.central.tracks_panel
    assert panel.source.currentText() == "tracks.csv"
    assert not panel.scale.isEnabled()
    paused.seek(4)
    qtbot.waitUntil(lambda: shown(paused) == 4)
    panel.source.setCurrentText("spot")
    assert panel.scale.isEnabled()
    assert not len(paused.central.view.markers.positions)  # until the new ones are known
    qtbot.waitUntil(lambda: paused.status.line.text().startswith("1 particle     spot at scale 1"), timeout=120_000)
    panel.scale.setCurrentText("2")
    qtbot.waitUntil(lambda: paused.playback.feed.source.name == "spot at scale 2", timeout=120_000)
    panel.source.setCurrentText("tracks.csv")
    qtbot.waitUntil(lambda: shown(paused) == 4 and len(paused.presenter.update.particles) == 2)
    assert paused._opener.options.config.localizer.scale == 2.0


def test_no_particles_lead_to_a_hint(player: PlayerWindow, qtbot: Any, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "empty.tif", np.full((22, *SHAPE), 100, np.uint16), photometric="minisblack")
    show(player, tmp_path / "empty.tif", playing=False)
    qtbot.waitUntil(lambda: "No particles found; `livetrack check" in player.central.banner.text(), timeout=120_000)


def test_a_table_of_another_movie_is_suspected(player: PlayerWindow, qtbot: Any, movie: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("frame,particle,x,y\n3,1,5,5\n99,1,5,5\n")
    show(player, movie, path, playing=False)
    qtbot.waitUntil(lambda: "other.csv goes on to frame 99, the movie to 14" in player.central.banner.text())


def test_what_fails_later_is_shown(player: PlayerWindow, qtbot: Any, movie: Path) -> None:
    opened = open_source(movie)
    tracks = open_tracks(movie, opened, load_config(None, ["localizer.model=no.onnx"]))
    player.show_movie(Opened(movie, opened, tracks))
    qtbot.waitUntil(lambda: player.central.banner.text().startswith("Tracks are missing: "))
    qtbot.waitUntil(lambda: player.index == FRAMES - 1)  # the movie is shown all the same


def test_frames_that_are_missing_are_passed_over_and_reported(
    player: PlayerWindow, qtbot: Any, table: Path, tmp_path: Path
) -> None:
    for number in (0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12):
        tifffile.imwrite(tmp_path / f"image_{number:03}.tif", np.full(SHAPE, 100 + number, np.uint8))
    show(player, tmp_path, table)
    qtbot.waitUntil(lambda: not player.playing and shown(player) == 12, timeout=30_000)
    qtbot.waitUntil(lambda: "2 images are missing" in player.central.banner.text())
    assert not player.central.banner.text().startswith("Tracks")
    player.seek(5)
    hint = player.central.view.hint
    qtbot.waitUntil(lambda: hint.isVisible() and hint.text() == "Frame 5 cannot be read")
    player.seek(6)
    qtbot.waitUntil(lambda: shown(player) == 6)
    assert not hint.isVisible()


# ---- what is dropped


def drag(window: Any, kind: Any, *urls: str | Path) -> bool:
    """Drag files, or without any a text, over the window; return whether it accepts them."""
    mime = QtCore.QMimeData()
    if urls:
        mime.setUrls(
            [QtCore.QUrl(url) if isinstance(url, str) else QtCore.QUrl.fromLocalFile(str(url)) for url in urls]
        )
    else:
        mime.setText("text")
    where = QtCore.QPoint(50, 50) if kind is QtGui.QDragEnterEvent else QtCore.QPointF(50, 50)
    action, left = QtCore.Qt.DropAction.CopyAction, QtCore.Qt.MouseButton.LeftButton
    event = kind(where, action, mime, left, QtCore.Qt.KeyboardModifier.NoModifier)
    QtWidgets.QApplication.sendEvent(window.central.view.viewport(), event)
    accepted: bool = event.isAccepted()
    return accepted


def drop(window: Any, *urls: str | Path) -> None:
    assert drag(window, QtGui.QDragEnterEvent, *urls)
    assert window.drop_area.sign.isVisible()
    assert drag(window, QtGui.QDropEvent, *urls)
    assert not window.drop_area.sign.isVisible()


def test_a_movie_and_then_its_table_are_dropped(player: PlayerWindow, qtbot: Any, movie: Path, table: Path) -> None:
    drop(player, movie)
    qtbot.waitUntil(lambda: player.playback is not None and player.playing)
    assert player.windowTitle() == "spot.tif - livetrack"
    drop(player, table)
    qtbot.waitUntil(lambda: player.playback.feed.source.name == "tracks.csv", timeout=30_000)
    player.play(False)
    player.seek(5)
    qtbot.waitUntil(lambda: shown(player) == 5)
    assert player.presenter.update.particles["id"].tolist() == [0, 7]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["nonsense.tif"], "nonsense.tif: cannot be read as TIFF"),
        (["missing.tif"], "there is no such file or folder"),
        (["a.png", "b.png"], "2 files: drop a single one"),
        (["https://example.org/movie.tif"], "not a file of this computer"),
        (["empty"], "empty: "),
    ],
)
def test_nonsense_is_refused_and_the_movie_goes_on(
    paused: PlayerWindow, qtbot: Any, tmp_path: Path, names: list[str], reason: str
) -> None:
    (tmp_path / "nonsense.tif").write_bytes(b"nonsense" * 9)
    (tmp_path / "empty").mkdir()
    drop(paused, *(name if "://" in name else tmp_path / name for name in names))
    qtbot.waitUntil(lambda: reason in paused.central.banner.text())
    assert len(paused.central.banner.text().splitlines()) == 1
    press(paused, qtbot, KEY.Key_Right)
    qtbot.waitUntil(lambda: shown(paused) == 1)


def test_text_is_not_accepted(player: PlayerWindow) -> None:
    assert not drag(player, QtGui.QDragEnterEvent)


def test_a_movie_dropped_on_the_live_window_opens_a_player_of_its_own(
    window: Any, qtbot: Any, movie: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(QtCore.QProcess, "startDetached", lambda *command: (bool(started.append(command)) or True, 1))
    drop(window, movie)
    qtbot.waitUntil(lambda: bool(started))
    assert started == [(sys.executable, ["-m", "livetrack", "play", str(movie)])]
    for nonsense, reason in ((movie.parent, "of frames"), (table, "a table of tracks; drop it on the player")):
        if nonsense.is_dir():
            (nonsense / "notes").mkdir(exist_ok=True)
            nonsense = nonsense / "notes"
            reason = "notes: "
        drop(window, nonsense)
        until(qtbot, window, lambda reason=reason: reason in window.central.banner.text())
    assert len(started) == 1


# ---- saving


def test_the_movie_on_display_is_saved_as_a_video(
    paused: PlayerWindow, qtbot: Any, movie: Path, tmp_path: Path
) -> None:
    saved: list[str] = []
    paused.video_saving.message.connect(saved.append)
    name_given = str(tmp_path / "out.mkv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: (name_given, ""))
        press(paused, qtbot, KEY.Key_E)
    qtbot.waitUntil(lambda: bool(saved) and saved[-1].startswith("saved "), timeout=30_000)
    with av.open(name_given) as container:
        assert len(list(container.decode(video=0))) == FRAMES
    for name, reason in ((movie, "is the movie itself"), (tmp_path / "out.wmv", "unsupported video format")):
        paused.video_saving.save(Path(name), movie, ids=True)
        qtbot.waitUntil(lambda reason=reason: reason in paused.central.banner.text())
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.mkv"]


def test_closing_stops_the_saving_and_leaves_nothing(
    player: PlayerWindow, qtbot: Any, movie: Path, tmp_path: Path
) -> None:
    show(player, movie)
    player.video_saving.save(tmp_path / "out.mp4", movie, ids=False)
    player.close()
    assert not list(tmp_path.glob("out*"))


# ---- the window as such


def test_closing_ends_the_threads_while_it_tracks(player: PlayerWindow, movie: Path) -> None:
    show(player, movie)
    player.close()  # what is left behind fails the test


def test_panels_help_and_theme(paused: PlayerWindow, qtbot: Any, tmp_path: Path) -> None:
    press(paused, qtbot, KEY.Key_V)
    assert not paused.central.sidebar.isVisible()
    press(paused, qtbot, KEY.Key_H)
    assert paused.central.shortcuts_sheet.isVisible()
    press(paused, qtbot, KEY.Key_Escape)
    assert not paused.central.shortcuts_sheet.isVisible()
    press(paused, qtbot, KEY.Key_D)
    press(paused, qtbot, KEY.Key_S)
    assert len(list(tmp_path.glob("livetrack-*-frame0.png"))) == 1
    assert player_window.SIZE[0] >= 900


@pytest.mark.parametrize("size", [(900, 600), (900, 500), (1600, 1000)])
def test_nothing_is_cut_off(paused: PlayerWindow, qtbot: Any, size: tuple[int, int]) -> None:
    paused.resize(*size)
    qtbot.waitUntil(lambda: (paused.width(), paused.height()) == size)
    transport = paused.central.transport
    qtbot.waitUntil(lambda: transport.speed.geometry().right() <= transport.width())
    assert transport.speed.width() > 80
    assert paused.central.view.height() > 150


# ---- the command


def test_play_writes_the_video_that_track_writes(movie: Path, table: Path, tmp_path: Path) -> None:
    options = [f"--set={setting}" for setting in SETTINGS]
    assert main(["track", str(movie), "-o", str(tmp_path / "t.csv"), "--video", str(tmp_path / "a.mkv"), *options]) == 0
    assert main(["play", str(movie), "--video", str(tmp_path / "b.mkv"), *options]) == 0
    assert main(["play", str(movie), "--tracks", str(table), "--video", str(tmp_path / "c.mkv"), "--ids"]) == 0
    frames = {}
    for name in "abc":
        with av.open(str(tmp_path / f"{name}.mkv")) as container:
            assert container.streams.video[0].average_rate == 20
            frames[name] = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(frames[name]) == FRAMES
    assert all((a == b).all() for a, b in zip(frames["a"], frames["b"], strict=True))
    assert not (frames["a"][5] == frames["c"][5]).all()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["no.tif"], "no.tif: there is no such file"),
        (["{movie}", "--tracks", "no.csv"], "no.csv: there is no such file"),
        (["{movie}", "--tracks", "{movie}"], "unsupported format of a table"),
        (["{movie}", "--tracks", "{table}", "--model", "bead"], "has been tracked already"),
        (["{movie}", "--video", "{movie}"], "is the movie itself"),
        (["{movie}", "--video", "out.wmv"], "unsupported video format .wmv"),
        (["{movie}", "--video", "out.mp4", "--seconds", "3"], "apply to the window"),
        (["{movie}", "--region", "0,0,999,9"], "reaches beyond"),
    ],
)
def test_mistakes_give_one_line(
    movie: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["play", *(each.format(movie=movie, table=table) for each in arguments)]) == 2
    assert reason in capfd.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.glob("out*"))


def test_without_a_display_the_reason_and_the_alternatives_are_printed(
    movie: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["play", str(movie)]) == 2
    line = capfd.readouterr().err
    assert line.startswith("livetrack: no display: neither DISPLAY")
    assert line.endswith("; `livetrack play --video FILE` and `livetrack track` need none\n")


def test_the_command_opens_a_window_and_closes_it(movie: Path, table: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "livetrack", "play", str(movie), "--tracks", str(table), "--seconds", "1"]
    screenshot = tmp_path / "shot.png"
    subprocess.run([*command, "--screenshot", str(screenshot)], check=True, timeout=120)
    assert screenshot.stat().st_size > 10_000
