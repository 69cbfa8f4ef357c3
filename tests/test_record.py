"""Recordings: everything offered is written, even after a kill, a full disk or a change of geometry."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import waiting

from livetrack.camera import Frame, Geometry
from livetrack.errors import InputError, UsageError
from livetrack.particles import ROW, Rows, empty_rows
from livetrack.record import Recorder, read_session
from livetrack.record.append_file import AppendFile
from livetrack.record.pages import PageWriter, page_files, read_pages

GEOMETRY = Geometry(40, 24, x_origin=8, y_origin=16, binning=2, pixel_size_um=0.125)


def frame_of(index: int, geometry: Geometry = GEOMETRY, geometry_number: int = 0) -> Frame:
    rng = np.random.default_rng(index)
    pixels = rng.integers(0, 65536, (geometry.height, geometry.width), dtype=np.uint16)
    return Frame(
        pixels=pixels,
        index=index,
        number=None if index % 3 == 0 else 100 + index,
        t_received_ns=10**12 + index,
        t_exposed_ns=None if index % 2 else 10**12 + index - 500,
        t_s=index / 200,
        geometry=geometry,
        geometry_number=geometry_number,
    )


def rows_of(index: int) -> Rows:
    rows = empty_rows(index % 4)  # every fourth frame has none
    rows["id"] = np.arange(len(rows)) + index
    rows["x"] = np.arange(len(rows)) + 0.25 * index
    rows["flags"] = index
    return rows


def same(one: Frame, other: Frame) -> bool:
    without = npt.NDArray
    return np.array_equal(one.pixels, other.pixels) and replace(one, pixels=without) == replace(other, pixels=without)


wait_for = partial(waiting.wait_for, timeout_s=10.0)


def test_everything_offered_is_read_back(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, queue_s=60.0, settings={"linker": {"memory": 2}})
    buffer = np.zeros(8, ROW)
    for index in range(50):
        recorder.offer_frame(frame_of(index))
        if index % 5 != 4:  # the others were skipped by the tracker
            rows = buffer[: index % 4]
            rows[:] = rows_of(index)
            recorder.offer_rows(frame_of(index), rows)
            buffer["x"] = -1  # the loop uses its buffer again
    recorder.close()
    status = recorder.status()
    assert (status.frames, status.dropped, status.rows_dropped, status.problem) == (50, 0, 0, "")

    session = read_session(recorder.folder)
    assert session.closed
    assert session.info["settings"] == {"linker": {"memory": 2}}
    frames = list(session.frames())
    assert len(frames) == 50
    assert all(same(frame, frame_of(index)) for index, frame in enumerate(frames))

    tracked = [index for index in range(50) if index % 5 != 4]
    assert session.tracked()["frame"].to_pylist() == tracked
    assert session.tracked()["particles"].to_pylist() == [index % 4 for index in tracked]
    table = session.trajectories()
    expected = np.concatenate([rows_of(index) for index in tracked])
    for name in ROW.names or ():
        np.testing.assert_array_equal(table["particle" if name == "id" else name].to_numpy(), expected[name])
    repeated = np.repeat(tracked, [index % 4 for index in tracked])
    assert table["frame"].to_pylist() == repeated.tolist()
    assert table["camera_number"].to_pylist() == [frame_of(index).number for index in repeated]
    assert table.schema.field("x").metadata == {b"unit": b"px"}
    assert table.schema.metadata[b"pixel_size_um"] == b"0.125"

    received = session.received()
    assert received["frame"].to_pylist() == list(range(50))
    assert received["page"].to_pylist() == list(range(50))
    assert set(received["file"].to_pylist()) == {"frames_0000.tif"}
    assert received["t_exposed_ns"].to_pylist() == [frame_of(index).t_exposed_ns for index in range(50)]
    assert received["x_origin"].to_pylist() == [8] * 50


def test_a_late_first_frame_still_gives_the_pixel_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.record.recorder._FLUSH_S", 0.01)
    recorder = Recorder(tmp_path, queue_s=60.0)
    time.sleep(0.1)
    recorder.offer_frame(frame_of(0))
    recorder.close()
    assert read_session(recorder.folder).trajectories().schema.metadata[b"pixel_size_um"] == b"0.125"


def test_a_change_of_geometry_and_a_full_file_start_a_new_file(tmp_path: Path) -> None:
    small = Geometry(16, 8)
    frames = [
        frame_of(0),
        frame_of(1, small, 1),
        frame_of(2, small, 1),
        *(frame_of(n, GEOMETRY, 2) for n in range(3, 9)),
    ]
    pages = PageWriter(tmp_path, 4 * GEOMETRY.width * GEOMETRY.height, AppendFile.close)
    for frame in frames:
        pages.append(frame)
    pages.close()
    files = [list(read_pages(path)) for path in page_files(tmp_path)]
    assert [len(file) for file in files] == [1, 2, 2, 2, 2]
    assert all(same(one, other) for one, other in zip(frames, chain(*files), strict=True))


def test_frames_that_a_slow_disk_cannot_take_are_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    append = PageWriter.append

    def slow(self: PageWriter, frame: Frame) -> tuple[str, int]:
        assert disk.wait(10)
        return append(self, frame)

    monkeypatch.setattr(PageWriter, "append", slow)
    recorder = Recorder(tmp_path, queue_mb=1)
    big = Geometry(500, 500)  # half a MB: one of them is being written, another may wait
    for index in range(10):
        recorder.offer_frame(frame_of(index, big))
        recorder.offer_rows(frame_of(index, big), rows_of(index))
        wait_for(lambda: recorder._frames.in_hand_s)
    assert recorder.status().dropped == 8
    wait_for(lambda: read_session(recorder.folder).received().num_rows == 8)  # although the disk is held up
    disk.set()
    recorder.close()
    session = read_session(recorder.folder)
    assert [frame.index for frame in session.frames()] == [0, 9]
    assert session.received()["frame"].to_pylist() == list(range(10))
    assert session.received()["page"].to_pylist() == [0] + [None] * 8 + [1]
    assert session.tracked().num_rows == 10
    assert session.info["frames_dropped"] == 8


def test_without_frames_the_tables_are_complete(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, frames=False)
    for index in range(5):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
    recorder.close()
    assert recorder.status().dropped == 0
    session = read_session(recorder.folder)
    assert not list(session.frames())
    assert session.received()["frame"].to_pylist() == list(range(5))
    assert session.trajectories().num_rows == 0 + 1 + 2 + 3 + 0


WRITER = """
import sys, time
from tests_frames import frame_of, rows_of
from livetrack.record import Recorder

