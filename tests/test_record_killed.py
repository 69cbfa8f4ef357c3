"""Real sessions that are killed while they record: what is lost is short, and the rest is accounted for."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from kills import Outcome, busy_cores, kill_while_recording

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="not verified on Windows")

MOST_S = 1.0
FAST = ["camera.simulated.fps=200.0", "camera.simulated.exposure_ms=4", "camera.simulated.count=10"]


def size(width: int, height: int) -> list[str]:
    return [*FAST, f"camera.simulated.width={width}", f"camera.simulated.height={height}"]


def check(outcome: Outcome) -> None:
    print(outcome)
    assert outcome.problems == []
    assert outcome.lost_s <= MOST_S
    assert outcome.rows_s <= MOST_S
    assert outcome.listed_s <= MOST_S


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_session_loses_at_most_a_second(tmp_path: Path, seed: int) -> None:
    outcome = kill_while_recording(tmp_path, size(128, 96), random.Random(seed).uniform(0.3, 1.5))
    check(outcome)


@pytest.mark.measured
@pytest.mark.parametrize(("width", "seeds"), [(256, range(3)), (512, range(2))])
def test_a_session_that_is_killed_while_the_cores_are_busy(tmp_path: Path, width: int, seeds: range) -> None:
    with busy_cores(2):
        for seed in seeds:
            folder = tmp_path / str(seed)
            folder.mkdir()
            check(kill_while_recording(folder, size(width, width), random.Random(seed).uniform(0.5, 3.0)))


@pytest.mark.measured
def test_a_session_that_is_killed_on_a_slow_disk(tmp_path: Path) -> None:
    outcome = kill_while_recording(tmp_path, size(512, 512), 3.0, disk_mb_per_s=20.0)
    check(outcome)
    assert outcome.dropped > 10
