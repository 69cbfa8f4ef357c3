"""The wire format as documented in `docs/wire.md`: test vectors, and clients that do not import livetrack."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import zmq
from live_engine import running
from msgspec import structs, to_builtins

from livetrack.cli import main
from livetrack.cli.bridge import datagrams
from livetrack.client import Remote, Subscriber
from livetrack.particles import ROW, Flag
from livetrack.wire import HEADER, PREVIEW_HEADER, decode_event, decode_positions, decode_preview, decode_status
from livetrack.wire.commands import REQUESTS
from livetrack.wire.exchange import decode_request, encode

VECTORS = Path(__file__).parent / "vectors"
DOCS = Path(__file__).parents[1] / "docs"
BINARY = ("positions.bin", "positions-none.bin", "preview.bin", "whole.bin")
SMALL = [f"camera.simulated.{each}" for each in ("width=128", "height=96", "count=8", "exposure_ms=2")]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expected() -> dict[str, Any]:
    contents: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text(encoding="utf-8"))
    return contents


def matches(value: Any, expected: Any) -> bool:
    """Compare, with NaN equal to NaN and additional fields allowed."""
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(value, float) and math.isnan(value)
    if isinstance(expected, dict):
        return all(name in value and matches(value[name], field) for name, field in expected.items())
    if isinstance(expected, list):
        return len(value) == len(expected) and all(map(matches, value, expected))
    return bool(value == expected)


def by_livetrack(name: str) -> Any:
    message = (VECTORS / name).read_bytes()
    if name.startswith("positions"):
        header, rows = decode_positions(message)
        return {"header": header, "rows": [dict(zip(ROW.names, row.item(), strict=True)) for row in rows]}
    if name in ("preview.bin", "whole.bin"):
        preview = decode_preview(message)
        image = (preview.offset + preview.scale * preview.pixels).tolist()
        return {"frame": preview.frame, "step": preview.step, "picture": image}
    return to_builtins(decode_status(message) if name == "heartbeat.bin" else decode_event(message))


def by_plain_python(name: str) -> Any:
    """Decode in another Python process that cannot import livetrack."""
    program = (
        "import runpy, sys; sys.modules['livetrack'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", program, str(DOCS / "clients" / "plain.py"), str(VECTORS / name)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("name", sorted(expected()))
@pytest.mark.parametrize("decode", [by_livetrack, by_plain_python])
def test_vectors_decode_to_the_expected_values(decode: Any, name: str) -> None:
    decoded, contents = decode(name), expected()[name]
    assert matches(decoded, contents), (decoded, contents)


def test_encoders_produce_the_vectors() -> None:
    made = load(VECTORS / "make.py").messages()
    for name in BINARY:
        assert made[name] == (VECTORS / name).read_bytes(), f"{name}: a change of the format; see docs/wire.md"
    assert sorted(made) == sorted(expected())


def test_requests_produce_the_vectors() -> None:
    make = load(VECTORS / "make.py")
    lines = (VECTORS / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [fields for _, fields in make.REQUESTS]
    for line, (request, _) in zip(lines, make.REQUESTS, strict=True):
        assert decode_request(line.encode()) == request
        assert decode_request(encode(request)) == request


# the document


def test_the_document_lists_every_field_and_offset() -> None:
    text = (DOCS / "wire.md").read_text(encoding="utf-8")
    positions, previews = text.split("## Positions")[1].split("## Previews")
    header, rows = positions.split("rows follow at")
    for part, kind, start in ((header, HEADER, 8), (rows, ROW, 0), (previews.split("## Heart")[0], PREVIEW_HEADER, 8)):
        documented = {
            name: (int(offset), code)
            for offset, code, name in re.findall(r"^\| (\d+) \| ([a-z]\d+|8 bytes) \| (\w+) \|", part, re.MULTILINE)
            if name != "topic"
        }
        codes = {"S": lambda field: "8 bytes", "f": "f{}", "u": "u{}", "i": "i{}"}
        for name, (field, offset, *_) in kind.fields.items():
            code = "8 bytes" if field.kind == "S" else str(codes[field.kind]).format(8 * field.itemsize)
            assert documented.pop(name) == (start + offset, code), name
        assert not documented
    for flag in Flag:
        assert re.search(rf"\b{flag.value} [a-z]", rows), flag


def test_the_bridge_sends_the_documented_lines() -> None:
    header, rows = decode_positions((VECTORS / "positions.bin").read_bytes())
    many = np.tile(rows, 300)
    with Subscriber("tcp://127.0.0.1:1") as positions:  # never connects: what makes an update of a message
        update = positions._update((VECTORS / "positions.bin").read_bytes())
    (datagram,) = datagrams(update)
    assert datagram.decode().splitlines() == [
        f"12,0.250000,2,0,{2**40 + 1}",
        "3,10.5000,20.2500,0.1250,0.2500,2.000,-4.000,-150.00,0.8750,3",
        f"{2**40 + 1},511.0000,0.0000,0.5000,0.5000,0.000,0.000,99.50,1.0000,12",
    ]
    (datagram,) = datagrams(update, target_only=True)
    assert [line.split(",")[0] for line in datagram.decode().splitlines()] == ["12", str(2**40 + 1)]
    first, second = datagrams(structs.replace(update, particles=many, target=None))
    assert first.splitlines()[0] == b"12,0.250000,600,0,-1"
    assert second.splitlines()[0] == b"12,0.250000,600,400,-1"
    assert (len(first.splitlines()), len(second.splitlines())) == (401, 201)
    assert len(first) < 65_000
    assert header["row_count"] == 2


def test_the_bridge_runs_as_a_process(capfd: pytest.CaptureFixture[str]) -> None:
    with running(SMALL) as engine, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        port.settimeout(20)
        to = f"127.0.0.1:{port.getsockname()[1]}"
        command = [sys.executable, "-m", "livetrack", "bridge", engine.publisher.address, "--to", to, "--seconds=1.5"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as bridge:
            frames = []
            for _ in range(20):
                head, *rows = port.recv(65_536).decode().splitlines()
                frame, _, particles, _, _ = map(float, head.split(","))
                assert len(rows) == particles
                assert all(len(row.split(",")) == 10 for row in rows)
                frames.append(frame)
            assert bridge.stderr is not None
            assert "frames sent to" in bridge.stderr.read()
        assert bridge.returncode == 0
    assert frames == sorted(set(frames))
    for wrong in ("nowhere", "127.0.0.1:99999", ":5560"):
        assert main(["bridge", "--to", wrong]) == 2
        assert "expected HOST:PORT" in capfd.readouterr().err
    assert main(["bridge", "--to", "no..host:5560"]) == 2
    assert "unknown host 'no..host'" in capfd.readouterr().err


def test_the_document_lists_every_command() -> None:
    text = (DOCS / "wire.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text.split("| command | fields |")[1], re.MULTILINE))
    for request in REQUESTS:
        fields = table.pop(str(request.__struct_config__.tag))
        for field in request.__struct_fields__:
            assert field == "id" or f"`{field}`" in fields, (request, field)
    assert not table


# live


def test_plain_python_reads_and_commands_a_live_engine() -> None:
    with running(SMALL) as engine:
        command = [sys.executable, str(DOCS / "clients" / "plain.py"), engine.publisher.address, "5"]
        documented = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        *frames, status, reply = map(json.loads, documented.splitlines())
        assert len(frames) == 5
        assert {frame["header"]["session"] for frame in frames} == {status["session"]} == {engine.session}
        assert all(np.isfinite(row["x"]) for frame in frames for row in frame["rows"])
        assert sum(len(frame["rows"]) for frame in frames) > 5
        assert (reply["id"], reply["result"]) == (1, 4.5)
        with Remote(engine.command_address) as remote:
            assert remote.hello().settings["linker"]["search_radius_px"] == 4.5


@pytest.fixture(scope="module")
def c_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the C client against the libzmq of pyzmq, or that of the system."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler here")
    link = ["-lzmq"]
    if bundled := list(Path(zmq.__file__).parents[1].glob("pyzmq.libs/libzmq*.so*")):
        link = [str(bundled[0]), f"-Wl,-rpath,{bundled[0].parent}", "-Wl,--allow-shlib-undefined"]
    elif not find_library("zmq"):
        pytest.skip("no libzmq to link with here")
    program = tmp_path_factory.mktemp("plain") / "plain"
    source = DOCS / "clients" / "plain.c"
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", str(source), "-o", str(program), *link], check=True)
    return program


def by_c(output: str) -> list[dict[str, Any]]:
    """Return the frames that the C client printed."""
    frames: list[dict[str, Any]] = []
    for line in output.splitlines():
        words = line.split()
        if words[0] == "frame":
            frames.append(dict(zip(words[::2], map(float, words[1::2]), strict=True)) | {"rows_": []})
        else:
            frames[-1]["rows_"].append([float(word) for word in words])
    return frames


@pytest.mark.parametrize("name", ["positions.bin", "positions-none.bin", "positions-later.bin"])
def test_plain_c_decodes_the_vectors(c_client: Path, name: str) -> None:
    output = subprocess.run([c_client, VECTORS / name], capture_output=True, text=True, check=True).stdout
    (frame,) = by_c(output)
    contents = expected()[name]
    assert [frame[key] for key in ("frame", "seq", "t_s", "target")] == [
        contents["header"][key] for key in ("frame", "seq", "t_s", "target")
    ]
    assert frame["rows"] == len(contents["rows"])
    assert frame["rows_"] == [[row[key] for key in ("id", "x", "y", "vx", "vy", "flags")] for row in contents["rows"]]


def test_plain_c_rejects_invalid_messages(c_client: Path, tmp_path: Path) -> None:
    message = (VECTORS / "positions.bin").read_bytes()
    for damaged in (b"", message[:100], message[:-1], b"lt.xyz\0\0" + message[8:], message[:8] + b"\x09" + message[9:]):
        (tmp_path / "damaged.bin").write_bytes(damaged)
        assert subprocess.run([c_client, tmp_path / "damaged.bin"], capture_output=True).returncode == 1


def test_plain_c_reads_and_commands_a_live_engine(c_client: Path) -> None:
    with running(SMALL) as engine:
        command = [c_client, engine.publisher.address, "5"]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        frames = by_c(output)
        assert len(frames) == 5
        assert sum(len(frame["rows_"]) for frame in frames) > 5
        assert all(0 <= row[1] < 128 for frame in frames for row in frame["rows_"])
        request = '{"command": "set_search_radius", "id": 7, "search_radius_px": 3.5}'
        command = [c_client, "ask", engine.command_address, request]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert json.loads(output)["result"] == 3.5
