"""Latency of each stage of the loop, in histograms that are cheap enough to fill at every frame."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from livetrack.wire import Latency

__all__ = ["LatencyHistogram", "StageLatency"]

_PRECISION_BITS = 6  # 64 buckets per octave: a resolution of 1.6 %
_BUCKETS = 1 << _PRECISION_BITS


class LatencyHistogram:
    """Histogram of durations in ns, with log-linear buckets like HdrHistogram's and constant memory."""

    def __init__(self) -> None:
        self._counts = [0] * (_BUCKETS * (64 - _PRECISION_BITS + 1))
        self.total = 0
        """Number of recorded durations."""
        self._max = 0

    def record(self, duration_ns: int) -> None:
        """Record a duration; negative ones count as 0."""
        value = max(duration_ns, 0)
        self._counts[_bucket(value)] += 1
        self.total += 1
        self._max = max(self._max, value)

    def quantile_us(self, fraction: float) -> float:
        """Return the duration that a `fraction` (0..1) of all do not exceed, µs; NaN if none was recorded."""
        return self._quantiles_us(fraction)[0] if self.total else float("nan")

    def latency(self) -> Latency:
        """Return the quantiles for the heartbeat; zeros if nothing was recorded."""
        if not self.total:
            return Latency(p50=0.0, p90=0.0, p99=0.0, p999=0.0, max=0.0)
        p50, p90, p99, p999 = (round(quantile, 1) for quantile in self._quantiles_us(0.5, 0.9, 0.99, 0.999))
        return Latency(p50=p50, p90=p90, p99=p99, p999=p999, max=round(self._max / 1e3, 1))

    def _quantiles_us(self, *fractions: float) -> list[float]:
        """Return several quantiles in one pass: the loop waits for it."""
        cumulative = list(accumulate(self._counts[: _bucket(self._max) + 1]))
        indices = (bisect_left(cumulative, max(fraction * self.total, 1)) for fraction in fractions)
        return [min(_upper_edge(index), self._max) / 1e3 for index in indices]


class StageLatency:
    """Latency histograms of the stages of a frame, from exposed to published."""

    def __init__(self) -> None:
        self.camera, self.wait, self.localize, self.link, self.publish, self.total = (
            LatencyHistogram() for _ in range(6)
        )

    def record(
        self, exposed_ns: int | None, received_ns: int, started_ns: int, localized_ns: int, linked_ns: int,
        published_ns: int,
    ) -> None:  # fmt: skip
        """Record the time stamps of a frame; the first is None if the camera does not report it."""
        if exposed_ns is not None:
            self.camera.record(received_ns - exposed_ns)
        self.wait.record(started_ns - received_ns)
        self.localize.record(localized_ns - started_ns)
        self.link.record(linked_ns - localized_ns)
        self.publish.record(published_ns - linked_ns)
        self.total.record(published_ns - received_ns)

    def latency(self) -> dict[str, Latency]:
        """Return the quantiles by stage; `camera` only if the exposure times are known."""
        known = vars(self).items() if self.camera.total else list(vars(self).items())[1:]
        return {stage: histogram.latency() for stage, histogram in known}


def _bucket(value: int) -> int:
    shift = max(value.bit_length() - _PRECISION_BITS - 1, 0)
    return (shift << _PRECISION_BITS) + (value >> shift)


def _upper_edge(index: int) -> int:
    """Return the largest value in bucket `index`."""
    shift = max((index >> _PRECISION_BITS) - 1, 0)
    return ((index - (shift << _PRECISION_BITS) + 1) << shift) - 1
