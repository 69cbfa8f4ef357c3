"""Work on arrays, shared among threads: for kernels that let go of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np

__all__ = ["parallel_for", "resolve_thread_count"]

_MOST = 8  # a frame is too little work for more


def resolve_thread_count(wanted: int) -> int:
    """Return `wanted`, or where that is 0 the number of processors, up to `_MOST`."""
    return wanted or min(os.cpu_count() or 1, _MOST)


def parallel_for(part: Callable[[int, int], None], count: int, threads: int, least: int) -> None:
    """Call `part(first, last)` for consecutive pieces of 0..count, each on a thread and at least `least` long."""
    pieces = max(1, min(threads, count // least))
    if pieces == 1:
        part(0, count)
        return
    edges = np.linspace(0, count, pieces + 1).astype(int).tolist()
    others = [_pool(threads).submit(part, *piece) for piece in pairwise(edges[1:])]
    part(0, edges[1])
    for other in others:
        other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "livetrack")
