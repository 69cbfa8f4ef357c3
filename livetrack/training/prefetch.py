"""Draws batches in background threads, ahead of the training."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from livetrack.training.recipe import Recipe
from livetrack.training.targets import Batch, draw_batch

__all__ = ["prefetch_batches"]

_QUEUED = 4  # batches


def prefetch_batches(recipe: Recipe, seed: int, step: int = 0, threads: int = 1) -> Generator[Batch, None, None]:
    """Yield the batches of `step`, `step + 1`, ... without end; close the generator to end its threads.

    Each step has its own random generator, seeded by `seed` and the step, so that batches do not depend on the first
    step or on the number of threads.
    """
    pool = ThreadPoolExecutor(threads, "draw")
    queued: deque[Future[Batch]] = deque()
    try:
        while True:
            while len(queued) < _QUEUED:
                queued.append(pool.submit(draw_batch, recipe, np.random.default_rng([seed, step])))
                step += 1
            yield queued.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
