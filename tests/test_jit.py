"""`livetrack.jit`: a full disk is no error, a cached kernel is never stale, a damaged cache is compiled again."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import numba.core.caching
import pytest

import livetrack.jit
from livetrack.jit import njit


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(livetrack.jit, "_reported", False)


def plus_one(value: float) -> float:
    return value + 1


def test_a_kernel_is_compiled_cached_and_free_of_the_gil() -> None:
    kernel = njit(plus_one)
    assert kernel(1.0) == 2.0
    assert kernel.targetoptions["nogil"]  # type: ignore[attr-defined]
    assert kernel.stats.cache_path is not None  # type: ignore[attr-defined]


def test_options_reach_numba() -> None:
    kernel = njit(fastmath=True)(plus_one)
    assert kernel(1.0) == 2.0
    assert kernel.targetoptions["fastmath"]  # type: ignore[attr-defined]
    assert kernel.targetoptions["nogil"]  # type: ignore[attr-defined]


def test_a_full_disk_is_no_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    refused = []

    def refuse(*arguments: object) -> None:
        refused.append(arguments)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "save", refuse)
    assert njit(plus_one)(1.0) == 2.0
    assert len(refused) == 1
    assert njit(plus_one)(1.0) == 2.0
    (message,) = caplog.messages
    assert "(the disk is full): livetrack compiles at each start, half a minute: set NUMBA_CACHE_DIR" in message
    assert livetrack.jit.compiles_at_each_start()


def test_a_cache_that_cannot_be_written_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")  # no other folder
    assert not livetrack.jit.compiles_at_each_start()
    assert [njit(plus_one)(1.0) for _ in range(2)] == [2.0, 2.0]
    assert caplog.messages == [
        "no folder for compiled code can be written: livetrack compiles at each start, half a minute: set "
        "NUMBA_CACHE_DIR to a folder that can be written"
    ]
    assert livetrack.jit.compiles_at_each_start()


INNER = """from livetrack.jit import njit
@njit
def inner(x):
    return x + {added}
"""
MIDDLE = """from inner import inner
from livetrack.jit import njit
@njit
def middle(x):
    return inner(x)
"""
OUTER = """from livetrack.jit import njit
from middle import middle
@njit
def outer(x):
    return middle(x)
print(outer(1.0), sum(outer.stats.cache_hits.values()))
"""


CONSTANTS = """import enum
from typing import NamedTuple
import numpy as np
class Flag(enum.IntEnum):
    EDGE = {added}
class Pair(NamedTuple):
    {first}: float
    {second}: float
ADDED = {added}
TUPLE = ({added}, 2.0)
SCALAR = np.uint32({added})
ARRAY = np.array([{added}, 2])
"""
READER = """from constants import ADDED, ARRAY, SCALAR, TUPLE, Flag, Pair
from livetrack.jit import njit
@njit
def reader(x):
    return x + {expression}
"""
CALLER = """from livetrack.jit import njit
from reader import reader
@njit
def caller(x):
    return reader(x)
print(caller(1.0), sum(caller.stats.cache_hits.values()))
"""


def run(script: str, folder: Path) -> list[str]:
    """Run `script` in a process of its own; return the words that it printed."""
    process = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout.split()


def test_a_cached_kernel_is_stale_when_a_kernel_that_it_calls_changes(tmp_path: Path) -> None:
    """Numba does not track callees in other files: it would run their old code."""
    (tmp_path / "middle.py").write_text(MIDDLE, encoding="utf-8")
    (tmp_path / "outer.py").write_text(OUTER, encoding="utf-8")
    printed = []
    for added in (1, 1, 20):
        (tmp_path / "inner.py").write_text(INNER.format(added=added), encoding="utf-8")
        printed.append(run("outer.py", tmp_path))
    assert printed == [["2.0", "0"], ["2.0", "1"], ["21.0", "0"]]


@pytest.mark.parametrize(
    "expression",
    [
        "ADDED",
        *(pytest.param(other, marks=pytest.mark.measured) for other in ("TUPLE[0]", "SCALAR", "ARRAY[0]")),
        *(pytest.param(other, marks=pytest.mark.measured) for other in ("Flag.EDGE.value", "Pair(1, 20)[0]")),
    ],
)
def test_a_cached_kernel_is_stale_when_an_imported_constant_changes(tmp_path: Path, expression: str) -> None:
    """Numba compiles a global's value into the machine code, and compares the kernel's own file only."""
    named = expression.startswith("Pair")
    (tmp_path / "reader.py").write_text(READER.format(expression=expression), encoding="utf-8")
    (tmp_path / "caller.py").write_text(CALLER, encoding="utf-8")
    printed = []
    for added, first, second in ((1, "a", "b"), (1, "a", "b"), (1, "b", "a") if named else (20, "a", "b")):
        text = CONSTANTS.format(added=added, first=first, second=second)
        (tmp_path / "constants.py").write_text(text, encoding="utf-8")
        printed.append(run("caller.py", tmp_path))
    assert printed == [["2.0", "0"], ["2.0", "1"], ["2.0" if named else "21.0", "0"]]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "cut short", "zeros at the end", "garbage"])
def test_a_damaged_cache_is_compiled_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, suffix: str, damage: str
) -> None:
    """What a power cut leaves: zero length, a part, blocks of zeros."""
    monkeypatch.setattr(livetrack.jit._CacheFile, "_reported", False)
    assert njit(plus_one)(1.0) == 2.0
    (path,) = tmp_path.rglob(f"*{suffix}")
    content = path.read_bytes()
    half = len(content) // 2
    damaged = {
        "empty": b"",
        "cut short": content[:half],
        "zeros at the end": content[:half] + bytes(len(content) - half),
        "garbage": b"\x93" * len(content),
    }
    path.write_bytes(damaged[damage])
    kernels = [njit(plus_one) for _ in range(3)]
    assert [kernel(1.0) for kernel in kernels] == [2.0, 2.0, 2.0]
    assert [sum(kernel.stats.cache_hits.values()) for kernel in kernels] == [0, 1, 1]  # type: ignore[attr-defined]
    assert len(caplog.messages) == 1
    assert "damaged" in caplog.text
