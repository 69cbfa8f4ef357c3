"""Recordings that were killed or damaged: `livetrack recover` completes them and accounts for every frame."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tifffile
from live_engine import ANY_PORT
from test_record import frame_of as frame_with
from test_record import rows_of, wait_for

from livetrack.camera import Frame, Geometry
from livetrack.cli import main
from livetrack.record import Recorder, read_session
from livetrack.record.account import Account, account_for
from livetrack.record.account_text import account_lines
from livetrack.record.inventory import take_inventory
from livetrack.record.lock import read_last_sign
from livetrack.record.pages import PageWriter, find_pages
from livetrack.record.recovery import recover

GEOMETRY = Geometry(8, 6, x_origin=8, binning=2, pixel_size_um=0.125)
FRAMES = 12
SETTINGS = {"linker": {"memory": 2}, "record": {"tables": []}}
TABLES = ("frames.arrow", "tracked.arrow", "trajectories.arrow")


def frame_of(index: int) -> Frame:
    return frame_with(index, GEOMETRY)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a closed recording of twelve frames, in several batches of each table."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("livetrack.record.recorder._FLUSH_S", 0.01)
        recorder = Recorder(folder, queue_s=60.0, settings=SETTINGS)
        for index in range(FRAMES):
            recorder.offer_frame(frame_of(index))
            recorder.offer_rows(frame_of(index), rows_of(index))
            wait_for(lambda count=index + 1: recorder.status().rows_written == count)
        recorder.close()
    return recorder.folder


@pytest.fixture
def session(recorded: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(recorded, tmp_path / recorded.name))


def unclose(session: Path) -> None:
    """Make a closed recording one whose recorder was killed."""
    info = read_session(session).info
    for name in list(info):
        if name in ("ended", "problem") or name.startswith(("frames_", "tracked_", "events_")):
            del info[name]
    (session / "session.json").write_text(json.dumps(info))


def recovered(session: Path) -> Account:
    """Recover a session, check it, and check that a second recovery changes nothing."""
    account = recover(take_inventory(session))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in session.rglob("*") if path.is_file()}
    again = recover(take_inventory(session))
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in session.rglob("*") if path.is_file()}
    assert after == before
    for name in ("delivered", "written", "dropped", "lost", "rows", "gaps", "tracked_written", "tracked_lost"):
        assert getattr(again, name) == getattr(account, name)
    assert account.delivered == account.written + account.dropped + account.lost
    assert account.tracked_delivered == account.tracked_written + account.tracked_dropped + account.tracked_lost
    opened = read_session(session)
    assert opened.closed
    assert opened.discrepancies() == []
    assert (not account.complete) == bool(opened.problem)
    return account


def images(session: Path) -> list[int]:
    return [frame.index for frame in read_session(session).frames()]


def readable_elsewhere(session: Path) -> list[int]:
    """Return the numbers of the frames that tifffile reads, which stands for other programs."""
    found = []
    for path in sorted(session.glob("frames_*.tif")):
        with tifffile.TiffFile(path) as file:
            for page in file.pages:
                assert isinstance(page, tifffile.TiffPage)
                number = json.loads(page.description)["frame_index"]
                np.testing.assert_array_equal(page.asarray(), frame_of(number).pixels)
                found.append(number)
    return found


def test_a_closed_session_is_complete_and_left_alone(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in session.iterdir() if path.is_file()}
    report = session.parent / "report.json"
    assert main(["recover", str(session), "--json", str(report)]) == 0
    assert {path.name: path.read_bytes() for path in session.iterdir() if path.is_file()} == before
    output = capsys.readouterr().out
    assert output.splitlines()[0] == "state: closed, complete"
    assert "images of 12 of 12 frames; tracks of 12 tracked frames, 18 rows; frames 0 to 11" in output
    assert json.loads(report.read_text())["complete"] is True
    assert main(["check", str(session)]) == 0
    assert capsys.readouterr().out == output


def test_a_killed_session_is_closed_with_exact_counts(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unclose(session)
    assert main(["check", str(session)]) == 1
    assert not read_session(session).closed
    assert main(["recover", str(session)]) == 1  # its last moments may be missing
    lines = capsys.readouterr().out.splitlines()
    has, missing, events = lines[-3:]
    assert has.startswith("has: images of 12 of 12 frames")
    assert missing.startswith("possibly missing: what came after frame 11")
    assert events.startswith("events: ")
    assert recovered(session).lost == 0
    info = read_session(session).info
    assert info["recovered"]
    assert info["settings"] == SETTINGS
    assert main(["check", str(session)]) == 1
    assert "state: recovered\n" in capsys.readouterr().out


@pytest.mark.timeout(900)
@pytest.mark.parametrize("step", [101, pytest.param(1, marks=pytest.mark.measured)], ids=["some", "every"])
@pytest.mark.parametrize("name", ["frames_0000.tif", *TABLES])
def test_a_cut_within_the_last_record_loses_nothing_else(recorded: Path, name: str, step: int, tmp_path: Path) -> None:
    content = (recorded / name).read_bytes()
    start = len(content) - 700
    if name.endswith(".tif"):
        *_, last = find_pages(recorded / name)
        start = last.start
    sizes = range(start, len(content), step)
    for size in sizes:
        session = tmp_path / str(size)
        shutil.copytree(recorded, session)
        unclose(session)
        (session / name).write_bytes(content[:size])
        before = read_session(session)
        whole = [frame.index for frame in before.frames()], before.received().num_rows, before.trajectories().num_rows
        account = recovered(session)
        after = read_session(session)
        assert images(session) == whole[0] == readable_elsewhere(session)
        assert len(whole[0]) in (FRAMES, FRAMES - 1)
        assert account.delivered == FRAMES
        assert account.lost == FRAMES - len(whole[0])
        assert [gap.first for gap in account.gaps if gap.what == "images"] == [11] * account.lost
        assert after.received().num_rows == FRAMES  # those that were cut off are in the pages
        assert after.trajectories().num_rows == whole[2]
        torn = list(session.glob("*.torn-*"))
        kept = torn[0].read_bytes() if torn else b""
        assert (session / name).read_bytes()[-8:] != kept[:8] or not kept
        if kept:
            assert content[:size].endswith(kept)
        shutil.rmtree(session)


@pytest.mark.parametrize("name", ["frames_0000.tif", *TABLES])
@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("damage", ["deleted", "empty", "zeros"])
def test_whatever_file_is_gone_the_rest_is_accounted_for(session: Path, name: str, damage: str, closed: bool) -> None:
    if not closed:
        unclose(session)
    size = (session / name).stat().st_size
    if damage == "deleted":
        (session / name).unlink()
    else:
        (session / name).write_bytes(b"" if damage == "empty" else bytes(size))
    account = recovered(session)
    assert account.complete == (closed and name == "frames.arrow")  # which the pages repeat
    if name == "frames_0000.tif":
        assert (account.delivered, account.written, account.lost) == (FRAMES, 0, FRAMES)
        assert [(gap.first, gap.last) for gap in account.gaps] == [(0, 11)]
    else:
        assert account.written == FRAMES
    if name == "trajectories.arrow":
        assert account.tracked_lost == 9  # every fourth frame has no particles
        assert [(gap.first, gap.last, gap.frames) for gap in account.gaps] == [(1, 3, 3), (5, 7, 3), (9, 11, 3)]
    if name == "tracked.arrow":
        assert account.tracked_written == 9
        assert account.tracked_lost == (3 if closed else 0)  # only the recorder's count shows them
    if name == "frames.arrow":
        assert read_session(session).received()["frame"].to_pylist() == list(range(FRAMES))


def test_lost_events_are_counted_and_the_rest_is_kept(session: Path) -> None:
    path = session / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:20] + b"\n torn")
    account = recovered(session)
    assert (account.events, account.events_lost) == (len(lines) - 1, 1)
    assert "1 of 3 events are missing" in read_session(session).problem
    assert path.read_bytes() == b"".join(lines[:-1])


def test_a_session_without_any_table_is_rebuilt_from_its_pages(session: Path) -> None:
    unclose(session)
    for name in (*TABLES, "session.json"):
        (session / name).unlink()
    account = recovered(session)
    assert (account.delivered, account.written, account.rows) == (FRAMES, FRAMES, 0)
    assert read_session(session).info["started"].startswith(session.name[:10])
    received = read_session(session).received()
    assert received["t_s"].to_pylist() == [index / 200 for index in range(FRAMES)]
    assert received["page"].to_pylist() == list(range(FRAMES))


@pytest.mark.parametrize("content", [None, b"", b"{", b"\0" * 100, b"[1, 2]"])
def test_a_lost_session_json_is_rebuilt_from_a_table(
    session: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session / "session.json"
    started = read_session(session).info["started"]
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
        assert main(["track", str(session), "-o", str(session.parent / "out.csv")]) == 2
        assert f"try `livetrack recover {session}`" in capsys.readouterr().err
    account = recovered(session)
    assert (account.written, account.lost) == (FRAMES, 0)
    info = read_session(session).info
    assert info["started"] == started
    assert info["settings"] == SETTINGS
    if content is not None:
        assert (session / "session.json.damaged").read_bytes() == content


def test_damage_in_the_middle_is_named_and_the_rest_is_read(session: Path) -> None:
    path = session / "frames_0000.tif"
    content = bytearray(path.read_bytes())
    pages = list(find_pages(path))
    content[pages[4].page.end - 10] ^= 1  # a pixel
    content[pages[8].start : pages[8].start + 50] = bytes(50)  # a header
    path.write_bytes(content)
    account = recovered(session)
    assert [(gap.what, gap.first, gap.last) for gap in account.gaps] == [("images", 4, 4), ("images", 8, 8)]
    assert images(session) == [0, 1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert (account.delivered, account.written, account.lost) == (FRAMES, 10, 2)
    text = "\n".join(account_lines(account))
    assert "missing: images of frame 4, between " in text
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 11  # all but the one without a header


@pytest.mark.parametrize("name", ["frames.arrow", "tracked.arrow"])
def test_a_damaged_batch_is_kept_where_its_rows_are_made_again(session: Path, name: str) -> None:
    content = bytearray((session / name).read_bytes())
    content[2 * len(content) // 3] ^= 1
    (session / name).write_bytes(content)
    account = recovered(session)
    assert (account.written, account.lost, account.rows) == (FRAMES, 0, 18)
    assert (session / f"{name}.damaged").read_bytes() == content
    with pa.OSFile(str(session / name), "rb") as file, pa.ipc.open_stream(file) as reader:
        numbers = reader.read_all()["frame"].to_pylist()
    assert numbers == sorted(set(numbers))
    assert {index for index in range(FRAMES) if index % 4} <= set(numbers)  # frames with particles


def test_frames_that_were_dropped_are_told_from_those_that_are_lost(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, queue_s=60.0)
    for index in range(FRAMES):
        if index == 5:
            recorder._frames.stop_pixels("a test")
        recorder.offer_frame(frame_of(index))
        wait_for(lambda count=index + 1: recorder.status().frames + recorder.status().dropped == count)
        if index == 7:
            recorder._frames.problem = ""
    recorder.close()
    account = recovered(recorder.folder)
    assert (account.delivered, account.written, account.dropped, account.lost) == (FRAMES, 9, 3, 0)
    assert [(gap.first, gap.last, gap.why) for gap in account.gaps] == [(5, 7, "dropped while recording")]
    assert account.state == "closed"


def test_a_session_without_images_misses_none(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, frames=False)
    for index in range(FRAMES):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
    recorder.close()
    assert recovered(recorder.folder).complete
    unclose(recorder.folder)
    account = recovered(recorder.folder)
    assert (account.delivered, account.lost, account.gaps, account.tracked_written) == (0, 0, [], FRAMES)


def test_a_recorder_that_was_killed_before_the_first_frame_left_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(tmp_path)
    session = Path(shutil.copytree(recorder.folder, tmp_path / "copy"))
    recorder.close()
    assert main(["recover", str(session)]) == 1
    assert "has: times of 0 frames, no images; tracks of 0 tracked frames, 0 rows\n" in capsys.readouterr().out
    assert recovered(session).first is None


def test_frames_that_waited_for_the_disk_are_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("livetrack.record.recorder._FLUSH_S", 0.01)
    disk = threading.Event()
    append = PageWriter.append

    def hanging(self: PageWriter, frame: Any) -> Any:
        if frame.index >= 5:
            assert disk.wait(30)
        return append(self, frame)

    monkeypatch.setattr(PageWriter, "append", hanging)
    recorder = Recorder(tmp_path, queue_s=60.0)
    for index in range(FRAMES):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
    wait_for(lambda: getattr(read_last_sign(recorder.folder), "offered", 0) == FRAMES)
    wait_for(lambda: read_session(recorder.folder).tracked().num_rows == FRAMES)
    assert [gap.why for gap in account_for(take_inventory(recorder.folder)).gaps] == ["not on the disk yet"]
    session = Path(shutil.copytree(recorder.folder, tmp_path / "copy"))  # as a kill leaves it
    disk.set()
    recorder.close()
    assert main(["recover", str(session)]) == 1
    text = capsys.readouterr().out
    assert "what came after " in text
    assert "the last sign of the recorder" in text
    account = recovered(session)
    assert (account.delivered, account.written, account.lost, account.dropped) == (FRAMES, 5, FRAMES - 5, 0)


def test_a_running_recording_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder(tmp_path, queue_s=60.0)
    recorder.offer_frame(frame_of(0))
    assert main(["recover", str(recorder.folder)]) == 2
    assert "is being recorded now; stop the recording first" in capsys.readouterr().err
    assert main(["check", str(recorder.folder)]) == 1
    assert "state: being recorded now" in capsys.readouterr().out
    recorder.close()
    assert main(["recover", str(recorder.folder)]) == 0


def test_what_is_no_session_is_refused(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    movie = tmp_path / "movie"
    movie.mkdir()
    tifffile.imwrite(movie / "frames_0001.tif", np.zeros((8, 8), np.uint16))
    for path, message in {
        tmp_path: f"contains 1 recording; choose one: {session}",
        tmp_path / "empty": "not a recording",
        tmp_path / "missing": "there is no such folder",
        session / "session.json": "give the folder of a session",
        movie: "not a recording",
    }.items():
        assert main(["recover", str(path)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert [path.name for path in movie.iterdir()] == ["frames_0001.tif"]


def test_a_folder_that_cannot_be_written_to_is_an_error_in_one_line(
    session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unclose(session)
    before = {path.name: path.read_bytes() for path in session.iterdir() if path.is_file()}
    opened = os.open

    def read_only(path: Any, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        assert main(["check", str(session)]) == 1
        assert main(["recover", str(session)]) == 2
    assert "cannot be written to: Read-only file system" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in session.iterdir() if path.is_file()} == before
    recovered(session)


class KilledError(BaseException):
    """Stands for the end of the process."""


def test_a_recovery_that_is_killed_at_any_write_is_completed_by_the_next(recorded: Path, tmp_path: Path) -> None:
    done = 0
    for number in range(1, 200):
        session = tmp_path / str(number)
        shutil.copytree(recorded, session)
        unclose(session)
        for name, cut in (("frames_0000.tif", 50), ("frames.arrow", 90), ("tracked.arrow", 90)):
            with (session / name).open("r+b") as file:
                file.truncate((session / name).stat().st_size - cut)
        calls = 0

        def dying(call: Callable[..., Any], number: int = number) -> Callable[..., Any]:
            def wrapper(*arguments: Any, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == number:
                    raise KilledError
                return call(*arguments, **options)

            return wrapper

        with pytest.MonkeyPatch.context() as patch:
            for name in ("write", "fsync", "truncate", "replace", "open"):
                patch.setattr(os, name, dying(getattr(os, name)))
            try:
                recover(take_inventory(session))
                done += 1
            except KilledError:
                pass
        account = recovered(session)
        assert (account.delivered, account.written, account.lost) == (FRAMES, FRAMES - 1, 1)
        assert account.rows == 18
        assert read_session(session).received().num_rows == FRAMES - 1
        shutil.rmtree(session)
        if done:
            break
    assert number > 15
    assert done


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the session of a real `livetrack run` that was killed while it recorded."""
    folder = tmp_path_factory.mktemp("killed")
    scene = [f"camera.simulated.{each}" for each in ("width=128", "height=96", "count=6", "fps=100.0")]
    settings = [f"--set={each}" for each in [*ANY_PORT, *scene, "view.open=false"]]
    command = [sys.executable, "-m", "livetrack", "run", "--headless", f"--record={folder}", *settings]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)

    def has_recorded() -> Path | None:
        found = [path for path in folder.iterdir() if path.is_dir()]
        sign = read_last_sign(found[0]) if found else None
        return found[0] if sign is not None and sign.rows_written > 60 else None

    session = wait_for(has_recorded, timeout_s=200.0)
    assert session is not None
    assert main(["recover", str(session)]) == 2  # it is being recorded
    process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    process.wait()
    return session


def test_a_killed_run_is_recovered(killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = Path(shutil.copytree(killed, tmp_path / killed.name))
    sign = read_last_sign(session)
    assert sign is not None
    tracks = str(tmp_path / "tracks.csv")
    assert main(["track", str(session), "-o", tracks]) == 0
    assert "it was not closed; its end may be missing; `livetrack recover` completes it" in capsys.readouterr().err
    assert main(["recover", str(session)]) == 1
    text = capsys.readouterr().out
    assert text.startswith("state: recovered\nhas: images of ")
    assert "\npossibly missing: what came after " in text
    account = recovered(session)
    assert account.delivered >= sign.offered
    assert account.written >= sign.frames
    assert account.tracked_written >= sign.rows_written
    assert account.rows == read_session(session).trajectories().num_rows > 100
    assert len(images(session)) == account.written
    assert not (session / "recording.lock").exists()
    assert main(["track", str(session), "-o", tracks]) == 0
    assert "the last moments may be missing" in capsys.readouterr().err
