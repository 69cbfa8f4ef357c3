"""The table of `livetrack track`: exact columns, readable by trackpy, and never incomplete under its final name."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.ipc
import pytest

import livetrack.table
from livetrack.errors import LivetrackError, UsageError
from livetrack.particles import Flag, Rows, empty_rows
from livetrack.table import COLUMNS, TrackTable

HEADER = ["frame", "particle", "y", "x", "y_std", "x_std", "intensity", "score"]


def rows_of(frame: int, count: int = 3) -> Rows:
    rows = empty_rows(count)
    rows["id"] = np.arange(count) + 7
    rows["x"] = 10 * np.arange(count) + frame / 3
    rows["y"] = frame / 7
    rows["x_std"] = 0.0123456
    rows["intensity"] = -40.5
    rows["score"] = 0.9
    return rows


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "OUT.CSV"])
def test_appended_rows_are_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    buffer = empty_rows(3)
    with TrackTable(path) as table:
        for frame in range(5):
            buffer[:] = rows_of(frame)
            buffer["flags"][2] = Flag.COASTED if frame == 3 else 0
            table.append(frame, buffer if frame != 1 else buffer[:0])
            buffer["x"] = -1  # the loop uses its buffer again
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == [name]
    found = pd.read_csv(path) if path.suffix.lower() == ".csv" else read(path)
    assert list(found.columns) == HEADER == list(COLUMNS)
    assert found["frame"].tolist() == [0, 0, 0, 2, 2, 2, 3, 3, 4, 4, 4]
    assert found["particle"].tolist() == [7, 8, 9, 7, 8, 9, 7, 8, 7, 8, 9]
    expected = np.concatenate([rows_of(frame)[: 2 if frame == 3 else 3] for frame in (0, 2, 3, 4)])
    for column in HEADER[2:]:
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-6, atol=6e-6)


def test_csv_is_plain_and_short(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "out.csv") as table:
        table.append(1, rows_of(1, 1))
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == ["frame,particle,y,x,y_std,x_std,intensity,score", "1,7,0.14286,0.33333,,0.01235,-40.5,0.9"]


def test_many_rows_are_written_in_batches(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "out.csv") as table:
        for frame in range(30):
            table.append(frame, rows_of(frame, 4000))
        assert table.partial_path.stat().st_size > 1e6
    found = read(tmp_path / "out.csv")
    assert len(found) == 30 * 4000
    assert found["frame"].is_monotonic_increasing


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_an_interruption_keeps_the_rows_so_far_under_the_partial_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("an earlier result")
    table = TrackTable(path)
    table.append(0, rows_of(0))
    with pytest.raises(KeyboardInterrupt), table:
        raise KeyboardInterrupt
    assert path.read_text() == "an earlier result"
    assert table.partial_path.name == name.replace(".", ".partial.")
    assert len(read(table.partial_path)) == 3


def test_an_interruption_before_the_first_row_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), TrackTable(tmp_path / "out.csv"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_movie_without_particles_gives_an_empty_table(tmp_path: Path, name: str) -> None:
    with TrackTable(tmp_path / name) as table:
        table.append(0, empty_rows())
    assert list(read(tmp_path / name).columns) == HEADER
    assert len(read(tmp_path / name)) == 0


def test_an_output_format_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(livetrack.table.FORMATS, ".feather", livetrack.table._Format(pyarrow.ipc.new_file))
    with TrackTable(tmp_path / "out.feather") as table:
        table.append(1, rows_of(1))
    found = pd.read_feather(tmp_path / "out.feather")
    assert list(found.columns) == HEADER
    assert found["particle"].tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.xlsx", r"unsupported output format \.xlsx; use \.csv or \.parquet"),
        ("out", r"unsupported output format \(no suffix\)"),
        ("missing/out.csv", "there is no folder .*missing; create it first"),
        ("folder.csv", "this is a folder; name a file"),
    ],
)
def test_an_output_that_cannot_be_written_is_rejected_at_once(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=words) as caught:
        TrackTable(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.csv"]


def test_trackpy_reads_the_table_directly(tmp_path: Path) -> None:
    """Free diffusion of 200 particles, 0.5 px² of mean square step: `emsd` finds it."""
    trackpy = pytest.importorskip("trackpy")
    rng = np.random.default_rng(3)
    place = rng.uniform(0, 1000, (200, 2))
    with TrackTable(tmp_path / "out.csv") as table:
        for frame in range(60):
            rows = rows_of(frame, 200)
            rows["y"], rows["x"] = place.T
            table.append(frame, rows)
            place += rng.normal(0, 0.5, place.shape)
    msd = trackpy.emsd(pd.read_csv(tmp_path / "out.csv"), mpp=1, fps=1, max_lagtime=5)
    np.testing.assert_allclose(msd, 0.5 * np.arange(1, 6), rtol=0.05)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_full_disk_is_reported_and_leaves_no_incomplete_table(tmp_path: Path, ending: str) -> None:
    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def write_batch(self, _: Any) -> None:
            raise OSError(errno.ENOSPC, "Error writing bytes to file")

        def __enter__(self) -> None:
            self.file.__enter__()

        def __exit__(self, *how: Any) -> None:
            self.file.__exit__(*how)

    path = tmp_path / f"tracks.{ending}"
    table = TrackTable(path)
    table._writer = Full(table._writer)
    with pytest.raises(LivetrackError, match=rf"tracks.{ending}: cannot be written: the disk is full"), table:
        table.append(0, rows_of(0))
    assert list(tmp_path.iterdir()) == []
