"""Whole commands, started as users start them and not as CI does: where they connect, and what they write.

Some libraries are silent under CI, so the commands get an environment without any of its variables, with folders of
their own for the user and for temporary files. Python's audit events show what Python code opens and connects to; what
compiled code writes is seen in the folders. The long measurement traces the system calls, where `strace` is installed.
"""

from __future__ import annotations

import ast
import ipaddress
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tiny_recipe import TINY

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")

WATCH = """
import os, sys
log = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)) and (arguments[2] or 0) & writing:
        noted = ("file", os.path.abspath(os.fsdecode(arguments[0])))
    elif event in ("os.mkdir", "os.symlink", "os.link") and isinstance(arguments[0], (str, bytes)):
        noted = ("file", os.path.abspath(os.fsdecode(arguments[0])))
    elif event in ("socket.connect", "socket.bind", "socket.sendto") and isinstance(arguments[1], tuple):
        noted = ("host", arguments[1][0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        noted = ("host", str(arguments[0]))
    else:
        return
    os.write(log, (repr(noted) + "\\n").encode())
sys.addaudithook(watch)
"""

RECIPE = TINY.replace("steps = 120", "steps = 6").replace("batch = 8", "batch = 4")

PORTS = [f"--set=publish.{key}=tcp://127.0.0.1:*" for key in ("address", "preview_address", "command_address")]
SMALL = [f"--set=camera.simulated.{each}" for each in ("width=128", "height=96", "count=5")]
COMMANDS = {
    "demo": ["demo", *PORTS, *SMALL, "--seconds=SECONDS"],  # with the window, a process of its own
    "run": ["run", "microscope.toml", "--headless", *PORTS, "--seconds=SECONDS"],
    "check": ["check", "microscope.toml", *PORTS, "--seconds=SECONDS"],
    "view": ["view", "tcp://127.0.0.1:9", "--seconds=SECONDS"],
    "track": ["track", "movie.tif", "-o", "tracks.csv"],
    "train": ["train", "tiny.toml", "-o", "tiny.onnx"],
}
RESULTS = {"check": {"microscope-check.png"}, "track": {"tracks.csv"}, "train": {"tiny.onnx", "tiny.md"}}

NAMED = {
    "`__pycache__`": r".*[/\\]__pycache__([/\\].*)?",
    "`~/.cache/numba`": r".*[/\\](\.cache|Caches|numba)[/\\]numba([/\\].*)?|.*[/\\]\.cache",
    "`~/.config/livetrack`": r".*[/\\]\.config([/\\]livetrack([/\\].*)?)?",
    "`torchinductor_USER`": r".*[/\\]torchinductor_[^/\\]*",
}
"""Names in the README of what commands write unasked, and the paths that they stand for."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with what the commands read."""
    for name in ("work", "home", "temporary", "watch"):
        (tmp_path / name).mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    y, x = np.mgrid[:64, :64]
    spots = [100 + 300 * np.exp(-((x - 20 - 0.3 * t) ** 2 + (y - 30) ** 2) / 5) for t in range(8)]
    noise = np.random.default_rng(1).normal(0, 5, (8, 64, 64))
    tifffile.imwrite(tmp_path / "work" / "movie.tif", (np.array(spots) + noise).astype(np.uint16))
    (tmp_path / "work" / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "work" / "microscope.toml").write_text('[camera]\ndriver = "micromanager"\n', encoding="utf-8")
    return tmp_path


def start(folder: Path, name: str, seconds: float, tracer: tuple[str, ...] = ()) -> None:
    """Run a command in an environment that has nothing of CI, and folders of its own."""
    kept = ("PATH", "SYSTEMROOT", "PATHEXT", "COMSPEC", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "NUMBA_CPU_NAME")
    home, temporary = str(folder / "home"), str(folder / "temporary")
    environment = {key: os.environ[key] for key in kept if key in os.environ} | {
        "PYTHONPATH": os.pathsep.join([str(folder / "watch"), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "WATCH_LOG": str(folder / "watch" / "log"),
        "QT_QPA_PLATFORM": "offscreen",
        "OMP_NUM_THREADS": "1",  # on a busy computer PyTorch's threads would wait for each other
        **dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), home),
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary),
    }
    arguments = [argument.replace("SECONDS", f"{seconds:g}") for argument in COMMANDS[name]]
    command = [*tracer, sys.executable, "-m", "livetrack", *arguments]
    done = subprocess.run(
        command, cwd=folder / "work", env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr


def watched(folder: Path, kind: str) -> set[str]:
    lines = (folder / "watch" / "log").read_text(encoding="utf-8").splitlines()
    return {value for noted, value in map(ast.literal_eval, lines) if noted == kind}


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "None", "")


