"""The tables of a recording for other programs: complete, with times and µm, and whole or not there at all."""

from __future__ import annotations

import errno
import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.ipc
import pyarrow.parquet
import pytest
import trackpy
from test_record import GEOMETRY, frame_of, rows_of

from livetrack.camera import Geometry
from livetrack.cli import main
from livetrack.config import load_config
from livetrack.errors import LivetrackError
from livetrack.particles import Flag, Rows
from livetrack.record import Recorder, read_session, session_writer, tables
from livetrack.record.streams import TRAJECTORIES
from livetrack.record.tables import TABLE_FILES, write_tables
from livetrack.table import COLUMNS, trackmate

FRAMES = 40


def track_rows(index: int) -> Rows:
    """Return three tracks: one that is predicted in every tenth frame, and one without a position's uncertainty."""
    rows = np.repeat(rows_of(1), 3)
    rows["id"] = (4, 7, 9)
    rows["x"], rows["y"] = (5.25 + 0.1 * index, 20.5, 30.0), (8.0, 9.0 + 0.2 * index, 3.0)
    rows["x_std"] = rows["y_std"] = (0.01, 0.02, np.nan)
    rows["score"], rows["intensity"] = 0.9, 500.0
    rows["flags"] = (Flag.COASTED if index % 10 == 9 else 0, Flag.EDGE, 0)
    return rows


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorder = Recorder(tmp_path_factory.mktemp("tables"), tables=tuple(TABLE_FILES))
    coarse = replace(GEOMETRY, pixel_size_um=0.25)
    for index in range(100, 100 + FRAMES):
        frame = frame_of(index) if index < 130 else frame_of(index, coarse, 1)
        recorder.offer_frame(frame)
        recorder.offer_rows(frame, track_rows(index))
    recorder.close()
    return recorder.folder


def read(session: Path, name: str) -> pd.DataFrame:
    path = session / TABLE_FILES[name]
    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".feather": pd.read_feather}
    return readers[path.suffix](path)


@pytest.mark.parametrize("name", ["csv", "parquet", "feather"])
def test_a_closed_recording_has_tables_with_all_columns(session: Path, name: str) -> None:
    table = read(session, name)
    rows = read_session(session).trajectories().to_pandas()
    rows = rows[(rows["flags"] & int(Flag.COASTED)) == 0].reset_index(drop=True)  # as in `livetrack track`
    assert len(table) == len(rows) == 3 * FRAMES - 4
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    np.testing.assert_array_equal(table["particle"], rows["particle"])
    for column in rows.columns:
        np.testing.assert_allclose(table[column], rows[column], rtol=1e-7, atol=5e-6 if name == "csv" else 0)
    um_per_px = np.where(table["frame"] < 130, 0.125, 0.25)
    np.testing.assert_array_equal(table["geometry"], table["frame"] >= 130)
    for axis in ("x", "y"):
        np.testing.assert_allclose(table[f"{axis}_um"], rows[axis] * um_per_px, atol=1e-6)
    assert table["x_std"].isna().sum() == FRAMES  # an empty cell, and no text


