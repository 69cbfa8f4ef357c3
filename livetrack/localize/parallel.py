"""A parallel loop over threads, for kernels that release the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np

__all__ = ["parallel_for", "resolve_thread_count"]

_MAX_THREADS = 8  # a frame is too little work for more


def resolve_thread_count(requested: int) -> int:
    """Return `requested`, or for 0 the number of CPU cores, up to 8."""
    return requested or min(os.cpu_count() or 1, _MAX_THREADS)


def parallel_for(body: Callable[[int, int], None], count: int, threads: int, min_chunk: int) -> None:
    """Call `body(first, last)` on consecutive chunks of range(count), each on a thread and of at least `min_chunk`."""
    chunks = max(1, min(threads, count // min_chunk))
    if chunks == 1:
        body(0, count)
        return
    edges = np.linspace(0, count, chunks + 1).astype(int).tolist()
    futures = [_pool(threads).submit(body, *chunk) for chunk in pairwise(edges[1:])]
    body(0, edges[1])
    for future in futures:
        future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "livetrack")
