"""Inference by ONNX Runtime."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from livetrack.errors import ModelError
from livetrack.localize.inference.inference import SMALL_PX, Batch, Inference
from livetrack.localize.inference.onnx_file import NotAModelError

__all__ = ["CPU", "OnnxRuntime"]

_CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class OnnxRuntime(Inference):
    """A model that ONNX Runtime runs.

    Parameters
    ----------
    path
        The ONNX file.
    provider
        An execution provider, such as "CUDAExecutionProvider" or "cuda"; "auto" for CUDA if it is installed and works,
        else the CPU.
    threads, spinning
        See `Inference`.

    Raises
    ------
    ModelError
        The file is not a model, or the provider is not installed or does not start.
    """

    def __init__(self, path: Path, provider: str, threads: int, *, spinning: bool = False) -> None:
        self.session = _open(path, provider, threads, spinning)
        super().__init__(self.session.get_providers()[0], threads, spinning=spinning)
        self._path, self.requested = path, provider

    def _bind(self, batch: Batch, maps: Batch) -> Callable[[], object]:
        run, binding = self._binding(batch, maps)
        return partial(run, binding)

    def _run_within(self, batch: Batch, maps: Batch, limit_s: float) -> None:
        run, binding = self._binding(batch, maps)
        options = ort.RunOptions()
        stop = threading.Timer(limit_s, setattr, (options, "terminate", True))
        stop.start()
        try:
            run(binding, options)
        finally:
            stop.cancel()

    def _binding(self, batch: Batch, maps: Batch) -> tuple[Callable[..., object], ort.IOBinding]:
        """Return the function that runs the model, and its argument: input and output."""
        session = self.session if batch.size > SMALL_PX else self._single_threaded
        binding = session.io_binding()
        binding.bind_input("image", "cpu", 0, np.float32, batch.shape, batch.ctypes.data)
        binding.bind_output("maps", "cpu", 0, np.float32, maps.shape, maps.ctypes.data)
        return session.run_with_iobinding, binding

    @cached_property
    def _single_threaded(self) -> ort.InferenceSession:
        """The model on one thread, opened for the first small input."""
        return self.session if self.threads == 1 else _open(self._path, self.requested, 1, spinning=False)


def _open(path: Path, provider: str, threads: int, spinning: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 4  # its errors are raised, too
    chosen = _installed_provider(provider)
    try:
        providers = list(dict.fromkeys([chosen, CPU]))
        again = int(chosen != CPU)  # on the CPU, which is printed
        session = ort.InferenceSession(str(path), options, providers=providers, enable_fallback=again)
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common base class
        raise NotAModelError(f"model {path}: ONNX Runtime cannot open it: {str(error).splitlines()[0]}") from None
    if provider != "auto" and session.get_providers()[0] != chosen:
        raise ModelError(f"provider {provider!r} is installed but does not start; are its libraries installed?")
    return session


def _installed_provider(requested: str) -> str:
    """Return ONNX Runtime's name of an installed provider. Raises `ModelError`."""
    installed: dict[str, str] = {_short(name): name for name in ort.get_available_providers()}
    if requested == "auto":
        return next(name for name in (_CUDA, CPU) if name in installed.values())
    if _short(requested) not in installed:
        raise ModelError(f"provider {requested!r} is not installed; available: {', '.join(['auto', *installed])}")
    return installed[_short(requested)]


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider").lower()
