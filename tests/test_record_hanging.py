"""Recordings whose disk is slow to respond or does not respond at all: nothing waits for it for ever."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_record import frame_of, rows_of, wait_for

from livetrack.record import Recorder, health, read_session, recorder
from livetrack.wire import RecordingStatus

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows does not delete open files")


class HangingDisk:
    """Holds up some of the calls to the disk until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hangs = threading.Event()
        """Whether calls hang."""
        self.held = 0
        self.most_syncs = self._syncs = 0
        self._free = threading.Event()
        self._of_pixels, self._of_tables, self._sync = False, False, False
        self._lock = threading.Lock()
        write, fsync = os.write, os.fsync

        def held_write(handle: int, data: Any) -> int:
            if self._holds(handle):
                self._wait()
            return write(handle, data)

        def held_fsync(handle: int) -> None:
            with self._lock:
                self._syncs += 1
                self.most_syncs = max(self._syncs, self.most_syncs)
            if self._sync:
                self._wait()
            fsync(handle)
            with self._lock:
                self._syncs -= 1

        monkeypatch.setattr(os, "write", held_write)
        monkeypatch.setattr(os, "fsync", held_fsync)

    def hold(self, *, pixels: bool = False, tables: bool = False, sync: bool = False) -> None:
        self._of_pixels, self._of_tables, self._sync = pixels, tables, sync

    def let_go(self) -> None:
        self.hold()
        self._free.set()

    def _holds(self, handle: int) -> bool:
        if not (self._of_pixels or self._of_tables):
            return False
        name = threading.current_thread().name
        return (self._of_pixels and "pixels" in name) or (self._of_tables and ("tables" in name or "end" in name))

    def _wait(self) -> None:
        self.held += 1
        assert self._free.wait(60)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingDisk]:
    disk = HangingDisk(monkeypatch)
    monkeypatch.setattr(health, "_SILENT_S", 0.1)
    monkeypatch.setattr(recorder, "_GIVE_UP_S", 1.0)
    monkeypatch.setattr(recorder, "_INTERRUPTED_S", 1.0)
    yield disk
    disk.let_go()
    wait_for(lambda: not any(thread.name.startswith("livetrack-recorder") for thread in threading.enumerate()))


def offer(recording: Recorder, numbers: range, pause_s: float = 0.0) -> None:
    for index in numbers:
        recording.offer_frame(frame_of(index))
        recording.offer_rows(frame_of(index), rows_of(index))
        time.sleep(pause_s)


def check_counts(status: RecordingStatus, frames: int) -> None:
    assert status.offered == status.frames + status.dropped == frames
    assert status.rows_offered == status.rows_written + status.rows_dropped == frames


def test_a_sync_that_never_returns_holds_up_neither_the_frames_nor_the_end(tmp_path: Path, disk: HangingDisk) -> None:
    recording = Recorder(tmp_path, queue_s=60.0)
    offer(recording, range(3))
    disk.hold(sync=True)
    offer(recording, range(3, 6))
    wait_for(lambda: disk.held)
    offer(recording, range(6, 9))
    wait_for(lambda: (recording.status().frames, recording.status().rows_written) == (9, 9))
    wait_for(lambda: "has not responded for" in recording.message)
    assert disk.most_syncs == 1
    start = time.monotonic()
    recording.close()
    assert time.monotonic() - start < 10
    status = recording.status()
    check_counts(status, 9)
    assert status.frames == status.rows_written == 9
    assert status.problem.endswith("has not responded for 1 s; the last files may be incomplete")
    disk.let_go()


