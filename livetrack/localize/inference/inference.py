"""An open model with the buffers of its input and output, whatever runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.localize.decode import BLOCK, CELL, MAPS

__all__ = ["SMALL_PX", "Batch", "Inference"]

Batch = npt.NDArray[np.float32]

SMALL_PX = 1 << 14
"""Inputs of up to 128x128 px run on one thread: they take it 0.6 ms, less than waking another."""

_CHANNELS = MAPS * (BLOCK // CELL) ** 2


class Inference(ABC):
    """An open model. Not to be used by two threads at once.

    Parameters
    ----------
    provider
        What runs it, as reported to the user.
    threads
        Number of threads of a run, at least 1; small inputs run on one.
    spinning
        Threads wait for each other in a busy loop within a run. They never do so between runs, where they would slow
        down the camera's thread and the publisher's.
    """

    requested: str
    """The provider with which another model runs in the same way, see `open_inference`."""

    def __init__(self, provider: str, threads: int, *, spinning: bool = False) -> None:
        self.provider = provider
        self.threads = threads
        self.spinning = spinning
        self._buffers: dict[tuple[int, int], tuple[Batch, Batch]] = {}
        self._bound: dict[tuple[int, ...], _Bound] = {}

    def input_buffer(self, count: int, height: int, width: int) -> Batch:
        """Return the input of the next `run`, (count, 1, height, width), to be filled."""
        bound = self._bound.get((count, 1, height, width))
        if bound is None:
            batch, maps = self._allocate(count, height, width)
            self._bound[batch.shape] = bound = _Bound(self._bind(batch, maps), batch, maps)
        return bound.batch

    def run(self, batch: Batch) -> Batch:
        """Return the maps, (N, 32, h, w), of a filled `input_buffer`; valid until the next run."""
        bound = self._bound[batch.shape]
        bound.run()
        return bound.maps

    def run_within(self, batch: Batch, limit_s: float) -> Batch:
        """Run as `run` does, for the first times with a model: one that takes longer is stopped.

        Raises whatever the runtime raises for a run that fails or was stopped.
        """
        bound = self._bound[batch.shape]
        self._run_within(bound.batch, bound.maps, limit_s)
        return bound.maps

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return threads + (", busy-waiting" if self.spinning else "")

    @abstractmethod
    def _bind(self, batch: Batch, maps: Batch) -> Callable[[], object]:
        """Return a function that runs the model from `batch`, (N, 1, H, W), into `maps`, (N, 32, h, w)."""

    @abstractmethod
    def _run_within(self, batch: Batch, maps: Batch, limit_s: float) -> None:
        """Run the model from `batch` into `maps` for at most `limit_s`."""

    def _allocate(self, count: int, height: int, width: int) -> tuple[Batch, Batch]:
        """Return buffers for `count` inputs and outputs; where they are too small, they grow to twice their size."""
        buffers = self._buffers.get((height, width))
        if buffers is None or len(buffers[0]) < count:
            capacity = count if buffers is None else max(count, 2 * len(buffers[0]))
            buffers = (
                np.empty((capacity, 1, height, width), np.float32),
                np.empty((capacity, _CHANNELS, height // BLOCK, width // BLOCK), np.float32),
            )
            self._buffers[height, width] = buffers
            self._bound = {shape: bound for shape, bound in self._bound.items() if shape[2:] != (height, width)}
        return buffers[0][:count], buffers[1][:count]


class _Bound(NamedTuple):
    """A run with input and output of one shape bound to it."""

    run: Callable[[], object]
    batch: Batch
    maps: Batch
