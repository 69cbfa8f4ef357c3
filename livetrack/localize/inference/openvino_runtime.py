"""Inference by OpenVINO, where its package is installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from livetrack.errors import ModelError
from livetrack.localize.inference.inference import SMALL_PX, Batch, Inference

__all__ = ["OpenVino", "openvino_is_installed"]

_TELEMETRY = "openvino_telemetry"


class OpenVino(Inference):
    """A model that OpenVINO runs on the CPU.

    It is compiled for each size of the input (H, W) at the first run of that size: for a single input, which runs a
    little faster, or for any number of inputs, since that changes from frame to frame where particles are followed.
    Compiling takes some 40 ms, so a warm-up runs two inputs of each size of crops.

    Parameters
    ----------
    path
        The ONNX file.
    threads
        See `Inference`. Crops run on one, however many there are.
    bfloat16
        Compute with 16 bits where the CPU does so natively (AMX, AVX-512 BF16), else with 32 as in ONNX Runtime.

    Raises
    ------
    ModelError
        OpenVINO is not installed or cannot open the file.
    """

    requested = "openvino"

    def __init__(self, path: Path, threads: int, *, bfloat16: bool = False) -> None:
        runtime = _runtime()
        core = runtime.Core()
        try:
            self._model = core.read_model(str(path))
        except Exception as error:  # noqa: BLE001 - OpenVINO's errors have no common base class
            raise ModelError(f"model {path}: OpenVINO cannot open it: {str(error).splitlines()[0]}") from None
        native = core.get_property("CPU", "INFERENCE_PRECISION_HINT") == runtime.Type.bf16
        super().__init__("OpenVINO bfloat16" if bfloat16 and native else "OpenVINO", threads)
        self._core, self._tensor = core, runtime.Tensor
        self._options = {
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 and native else "f32",
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # the system places the threads beside the camera's and the publisher's
        }
        self._compiled: dict[tuple[int, int, int], Any] = {}

    def _bind(self, batch: Batch, maps: Batch) -> Callable[[], object]:
        infer: Callable[[], object] = self._request(batch, maps).infer
        return infer

    def _run_within(self, batch: Batch, maps: Batch, limit_s: float) -> None:
        request = self._request(batch, maps)
        request.start_async()
        if not request.wait_for(round(1000 * limit_s)):
            request.cancel()
            raise TimeoutError

    def _request(self, batch: Batch, maps: Batch) -> Any:
        request = self._compiled_for(batch).create_infer_request()
        request.set_input_tensor(self._tensor(batch, shared_memory=True))
        request.set_output_tensor(self._tensor(maps, shared_memory=True))
        return request

    def _compiled_for(self, batch: Batch) -> Any:
        """Return the model compiled for as many inputs as `batch` has, if that is one, or for any number."""
        count, _, height, width = batch.shape
        one, any_number = (1, height, width), (-1, height, width)
        key = one if count == 1 and any_number not in self._compiled else any_number
        if key not in self._compiled:
            self._model.reshape([key[0], 1, height, width])
            threads = 1 if height * width <= SMALL_PX else self.threads
            options = {**self._options, "INFERENCE_NUM_THREADS": threads}
            self._compiled[key] = self._core.compile_model(self._model, "CPU", options)
        return self._compiled[key]


def openvino_is_installed() -> bool:
    """Whether the package is there; it is not imported."""
    return importlib.util.find_spec("openvino") is not None


@cache
def _runtime() -> Any:
    """Import OpenVINO without its telemetry, which reports each import and writes to the user's home folder.

    Raises
    ------
    ModelError
        It cannot be imported.
    """
    blocked = _TELEMETRY not in sys.modules
    if blocked:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # an import of it fails, and OpenVINO does without
    try:
        import openvino
    except ImportError as error:
        raise ModelError(
            f"OpenVINO cannot be imported ({error}): python -m pip install openvino, or choose another provider"
        ) from None
    finally:
        if blocked:
            del sys.modules[_TELEMETRY]
    return openvino