@pytest.mark.parametrize("which", ["pixels", "tables"])
def test_a_write_that_never_returns_holds_up_neither_the_others_nor_the_end(
    tmp_path: Path, disk: HangingDisk, which: str
) -> None:
    recording = Recorder(tmp_path, queue_s=0.2)
    offer(recording, range(3))
    wait_for(lambda: recording.status().rows_written == recording.status().frames == 3)
    disk.hold(**{which: True})
    offer(recording, range(3, 9), pause_s=0.1)
    if which == "pixels":
        wait_for(lambda: recording.status().rows_written == 9)
    else:
        wait_for(lambda: recording.status().frames == 9)
    recording.close()
    status = recording.status()
    check_counts(status, 9)
    assert status.problem.endswith("has not responded for 1 s; what waited for it is not recorded")
    if which == "pixels":
        assert (status.frames, status.rows_written) == (3, 9)
    else:
        assert (status.frames, status.rows_written) == (9, 3)
    disk.let_go()
    wait_for(lambda: not recording._tables.is_alive())
    late = recording.status()  # what comes back late changes nothing
    assert (late.frames, late.dropped, late.rows_written, late.rows_dropped) == (
        status.frames, status.dropped, status.rows_written, status.rows_dropped
    )  # fmt: skip
    session = read_session(recording.folder)
    assert len(list(session.frames())) >= status.frames
    assert session.tracked().num_rows >= status.rows_written


def test_a_sync_that_fails_is_reported_and_the_recording_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recorder(tmp_path, queue_s=60.0)
    offer(recording, range(3))
    wait_for(lambda: recording.status().rows_written == 3)

    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        offer(recording, range(3, 6))
        wait_for(lambda: "may be incomplete" in recording.message)
    offer(recording, range(6, 9))
    recording.close()
    status = recording.status()
    check_counts(status, 9)
    assert status.rows_written == 9
    assert "may be incomplete" in status.loss
    assert read_session(recording.folder).discrepancies() == []


@pytest.mark.parametrize("slow", [False, True])
def test_the_counts_add_up_at_any_moment_in_any_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    count, write = 400, os.write

    def slow_write(handle: int, data: Any) -> int:
        time.sleep(0.005)
        return write(handle, data)

    if slow:
        monkeypatch.setattr(os, "write", slow_write)
    recording = Recorder(tmp_path, queue_s=0.02 if slow else 60.0)
    thread = threading.Thread(target=offer, args=(recording, range(count), 0.001))
    thread.start()
    looks = 0
    while thread.is_alive():
        frames, tracked = recording._frames.counts, recording._tracked.counts
        assert frames.offered == frames.written + frames.dropped + frames.waiting
        assert tracked.offered == tracked.written + tracked.dropped + tracked.waiting
        status = recording.status()
        assert status.frames + status.dropped <= status.offered
        assert status.rows_written + status.rows_dropped <= status.rows_offered
        looks += 1
    assert looks > 10
    recording.close()
    check_counts(recording.status(), count)
    assert recording._frames.counts.waiting == recording._tracked.counts.waiting == 0
    assert bool(recording.status().dropped) == slow
    assert read_session(recording.folder).discrepancies() == []


def test_no_frame_waits_longer_than_the_setting(tmp_path: Path, disk: HangingDisk) -> None:
    recording = Recorder(tmp_path, queue_s=0.3)
    disk.hold(pixels=True)
    offer(recording, range(1))
    wait_for(lambda: disk.held)
    offer(recording, range(1, 4))
    start = time.monotonic()
    wait_for(lambda: read_session(recording.folder).received().num_rows == 3)  # no frame comes that could push them out
    assert time.monotonic() - start >= 0.2
    assert recording.status().dropped == 3
    disk.let_go()
    recording.close()
    assert recording.loss == "3 of 4 frames are not recorded: the disk is too slow"


@POSIX
def test_an_earlier_file_that_is_deleted_alone_is_noticed_and_the_recording_goes_on(tmp_path: Path) -> None:
    recording = Recorder(tmp_path, queue_s=60.0, file_mb=0)
    offer(recording, range(3))
    wait_for(lambda: recording.status().frames == 3)
    (recording.folder / "frames_0001.tif").unlink()
    start = time.monotonic()
    wait_for(lambda: "frames_0001.tif" in recording.loss)
    assert time.monotonic() - start < 5  # four looks a second, on a machine that does other things
    offer(recording, range(3, 5))
    recording.close()
    status = recording.status()
    check_counts(status, 5)
    assert (status.frames, status.rows_written) == (4, 5)
    assert status.loss == (
        f"1 of 5 frames are not recorded: frames_0001.tif in {recording.folder} was deleted or moved"
    )
    assert [frame.index for frame in read_session(recording.folder).frames()] == [0, 2, 3, 4]
