"""Numba's `njit` as livetrack uses it: without the GIL, and with an on-disk cache that is never stale or fatal."""

from __future__ import annotations

import enum
import hashlib
import logging
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

import numba
import numpy as np
from numba.core.caching import IndexDataCacheFile
from numba.core.dispatcher import Dispatcher
from numba.core.event import Event, Listener, install_listener

from livetrack.errors import reason

__all__ = ["at_compiler_passes", "compiles_at_each_start", "njit"]

_log = logging.getLogger(__name__)

_P = ParamSpec("_P")
_R = TypeVar("_R")


@overload
def njit(function: Callable[_P, _R], /) -> Callable[_P, _R]: ...


@overload
def njit(**options: Any) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...


def njit(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Compile a kernel at its first call; use as `@njit` or, with Numba's options, `@njit(fastmath=True)`.

    The machine code is cached beside the source file, in the user's cache folder, or in NUMBA_CACHE_DIR. Where none of
    these is writable the kernel is compiled in each process: slower to start, which is logged once, but no error as
    with `numba.njit(cache=True)`.

    Numba discards a cached kernel when the kernel's own file changes. Here it is also discarded when a kernel or a
    constant that its module imports changes, and compiled again when its cache file is damaged.
    """
    if function is None:
        return lambda function: _compile(function, options)
    return _compile(function, options)


@contextmanager
def at_compiler_passes(call: Callable[[], None]) -> Iterator[None]:
    """Call `call` at the start of each pass of Numba's compiler, in the thread that compiles, while the block runs.

    It may raise an exception, which ends the compilation.
    """

    class Passes(Listener):
        def on_start(self, event: Event) -> None:
            call()

        def on_end(self, event: Event) -> None:
            pass

    with install_listener("numba:run_pass", Passes()):
        yield


def _compile(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    # with fastmath every copy of a kernel rounds its sums in its own way, and which copy is linked differs between a
    # process that compiles and one that loads: inlined, each caller always has its own
    options = {"nogil": True, "forceinline": "fastmath" in options, **options}
    kernel: Any = numba.njit(**options)(function)
    try:
        kernel.enable_caching()
    except RuntimeError:  # "no locator available"
        _report_once("no folder for compiled code can be written")
    else:
        kernel._cache._cache_file = _CacheFile(kernel._cache, [*_dependencies(function), repr(options)])
    return kernel


def compiles_at_each_start() -> bool:
    """Return whether compiled code could not be kept for the next start, which has been logged."""
    return _reported


_reported = False


def _report_once(problem: str) -> None:
    """Log one line in each process, however many kernels are affected."""
    global _reported
    if not _reported:
        _reported = True
        _log.warning(
            "%s: livetrack compiles at each start, half a minute: set NUMBA_CACHE_DIR to a folder that can be written",
            problem,
        )


class _CacheFile(IndexDataCacheFile):
    """Numba's cache file of one kernel, with a checksum: what a power cut leaves behind is compiled again."""

    _reported = False

    def __init__(self, cache: Any, dependencies: list[Any]) -> None:
        stamp = (cache._cache_file._source_stamp, *dependencies)
        super().__init__(cache.cache_path, cache._impl.filename_base, stamp)

    def save(self, key: Any, data: Any) -> None:
        try:
            super().save(key, data)
        except OSError as error:  # such as a full disk
            _report_once(f"compiled code cannot be kept in {self._cache_path} ({reason(error)})")

    def _load_index(self) -> dict[Any, str]:
        try:
            index: dict[Any, str] = super()._load_index()
        except Exception:  # noqa: BLE001  unpickling damaged bytes may raise anything
            self._report_damage()
            return {}
        return index

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        checksum, data = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        if checksum != _checksum(data):
            self._report_damage()
            raise OSError("damaged")  # which Numba takes for a missing file
        return pickle.loads(data)

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(_checksum(content) + content)

    def _report_damage(self) -> None:
        """Log one line in each process, however many kernels are affected."""
        if not _CacheFile._reported:
            _CacheFile._reported = True
            _log.warning("the kernel cache in %s is damaged: compiling the affected kernels again", self._cache_path)


_CHECKSUM_BYTES = 16


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM_BYTES).digest()


def _dependencies(function: Callable[..., Any]) -> list[Any]:
    """Return the stamps of the kernels and the values of the constants that the module of `function` has imported."""
    names: dict[str, Any] = {name: value for name, value in function.__globals__.items() if not name.startswith("__")}
    called: list[Any] = [value for value in names.values() if isinstance(value, Dispatcher)]
    files = [
        getattr(kernel._cache, "_cache_file", None)
        for kernel in called
        if kernel.py_func.__globals__ is not function.__globals__
    ]
    kernels = sorted({file._source_stamp for file in files if file is not None}, key=repr)
    values = sorted((name, content) for name, value in names.items() if (content := _content(value)) is not None)
    return [*kernels, *values]


def _content(value: Any) -> str | None:
    """Return the value of a constant that a kernel can read, as text; None for anything else."""
    match value:
        case np.ndarray():
            return f"{value.dtype.str} {value.shape} {_checksum(value.tobytes()).hex()}"
        case np.dtype():
            return repr((value.descr, value.itemsize))
        case type() if issubclass(value, enum.Enum):
            return repr([(member.name, member.value) for member in value])
        case type() if issubclass(value, tuple):
            return repr(getattr(value, "_fields", None))
        case tuple():
            contents = [_content(item) for item in value]
            return None if None in contents else repr(contents)
        case None | bool() | int() | float() | complex() | str() | bytes() | np.generic():
            return repr(value)
        case _:
            return None
