"""Recordings whose files are torn, overwritten or altered: nothing of that is read as data, and all of it is listed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
import tifffile
from test_record import frame_of, rows_of, same

from livetrack.record import Recorder, Session, pages, read_session
from livetrack.record.arrow_record import read_sealed

COUNT = 6


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Six frames in one file, with two tracked frames per batch."""
    monkeypatch.setattr("livetrack.record.tracked_frames._BATCH_FRAMES", 2)
    recorder = Recorder(tmp_path, queue_s=60.0)
    for index in range(COUNT):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
    recorder.close()
    return read_session(recorder.folder)


def page_offsets(session: Session) -> list[int]:
    with tifffile.TiffFile(session.folder / "frames_0000.tif") as file:
        return [page.offset for page in file.pages]


def check_frames(session: Session, numbers: list[int]) -> None:
    frames = list(session.frames())
    assert [frame.index for frame in frames] == numbers
    assert all(same(frame, frame_of(frame.index)) for frame in frames)


def test_a_whole_session_has_no_damage_and_plain_readers_read_it(session: Session) -> None:
    assert session.damage() == []
    check_frames(session, list(range(COUNT)))
    with pa.ipc.open_stream(session.folder / "trajectories.arrow") as stream:
        assert repr(stream.read_all().to_pylist()) == repr(session.trajectories().to_pylist())  # with NaN
    with tifffile.TiffFile(session.folder / "frames_0000.tif") as file:
        assert np.array_equal(file.asarray(), [frame_of(index).pixels for index in range(COUNT)])


@pytest.mark.parametrize("content", [b"\0", b"\xff"])
def test_no_altered_byte_of_a_page_is_read_as_data(session: Session, content: bytes) -> None:
    path = session.folder / "frames_0000.tif"
    whole = path.read_bytes()
    start, end = page_offsets(session)[2:4]
    pixels = frame_of(2).pixels.nbytes
    for at in [*range(start, end - pixels, 3), *range(end - pixels, end, 97)]:
        changed = bytearray(whole)
        changed[at : at + 1] = content
        path.write_bytes(changed)
        found = session.damage()
        frames = [frame.index for frame in session.frames()]
        if changed == whole:
            assert not found
        elif frames == list(range(COUNT)):  # a tag for other programs, padding, or the link: nothing is lost
            check_frames(session, frames)
            assert sum(damage.lost or 0 for damage in found) == 0
        else:
            check_frames(session, [0, 1, 3, 4, 5])
            assert [(damage.file, damage.lost) for damage in found] == [(path.name, 1)]
            assert found[0].offset <= start < end - 8 <= found[0].offset + found[0].size


def test_zeros_in_place_of_pages_cost_these_pages_only(session: Session) -> None:
    path = session.folder / "frames_0000.tif"
    offsets = page_offsets(session)
    changed = bytearray(path.read_bytes())
    changed[offsets[1] : offsets[3]] = bytes(offsets[3] - offsets[1])
    changed[offsets[5] + 500 :] = bytes(len(changed) - offsets[5] - 500)
    path.write_bytes(changed)
    check_frames(session, [0, 3, 4])
    assert [damage.lost for damage in session.damage()] == [2, 1]
    assert str(session.damage()[0]).startswith(f"frames_0000.tif: bytes {offsets[1]} to {offsets[3]}: a page is torn")
    path.write_bytes(bytes(16) + changed[16:])  # the header of the file
    check_frames(session, [0, 3, 4])


def test_a_torn_last_page_is_no_frame(session: Session) -> None:
    path = session.folder / "frames_0000.tif"
    whole, last = path.read_bytes(), page_offsets(session)[-1]
    for size in range(last, len(whole), 53):
        path.write_bytes(whole[:size])
        check_frames(session, [0, 1, 2, 3, 4])
        path.write_bytes(whole[:size].ljust(len(whole), b"\0"))  # as some file systems do after a power cut
        check_frames(session, [0, 1, 2, 3, 4])
        assert [damage.lost for damage in session.damage()] == [1]


@pytest.mark.parametrize("name", ["frames", "tracked", "trajectories"])
def test_no_altered_byte_of_a_table_is_read_as_data(session: Session, name: str) -> None:
    path = session.folder / f"{name}.arrow"
    whole, tables = path.read_bytes(), {"frames": session.received, "tracked": session.tracked}
    read = tables.get(name, session.trajectories)
    table = read()
    keys = table.select([column for column in ("frame", "particle") if column in table.column_names]).to_pylist()
    rows = table.to_pylist()
    for at in range(0, len(whole) - 8, 41):
        changed = bytearray(whole)
        changed[at] ^= 0x10
        path.write_bytes(changed)
        (damage,) = session.damage()
        assert damage.file == path.name
        assert damage.offset <= at < damage.offset + damage.size
        left = read()
        where = [keys.index(row) for row in left.select(list(keys[0])).to_pylist()]
        assert repr(left.to_pylist()) == repr([rows[index] for index in where])
        if damage.offset + damage.size < len(whole) - 8:  # the next batch says how many rows there were before it
            assert damage.lost == table.num_rows - left.num_rows


def test_a_recording_without_checksums_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As earlier versions wrote them."""
    monkeypatch.setattr(pages, "_seal", lambda text, pixels: text)
    monkeypatch.setattr("livetrack.record.streams.seal", lambda message, rows: (bytes(message),))
    recorder = Recorder(tmp_path, queue_s=60.0)
    for index in range(COUNT):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), rows_of(index))
    recorder.close()
    session = read_session(recorder.folder)
    assert b"crc32" not in b"".join(path.read_bytes() for path in session.folder.glob("frames*"))
    check_frames(session, list(range(COUNT)))
    assert session.discrepancies() == session.damage() == []
    for path in (session.folder / "tracked.arrow", session.folder / "frames_0000.tif"):
        path.write_bytes(path.read_bytes()[:-20])
    assert [damage.lost for damage in session.damage()] == [1, None]
    check_frames(session, list(range(COUNT - 1)))


def test_a_recording_of_tifffile_is_read(tmp_path: Path) -> None:
    """As the first version wrote them."""
    with tifffile.TiffWriter(tmp_path / "frames_0000.tif", bigtiff=True) as file:
        for index in range(COUNT):
            label = msgspec.json.encode(pages._PageLabel.of(frame_of(index)))
            file.write(
                frame_of(index).pixels,
                photometric="minisblack",
                contiguous=False,
                metadata=None,
                software=False,
                description=label,
                resolution=(8e4, 8e4),
                resolutionunit="CENTIMETER",
            )
    session = Session(tmp_path, {})
    check_frames(session, list(range(COUNT)))
    assert session.damage() == []


def test_a_batch_that_was_cut_out_is_missed(session: Session) -> None:
    path = session.folder / "tracked.arrow"
    whole = path.read_bytes()
    ends = [0]
    while message := read_sealed(whole, ends[-1]):
        ends.append(message.end)
    _, _, second, third, _ = ends  # a schema, and three batches of two frames
    path.write_bytes(whole[:second] + whole[third:])
    (damage,) = session.damage()
    assert (damage.offset, damage.size, damage.lost) == (second, 0, 2)
    assert session.tracked()["frame"].to_pylist() == [0, 1, 4, 5]
