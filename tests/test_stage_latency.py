"""The histogram against NumPy's quantiles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from livetrack.session.stage_latency import LatencyHistogram, StageLatency


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_quantiles_are_within_two_percent(share: float) -> None:
    durations = np.random.default_rng(1).lognormal(13, 2, 20_000).astype(int)
    histogram = LatencyHistogram()
    for duration in durations:
        histogram.record(int(duration))
    exact = np.quantile(durations, share, method="inverted_cdf") / 1e3
    assert histogram.quantile_us(share) == pytest.approx(exact, rel=0.02)


def test_the_ends_of_the_range() -> None:
    histogram = LatencyHistogram()
    assert math.isnan(histogram.quantile_us(0.5))
    assert histogram.latency().max == 0
    histogram.record(-5)
    histogram.record(0)
    assert histogram.quantile_us(0.5) == 0
    histogram.record(2**62)
    assert histogram.quantile_us(1) == pytest.approx(2**62 / 1e3)


def test_stages_add_up_and_the_camera_counts_only_where_it_says_when_it_exposed() -> None:
    times = StageLatency()
    times.record(None, 1_000_000, 1_100_000, 1_400_000, 1_450_000, 1_500_000)
    assert list(times.latency()) == ["wait", "localize", "link", "publish", "total"]
    times.record(0, 1_000_000, 1_100_000, 1_400_000, 1_450_000, 1_500_000)
    latency = times.latency()
    assert list(latency) == ["camera", "wait", "localize", "link", "publish", "total"]
    expected = {"camera": 1000, "wait": 100, "localize": 300, "link": 50, "publish": 50, "total": 500}
    for stage, us in expected.items():
        assert latency[stage].p50 == pytest.approx(us, rel=0.02)
        assert (
            latency[stage].p50 <= latency[stage].p90 <= latency[stage].p99 <= latency[stage].p999 <= latency[stage].max
        )
