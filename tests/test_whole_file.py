"""Small files are written as a whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livetrack.camera import Geometry
from livetrack.curve_keys import generate_keys
from livetrack.devices import ActuatorCalibration
from livetrack.errors import CommandError, UsageError
from livetrack.linking import Linker
from livetrack.session.commands.calibration_store import CalibrationStore
from livetrack.whole_file import replacing, write_whole

HERE = Geometry(64, 48)


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_contents_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_whole(path, "µm\r\n")
    write_whole(path, b"new")
    write_whole(tmp_path / "other.txt", "µm\r\n")
    assert path.read_bytes() == b"new"
    assert (tmp_path / "other.txt").read_bytes() == "µm\r\n".encode()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file.txt", "other.txt"]


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_failing_call_leaves_the_earlier_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "file.txt"
    write_whole(path, "old")
    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_block_leaves_the_earlier_contents(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_whole(path, "old")

    def interrupted() -> None:
        with replacing(path) as unfinished:
            unfinished.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    (tmp_path / f"file.txt.{os.getpid()}.new").write_text("longer than the new contents")
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_permissions_links_and_pipes_are_respected(tmp_path: Path) -> None:
    private, shared, link, pipe = (tmp_path / name for name in ("private", "shared", "link", "pipe"))
    write_whole(private, "secret", private=True)
    assert private.stat().st_mode & 0o777 == 0o600
    write_whole(shared, "old")
    shared.chmod(0o664)
    link.symlink_to(shared)
    write_whole(link, "new")
    assert link.is_symlink()
    assert (shared.read_text(), shared.stat().st_mode & 0o777) == ("new", 0o664)
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, "through")
    reader.join(10)
    assert read == [b"through"]
    assert pipe.is_fifo()


def calibrations(folder: Path) -> None:
    store = CalibrationStore(str(folder / "calibrations.json"), "simulated")
    made = ActuatorCalibration(
        actuator="stage", unit="um", camera="simulated", matrix=((10.0, 0.0), (0.0, 10.0)),
        matrix_std=((0.1, 0.1), (0.1, 0.1)), delay_frames=1.0, delay_std_frames=0.1, interval_s=0.01, binning=1,
        pixel_size_um=0.1, made="2025-01-31",
    )  # fmt: skip
    store.store(made, HERE)


def linker(folder: Path) -> None:
    Linker(5.0).save(folder / "linker.npz")


@pytest.mark.parametrize("write", [calibrations, linker])
def test_a_full_disk_keeps_the_file_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    write(tmp_path)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()
    real_write = Path.write_bytes

    def half(self: Path, data: Any) -> int:
        real_write(self, bytes(data)[: len(data) // 2])
        full_disk()
        return 0

    monkeypatch.setattr(Path, "write_bytes", half)
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises((CommandError, UsageError), match="the disk is full"):
        write(tmp_path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    write(tmp_path)  # the next session starts
    assert list(tmp_path.iterdir()) == [path]


def test_keys_that_cannot_be_written_leave_nothing_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UsageError, match="the disk is full"):
        generate_keys(tmp_path / "keys")
    monkeypatch.undo()
    generate_keys(tmp_path / "keys")
    assert len(list((tmp_path / "keys").rglob("*.key*"))) == 4