def test_the_parquet_file_has_units(session: Path) -> None:
    schema = pyarrow.parquet.read_schema(session / "trajectories.parquet")
    assert {name: schema.field(name).metadata[b"unit"] for name in ("x", "x_um", "t_s")} == {
        "x": b"px",
        "x_um": b"um",
        "t_s": b"s",
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # trackpy uses pandas in ways that will end
def test_trackpy_reads_it(session: Path) -> None:
    table = read(session, "parquet")
    msd = trackpy.imsd(table[table["frame"] < 130], mpp=0.125, fps=200.0, max_lagtime=3)
    np.testing.assert_allclose(msd[7].iloc[0], (0.2 * 0.125) ** 2, rtol=1e-4)


def test_the_layouts_of_trackpy_and_napari_have_the_same_rows(session: Path) -> None:
    whole, napari, own = (read(session, name) for name in ("parquet", "napari", "trackpy"))
    assert list(own.columns) == ["y", "x", "signal", "ep_y", "ep_x", "frame", "particle"]
    pd.testing.assert_frame_equal(
        napari.set_axis(["particle", "frame", "y", "x"], axis=1), whole[["particle", "frame", "y", "x"]]
    )
    pd.testing.assert_frame_equal(own[["frame", "particle"]], whole[["frame", "particle"]])
    np.testing.assert_allclose(own["ep_x"], whole["x_std"], atol=5e-6)


def test_recordings_that_call_the_track_id_are_read(
    session: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As earlier versions wrote them."""
    former = [field.with_name("id") if field.name == "particle" else field for field in TRAJECTORIES]
    monkeypatch.setattr(session_writer, "TRAJECTORIES", pyarrow.schema(former))
    recorder = Recorder(tmp_path, tables=["csv"])
    recorder.offer_frame(frame_of(0))
    recorder.offer_rows(frame_of(0), track_rows(0))
    recorder.close()
    with pyarrow.ipc.open_stream(recorder.folder / "trajectories.arrow") as stream:
        assert stream.schema.names == [field.name for field in former]
    read_back = read_session(recorder.folder)
    assert read_back.trajectories()["particle"].to_pylist() == [4, 7, 9]
    assert not read_back.damage()
    assert read(recorder.folder, "csv")["particle"].tolist() == [4, 7, 9]


def test_trackmates_file_has_its_structure(session: Path) -> None:
    root = ET.parse(session / "trajectories.xml").getroot()
    assert [child.tag for child in root] == ["Log", "Model", "Settings", "GUIState"]
    model, settings = root.find("Model"), root.find("Settings")
    assert model is not None
    assert settings is not None
    assert model.get("spatialunits") == "pixel"  # the pixel size changes
    assert [child.tag for child in model] == ["FeatureDeclarations", "AllSpots", "AllTracks", "FilteredTracks"]
    declared = {each.get("feature") for each in model.findall("FeatureDeclarations/SpotFeatures/Feature")}
    spots = model.findall("AllSpots/SpotsInFrame/Spot")
    assert all(set(spot.keys()) == declared | {"ID", "name"} for spot in spots)
    all_spots = model.find("AllSpots")
    assert all_spots is not None
    assert int(all_spots.get("nspots", "")) == len(spots) == 3 * FRAMES - 4
    by_id = {spot.get("ID"): spot for spot in spots}
    assert len(by_id) == len(spots)
    frames = [int(each.get("frame", "")) for each in model.findall("AllSpots/SpotsInFrame")]
    assert frames == list(range(FRAMES))
    tracks = {each.get("TRACK_ID"): each.findall("Edge") for each in model.findall("AllTracks/Track")}
    assert {track: len(edges) for track, edges in tracks.items()} == {"4": FRAMES - 5, "7": FRAMES - 1, "9": FRAMES - 1}
    assert [each.get("TRACK_ID") for each in model.findall("FilteredTracks/TrackID")] == ["4", "7", "9"]
    for edge in tracks["4"]:
        source, target = (by_id[edge.get(f"SPOT_{end}_ID")] for end in ("SOURCE", "TARGET"))
        assert int(source.get("FRAME", "")) < int(target.get("FRAME", ""))
        assert source.get("POSITION_Y") == target.get("POSITION_Y") == "8"
    image = settings.find("ImageData")
    assert image is not None
    assert (image.get("filename"), image.get("width"), image.get("nframes")) == ("frames_0000.tif", "40", str(FRAMES))
    assert float(image.get("timeinterval", "")) == pytest.approx(1 / 200)
    for tag in ("InitialSpotFilter", "SpotFilterCollection", "TrackFilterCollection", "AnalyzerCollection"):
        assert settings.find(tag) is not None  # TrackMate reads them without asking whether they are there


def test_positions_are_in_micrometres_where_the_pixel_size_is_known(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, tables=["trackmate"])
    for index in range(3):
        recorder.offer_frame(frame_of(index))
        recorder.offer_rows(frame_of(index), track_rows(index))
    recorder.close()
    root = ET.parse(recorder.folder / "trajectories.xml").getroot()
    model, spot = root.find("Model"), root.find("Model/AllSpots/SpotsInFrame/Spot")
    assert model is not None
    assert spot is not None
    assert model.get("spatialunits") == "micron"
    assert float(spot.get("POSITION_X", "")) == pytest.approx(5.25 * 0.125)


def test_without_a_pixel_size_micrometres_are_empty(tmp_path: Path) -> None:
    geometry = Geometry(40, 24)
    recorder = Recorder(tmp_path, tables=["csv"])
    recorder.offer_frame(frame_of(0, geometry))
    recorder.offer_rows(frame_of(0, geometry), track_rows(0))
    recorder.close()
    assert read(recorder.folder, "csv")["x_um"].isna().all()


def test_an_empty_recording_has_empty_tables(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, tables=tuple(TABLE_FILES))
    recorder.offer_frame(frame_of(0))
    recorder.close()
    for name in ("csv", "parquet"):
        assert read(recorder.folder, name).empty
    assert ET.parse(recorder.folder / "trajectories.xml").getroot().find("Model/AllTracks") is not None
    Recorder(tmp_path, tables=tuple(TABLE_FILES)).close()  # without any frame, there are no files


def test_batches_are_merged_and_written_one_by_one(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read(session, "parquet")
    monkeypatch.setattr(tables, "_BATCH_ROWS", 1)
    seen: list[tuple[str, int]] = []
    write_tables(session, ["parquet", "csv"], progress=lambda name, rows: seen.append((name, rows)))
    assert seen[-1] == ("trajectories.csv", 3 * FRAMES)
    for name in ("csv", "parquet"):
        pd.testing.assert_frame_equal(read(session, name), expected, check_dtype=False)


@pytest.mark.parametrize("failure", ["full disk", "interruption"])
def test_a_table_that_cannot_be_written_leaves_nothing(
    session: Path, failure: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path, tables=["parquet", "csv"])
    recorder.offer_frame(frame_of(0))
    recorder.offer_rows(frame_of(0), track_rows(0))

    def fail(*_: Any) -> Any:
        if failure == "full disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "_measured", fail)
    recorder.close()
    status = recorder.status()
    assert (status.problem, status.loss) == ("", "")  # a line, not a loss
    assert read_session(recorder.folder).closed
    assert [path.name for path in recorder.folder.glob("trajectories*")] == ["trajectories.arrow"]
    (record,) = caplog.records
    assert f"`livetrack recover {recorder.folder} --tables parquet,csv` writes them" in record.getMessage()
    if failure == "full disk":
        assert record.getMessage().count("the disk is full") == 2


def test_large_recordings_get_tables_on_request_only(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LivetrackError, match="on request only"):
        write_tables(session, ["csv"], max_bytes=1000)
    monkeypatch.setattr(trackmate, "MAX_SPOTS", 10)
    (session / "trajectories.csv").unlink()
    with pytest.raises(LivetrackError, match="TrackMate cannot load more than 10 spots"):
        write_tables(session, ["trackmate", "csv"])
    assert (session / "trajectories.csv").exists()  # the others are written all the same


def test_recover_writes_what_is_missing_and_what_is_requested(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in TABLE_FILES.values():
        (session / name).unlink()
    assert main(["recover", str(session)]) == 0
    assert (session / "trajectories.parquet").exists()
    assert (session / "trajectories.csv").exists()
    assert not (session / "trajectories.xml").exists()
    assert main(["recover", str(session), "--tables", "trackmate"]) == 0
    assert (session / "trajectories.xml").exists()
    with pytest.raises(SystemExit):
        main(["recover", str(session), "--tables", "xlsx"])
    assert (
        "unknown format 'xlsx'; there are parquet, csv, feather, trackmate, trackpy, napari" in capsys.readouterr().err
    )


def test_the_setting_selects_the_formats(tmp_path: Path) -> None:
    config = load_config(None, ["record.tables=['csv']"])
    recorder = Recorder.from_config(config, str(tmp_path))
    seen = []
    recorder.on_tables = lambda name, rows: seen.append((name, rows))
    recorder.offer_frame(frame_of(0))
    recorder.offer_rows(frame_of(0), track_rows(0))
    recorder.close()
    assert seen == [("trajectories.csv", 3)]
    assert (recorder.folder / "trajectories.csv").exists()
    assert not (recorder.folder / "trajectories.parquet").exists()
