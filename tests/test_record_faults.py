"""Recordings whose disk fails: what is not on the disk is counted, and what is can be read."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import tifffile
from live_engine import ANY_PORT, running
from test_record import frame_of, rows_of, wait_for

from livetrack.camera import Geometry
from livetrack.cli import main
from livetrack.client import Remote
from livetrack.config import load_config
from livetrack.errors import UsageError
from livetrack.record import Recorder, disk_space, read_session
from livetrack.record.append_file import AppendFile
from livetrack.record.pages import PageWriter
from livetrack.session.engine import Engine
from livetrack.viewer.data.status_text import banner
from livetrack.wire import RecordingStatus, accounting_errors

FRAMES = 3
SMALL = [*ANY_PORT, *(f"camera.simulated.{each}" for each in ("width=128", "height=96", "count=8", "exposure_ms=2"))]
PORTS = [f"--set={each}" for each in ANY_PORT]
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows does not delete or move open files")


class FailingDisk:
    """Fails `count` calls that write to the disk, from the N-th on; counts the calls.

    A disk that comes back may have failed to shorten a file too.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int, code: int, count: float) -> None:
        self.calls = 0
        self.failed = False
        self._fails_at, self._code, self._count = fails_at, code, count
        write, fsync, opened, write_bytes, shorten = os.write, os.fsync, os.open, Path.write_bytes, os.ftruncate

        def failing_write(handle: int, data: Any) -> int:
            if self._fails():
                half = len(data) // 2
                if half:
                    write(handle, data[:half])  # a torn record
                self._raise()
            return write(handle, data)

        def failing_fsync(handle: int) -> None:
            if self._fails():
                self._raise()
            fsync(handle)

        def failing_open(path: Any, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_CREAT and self._fails():
                self._raise()
            return opened(path, flags, mode)

        def failing_write_bytes(path: Path, data: Any) -> int:
            if self._fails():
                self._raise()
            return write_bytes(path, data)

        def failing_shorten(handle: int, size: int) -> None:
            if count < np.inf and self._fails():
                self._raise()
            shorten(handle, size)

        monkeypatch.setattr(os, "ftruncate", failing_shorten)
        monkeypatch.setattr(os, "write", failing_write)
        monkeypatch.setattr(os, "fsync", failing_fsync)
        monkeypatch.setattr(os, "open", failing_open)
        monkeypatch.setattr(Path, "write_bytes", failing_write_bytes)

    def _fails(self) -> bool:
        self.calls += 1
        fails = self._fails_at <= self.calls < self._fails_at + self._count
        self.failed |= fails
        return fails

    def _raise(self) -> None:
        time.sleep(0.005)  # a call that fails is slow, often
        raise OSError(self._code, os.strerror(self._code))


def record(folder: Path) -> RecordingStatus:
    """Record a small session, in which each frame is written before the next one comes."""
    recorder = Recorder(folder, queue_s=60.0, file_mb=0)  # a new file for each frame
    for index in range(FRAMES):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
        wait_for(lambda offered=index + 1: recorder.status().frames + recorder.status().dropped == offered)
        status = recorder.status()
        assert status.rows_written + status.rows_dropped <= status.rows_offered == index + 1
    recorder.close()
    return recorder.status()


@pytest.mark.parametrize("count", [1, 3, np.inf], ids=["once", "three times", "for good"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_whatever_write_fails_the_accounting_is_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, count: float
) -> None:
    monkeypatch.setattr("livetrack.record.recorder._FLUSH_S", 0.003)
    platform.platform()  # starts a process, once
    complete = 0
    for number in range(1, 1000):
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            disk = FailingDisk(patch, number, code, count)
            try:
                status = record(folder)
            except UsageError:  # nothing has begun
                assert disk.calls < 5
                continue
        assert status.frames + status.dropped == status.offered == FRAMES
        assert status.rows_written + status.rows_dropped == status.rows_offered == FRAMES
        session = read_session(next(folder.iterdir()))
        assert session.closed
        assert session.discrepancies() == []
        torn = session.damage()  # a page that could neither be written nor cut off
        assert sum(damage.lost or 0 for damage in torn if damage.file.endswith(".tif")) <= status.dropped
        assert not any(damage.lost for damage in torn if damage.file.endswith(".arrow"))
        assert [frame.index for frame in session.frames()] == list(range(status.frames))
        assert session.received()["frame"].to_pylist() == list(range(FRAMES - session.info["frames_unlisted"]))
        if status.dropped or status.rows_dropped:
            assert status.loss
            assert status.loss in session.problem
        else:
            complete += 1
        if not disk.failed:
            break
    assert number > 30  # calls of a session
    assert disk.calls < number
    assert complete > 1


def test_tables_that_had_to_wait_for_the_disk_are_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.record.recorder._FLUSH_S", 0.003)
    recorder = Recorder(tmp_path, queue_s=60.0)
    with monkeypatch.context() as patch:
        FailingDisk(patch, 1, errno.ENOSPC, np.inf)
        recorder.offer_frame(frame_of(0))
        recorder.offer_rows(frame_of(0), rows_of(0))
        wait_for(lambda: "the tables cannot be written: the disk is full" in recorder.message)
    recorder.offer_frame(frame_of(1))
    recorder.offer_rows(frame_of(1), rows_of(1))
    wait_for(lambda: recorder.status().rows_written == 2)
    recorder.close()
    session = read_session(recorder.folder)
    assert session.tracked()["frame"].to_pylist() == session.received()["frame"].to_pylist() == [0, 1]
    assert session.problem.startswith("2 of 2 frames are not recorded: the disk is full")
    assert session.discrepancies() == []


def test_the_session_is_closed_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(tmp_path, queue_s=60.0)
    recorder.offer_frame(frame_of(0))
    FailingDisk(monkeypatch, 1, errno.ENOSPC, np.inf)
    recorder.close()
    monkeypatch.undo()
    session = read_session(recorder.folder)
    assert session.closed
    assert session.discrepancies() == []


def test_files_that_were_changed_later_do_not_agree_with_the_counts(tmp_path: Path) -> None:
    status = record(tmp_path)
    session = read_session(status.folder)
    assert session.discrepancies() == []
    (Path(status.folder) / "frames_0002.tif").unlink()
    assert session.discrepancies() == [
        f"frames written, and frames in the TIFF files: {FRAMES} and {FRAMES - 1}",
        "frames in frames.arrow that are in no TIFF file, and none: 1 and 0",
    ]


@POSIX
def test_a_deleted_folder_is_noticed_within_a_second_and_its_frames_are_not_recorded(tmp_path: Path) -> None:
    with running([*SMALL, f"record.folder={str(tmp_path)!r}"]) as engine, Remote(engine.command_address) as remote:
        recorder = engine.recorder
        assert recorder is not None
        wait_for(lambda: recorder.status().rows_written > 5)
        checks: list[float] = []
        check = recorder._writer._check_files

        def noted() -> None:
            checks.append(time.monotonic())
            check()

        recorder._writer._check_files = noted  # type: ignore[method-assign]
        wait_for(lambda: len(checks) > 2)
        shutil.rmtree(recorder.folder, ignore_errors=True)
        wait_for(lambda: recorder.problem)
        assert "was deleted or moved" in remote.state().message
        line = banner("here", remote.state(), 0.0, "")
        assert line is not None
        assert line.alarm
        assert "was deleted or moved" in line.text
        again = remote.start_recording(tmp_path)  # the first one has ended
        wait_for(lambda: engine.recordings[-1].frames > 5)
    first, second = engine.recordings
    assert first.frames == first.rows_written == 0
    assert first.dropped == first.offered > 5
    assert first.rows_dropped == first.rows_offered > 5
    assert second.folder == again.folder
    assert not second.loss
    assert np.median(np.diff(checks)) < 1.0


@POSIX
def test_a_moved_folder_ends_the_recording_but_keeps_its_frames(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, queue_s=60.0)
    recorder.offer_frame(frame_of(0))
    recorder.offer_rows(frame_of(0), rows_of(0))
    wait_for(lambda: recorder.status().rows_written == 1)
    moved = recorder.folder.rename(tmp_path / "moved")
    wait_for(lambda: recorder.problem)
    recorder.offer_frame(frame_of(1))
    recorder.offer_rows(frame_of(1), rows_of(1))
    recorder.close()
    status = recorder.status()
    assert (status.frames, status.dropped, status.rows_written, status.rows_dropped) == (1, 1, 1, 1)
    assert [frame.index for frame in read_session(moved).frames()] == [0]
    assert not recorder.folder.exists()


@POSIX
def test_a_session_whose_recording_is_deleted_ends_with_a_line_and_exit_code_1(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def delete() -> None:
        wait_for(lambda: list(tmp_path.glob("*/trajectories.arrow")), timeout_s=60.0)
        shutil.rmtree(next(tmp_path.iterdir()), ignore_errors=True)

    thread = threading.Thread(target=delete)
    thread.start()
    assert main(["demo", "--headless", "--seconds=3", f"--record={tmp_path}", *PORTS]) == 1
    thread.join()
    assert "was deleted or moved" in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("overflow", ["drop", "stop"])
def test_a_slow_disk_gives_a_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], overflow: str
) -> None:
    append = PageWriter.append

    def slow(self: PageWriter, frame: Any) -> tuple[str, int]:
        time.sleep(0.3)
        return append(self, frame)

    monkeypatch.setattr(PageWriter, "append", slow)
    settings = [f"--set={each}" for each in ("record.queue_mb=1", f"record.overflow={overflow}")]
    assert main(["demo", "--headless", "--seconds=2", f"--record={tmp_path}", *settings, *PORTS]) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert "frames are not recorded: the disk is too slow" in last
    session = read_session(next(tmp_path.iterdir()))
    assert session.discrepancies() == []
    assert session.problem in last
    assert session.tracked().num_rows == session.info["tracked_frames_offered"] > 0
    assert main(["track", str(session.folder), "-o", str(tmp_path / "tracks.csv")]) == 0
    assert "the disk is too slow" in capfd.readouterr().err.splitlines()[-1]
    pages = session.received()["page"].to_pylist()
    if overflow == "stop":  # at once, for good
        first = pages.index(None)
        assert not any(page is not None for page in pages[first:])


@pytest.mark.parametrize("reserve_mb", [20, 0])
def test_the_last_space_of_a_disk_is_kept_for_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserve_mb: int
) -> None:
    pixels = frame_of(0, Geometry(500, 500))
    usage = shutil.disk_usage(tmp_path)
    free = [reserve_mb * 1_000_000 + 5 * pixels.pixels.nbytes]

    def nearly_full(_: Path) -> Any:
        return usage._replace(total=10**9, free=free[0])

    monkeypatch.setattr(disk_space.shutil, "disk_usage", nearly_full)
    recorder = Recorder(tmp_path, queue_s=60.0, reserve_mb=reserve_mb)
    for _ in range(8):
        recorder.offer_frame(pixels)
        free[0] = reserve_mb * 1_000_000
    wait_for(lambda: recorder.status().dropped == 3)
    recorder.close()
    assert recorder.status().frames == 5
    end = "is almost full, and the rest is kept for the tables" if reserve_mb else "is full"
    assert recorder.message == f"3 of 8 frames are not recorded: the disk of {recorder.folder} {end}"
    assert read_session(recorder.folder).received().num_rows == 8


