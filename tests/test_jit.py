"""What `livetrack.jit` adds to Numba: a disk that refuses is no error, and the rule that keeps the cache true."""

from __future__ import annotations

import ast
import errno
from functools import cache
from pathlib import Path

import numba.core.caching
import pytest

import livetrack
from livetrack.jit import njit

SOURCES = [
    path
    for package in ("livetrack", "drivers")
    for path in (Path(livetrack.__file__).parents[1] / package).rglob("*.py")
]


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


def test_kernels_call_kernels_of_their_own_file_only() -> None:
    """Numba keeps no account of a kernel's callees: after a change there it would go on running their old code."""
    kernels = {(path.stem, kernel.name) for path in SOURCES for kernel in kernels_of(path)}
    assert len(kernels) > 10
    strangers = [
        f"{path.name}: {kernel.name} calls {name.id} of another file"
        for path in SOURCES
        for kernel in kernels_of(path)
        for name in ast.walk(kernel)
        if isinstance(name, ast.Name) and (imported_from(path).get(name.id), name.id) in kernels
    ]
    assert strangers == []


def kernels_of(path: Path) -> list[ast.FunctionDef]:
    functions = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef)]
    return [f for f in functions if any("njit" in ast.unparse(decorator) for decorator in f.decorator_list)]


@cache
def imported_from(path: Path) -> dict[str, str]:
    """Return each name that is imported, with the last part of its module's name."""
    imports = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: (node.module or "").split(".")[-1] for node in imports for alias in node.names}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
