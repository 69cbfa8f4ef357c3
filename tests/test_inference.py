"""ONNX Runtime on bound memory: the same maps as without, for any number of threads."""

from __future__ import annotations

import time

import numpy as np
import pytest

from livetrack.localize import load_localizer
from livetrack.localize.inference import Inference, fastest
from livetrack.localize.models import find_model
from livetrack.localize.network import NetworkLocalizer

SHAPES = [(1, 64, 64), (3, 32, 32), (5, 32, 32), (2, 32, 32), (20, 32, 32), (1, 96, 160), (1, 64, 64)]


@pytest.mark.parametrize(("threads", "spinning"), [(1, False), (2, False), (2, True)])
def test_bound_memory_gives_the_maps_of_a_plain_run_whatever_the_threads(threads: int, spinning: bool) -> None:
    path = find_model("spot")
    inference, plain = Inference(path, "cpu", threads, spinning=spinning), Inference(path, "cpu", 1).session
    rng = np.random.default_rng(0)
    for count, height, width in SHAPES:
        batch = inference.input_buffer(count, height, width)
        batch[:] = rng.standard_normal(batch.shape)
        (expected,) = plain.run(None, {"image": batch})
        np.testing.assert_array_equal(inference.run(batch), expected)


def test_memory_is_kept_until_more_is_needed() -> None:
    inference = Inference(find_model("spot"), "cpu", 1)
    first = inference.input_buffer(4, 32, 32)
    assert np.shares_memory(first, inference.input_buffer(2, 32, 32))
    larger = inference.input_buffer(5, 32, 32)
    assert not np.shares_memory(first, larger)
    assert np.shares_memory(larger, inference.input_buffer(8, 32, 32))


def test_the_fastest_is_kept_and_a_later_one_only_if_it_is_clearly_faster() -> None:
    candidates = [Inference(find_model("spot"), "cpu", threads) for threads in (1, 2, 3)]
    for pauses, best in (([20, 5, 20], 1), ([5, 20, 20], 0), ([20, 20, 5], 2)):
        pause_s = dict(zip(map(id, candidates), pauses, strict=True))
        assert (
            fastest(candidates, lambda candidate, pause_s=pause_s: time.sleep(pause_s[id(candidate)] * 1e-3))
            is candidates[best]
        )
    assert fastest(candidates, lambda candidate: time.sleep(0.005)) is candidates[0]


def test_the_choice_of_threads_changes_no_row() -> None:
    localizer = load_localizer("spot", threads=2)
    assert isinstance(localizer, NetworkLocalizer)
    image = np.random.default_rng(2).normal(100, 5, (128, 128))
    image[40:43, 60:63] += 90
    before = localizer.localize(image)
    assert len(before) > 0
    localizer.choose_threads(lambda: localizer.localize(image))
    assert localizer.threads in ("1 thread", "2 threads", "2 threads, busy-waiting")
    assert localizer.localize(image).tobytes() == before.tobytes()
