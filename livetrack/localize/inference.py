"""ONNX Runtime: an open model that runs on memory kept from frame to frame, and how many threads serve it best."""

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
_MAPS = MAPS * (BLOCK // CELL) ** 2
_SMALL_PX = 1 << 14  # 128x128 px take 0.6 ms of one thread


class Inference:
    """A model, opened. Not for use by two threads at once.

    Parameters
    ----------
    path
        The ONNX file.
    provider
        An execution provider as `NetworkLocalizer` takes it.
    threads
        That share a run, at least 1; a small input is run on one, which takes less time than to wake another.
    spinning
        Threads wait for each other in a busy loop within a run, never between runs, where they would starve the
        camera's and the publisher's.

    Raises
    ------
    ModelError
        The file is not a model, or the provider is not installed or does not start.
    """

    def __init__(self, path: Path, provider: str, threads: int, *, spinning: bool = False) -> None:
        self.session = _open(path, provider, threads, spinning)
        self._path, self._wanted = path, provider
        self.provider: str = self.session.get_providers()[0]
        self.threads = threads
        self.spinning = spinning
        self._room: dict[tuple[int, int], tuple[Batch, Batch]] = {}
        self._bound: dict[tuple[int, ...], _Bound] = {}

    def input(self, count: int, height: int, width: int) -> Batch:
        """Return the memory of an input of `run`, (count, 1, height, width), to be filled."""
        bound = self._bound.get((count, 1, height, width))
        if bound is None:
            batch, maps = self._memory(count, height, width)
            session = self.session if batch.size > _SMALL_PX else self._alone
            binding = session.io_binding()
            binding.bind_input("image", "cpu", 0, np.float32, batch.shape, batch.ctypes.data)
            binding.bind_output("maps", "cpu", 0, np.float32, maps.shape, maps.ctypes.data)
            self._bound[batch.shape] = bound = _Bound(session, binding, batch, maps)
        return bound.batch

    def run(self, batch: Batch) -> Batch:
        """Return the maps, (N, 32, h, w), of what `input` has returned last for this size; good until the next run."""
        bound = self._bound[batch.shape]
        bound.session.run_with_iobinding(bound.binding)
        return bound.maps

    @cached_property
    def _alone(self) -> ort.InferenceSession:
        """The model on one thread; opened when the first small input comes."""
        return self.session if self.threads == 1 else _open(self._path, self._wanted, 1, spinning=False)

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return threads + (", spinning" if self.spinning else "")

    def _memory(self, count: int, height: int, width: int) -> tuple[Batch, Batch]:
        """Return room for `count` inputs and outputs; when more is needed than ever before, twice as much as before."""
        room = self._room.get((height, width))
        if room is None or len(room[0]) < count:
            most = count if room is None else max(count, 2 * len(room[0]))
            room = (
                np.empty((most, 1, height, width), np.float32),
                np.empty((most, _MAPS, height // BLOCK, width // BLOCK), np.float32),
            )
            self._room[height, width] = room
            self._bound = {shape: each for shape, each in self._bound.items() if shape[2:] != (height, width)}
        return room[0][:count], room[1][:count]


class _Bound(NamedTuple):
    """What a run on inputs of one shape needs."""

    session: ort.InferenceSession
    binding: ort.IOBinding
    batch: Batch
    maps: Batch


_ROUNDS, _LONGEST_S = 9, 1.0
_REST_S = 0.002  # between runs, as between frames: threads must be woken
_CLEARLY = 0.9


def fastest(some: list[Inference], work: Callable[[Inference], object]) -> Inference:
    """Return the one that does `work` in the shortest time (median); one further down only if it is so clearly."""
    times: list[list[float]] = [[] for _ in some]
    for each in some:
        work(each)
    begin = time.perf_counter()
    for round_ in range(_ROUNDS):
        if round_ >= 3 and time.perf_counter() - begin > _LONGEST_S:
            break
        for each, durations in zip(some, times, strict=True):
            time.sleep(_REST_S)
            start = time.perf_counter()
            work(each)
            durations.append(time.perf_counter() - start)
    best, least = some[0], statistics.median(times[0])
    for each, durations in zip(some[1:], times[1:], strict=True):
        if (median := statistics.median(durations)) < _CLEARLY * least:
            best, least = each, median
    return best


def _open(path: Path, provider: str, threads: int, spinning: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    chosen = _provider(provider)
    try:
        session = ort.InferenceSession(str(path), options, providers=list(dict.fromkeys([chosen, _CPU])))
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors share no class of their own
        raise ModelError(f"model {path}: ONNX Runtime cannot open it: {str(error).splitlines()[0]}") from None
    if provider != "auto" and session.get_providers()[0] != chosen:
        raise ModelError(f"provider {provider!r} is there but does not start; are its libraries installed?")
    return session


def _provider(wanted: str) -> str:
    """Return ONNX Runtime's name of a provider that is installed."""
    installed: dict[str, str] = {_short(name): name for name in ort.get_available_providers()}
    if wanted == "auto":
        return next(name for name in (_CUDA, _CPU) if name in installed.values())
    if _short(wanted) not in installed:
        raise ModelError(f"provider {wanted!r} is not installed; there are {', '.join(['auto', *installed])}")
    return installed[_short(wanted)]


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider").lower()
