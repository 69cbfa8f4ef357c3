"""Numba's `njit` as livetrack uses it: without the GIL, and cached on disk wherever a cache can be kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar, overload

import numba
from numba.core.dispatcher import Dispatcher

__all__ = ["njit"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


@overload
def njit(function: Callable[_P, _R], /) -> Callable[_P, _R]: ...


@overload
def njit(**options: Any) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...


def njit(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Compile a kernel at its first call; use as `@njit` or, with more of Numba's options, `@njit(fastmath=True)`.

    The machine code is kept beside the source, in the user's cache folder or in NUMBA_CACHE_DIR. Where none of
    these can be written it is compiled anew in each process: slower to start, but no error as from
    `numba.njit(cache=True)`.

    Numba compares what it kept with the kernel's own source file only; here, with those as well whose kernels its
    module had imported. A constant from another file must be one that never changes.
    """
    if function is None:
        return lambda function: _compile(function, options)
    return _compile(function, options)


def _compile(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    kernel: Any = numba.njit(nogil=True, **options)(function)
    with suppress(RuntimeError):  # "no locator available": there is no folder that can be written
        kernel.enable_caching()
        kept = kernel._cache._cache_file
        kept._source_stamp = (kept._source_stamp, *_imported_stamps(function))
        kernel._cache.save_overload = _ignoring_a_full_disk(kernel._cache.save_overload)
    return kernel


def _imported_stamps(function: Callable[..., Any]) -> list[Any]:
    """Return what tells the state of the files whose kernels the module of `function` has imported, and of theirs."""
    kernels: list[Any] = [each for each in function.__globals__.values() if isinstance(each, Dispatcher)]
    files = (
        getattr(each._cache, "_cache_file", None)
        for each in kernels
        if each.py_func.__globals__ is not function.__globals__
    )
    return sorted({each._source_stamp for each in files if each is not None}, key=repr)


def _ignoring_a_full_disk(save: Callable[..., None]) -> Callable[..., None]:
    def save_if_possible(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    return save_if_possible
