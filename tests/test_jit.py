"""What `livetrack.jit` adds to Numba: a disk that refuses is no error, and what is kept is never out of date."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import numba.core.caching
import pytest

from livetrack.jit import njit


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))


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


def test_a_full_disk_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def refuse(*arguments: object) -> None:
        refused.append(arguments)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "save", refuse)
    assert njit(plus_one)(1.0) == 2.0
    assert len(refused) == 1


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


def test_what_was_kept_is_compiled_anew_where_a_kernel_that_it_calls_has_changed(tmp_path: Path) -> None:
    """Numba keeps no account of callees in other files: it would go on running their old code."""
    (tmp_path / "middle.py").write_text(MIDDLE, encoding="utf-8")
    (tmp_path / "outer.py").write_text(OUTER, encoding="utf-8")
    said = []
    for added in (1, 1, 20):
        (tmp_path / "inner.py").write_text(INNER.format(added=added), encoding="utf-8")
        run = subprocess.run([sys.executable, "outer.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        said.append(run.stdout.split())
    assert said == [["2.0", "0"], ["2.0", "1"], ["21.0", "0"]]
