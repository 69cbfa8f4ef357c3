"""A known drift is linked from the first frame on, and velocities are right at any times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from livetrack.linking import Linker
from livetrack.particles import Rows, empty_rows

DRIFT_PX, COUNT, FRAMES = (6.0, -2.0), 60, 30
UNEVEN_S = 0.02 * np.cumsum(np.random.default_rng(2).choice([1, 1, 1, 2, 3], FRAMES))


def rows_at(elapsed: float, rng: np.random.Generator) -> Rows:
    """Return particles, 25 px apart in the mean, after so many intervals of drift."""
    rows = empty_rows(COUNT)
    place = np.random.default_rng(1).uniform(0, 200, (COUNT, 2)) + elapsed * np.array(DRIFT_PX)
    rows["x"], rows["y"] = (place + rng.normal(0, 0.3, place.shape)).T
    rows["x_std"] = rows["y_std"] = 0.1
    return rows


def fraction_linked(linker: Linker, times_s: list[float] | None) -> tuple[float, Rows]:
    """Return the fraction of particles with the id that they had in the frame before, and the last rows."""
    rng, kept = np.random.default_rng(3), 0
    for frame in range(FRAMES):
        t_s = None if times_s is None else times_s[frame]
        rows = rows_at(frame if t_s is None else (t_s - UNEVEN_S[0]) / 0.02, rng)
        linker.update(rows, t_s)
        kept += int((rows["id"] == np.arange(COUNT)).sum()) if frame else 0
    return kept / (COUNT * (FRAMES - 1)), rows


@pytest.mark.parametrize("motion", ["velocity", "brownian"])
@pytest.mark.parametrize("gate", ["learnt", "radius"])
@pytest.mark.parametrize("timed", [False, True])
def test_a_given_drift_is_linked_from_the_first_frames_on(motion: str, gate: str, timed: bool) -> None:
    times_s = UNEVEN_S.tolist() if timed else None
    with_drift = Linker(5.0, 0, motion, gate=gate, drift_px=DRIFT_PX)
    if timed:
        with_drift.set_interval(0.02)
    linked, rows = fraction_linked(with_drift, times_s)
    assert linked == 1
    if timed:  # the search radius bounds the deviation from the drift, over one interval or several
        np.testing.assert_allclose(np.median(rows["vx"]), DRIFT_PX[0] / 0.02, rtol=0.05)
        np.testing.assert_allclose(np.median(rows["vy"]), DRIFT_PX[1] / 0.02, rtol=0.05)
    assert fraction_linked(Linker(5.0, 0, motion, gate=gate), times_s)[0] < 0.1


def test_the_first_prediction_has_the_drift_before_the_interval_is_known() -> None:
    linker = Linker(5.0, 0, "velocity", drift_px=DRIFT_PX)
    first = rows_at(0, np.random.default_rng(0))
    linker.update(first, 10.0)
    for t_s in (None, 10.02):
        expected = linker.predict(t_s)
        np.testing.assert_allclose(expected["x"] - first["x"], DRIFT_PX[0], atol=1e-4)
        np.testing.assert_allclose(expected["y"] - first["y"], DRIFT_PX[1], atol=1e-4)


def test_what_is_measured_replaces_the_given_drift() -> None:
    linker = Linker(5.0, 0, "velocity", drift_px=(3.0, -2.0))  # half of it, by mistake
    linked, last = fraction_linked(linker, None)
    assert linked == 1  # so that tracks and rows are in the same order
    np.testing.assert_allclose(np.median(linker.predict()["x"] - last["x"]), DRIFT_PX[0], atol=0.1)


def test_a_saved_linker_keeps_the_drift(tmp_path: Path) -> None:
    linker = Linker(5.0, 0, "velocity", drift_px=DRIFT_PX)
    linker.update(rows_at(0, np.random.default_rng(0)), 1.0)
    linker.save(tmp_path / "linker.npz")
    restored = Linker.load(tmp_path / "linker.npz")
    assert restored.settings["drift_px"] == list(DRIFT_PX)
    rows = rows_at(1, np.random.default_rng(0))
    restored.update(rows, 1.02)
    assert rows["id"].tolist() == list(range(COUNT))


def test_velocities_are_right_at_uneven_times() -> None:
    """A step over three intervals is no faster motion: neither the velocities nor what is expected of others."""
    linker, drift_px = Linker(8.0, 0, "velocity"), np.array([1.5, -0.5])
    linker.set_interval(0.02)
    rng, place = np.random.default_rng(5), np.random.default_rng(1).uniform(0, 300, (COUNT, 2))
    for t_s in UNEVEN_S:
        rows = empty_rows(COUNT)
        moved = place + drift_px * (t_s / 0.02)
        rows["x"], rows["y"] = (moved + rng.normal(0, 0.05, place.shape)).T
        rows["x_std"] = rows["y_std"] = 0.05
        linker.update(rows, t_s)
    np.testing.assert_allclose(np.mean(rows["vx"]), drift_px[0] / 0.02, rtol=0.01)
    np.testing.assert_allclose(np.std(rows["vx"]), 0, atol=0.1 * drift_px[0] / 0.02)
    new = empty_rows(1)
    new["x"], new["y"], new["x_std"], new["y_std"] = 10.0, 10.0, 0.05, 0.05
    linker.update(new, UNEVEN_S[-1] + 0.02)
    (expected,) = linker.predict(UNEVEN_S[-1] + 0.04)
    np.testing.assert_allclose((expected["x"] - 10, expected["y"] - 10), drift_px, atol=0.05)


@pytest.mark.parametrize("known", [False, True])
def test_even_times_link_as_no_times_do(known: bool) -> None:
    """From the first frames on, when velocities are still those of an assumed interval of 1 s."""
    rng = np.random.default_rng(6)
    place, angle = rng.uniform(0, 17, (300, 2)), rng.uniform(0, 2 * np.pi, 300)
    step = 0.6 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    timed, untimed = Linker(0.9, 1, "velocity"), Linker(0.9, 1, "velocity")
    if known:
        timed.set_interval(0.01)
    for frame in range(8):
        order = rng.permutation(300)
        rows = empty_rows(300)
        rows["x"], rows["y"] = (place + frame * step)[order].T
        rows["x_std"] = rows["y_std"] = 0.01
        same = rows.copy()
        timed.update(rows, 5.0 + 0.01 * frame)
        untimed.update(same)
        assert (rows["id"] == same["id"]).mean() > 0.999
