"""Any particles: linked without an error, with ids that are unique; any of them read back from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from livetrack.errors import UsageError
from livetrack.linking import Linker
from livetrack.linking.motion import MOTIONS
from livetrack.particles import ROW, Flag, Rows, empty_rows
from livetrack.table import COLUMNS, TrackTable

MEASURED = [name for name in ROW.names or () if ROW[name].kind == "f"]
LINKERS = [(motion, gate) for motion in MOTIONS for gate in ("radius", "learnt")]

FLOATS = st.floats(width=32)
PLACES = (
    st.integers(-3, 12).map(float)
    | st.floats(-50, 50, width=32)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
)


@st.composite
def any_rows(draw: st.DrawFn, places: st.SearchStrategy[float] = PLACES) -> Rows:
    """Return rows with any values, positions that are finite, and some at one place."""
    count = draw(st.integers(0, 6))
    rows = empty_rows(count)
    for name in MEASURED:
        if name in ("x", "y"):
            rows[name] = [draw(places) for _ in range(count)]
        elif draw(st.booleans()):
            rows[name] = draw(arrays.arrays(np.float32, count, elements=FLOATS))
    rows["flags"] = draw(arrays.arrays(np.uint32, count, elements=st.integers(0, 255)))
    return rows


@st.composite
def frames(draw: st.DrawFn) -> list[tuple[Rows, float | None]]:
    """Return rows and a time of each frame: never backwards, some unknown."""
    t_s, result = draw(st.floats(-1e17, 1e9)), []
    for _ in range(draw(st.integers(1, 8))):
        t_s += draw(st.sampled_from([0.0, 0.01, 0.01, 1.0, 1e-300, 1e17]))
        result.append((draw(any_rows()), draw(st.sampled_from([t_s, t_s, None]))))
    return result


@pytest.mark.parametrize(("motion", "gate"), LINKERS)
@settings(max_examples=40)
@given(frames(), st.integers(0, 3))
def test_any_finite_rows_are_linked(motion: str, gate: str, seen: list[Any], memory: int) -> None:
    linker, linked = Linker(5.0, memory, motion, gate=gate), []
    for unlinked, t_s in seen:
        rows = unlinked.copy()
        alive = set(linker.predict()["id"].tolist())
        started = linker.total_started
        linker.update(rows, t_s)
        linked.append(rows)
        ids = rows["id"].tolist()
        new = [each for each in ids if each >= started]
        assert len(set(ids)) == len(ids)
        assert new == list(range(started, linker.total_started)) == linker.started.tolist()
        assert set(ids) - set(new) <= alive
        assert ((rows["flags"] & Flag.NEW) > 0).tolist() == [each in new for each in ids]
        for name in set(MEASURED) - {"vx", "vy"}:
            np.testing.assert_array_equal(rows[name], unlinked[name])
        assert linker.total_ended == linker.total_started - len(linker.predict())
    again = Linker(5.0, memory, motion, gate=gate)
    for (unlinked, t_s), expected in zip(seen, linked, strict=True):
        rows = unlinked.copy()
        again.update(rows, t_s)
        assert [rows[name].tobytes() for name in ROW.names or ()] == [
            expected[name].tobytes() for name in ROW.names or ()
        ]


@pytest.mark.parametrize(("motion", "gate"), LINKERS)
@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([0.2, 1.0, 3.0]))
def test_the_order_of_the_rows_does_not_matter(motion: str, gate: str, seed: int, count: int, step_px: float) -> None:
    """At places without ties; new tracks are numbered in the order of the rows, and so count as one."""
    rng = np.random.default_rng(seed)
    one, other = (Linker(4.0, 2, motion, gate=gate) for _ in range(2))
    place = rng.uniform(0, 30, (count, 2))
    same = np.zeros(0, np.int64)  # id in the other linker of each id in the first
    for frame in range(6):
        place = place + rng.normal(0, step_px, place.shape)
        rows = empty_rows(int(rng.integers(0, count + 1)))
        rows["x"], rows["y"] = place[rng.permutation(count)[: len(rows)]].T
        rows["x_std"] = rows["y_std"] = 0.1
        order = rng.permutation(len(rows))
        mixed = rows[order].copy()
        one.update(rows, 0.01 * frame)
        other.update(mixed, 0.01 * frame)
        found = np.empty(len(rows), np.int64)
        found[order] = mixed["id"]
        known = rows["id"] < len(same)
        assert same[rows["id"][known]].tolist() == found[known].tolist()
        same = np.append(same, found[~known])
        assert len(same) == one.total_started == other.total_started


@settings(max_examples=30)
@given(any_rows(), st.data())
def test_a_position_that_is_not_finite_changes_nothing(rows: Rows, data: Any) -> None:
    linker = Linker(5.0, 1)
    linker.link_points([[0, 0], [20, 20]], t_s=0.0)
    wrong = np.append(rows, empty_rows(1))
    wrong["x"][-1] = wrong["y"][-1] = 1.0
    wrong[data.draw(st.sampled_from(["x", "y"]))][-1] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    before = wrong.tobytes()
    with pytest.raises(UsageError, match=f"particle {len(rows)} is at"):
        linker.update(wrong, 1.0)
    assert wrong.tobytes() == before
    assert linker.link_points([[20, 20], [0, 0], [99, 99]], t_s=1.0).tolist() == [1, 0, 2]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather"])
@given(st.lists(any_rows(FLOATS), max_size=4))
def test_a_table_is_read_as_written(tmp_path_factory: pytest.TempPathFactory, suffix: str, seen: list[Rows]) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    seen = [rows.copy() for rows in seen]
    for number, rows in enumerate(seen):
        rows["id"] = np.arange(len(rows)) + 2**53 * (number % 2)  # some that a float cannot hold
    with TrackTable(path) as table:
        for frame, rows in enumerate(seen):
            table.append(3 * frame, rows, frame / 7, 0.5)
    found = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".feather": pd.read_feather}[suffix](path)
    kept = [rows[(rows["flags"] & Flag.COASTED) == 0] for rows in seen]
    expected = np.concatenate([empty_rows(), *kept])
    assert list(found.columns) == list(COLUMNS)
    assert found["frame"].tolist() == [3 * frame for frame, rows in enumerate(kept) for _ in rows]
    assert found["particle"].tolist() == expected["id"].tolist()
    for name in set(COLUMNS) - {"frame", "particle"}:
        values = (
            found["frame"].to_numpy(float) / 21 if name == "t_s" else expected[name.removesuffix("_um")].astype(float)
        )
        values = values / 2 if name.endswith("_um") else values
        got = found[name].to_numpy(dtype=float, na_value=np.nan)
        rtol, atol = (1e-7, 5.01e-6) if suffix == ".csv" else (1e-15, 0)  # single precision, rounded
        np.testing.assert_allclose(got, values, rtol=rtol, atol=atol, err_msg=name)
