"""Keeps all threads away from MMCore while it loads or unloads devices: otherwise the process crashes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from livetrack.errors import CameraError

__all__ = ["DeviceAccess", "shared", "urgent"]

_PATIENCE_S = 10.0

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
        self._changing = False  # it has it
        self._thread = threading.local()

    @contextmanager
    def shared(self, *, urgent: bool = False) -> Iterator[None]:
        """Use the devices; waits while another thread has exclusive access. May be nested, also within `exclusive`.

        While another thread waits for exclusive access, only an `urgent` use, such as an emergency stop, goes on.
        """
        if self._owner == threading.get_ident() or getattr(self._thread, "uses", False):
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._changing if urgent else self._owner is None)
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
        """Load or unload devices; waits until no other thread uses them. Not within `shared`, and not nested.

        Raises `CameraError` if one still does after 10 s, such as a thread that waits for a device that is silent.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._owner is None)
            self._owner = threading.get_ident()
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: not self._users, _PATIENCE_S):
                    raise CameraError(
                        f"no device is initialised: another one has not answered for {_PATIENCE_S:g} s, or still moves"
                    )
                self._changing = True
            yield
        finally:
            with self._changed:
                self._owner, self._changing = None, False
                self._changed.notify_all()


class _HasAccess(Protocol):
    _access: DeviceAccess


C = TypeVar("C", bound=_HasAccess)


def shared(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Decorate a method that uses devices, of a class with `_access`."""
    return _with_access(method, urgent=False)


def urgent(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Decorate a method that an emergency stop calls."""
    return _with_access(method, urgent=True)


def _with_access(method: Callable[Concatenate[C, P], R], *, urgent: bool) -> Callable[Concatenate[C, P], R]:
    @wraps(method)
    def with_access(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._access.shared(urgent=urgent):
            return method(self, *args, **kwargs)

    return with_access
