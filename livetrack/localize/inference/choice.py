"""Which runtime a model runs on: the one that the provider names, or the fastest by measurement."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from livetrack.localize.inference.inference import Inference
from livetrack.localize.inference.onnx_runtime import CPU, OnnxRuntime
from livetrack.localize.inference.openvino_runtime import OpenVino, openvino_is_installed

__all__ = ["fastest", "open_for_runtimes", "open_for_threads", "open_inference"]


def open_inference(
    path: Path, provider: str, threads: int, *, spinning: bool = False, bfloat16: bool = False
) -> Inference:
    """Open a model with "openvino" or a provider of `OnnxRuntime`. Raises `ModelError`.

    `bfloat16` is for the former only, `spinning` for the latter.
    """
    if provider == OpenVino.requested:
        return OpenVino(path, threads, bfloat16=bfloat16)
    return OnnxRuntime(path, provider, threads, spinning=spinning)


def open_for_threads(path: Path, provider: str, threads: int, *, bfloat16: bool = False) -> list[Inference]:
    """Open a model with a provider on one thread and on `threads`, spinning too if the provider can."""
    opened = [open_inference(path, provider, count, bfloat16=bfloat16) for count in sorted({1, threads})]
    if threads > 1 and provider != OpenVino.requested:
        opened.append(open_inference(path, provider, threads, spinning=True))
    return opened


def open_for_runtimes(path: Path, provider: str, threads: int, *, bfloat16: bool) -> list[Inference]:
    """Open a model as `open_for_threads` does, and for "auto" on a CPU with OpenVINO too, where it is installed."""
    opened = open_for_threads(path, provider, threads, bfloat16=bfloat16)
    if provider == "auto" and opened[0].provider == CPU and openvino_is_installed():
        opened += open_for_threads(path, OpenVino.requested, threads, bfloat16=bfloat16)
    return opened


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
