"""Runtimes on bound memory: the same maps as without, for any number of threads, and the choice among them."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from livetrack.errors import ModelError
from livetrack.localize import load_localizer
from livetrack.localize.inference import choice, openvino_runtime
from livetrack.localize.inference.choice import fastest, open_for_runtimes, open_inference
from livetrack.localize.inference.inference import Inference
from livetrack.localize.inference.onnx_runtime import OnnxRuntime
from livetrack.localize.models import find_model, shipped_models
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import Rows

SHAPES = [(1, 64, 64), (3, 32, 32), (5, 32, 32), (2, 32, 32), (20, 32, 32), (1, 96, 160), (1, 64, 64)]

needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")


def _image(seed: int = 2, side: int = 128, sigma: float = 1.5) -> np.ndarray:
    """Return an image with spots of any brightness, some of them close together."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    image = np.full((side, side), 100.0)
    for centre_x, centre_y, height in zip(*rng.uniform(6, side - 6, (2, 24)), rng.uniform(30, 300, 24), strict=True):
        image += height * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * sigma**2))
    return rng.poisson(image).astype(np.uint16)


def _maps(inference: Inference, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps of noise, and those of a plain run of ONNX Runtime."""
    batch = inference.input_buffer(*shape)
    batch[:] = np.random.default_rng(shape[0]).standard_normal(batch.shape)
    (expected,) = OnnxRuntime(find_model("spot"), "cpu", 1).session.run(None, {"image": batch})
    return inference.run(batch), expected


@pytest.mark.parametrize(("threads", "spinning"), [(1, False), (2, False), (2, True)])
def test_bound_memory_gives_the_maps_of_a_plain_run_whatever_the_threads(threads: int, spinning: bool) -> None:
    inference = OnnxRuntime(find_model("spot"), "cpu", threads, spinning=spinning)
    for shape in SHAPES:
        np.testing.assert_array_equal(*_maps(inference, shape))


@needs_openvino
@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_gives_the_maps_of_onnx_runtime_but_for_rounding(threads: int) -> None:
    inference = open_inference(find_model("spot"), "openvino", threads)
    assert (inference.provider, inference.threads) == ("OpenVINO", threads)
    for shape in [*SHAPES, (1, 160, 160)]:
        np.testing.assert_allclose(*_maps(inference, shape), atol=1e-4)


def test_memory_is_kept_until_more_is_needed() -> None:
    inference = open_inference(find_model("spot"), "cpu", 1)
    first = inference.input_buffer(4, 32, 32)
    assert np.shares_memory(first, inference.input_buffer(2, 32, 32))
    larger = inference.input_buffer(5, 32, 32)
    assert not np.shares_memory(first, larger)
    assert np.shares_memory(larger, inference.input_buffer(8, 32, 32))


class Clock:
    """A clock that only sleeping moves on, in place of the module `time`."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_the_fastest_is_kept_and_a_later_one_only_if_it_is_clearly_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("livetrack.localize.inference.choice.time", clock)
    candidates = [open_inference(find_model("spot"), "cpu", threads) for threads in (1, 2, 3)]
    for pauses, best in (([20, 5, 20], 1), ([5, 20, 20], 0), ([20, 20, 5], 2)):
        pause_s = dict(zip(map(id, candidates), pauses, strict=True))
        assert (
            fastest(candidates, lambda candidate, pause_s=pause_s: clock.sleep(pause_s[id(candidate)] * 1e-3))
            is candidates[best]
        )
    assert fastest(candidates, lambda candidate: clock.sleep(0.005)) is candidates[0]


@pytest.mark.parametrize("provider", ["auto", pytest.param("openvino", marks=needs_openvino)])
def test_the_choice_of_threads_changes_no_row(provider: str) -> None:
    localizer = load_localizer("spot", threads=2, provider=provider)
    assert isinstance(localizer, NetworkLocalizer)
    before, runs_on = localizer.localize(_image()), localizer.provider
    assert len(before) > 10
    localizer.choose_threads(lambda: localizer.localize(_image()))
    assert localizer.threads in ("1 thread", "2 threads", "2 threads, busy-waiting")
    assert localizer.provider == runs_on
    assert localizer.localize(_image()).tobytes() == before.tobytes()


def _providers(requested: str) -> list[str]:
    return [str(each.requested) for each in open_for_runtimes(find_model("spot"), requested, 2, bfloat16=False)]


@needs_openvino
def test_openvino_is_a_candidate_only_where_the_choice_is_left_open() -> None:
    assert _providers("auto") == ["auto"] * 3 + ["openvino"] * 2
    assert _providers("cpu") == ["cpu"] * 3
    assert _providers("openvino") == ["openvino"] * 2


def test_without_openvino_onnx_runtime_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "openvino_is_installed", lambda: False)
    assert _providers("auto") == ["auto"] * 3


def test_openvino_that_is_not_installed_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    openvino_runtime._runtime.cache_clear()
    with pytest.raises(ModelError, match="pip install openvino"):
        load_localizer("spot", provider="openvino")
    assert "openvino_telemetry" not in sys.modules


@needs_openvino
def test_the_fastest_runtime_is_used_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    localizer = load_localizer("spot", threads=2)
    assert isinstance(localizer, NetworkLocalizer)
    monkeypatch.setattr("livetrack.localize.network.fastest", lambda candidates, work: candidates[-1])
    localizer.choose_runtime(lambda: localizer.localize(_image()))
    assert localizer.provider.startswith("OpenVINO")
    other = load_localizer("bead", threads=2)
    assert isinstance(other, NetworkLocalizer)
    other.run_like(localizer)  # as when the model is swapped
    assert (other.provider, other.threads) == (localizer.provider, localizer.threads)


def _differences(rows: Rows, others: Rows) -> np.ndarray:
    """Return how far apart the rows' positions are in units of their uncertainty; they must be in the same order."""
    assert len(rows) == len(others) > 5
    return np.hypot((rows["x"] - others["x"]) / rows["x_std"], (rows["y"] - others["y"]) / rows["y_std"])


@needs_openvino
@pytest.mark.parametrize("model", shipped_models())
def test_openvino_gives_the_rows_of_onnx_runtime_but_for_rounding(model: str) -> None:
    localizer, exact = (load_localizer(model, threads=1, provider=provider) for provider in ("openvino", "cpu"))
    assert isinstance(localizer, NetworkLocalizer)
    single = open_inference(find_model(model), "openvino", 1)
    reported = localizer.inference
    for seed in range(4):
        image = _image(seed, 192, 1.5 if model == "spot" else 3.0)
        expected = exact.localize(image)
        localizer.inference = single
        rows = localizer.localize(image)
        assert np.max(_differences(rows, expected)) < 0.01
        assert np.max(np.abs(rows["score"] - expected["score"])) < 1e-4
        localizer.inference = reported  # in bfloat16, where the CPU has it
        assert np.median(_differences(localizer.localize(image), expected)) < 0.1


@needs_openvino
def test_openvino_reports_nothing_to_its_makers(tmp_path: Path) -> None:
    program = (
        "import sys; from livetrack.localize.inference.choice import open_inference;"
        "from livetrack.localize.models import find_model; open_inference(find_model('spot'), 'openvino', 1);"
        "assert 'openvino' in sys.modules and 'openvino_telemetry' not in sys.modules"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120)
    assert not [path for path in tmp_path.iterdir() if "intel" in path.name.lower()]
