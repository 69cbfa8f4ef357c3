"""Keeps all threads away from MMCore while it loads or unloads devices: otherwise the process crashes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

__all__ = ["DeviceAccess", "shared"]

P = ParamSpec("P")
R = TypeVar("R")


class DeviceAccess:
    """Access to the devices of a core: shared by any number of threads, or exclusive for one.

    MMCore may be called from several threads, except while its list of devices changes. To avoid deadlocks, access
    comes first, and the locks of a driver behind it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._owner: int | None = None  # thread that has exclusive access, or waits for it
        self._thread = threading.local()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Use the devices; waits while another thread has exclusive access. May be nested, also within `exclusive`."""
        if self._owner == threading.get_ident() or getattr(self._thread, "uses", False):
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: self._owner is None)
            self._users += 1
        self._thread.uses = True
        try:
            yield
        finally:
            self._thread.uses = False
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Load or unload devices; waits until no other thread uses them. Not within `shared`, and not nested."""
        with self._changed:
            self._changed.wait_for(lambda: self._owner is None)
            self._owner = threading.get_ident()
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._users)
            yield
        finally:
            with self._changed:
                self._owner = None
                self._changed.notify_all()


class _HasAccess(Protocol):
    _access: DeviceAccess


C = TypeVar("C", bound=_HasAccess)


def shared(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Decorate a method that uses devices, of a class with `_access`."""

    @wraps(method)
    def with_access(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._access.shared():
            return method(self, *args, **kwargs)

    return with_access
