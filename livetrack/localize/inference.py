"""ONNX Runtime: a model that runs in buffers kept from frame to frame, and the fastest number of threads for it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from livetrack.errors import ModelError
from livetrack.localize.decode import BLOCK, CELL, MAPS

__all__ = ["Inference", "fastest"]

Batch = npt.NDArray[np.float32]

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_CHANNELS = MAPS * (BLOCK // CELL) ** 2
_SMALL_PX = 1 << 14  # 128x128 px take one thread 0.6 ms, less than waking another


class Inference:
    """An open model. Not to be used by two threads at once.

    Parameters
    ----------
    path
        The ONNX file.
    provider
        An execution provider, see `NetworkLocalizer`.
    threads
        Number of threads of a run, at least 1; small inputs run on one.
    spinning
        Threads wait for each other in a busy loop within a run. They never do so between runs, where they would slow
        down the camera's thread and the publisher's.

    Raises
    ------
    ModelError
        The file is not a model, or the provider is not installed or does not start.
    """

    def __init__(self, path: Path, provider: str, threads: int, *, spinning: bool = False) -> None:
        self.session = _open(path, provider, threads, spinning)
        self._path, self._requested_provider = path, provider
        self.provider: str = self.session.get_providers()[0]
        self.threads = threads
        self.spinning = spinning
        self._buffers: dict[tuple[int, int], tuple[Batch, Batch]] = {}
        self._bound: dict[tuple[int, ...], _Bound] = {}

    def input_buffer(self, count: int, height: int, width: int) -> Batch:
        """Return the input of the next `run`, (count, 1, height, width), to be filled."""
        bound = self._bound.get((count, 1, height, width))
        if bound is None:
            batch, maps = self._allocate(count, height, width)
            session = self.session if batch.size > _SMALL_PX else self._single_threaded
            binding = session.io_binding()
            binding.bind_input("image", "cpu", 0, np.float32, batch.shape, batch.ctypes.data)
            binding.bind_output("maps", "cpu", 0, np.float32, maps.shape, maps.ctypes.data)
            self._bound[batch.shape] = bound = _Bound(session, binding, batch, maps)
        return bound.batch

    def run(self, batch: Batch) -> Batch:
        """Return the maps, (N, 32, h, w), of a filled `input_buffer`; valid until the next run."""
        bound = self._bound[batch.shape]
        bound.session.run_with_iobinding(bound.binding)
        return bound.maps

    @cached_property
    def _single_threaded(self) -> ort.InferenceSession:
        """The model on one thread, opened for the first small input."""
        return self.session if self.threads == 1 else _open(self._path, self._requested_provider, 1, spinning=False)

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return threads + (", busy-waiting" if self.spinning else "")

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
    """A session with input and output of one shape bound to it."""

    session: ort.InferenceSession
    binding: ort.IOBinding
    batch: Batch
    maps: Batch


_REPEATS, _MIN_REPEATS, _MAX_S = 9, 3, 1.0
_PAUSE_S = 0.002  # between runs, as between frames: sleeping threads must be woken
_CLEARLY = 0.9  # fraction of the best time so far


def fastest(candidates: list[Inference], work: Callable[[Inference], object]) -> Inference:
    """Return the candidate that does `work` in the least (median) time; a later one only if it is clearly faster."""
    durations: list[list[float]] = [[] for _ in candidates]
    for candidate in candidates:
        work(candidate)
    begin = time.perf_counter()
    for repeat in range(_REPEATS):
        if repeat >= _MIN_REPEATS and time.perf_counter() - begin > _MAX_S:
            break
        for candidate, its_durations in zip(candidates, durations, strict=True):
            time.sleep(_PAUSE_S)
            start = time.perf_counter()
            work(candidate)
            its_durations.append(time.perf_counter() - start)
    best, best_s = candidates[0], statistics.median(durations[0])
    for candidate, its_durations in zip(candidates[1:], durations[1:], strict=True):
        if (median_s := statistics.median(its_durations)) < _CLEARLY * best_s:
            best, best_s = candidate, median_s
    return best


def _open(path: Path, provider: str, threads: int, spinning: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    chosen = _installed_provider(provider)
    try:
        session = ort.InferenceSession(str(path), options, providers=list(dict.fromkeys([chosen, _CPU])))
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common base class
        raise ModelError(f"model {path}: ONNX Runtime cannot open it: {str(error).splitlines()[0]}") from None
    if provider != "auto" and session.get_providers()[0] != chosen:
        raise ModelError(f"provider {provider!r} is installed but does not start; are its libraries installed?")
    return session


def _installed_provider(requested: str) -> str:
    """Return ONNX Runtime's name of an installed provider. Raises `ModelError`."""
    installed: dict[str, str] = {_short(name): name for name in ort.get_available_providers()}
    if requested == "auto":
        return next(name for name in (_CUDA, _CPU) if name in installed.values())
    if _short(requested) not in installed:
        raise ModelError(f"provider {requested!r} is not installed; available: {', '.join(['auto', *installed])}")
    return installed[_short(requested)]


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider").lower()