def test_the_time_until_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, usage = [100.0], shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk_space.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: usage._replace(total=10**12, free=7 * 10**9))
    space = disk_space.DiskSpace(tmp_path, 10**9)
    for second in range(20):
        now[0] = 100.0 + second
        space.update(second * 10**8)
    assert space.seconds_left == pytest.approx(60.0)


@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2", "<i2", "<u4", "<f4", ">f8"])
def test_pixels_of_any_type_are_read_back(tmp_path: Path, kind: str) -> None:
    frame = replace(frame_of(0), pixels=np.arange(12, dtype=kind).reshape(4, 3)[:, ::2])
    pages = PageWriter(tmp_path, 10**9, AppendFile.close)
    pages.append(frame)
    pages.append(frame)
    pages.close()
    with tifffile.TiffFile(tmp_path / "frames_0000.tif") as file:
        assert file.is_bigtiff
        assert [page.asarray().tolist() for page in file.pages] == [frame.pixels.tolist()] * 2
        tags = file.pages.first.tags
        assert (tags["ResolutionUnit"].value, tags["XResolution"].value) == (3, (80_000 * 10_000, 10_000))


def test_the_counts_of_a_session_add_up_at_any_moment_and_at_its_end(tmp_path: Path) -> None:
    with Engine(load_config(None, [*SMALL, f"record.folder={str(tmp_path)!r}", "record.queue_mb=1"])) as engine:
        stop, ended = threading.Event(), []
        thread = threading.Thread(target=lambda: ended.append(engine.run(stop=stop)))
        thread.start()
        while engine.status().tracked < 50:
            assert accounting_errors(engine.status()) == []
        stop.set()
        thread.join()
        assert accounting_errors(ended[0]) == []
    (recording,) = engine.recordings
    assert recording.offered == ended[0].received == recording.frames + recording.dropped
    assert recording.rows_offered == ended[0].tracked == recording.rows_written + recording.rows_dropped
    wrong = msgspec.structs.replace(
        ended[0],
        skipped=ended[0].skipped - 1,
        recording=msgspec.structs.replace(recording, dropped=recording.dropped + 1, rows_dropped=1),
    )
    assert [line.split(",")[1] for line in accounting_errors(wrong)] == [
        f" but {recording.offered - 1} tracked or skipped",
        f" but {recording.offered + 1} written or dropped",
        f" but {recording.rows_offered + 1} written or dropped",
    ]