def unnamed(folder: Path, name: str, paths: set[str]) -> set[str]:
    """Return the paths that are neither results of the command, nor named by the README, nor gone when it ended."""
    results = {str(folder / "work" / result) for result in RESULTS.get(name, ())}
    results |= {re.sub(r"(\.\w+)$", r".partial\1", path) for path in results} | {f"{path}.part" for path in results}
    paths = {path for path in paths if re.sub(r"\.\d+\.new$", "", path) not in results}  # they are renamed
    ours = {str(folder / "watch" / "log"), os.devnull, "/dev/tty"}
    left = {path for path in paths - results - ours if not any(re.fullmatch(each, path) for each in NAMED.values())}
    temporary = str(folder / "temporary") + os.sep
    return {path for path in left if not path.startswith(temporary) or Path(path).exists()}


def files_of(folder: Path) -> Iterator[str]:
    for part in ("home", "temporary", "work"):
        yield from map(str, (folder / part).rglob("*"))


def given(folder: Path) -> set[str]:
    return {str(folder / "work" / name) for name in ("movie.tif", "tiny.toml", "microscope.toml")}


def needs(name: str) -> None:
    if name == "train":
        pytest.importorskip("torch")
        pytest.importorskip("onnx")


def test_the_readme_names_the_files_that_are_written_unasked() -> None:
    assert [name for name in NAMED if name not in README] == []


@pytest.mark.parametrize(
    "name", ["demo", "run", "check", "view", "track", pytest.param("train", marks=pytest.mark.measured)]
)
def test_a_command_reaches_this_computer_only_and_writes_only_what_the_readme_names(folder: Path, name: str) -> None:
    needs(name)
    start(folder, name, 0.5)
    assert {host for host in watched(folder, "host") if not is_loopback(host)} == set()
    assert unnamed(folder, name, (watched(folder, "file") | set(files_of(folder))) - given(folder)) == set()
    assert all((folder / "work" / result).exists() for result in RESULTS.get(name, ()))


@pytest.mark.measured
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, of Linux")
@pytest.mark.parametrize("name", COMMANDS)
def test_system_calls_reach_this_computer_only_and_write_only_what_the_readme_names(folder: Path, name: str) -> None:
    """Compiled code too: for 20 s, since reports are sent late."""
    needs(name)
    trace = folder / "watch" / "trace"
    calls = "connect,bind,sendto,sendmsg,sendmmsg,open,openat,creat,mkdir,mkdirat"
    start(folder, name, 20.0, ("strace", "-f", "-qq", "-e", f"trace={calls}", "-s", "300", "-o", str(trace)))
    text = trace.read_text(encoding="utf-8", errors="replace")
    hosts = re.findall(r'inet_addr\("([^"]*)"|inet_pton\(AF_INET6, "([^"]*)"', text)
    assert {host for pair in hosts for host in pair if host and not is_loopback(host)} == set()
    assert re.search(r"\bopenat\(", text)  # or the trace shows nothing
    if name in ("demo", "run"):
        assert hosts
    opened = re.findall(r'(?:open|openat|creat)\([^"]*"([^"]*)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT)[^)]*\) += \d', text)
    made = re.findall(r'mkdir(?:at)?\([^"]*"([^"]*)"[^)]*\) += 0', text)
    paths = {os.path.abspath(folder / "work" / path) for path in opened + made}
    assert unnamed(folder, name, paths - given(folder) - {str(trace)}) == set()


@pytest.mark.parametrize("module", ["livetrack.client", "livetrack.errors", "livetrack_drivers.simulated"])
def test_any_part_of_livetrack_switches_the_reports_of_onnx_runtime_off(module: str) -> None:
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}
    program = f"import {module}, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("1", "")


def test_onnx_runtime_imported_before_livetrack_is_reported() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    program = "import sys; sys.modules['onnxruntime'] = sys; import livetrack"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "onnxruntime was imported before livetrack, with its telemetry on: import livetrack first" in done.stderr
