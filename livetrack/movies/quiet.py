"""Leaves out lines of the log whose content is reported in another way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_movies", "quiet_tifffile"]


@contextmanager
def quiet_movies() -> Iterator[None]:
    """Do not log what movies lack: the caller reports `Movie.problem`."""
    with _quiet("livetrack.movies.movie"):
        yield


@contextmanager
def quiet_tifffile() -> Iterator[None]:
    """Do not log what tifffile finds in damaged files: `Movie.problem` reports it, in one line."""
    with _quiet("tifffile"):
        yield


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
