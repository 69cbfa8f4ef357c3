"""Recorded sessions, as `read_session` and the commands read them."""

from __future__ import annotations

import io
import random
import shutil
import struct
import zlib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import numpy as np

from livetrack.camera import Frame, Geometry
from livetrack.cli import main
from livetrack.errors import LivetrackError
from livetrack.particles import empty_rows
from livetrack.record import Recorder, pages, read_session, streams
from livetrack.record.arrow_record import read_sealed
from livetrack.record.inventory import take_inventory
from livetrack.record.recovery import recover

from .changes import change_bytes, change_text
from .target import Input

__all__ = ["SessionTarget"]

_COMMANDS = 8  # one of so many sessions is given to the commands, which take longer


class SessionTarget:
    """One file of a session is changed at a time, with checksums and without: pixels, a table or `session.json`."""

    watched = ("livetrack/record/",)

    def inputs(self, folder: Path) -> list[Input]:
        """Record a session as it is now, and as earlier versions did, which had no checksums; return their files."""
        sealed = _record(folder)
        with (
            mock.patch.object(pages, "_seal", lambda text, pixels: text),
            mock.patch.object(streams, "seal", lambda message, rows: (bytes(message),)),
        ):
            plain = _record(folder)
        self._whole = {each: {path.name: path.read_bytes() for path in each.iterdir()} for each in (sealed, plain)}
        return [
            Input(f"{each.name}/{name}", data) for each, files in self._whole.items() for name, data in files.items()
        ]

    def change(self, one: Input, rng: random.Random) -> bytes:
        """Change JSON as text; the others as bytes, mostly in the first kilobyte, half of them with right checksums."""
        if one.name.endswith("json"):
            return change_text(one.data, rng)
        if one.name.endswith("arrow") and rng.random() < 0.5:
            return _with_right_checksums(one.data, rng)
        return change_bytes(one.data, rng, tuple(range(0, min(1200, len(one.data)), 4)))

    def read(self, folder: Path, name: str) -> str:
        """Read everything, recover the session and read it again; the other files are whole."""
        path = folder / name
        shutil.rmtree(self._work(path), ignore_errors=True)
        work = self._work(path)
        work.mkdir()
        for other, data in self._whole[path.parent].items():
            (work / other).write_bytes(path.read_bytes() if other == path.name else data)
        try:
            differs = _read(work)
        except LivetrackError as error:
            lines, differs = str(error).splitlines(), True
            assert len(lines) == 1, lines
        if zlib.crc32(path.read_bytes()) % _COMMANDS:
            incomplete = not recover(take_inventory(work)).complete
        else:
            differs |= _command("check", str(work)) > 0
            incomplete = _command("recover", str(work)) > 0
        return "read with a word" if _read(work) or differs or incomplete else "read"

    def _work(self, path: Path) -> Path:
        return path.parents[1] / "work"


def _record(folder: Path) -> Path:
    recorder = Recorder(folder)
    geometry = Geometry(32, 24, pixel_size_um=0.1)
    rng = np.random.default_rng(0)
    for index in range(8):
        pixels = rng.integers(0, 4000, (24, 32)).astype(np.uint16)
        frame = Frame(pixels, index, index, 10**12 + index, None, index / 100, geometry, 0)
        recorder.offer_frame(frame)
        rows = empty_rows(2)
        rows["id"] = (1, 2)
        rows["x"] = index
        recorder.offer_rows(frame, rows)
    recorder.close()
    return recorder.folder


def _read(folder: Path) -> bool:
    """Read all of a session; return whether anything is reported to be missing."""
    session = read_session(folder)
    _ = session.problem, session.frames_written
    frames = [frame.index for frame in session.frames()]
    rows = [len(table.to_pylist()) for table in (session.received(), session.tracked(), session.trajectories())]
    damage = session.damage()
    assert all("\n" not in str(each) for each in damage), damage
    differences = session.discrepancies() if session.closed else ["not closed"]
    assert all("\n" not in line for line in differences), differences
    whole = len(frames) == 8 and rows == [8, 8, 16]
    return not whole or bool(differences) or bool(damage)


def _command(*arguments: str) -> int:
    """Run a command of livetrack; return its exit code."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        code = main(list(arguments))
    assert code in (0, 1, 2), code
    assert "Traceback" not in printed.getvalue(), printed.getvalue()
    return code


def _with_right_checksums(data: bytes, rng: random.Random) -> bytes:
    """Change one message of a sealed stream, and correct its checksum."""
    messages, at = [], 0
    while message := read_sealed(data, at):
        messages.append(message)
        at = message.end
    if not messages:
        return change_bytes(data, rng)
    chosen = rng.choice(messages)
    (size,) = struct.unpack("<i", chosen.content[4:8])
    head = change_bytes(chosen.content[8 : 8 + size - 32], rng, range(0, size - 48, 2)).ljust(size - 32, b"\0")
    head = chosen.content[:8] + head[: size - 32] + chosen.content[8 + size - 32 : 8 + size - 4]
    body = chosen.content[8 + size :]
    if body and rng.random() < 0.3:
        body = change_bytes(body, rng, range(0, len(body), 4))[: len(body)].ljust(len(body), b"\0")
    sealed = head + struct.pack("<I", zlib.crc32(body, zlib.crc32(head))) + body
    return data[: chosen.start] + sealed + data[chosen.end :]