recorder = Recorder(sys.argv[1], settings="kill me")
start = time.perf_counter()
for index in range(100000):
    recorder.offer_frame(frame_of(index))
    recorder.offer_rows(frame_of(index), rows_of(index))
    print(index, round(time.perf_counter() - start, 3), flush=True)
    time.sleep(0.005)
"""


def test_a_killed_process_loses_at_most_its_last_second(tmp_path: Path) -> None:
    """A real process, killed while it records."""
    helpers = tmp_path / "tests_frames.py"
    helpers.write_text(f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_record import *\n")
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line.split())
        if float(printed[-1][1]) > 2.5:
            break
    process.kill()
    printed += [line.split() for line in process.stdout.read().splitlines() if len(line.split()) == 2]
    process.wait()
    process.stdout.close()
    times = np.array([float(t) for _, t in printed])
    must_have = int((times < times[-1] - 1.0).sum())
    assert must_have > 50

    (folder,) = (tmp_path / "out").iterdir()
    session = read_session(folder)
    assert not session.closed
    assert session.info["settings"] == "kill me"
    frames = list(session.frames())
    assert len(frames) >= must_have
    assert all(same(frame, frame_of(index)) for index, frame in enumerate(frames))
    for table in (session.received(), session.tracked()):
        numbers = table["frame"].to_pylist()
        assert len(numbers) >= must_have
        assert numbers == list(range(len(numbers)))
    table = session.trajectories()
    expected = np.concatenate([rows_of(index) for index in range(int(table["frame"][-1].as_py()) + 1)])
    np.testing.assert_array_equal(table["x"].to_numpy(), expected["x"][: table.num_rows])
    assert table.num_rows >= sum(index % 4 for index in range(must_have))


def test_files_truncated_anywhere_give_all_complete_entries(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, queue_s=60.0)
    for index in range(4):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
        count = index + 1
        wait_for(lambda count=count: recorder.status().frames == count)
    recorder.close()
    session = read_session(recorder.folder)
    tiff = recorder.folder / "frames_0000.tif"
    whole = tiff.read_bytes()
    counts = []
    for size in [*range(0, len(whole), 97), len(whole)]:
        tiff.write_bytes(whole[:size])
        frames = list(session.frames())
        assert all(same(frame, frame_of(index)) for index, frame in enumerate(frames))
        counts.append(len(frames))
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3, 4}
    stream = recorder.folder / "tracked.arrow"
    whole = stream.read_bytes()
    rows = []
    for size in range(0, len(whole) + 1, 8):
        stream.write_bytes(whole[:size])
        rows.append(session.tracked().num_rows)
    assert rows == sorted(rows)
    assert (rows[0], rows[-1]) == (0, 4)
    stream.unlink()
    assert session.tracked().num_rows == 0


SHORT = """
from test_record import frame_of, rows_of
from livetrack.record import Recorder

