"""Closed loops through the whole system: camera, network, linker, ZeroMQ, a client's process and its commands."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from msgspec import structs

from livetrack.bench.feedback.lockstep import CASES, Case, Point, run_case, stability_results
from livetrack.bench.feedback.run import run_feedback
from livetrack.bench.feedback.session import closed_loop
from livetrack.errors import UsageError

FRAMES = 1200


def case(name: str, *gains: float) -> Case:
    (found,) = (each for each in CASES if each.name == name)
    return found._replace(gains=gains)


def agrees(point: Point) -> bool:
    """Within 5 % and four standard errors, which for so few frames is 15 to 25 % in total."""
    return abs(point.ratio - 1) < 0.05 + 4 * point.standard_error < 0.3


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("free bead, exposed all the time", 1.2),
        pytest.param("trapped bead, 25 Hz, no delay", 3.0, marks=pytest.mark.measured),
    ],
)
def test_variance_against_gain_agrees_with_theory(name: str, gain: float) -> None:
    """`livetrack bench feedback` has the full figures, to 5 %."""
    (point,) = run_case(case(name, gain), FRAMES)
    assert point.frames == FRAMES
    assert agrees(point), point


@pytest.mark.measured
def test_with_a_frame_of_delay_it_agrees_with_the_theory_of_that_delay_only() -> None:
    chosen = case("free bead, one frame of delay", 0.7)
    (point,) = run_case(chosen, FRAMES)
    assert agrees(point), point
    undelayed = structs.replace(chosen.model, delay_frames=0.0)
    assert not agrees(point._replace(expected=undelayed.variances(0.7).measured))


@pytest.mark.measured
def test_the_loop_becomes_unstable_at_the_gain_of_theory() -> None:
    (result,) = stability_results(case("free bead, one frame of delay"))
    assert result.met, result.figures


def test_a_loop_in_lockstep_does_not_depend_on_the_machines_speed() -> None:
    """The same to the last bit, with a client that pauses at random."""
    chosen = case("free bead, one frame of delay", 0.4)
    plan = partial(structs.replace, chosen.plan(chosen.gains, 120))
    quick, slow = (closed_loop(chosen.overrides, plan(random_delay_s=each)).records[0] for each in (0.0, 0.01))
    assert np.array_equal(quick, slow)
    assert len(quick) == 120


def test_an_unknown_part_of_the_bench_is_rejected() -> None:
    with pytest.raises(UsageError, match="choose from theory, edge, live, stiffness"):
        run_feedback(only=["all"])
