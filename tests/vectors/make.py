"""Writes the messages of this folder and their contents: `python tests/vectors/make.py`, after a change of the format.

`docs/wire.md` describes the files. `expected.json` is written from the values below, not from the output of a decoder.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from livetrack.camera import Geometry
from livetrack.particles import Flag, empty_rows
from livetrack.wire import (
    HEADER,
    EventMessage,
    Latency,
    PositionsEncoder,
    Preview,
    RecordingStatus,
    Status,
    commands,
    encode_event,
    encode_preview,
    encode_status,
)
from livetrack.wire.events import CameraEvent, Event, GeometryEvent, LogEvent, TargetEvent, TracksEvent

FOLDER = Path(__file__).parent

FRAME = {
    "frame": 12, "camera_number": 34, "t_s": 0.25, "t_exposed_ns": 900, "t_received_ns": 1000, "t_started_ns": 2000,
    "t_localized_ns": 3000, "t_linked_ns": 4000, "t_published_ns": 5000, "wall_ns": 1_700_000_000_000_000_000,
    "skipped": 7, "lost": 8, "geometry": 9, "width": 512, "height": 256, "x_origin": -10, "y_origin": 20,
    "binning": 2, "pixel_size_um": 0.125, "target": 2**40 + 1,
}  # fmt: skip
UNKNOWN = {"camera_number": -1, "t_exposed_ns": -1, "pixel_size_um": float("nan"), "target": -1}
ROWS = [
    {"id": 3, "x": 10.5, "y": 20.25, "x_std": 0.125, "y_std": 0.25, "xy_cov": -0.015625, "intensity": -150.0,
     "score": 0.875, "angle": 1.5, "vx": 2.0, "vy": -4.0, "flags": int(Flag.NEW | Flag.TENTATIVE)},
    {"id": 2**40 + 1, "x": 511.0, "y": 0.0, "x_std": 0.5, "y_std": 0.5, "xy_cov": 0.0, "intensity": 99.5,
     "score": 1.0, "angle": 0.0, "vx": 0.0, "vy": 0.0, "flags": int(Flag.EDGE | Flag.COASTED)},
]  # fmt: skip
PIXELS = np.arange(35, dtype=np.uint16).reshape(5, 7) * 1000
EVENTS: dict[str, Event] = {
    "tracks": TracksEvent(frame=12, t_s=0.25, born=[3, 4], ended=[1]),
    "geometry": GeometryEvent(frame=12, number=9, geometry=Geometry(512, 256, -10, 20, 2, 0.125)),
    "target": TargetEvent(particle=None),
    "camera": CameraEvent(state="stalled", message="the camera has sent no frame for 2.1 s"),
    "log": LogEvent(level="WARNING", logger="livetrack_drivers.movie", text='µm and "quotes"'),
}
STATUS = Status(
    session=2**53 - 1, state="running", message="", camera="simulated", model="spot", provider="CPU",
    preview_address="tcp://127.0.0.1:5556", uptime_s=1.5, camera_fps=100.0, tracked_fps=99.5, received=150,
    tracked=149, skipped=1, lost=0, particles=2, target=3, command_address="tcp://127.0.0.1:5557",
    latency_us={"total": Latency(p50=1.0, p90=2.0, p99=3.0, p999=4.0, max=5.0)},
    recording=RecordingStatus(folder="2026-01-31_12-00-00", seconds=1.0, frames=100, dropped=0, bytes=12345),
)  # fmt: skip
REQUESTS = [
    (commands.Hello(id=1, t_client_ns=77), {"command": "hello", "id": 1, "t_client_ns": 77}),
    (commands.SetThreshold(id=2, threshold=0.75), {"command": "set_threshold", "id": 2, "threshold": 0.75}),
    (commands.SetRoi(id=3, x=8, y=16, width=64, height=32),
     {"command": "set_roi", "id": 3, "x": 8, "y": 16, "width": 64, "height": 32}),
    (commands.ChooseTarget(id=4, x=10.5, y=20.25), {"command": "choose_target", "id": 4, "x": 10.5, "y": 20.25}),
    (commands.MoveTo(id=5, actuator="stage", position=(1.5, -2.0)),
     {"command": "move_to", "id": 5, "actuator": "stage", "position": [1.5, -2.0]}),
    (commands.MoveBy(id=6, actuator="stage", step=(1.5, -2.0), geometry=9, session=77),
     {"command": "move_by", "id": 6, "actuator": "stage", "step": [1.5, -2.0], "geometry": 9, "session": 77}),
    (commands.MoveBy(id=7, actuator="stage", step=(1.5, -2.0), geometry=None),
     {"command": "move_by", "id": 7, "actuator": "stage", "step": [1.5, -2.0], "geometry": None}),
    (commands.SetPreset(id=8, group="Channel", preset="DAPI"),
     {"command": "set_preset", "id": 8, "group": "Channel", "preset": "DAPI"}),
    (commands.ReloadDevices(id=10, confirm=True), {"command": "reload_devices", "id": 10, "confirm": True}),
    (commands.Halt(id=6), {"command": "halt", "id": 6}),
    (commands.AllowMoves(id=7), {"command": "allow_moves", "id": 7}),
]  # fmt: skip


def messages() -> dict[str, bytes]:
    """Return the messages by file name."""
    made = {f"event-{name}.bin": _event(seq, event) for seq, (name, event) in enumerate(EVENTS.items())}
    encoder = PositionsEncoder(session=77)
    made["positions.bin"] = bytes(encoder.encode(_rows(ROWS), **FRAME))
    made["positions-none.bin"] = bytes(encoder.encode(empty_rows(), **FRAME | UNKNOWN))
    made["positions-later.bin"] = _from_later_version(made["positions.bin"])
    small = (PIXELS >> 8).astype(np.uint8)
    made["preview.bin"] = bytes(encode_preview(Preview(77, 12, 2, small, offset=100.0, scale=0.5)))
    made["whole.bin"] = bytes(encode_preview(Preview(77, 12, 1, PIXELS), full_resolution=True))
    made["heartbeat.bin"] = encode_status(STATUS)
    return made


def expected() -> dict[str, Any]:
    """Return their contents by file name."""
    header = {"version": 1, "header_size": HEADER.itemsize, "row_size": 56, "session": 77, "reserved": 0}
    header |= {"reserved_2": 0}
    contents = {
        "positions.bin": {"header": header | FRAME | {"seq": 0, "row_count": 2}, "rows": ROWS},
        "positions-none.bin": {"header": header | FRAME | UNKNOWN | {"seq": 1, "row_count": 0}, "rows": []},
        "positions-later.bin": {
            "header": header | FRAME | {"seq": 0, "row_count": 2, "row_size": 64, "header_size": HEADER.itemsize + 16},
            "rows": ROWS,
        },
        "preview.bin": {"frame": 12, "step": 2, "picture": (100 + 0.5 * (PIXELS >> 8)).tolist()},
        "whole.bin": {"frame": 12, "step": 1, "picture": PIXELS.astype(float).tolist()},
        "heartbeat.bin": {
            "session": 2**53 - 1, "state": "running", "particles": 2, "target": 3, "received": 150,
            "command_address": "tcp://127.0.0.1:5557", "wire_version": 1,
        },
    }  # fmt: skip
    kinds: dict[str, dict[str, Any]] = {
        "tracks": {"frame": 12, "t_s": 0.25, "born": [3, 4], "ended": [1], "anew": False},
        "geometry": {"frame": 12, "number": 9, "geometry": {
            "width": 512, "height": 256, "x_origin": -10, "y_origin": 20, "binning": 2, "pixel_size_um": 0.125}},
        "target": {"particle": None},
        "camera": {"state": "stalled", "message": "the camera has sent no frame for 2.1 s"},
        "log": {"level": "WARNING", "logger": "livetrack_drivers.movie", "text": "µm and \"quotes\""},
    }  # fmt: skip
    for seq, (name, fields) in enumerate(kinds.items()):
        event = {"kind": name, **fields}
        contents[f"event-{name}.bin"] = {"session": 77, "seq": seq, "t_ns": 5000, "wall_ns": 6000, "event": event}
    return contents


def _rows(values: list[dict[str, Any]]) -> Any:
    rows = empty_rows(len(values))
    for row, value in zip(rows, values, strict=True):
        for name, number in value.items():
            row[name] = number
    return rows


def _event(seq: int, event: Event) -> bytes:
    return encode_event(EventMessage(session=77, seq=seq, t_ns=5000, wall_ns=6000, event=event))


def _from_later_version(message: bytes) -> bytes:
    """Return the message as a later version might send it, with fields appended."""
    start = 8 + HEADER.itemsize
    rows = [message[start + 56 * k : start + 56 * (k + 1)] + b"\1" * 8 for k in range(2)]
    header = bytearray(message[8:start]) + b"\2" * 16
    struct.pack_into("<2H", header, 2, HEADER.itemsize + 16, 64)
    return message[:8] + bytes(header) + b"".join(rows)


if __name__ == "__main__":
    for name, message in messages().items():
        (FOLDER / name).write_bytes(message)
    requests = "".join(json.dumps(fields) + "\n" for _, fields in REQUESTS)
    (FOLDER / "requests.jsonl").write_text(requests, encoding="utf-8")
    text = json.dumps(expected(), indent=1, ensure_ascii=False)
    (FOLDER / "expected.json").write_text(text + "\n", encoding="utf-8")