recorder = Recorder(sys.argv[1], queue_s=60.0)
for index in range(3):
    recorder.offer_frame(frame_of(index))
    recorder.offer_rows(frame_of(index), rows_of(index))
recorder.close()
print(recorder.status().frames, recorder.status().rows_written, "pandas" in sys.modules)
"""


FULL_DISK = """
import resource, sys, time
from tests_frames import frame_of, rows_of
from livetrack.camera import Geometry
from livetrack.record import Recorder

recorder = Recorder(sys.argv[1], queue_s=60.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
for index in range(6):
    recorder.offer_frame(frame_of(index, Geometry(400, 400)))
    recorder.offer_rows(frame_of(index), rows_of(index))
while not recorder.message:
    time.sleep(0.01)
recorder.offer_frame(frame_of(6))
recorder.offer_rows(frame_of(6), rows_of(6))
recorder.close()
status = recorder.status()
print(status.frames, status.dropped, status.rows_dropped, recorder.message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a process's files")
def test_pixels_stop_and_tables_go_on_when_writing_fails(tmp_path: Path) -> None:
    """A real error of the operating system: files may not grow beyond 1 MB, three frames of 0.32 MB fit."""
    helpers = tmp_path / "tests_frames.py"
    helpers.write_text(f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_record import *\n")
    out = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "out")], capture_output=True, text=True, cwd=tmp_path
    )
    assert out.returncode == 0, out.stderr
    assert re.match(r"3 4 0 4 of 7 frames are not recorded: .* \([\d.]+ GB free on the disk of ", out.stdout)
    assert "Traceback" not in out.stderr
    (folder,) = (tmp_path / "out").iterdir()
    session = read_session(folder)
    assert [frame.index for frame in session.frames()] == [0, 1, 2]
    assert session.info["problem"].startswith("4 of 7 frames are not recorded")
    assert session.tracked()["frame"].to_pylist() == list(range(7))
    assert not session.discrepancies()


def test_ctrl_c_while_closing_discards_the_queue_and_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = PageWriter.append

    def slow(self: PageWriter, frame: Frame) -> tuple[str, int]:
        time.sleep(0.05)
        return append(self, frame)

    monkeypatch.setattr(PageWriter, "append", slow)
    recorder = Recorder(tmp_path, queue_s=60.0)
    for index in range(100):
        recorder.offer_frame(frame_of(index))
    left = []

    def progress(size: int) -> None:
        left.append(size)
        if len(left) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recorder.close(progress)
    assert left == sorted(left, reverse=True)
    assert left[0] > left[-1] > 0
    status = recorder.status()
    assert "discarded" in status.problem
    assert 0 < status.frames < 100
    assert status.frames + status.dropped == 100
    session = read_session(recorder.folder)
    assert session.closed
    assert len(list(session.frames())) == status.frames


def test_offers_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    """A sanity bound only: copying a frame or waiting for its write would take longer."""
    recorder = Recorder(tmp_path, queue_s=60.0)
    frame, rows = frame_of(0, Geometry(1024, 1024)), empty_rows(100)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        recorder.offer_frame(frame)
        recorder.offer_rows(frame, rows)
        times.append(time.perf_counter() - start)
    recorder.close()
    assert np.median(times) < 1e-3


def test_recording_does_not_load_pandas(tmp_path: Path) -> None:
    """Arrow would load it for the first batch, for up to a second in which a running session stutters."""
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{SHORT}"
    out = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["3", "3", "False"]


def test_every_recording_gets_its_own_folder(tmp_path: Path) -> None:
    recorders = [Recorder(tmp_path / "deep" / "er") for _ in range(3)]
    for recorder in recorders:
        recorder.close()
    assert len({recorder.folder for recorder in recorders}) == 3


def test_a_folder_name_that_is_not_utf8_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\\udcff': cannot record here: the folder name is not valid UTF-8"):
        Recorder(tmp_path / "rec\udcff")  # as Python reads the byte 0xff in a name on POSIX
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_created_is_rejected_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"cannot record here: .*; choose another folder") as caught:
        Recorder(tmp_path / "file" / "out")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError):
        Recorder(tmp_path / "file")


def test_a_folder_without_a_recording_is_rejected_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a recording: it contains no session\.json"):
        read_session(tmp_path)
    (tmp_path / "session.json").write_text("{")
    with pytest.raises(InputError, match=r"session\.json: cannot be read"):
        read_session(tmp_path)
