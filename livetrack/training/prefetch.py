"""Scenes drawn ahead of the network, on threads of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from livetrack.training.recipe import Recipe
from livetrack.training.targets import Batch, draw_batch

__all__ = ["prefetch_batches"]

_AHEAD = 4  # batches


def prefetch_batches(recipe: Recipe, seed: int, step: int = 0, threads: int = 1) -> Generator[Batch, None, None]:
    """Yield the batches of `step`, `step + 1` and so on, for ever; close the iterator to end its threads.

    Each step has a random generator of its own, from `seed` and its number, so that the batches are the same
    wherever one starts and however many threads draw them.
    """
    pool = ThreadPoolExecutor(threads, "draw")
    waiting: deque[Future[Batch]] = deque()
    try:
        while True:
            while len(waiting) < _AHEAD:
                waiting.append(pool.submit(draw_batch, recipe, np.random.default_rng([seed, step])))
                step += 1
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
