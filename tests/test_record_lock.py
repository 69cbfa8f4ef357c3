"""The lock of a recording's folder: held while somebody records, gone afterwards, and legible after a kill."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from test_record import frame_of, rows_of, wait_for

from livetrack.record import Recorder, lock
from livetrack.record.lock import is_being_recorded, read_last_sign


def test_a_folder_is_locked_from_start_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.record.recorder._FLUSH_S", 0.01)
    recorder = Recorder(tmp_path, queue_s=60.0)
    assert is_being_recorded(recorder.folder)
    for index in range(5):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
    wait_for(lambda: getattr(read_last_sign(recorder.folder), "rows_written", 0) == 5)
    sign = read_last_sign(recorder.folder)
    assert sign is not None
    assert (sign.offered, sign.frames, sign.dropped, sign.rows_offered) == (5, 5, 0, 5)
    recorder.close()
    assert not is_being_recorded(recorder.folder)
    assert not list(recorder.folder.glob("*.lock"))


KILLED = """
import sys
from pathlib import Path
from livetrack.record.lock import RecordingLock

lock = RecordingLock(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    assert is_being_recorded(tmp_path)
    process.kill()
    process.communicate()
    assert not is_being_recorded(tmp_path)
    assert (tmp_path / "recording.lock").exists()
    assert read_last_sign(tmp_path) is None  # it gave none


def test_without_locks_a_recent_sign_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(handle: int) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(lock, "_lock", unsupported)
    monkeypatch.setattr("livetrack.record.recorder._FLUSH_S", 0.01)
    recorder = Recorder(tmp_path, queue_s=60.0)
    recorder.offer_frame(frame_of(0))
    wait_for(lambda: is_being_recorded(recorder.folder))
    monkeypatch.setattr(lock, "_SILENT_S", 0.0)
    assert not is_being_recorded(recorder.folder)
    recorder.close()


@pytest.mark.parametrize("damage", [b"", b"\0" * 512, b"zzzzzzzz{}", b"00000000{}"])
def test_a_torn_sign_is_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "recording.lock").write_bytes(damage)
    assert read_last_sign(tmp_path) is None
    assert not is_being_recorded(tmp_path)
