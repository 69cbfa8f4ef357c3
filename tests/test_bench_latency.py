"""The latency bench: its stages, comparisons, soak and tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from livetrack.bench.latency.comparisons import (
    FOLLOWED,
    SEARCH_WARM_UP,
    compare_followed_with_full_search,
    compare_with_trackpy,
)
from livetrack.bench.latency.end_to_end import (
    Case,
    _NetworkProbe,
    cases,
    end_to_end_result,
    end_to_end_table,
    measure_case,
)
from livetrack.bench.latency.run import run_latency
from livetrack.bench.latency.soak import SAMPLES, SoakSample, soak, soak_result, soak_table
from livetrack.bench.latency.while_recording import RECORDING_PAIRS, measure_while_recording
from livetrack.bench.report import Report, markdown
from livetrack.bench.result import TargetResult, format_figure
from livetrack.errors import UsageError
from livetrack.linking import Linker
from livetrack.localize import load_localizer
from livetrack.tracker import Tracker


@pytest.fixture(scope="module")
def stamps() -> np.ndarray:
    steps: list[None] = []
    stamps = measure_case(Case(64, 1, profile_fit=False), 30, lambda: steps.append(None))
    assert len(steps) >= 20
    return stamps


def test_the_stages_of_each_frame_add_up_to_the_total(stamps: np.ndarray) -> None:
    assert 10 <= len(stamps) <= 31  # with fewer the bench fails
    assert (np.diff(stamps["frame"]) > 0).all()
    total = sum(stamps[stage] for stage in ("wait", "localize", "link", "publish", "hop"))
    np.testing.assert_array_equal(stamps["total"], total)
    for name in ("wait", "localize", "link", "publish", "hop", "bare", "inference"):
        assert (stamps[name] > 0).all(), name
    assert np.median(stamps["localize"]) > 0.5 * np.median(stamps["inference"])


def test_the_added_latency_is_the_total_less_the_lower_bounds(stamps: np.ndarray) -> None:
    line = end_to_end_result(Case(64, 1, profile_fit=False), stamps)
    added = np.median(stamps["total"] - stamps["inference"] - stamps["bare"]) / 1e3
    assert line.figures["added_p50_us"] == pytest.approx(added, abs=0.1)
    assert line.name == "64x64 px, 1 particle, without profile fit, 200 frames/s"
    assert line.n == len(stamps)


def test_caches_are_warmed_for_the_lower_bound_if_they_were_for_the_frame() -> None:
    tracker = Tracker(load_localizer("spot"), Linker(5.0))
    runs: list[object] = []
    run = tracker.localizer.inference.run
    tracker.localizer.inference.run = lambda batch: runs.append(batch.shape) or run(batch)
    network = _NetworkProbe(tracker)
    image = np.random.default_rng(0).normal(100, 5, (64, 64)).astype(np.float32)
    tracker.update(image)
    assert len(runs) == 1
    assert network.run_again() > 0
    assert len(runs) == 2
    tracker.rerun_last_frame(image)
    tracker.update(image)
    assert len(runs) == 4
    assert network.run_again() > 0
    assert len(runs) == 6  # once before it counts
    assert len(set(runs)) == 1


def test_every_case_of_the_target_is_measured() -> None:
    assert {(case.side_px, case.particles) for case in cases()} == {(s, n) for s in (64, 128, 512) for n in (1, 5, 100)}


@pytest.mark.parametrize(("side_px", "count"), FOLLOWED)
def test_followed_particles_need_the_network_in_few_frames(side_px: int, count: int) -> None:
    steps: list[None] = []
    (line,) = compare_followed_with_full_search(side_px, count, 64, lambda: steps.append(None))
    assert len(steps) == SEARCH_WARM_UP + 64
    assert line.n == 64
    assert 0 < float(line.figures["fraction_searched"] or 0) < 0.5
    assert float(line.figures["difference_rms"] or 0) < 0.3
    assert 0 < float(line.figures["p50_us"] or 0) <= float(line.figures["p99_us"] or 0)


@pytest.mark.measured
def test_trackpy_and_livetrack_find_the_same_beads() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    frames = []
    for shift in range(4):
        image = rng.normal(120, 2, (128, 128))
        for centre in ((30, 40), (80, 35), (60, 95)):
            distance = (x - centre[0] - 0.3 * shift) ** 2 + (y - centre[1]) ** 2
            image -= 60 * np.exp(-distance / (2 * 2.0**2))
        frames.append(image.clip(0, 255).astype(np.uint8))
    lines = compare_with_trackpy(frames, lambda: None)
    assert ["without profile fit" in line.name for line in lines] == [False, True]
    for line in lines:
        assert float(line.figures["particles_trackpy"] or 0) >= 3
        assert line.figures["particles"] == pytest.approx(3, abs=1)
        assert float(line.figures["speedup"] or 0) > 0


def test_the_report_as_markdown(stamps: np.ndarray) -> None:
    path = end_to_end_result(Case(64, 1, profile_fit=False), stamps)
    other = TargetResult(
        name="following", definition="", n=3, figures={"faster": 9.1234, "full_ms": 1234.5}, target="8 x", met=True
    )
    report = Report(bench="latency", machine="m", quick=False, targets=[path, other], tables=[end_to_end_table([path])])
    text = markdown(report)
    added = format_figure(path.figures["added_p50_us"])
    assert f"| 64x64 px, 1 particle, without profile fit, 200 frames/s | {added} |" in text
    assert "| following | faster 9.12, full ms 1,234 | 8 x | yes | 3 |" in text


@pytest.mark.measured
def test_recording_while_tracking_is_compared_with_tracking_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    steps: list[None] = []
    (line,) = measure_while_recording(128, 50, 1.0, lambda: steps.append(None))
    assert len(steps) == RECORDING_PAIRS
    assert line.n > 10
    assert float(line.figures["mb_per_s"] or 0) > 0.1
    assert 0.1 < float(line.figures["loop_p50_ratio"] or 0) < 10
    assert not list(tmp_path.iterdir())


def test_an_unknown_part_is_rejected() -> None:
    with pytest.raises(UsageError, match="--only speed: no such part; choose from path, following,"):
        run_latency(only=["speed"])


def test_without_the_recording_its_target_is_not_measured() -> None:
    report = run_latency(only=["recording"])
    assert [line.met for line in report.targets] == [None]
    assert "not measured" in markdown(report)


@pytest.mark.measured
def test_a_short_soak_is_received_from_another_process() -> None:
    steps: list[None] = []
    line, samples = soak(0.1, lambda: steps.append(None))
    assert len(samples) == len(steps) == SAMPLES
    assert samples[-1].minutes == pytest.approx(0.1, rel=0.3)
    assert sum(sample.missed for sample in samples) == 0
    assert line.n == sum(sample.frames for sample in samples) > 50
    assert all(50 < sample.rss_mb < 2000 for sample in samples)
    assert all(sample.localize_p50_us <= sample.total_p50_us <= sample.total_max_us for sample in samples)
    assert 50 < samples[-1].particles < 120


def a_sample(rss_mb: float) -> SoakSample:
    figures = dict.fromkeys(
        ("localize_p50_us", "localize_p99_us", "total_p50_us", "total_p99_us", "total_max_us"), 1000.0
    )
    return SoakSample(minutes=30, rss_mb=rss_mb, frames=100, missed=0, skipped=0, particles=100, **figures)


@pytest.mark.parametrize(("peak_mb", "slower", "met"), [(219.0, 1.2, True), (221.0, 1.2, False), (219.0, 1.4, False)])
def test_a_soak_is_judged_by_its_peak_after_the_warm_up_and_by_its_ends(
    peak_mb: float, slower: float, met: bool
) -> None:
    samples = [a_sample(200.0) for _ in range(SAMPLES)]
    samples[12] = a_sample(peak_mb)
    totals = [np.full(100, 1_000_000 * (slower if n >= SAMPLES - 5 else 1), np.int64) for n in range(SAMPLES)]
    line = soak_result(samples, totals)
    assert line.figures["growth_mb"] == pytest.approx(peak_mb - 200)
    assert line.figures["p99_last_over_first"] == pytest.approx(slower)
    assert line.met is met
    report = Report(bench="latency", machine="m", quick=False, targets=[line], tables=[soak_table(samples)])
    assert "| 30 | 221.0 | 100 | 0 | 0 | 1, 1 | 1, 1, 1 |" in markdown(report).replace(f"{peak_mb:.1f}", "221.0")
