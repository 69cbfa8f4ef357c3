"""The table of a movie: exact columns, readable by other programs, and never incomplete under its final name."""

from __future__ import annotations

import errno
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from livetrack.errors import LivetrackError, UsageError
from livetrack.particles import Flag, Rows, empty_rows
from livetrack.table import COLUMNS, Images, TrackTable, files, trackmate

HEADER = ["frame", "particle", "y", "x", "y_std", "x_std", "intensity", "score", "t_s", "x_um", "y_um", "angle"]
READERS = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".feather": pd.read_feather}


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
    return READERS[path.suffix.lower()](path)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.feather", "OUT.CSV"])
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
    found = read(path)
    assert list(found.columns) == HEADER == list(COLUMNS)
    assert found["frame"].tolist() == [0, 0, 0, 2, 2, 2, 3, 3, 4, 4, 4]
    assert found["particle"].tolist() == [7, 8, 9, 7, 8, 9, 7, 8, 7, 8, 9]
    expected = np.concatenate([rows_of(frame)[: 2 if frame == 3 else 3] for frame in (0, 2, 3, 4)])
    for column in HEADER[2:8]:
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-6, atol=6e-6)


def test_csv_is_plain_and_short(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "out.csv") as table:
        table.append(1, rows_of(1, 1))
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == [",".join(HEADER), "1,7,0.14286,0.33333,,0.01235,-40.5,0.9,,,,"]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.feather"])
def test_times_and_micrometres_are_those_of_the_whole_image(tmp_path: Path, name: str) -> None:
    with TrackTable(tmp_path / name, Images(pixel_size_um=0.1, origin=(100, 2000))) as table:
        table.append(4, rows_of(4, 2), 0.1234567890123)
        table.append(9, rows_of(9, 2), 1e5 + 1 / 3, um_per_px=0.2)
        rows = rows_of(10, 1)
        rows["angle"] = -1.5
        table.append(10, rows)
    found = read(tmp_path / name)
    assert found["frame"].tolist() == [4, 4, 9, 9, 10]
    np.testing.assert_allclose(found["t_s"], [0.123456789] * 2 + [1e5 + 1 / 3] * 2 + [np.nan], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["x"][:2], [100 + 4 / 3, 110 + 4 / 3], atol=1e-5)
    np.testing.assert_allclose(found["y"][:2], 2000 + 4 / 7, atol=1.3e-4)  # single precision
    um_per_px = np.array([0.1, 0.1, 0.2, 0.2, 0.1])
    for axis in "xy":
        np.testing.assert_allclose(found[f"{axis}_um"], found[axis] * um_per_px, atol=2e-5)
    np.testing.assert_array_equal(found["angle"], [np.nan] * 4 + [-1.5])


def test_columns_have_units(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "out.parquet") as table:
        table.append(1, rows_of(1, 1))
    schema = pyarrow.parquet.read_schema(tmp_path / "out.parquet")
    units = {name: schema.field(name).metadata[b"unit"].decode() for name in schema.names}
    assert units == COLUMNS
    assert (units["t_s"], units["x_um"], units["angle"]) == ("s", "um", "rad")


def test_many_rows_are_written_in_batches(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "out.csv") as table:
        for frame in range(30):
            table.append(frame, rows_of(frame, 4000))
        assert table.partial_path.stat().st_size > 1e6
    found = read(tmp_path / "out.csv")
    assert len(found) == 30 * 4000
    assert found["frame"].is_monotonic_increasing


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.feather"])
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


def test_an_interruption_keeps_the_spots_so_far_for_trackmate(tmp_path: Path) -> None:
    table = TrackTable(tmp_path / "out.xml")
    table.append(0, rows_of(0))
    table.append(1, rows_of(1))
    with pytest.raises(KeyboardInterrupt), table:
        raise KeyboardInterrupt
    root = ET.parse(tmp_path / "out.partial.xml").getroot()
    assert len(root.findall("Model/AllSpots/SpotsInFrame/Spot")) == 6
    assert len(root.findall("Model/AllTracks/Track")) == 3


def test_an_interruption_before_the_first_row_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), TrackTable(tmp_path / "out.csv"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.feather"])
def test_a_movie_without_particles_gives_an_empty_table(tmp_path: Path, name: str) -> None:
    with TrackTable(tmp_path / name) as table:
        table.append(0, empty_rows())
    assert list(read(tmp_path / name).columns) == HEADER
    assert len(read(tmp_path / name)) == 0


def test_an_output_format_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(files.FORMATS, ".pq", pyarrow.parquet.ParquetWriter)
    with TrackTable(tmp_path / "out.pq") as table:
        table.append(1, rows_of(1))
    found = pd.read_parquet(tmp_path / "out.pq")
    assert list(found.columns) == HEADER
    assert found["particle"].tolist() == [7, 8, 9]


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
def test_the_layout_of_napari_is_that_of_a_tracks_layer(tmp_path: Path, ending: str) -> None:
    with TrackTable(tmp_path / f"out.{ending}", layout="napari") as table:
        for frame in (0, 1, 5):
            table.append(frame, rows_of(frame, 2))
    found = read(tmp_path / f"out.{ending}")
    assert list(found.columns) == ["track_id", "t", "y", "x"]
    array = found.to_numpy()  # (N, 4) of numbers: what add_tracks takes
    assert array.shape == (6, 4)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array[:, :2].T, [[7, 8, 7, 8, 7, 8], [0, 0, 1, 1, 5, 5]])
    assert not np.isnan(array).any()
    assert len(np.unique(array[:, :2], axis=0)) == len(array)  # one position of a track in a frame


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # trackpy uses pandas in ways that will end
def test_the_layout_of_trackpy_is_that_of_its_own_tables(tmp_path: Path, ending: str) -> None:
    trackpy = pytest.importorskip("trackpy")
    images = [trackpy.artificial.draw_spots((60, 60), [(20 + t, 20), (40, 40)], 7, noise_level=2) for t in range(4)]
    trackpy.quiet()
    own = trackpy.link(
        trackpy.batch(images, (7, 9), processes=1), 5
    )  # two diameters: it then has an error for each axis
    with TrackTable(tmp_path / f"out.{ending}", layout="trackpy") as table:
        for frame in range(4):
            table.append(frame, rows_of(frame))
    found = read(tmp_path / f"out.{ending}")
    lacking = ["mass", "size_y", "size_x", "ecc", "raw_mass"]
    assert [name for name in own.columns if name not in lacking] == list(found.columns)
    assert found["frame"].dtype == found["particle"].dtype == np.int64
    assert len(trackpy.filter_stubs(found, 4)) == 12
    drift = trackpy.compute_drift(found)
    np.testing.assert_allclose(drift["x"], np.arange(1, 4) / 3, atol=1e-4)


def test_trackmates_file_is_that_of_the_movie(tmp_path: Path) -> None:
    images = Images(tmp_path / "a&b.tif", 640, 480, pixel_size_um=0.5, interval_s=0.1, count=30)
    with TrackTable(tmp_path / "out.xml", images) as table:
        for frame in (2, 3, 7):
            table.append(frame, rows_of(frame, 2), 0.11 * frame)
    root = ET.parse(tmp_path / "out.xml").getroot()
    model, image = root.find("Model"), root.find("Settings/ImageData")
    assert model is not None
    assert image is not None
    assert (model.get("spatialunits"), model.get("timeunits")) == ("micron", "sec")
    assert image.attrib | {"folder": ""} == {
        "filename": "a&b.tif", "folder": "", "width": "640", "height": "480", "nslices": "1", "nframes": "30",
        "pixelwidth": "0.5", "pixelheight": "0.5", "voxeldepth": "1.0", "timeinterval": "0.1",
    }  # fmt: skip
    assert Path(image.get("folder", "")) == tmp_path
    spots = model.findall("AllSpots/SpotsInFrame/Spot")
    assert [spot.get("FRAME") for spot in spots] == ["2", "2", "3", "3", "7", "7"]
    assert [float(spot.get("POSITION_T", "")) for spot in spots[::2]] == pytest.approx([0.22, 0.33, 0.77])
    assert float(spots[3].get("POSITION_X", "")) == pytest.approx((10 + 1) * 0.5)
    assert spots[0].get("Y_STD") == "NaN"  # as Java reads it
    tracks = model.findall("AllTracks/Track")
    assert [(each.get("TRACK_ID"), each.get("NUMBER_SPOTS")) for each in tracks] == [("7", "3"), ("8", "3")]
    assert float(tracks[0].get("TRACK_DURATION", "")) == pytest.approx(0.55)


def test_without_scales_trackmates_file_is_in_pixels_and_frames(tmp_path: Path) -> None:
    with TrackTable(tmp_path / "out.xml") as table:
        table.append(3, rows_of(3, 1))
    root = ET.parse(tmp_path / "out.xml").getroot()
    model, spot = root.find("Model"), root.find("Model/AllSpots/SpotsInFrame/Spot")
    assert model is not None
    assert spot is not None
    assert (model.get("spatialunits"), model.get("timeunits")) == ("pixel", "frame")
    assert (spot.get("POSITION_X"), spot.get("POSITION_T")) == ("1", "3.000000000")


def test_too_many_spots_for_trackmate_keep_those_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackmate, "MAX_SPOTS", 60_000)
    with TrackTable(tmp_path / "out.xml") as table:
        table.append(0, rows_of(0, 50_000))
        with pytest.raises(LivetrackError, match="TrackMate cannot load more than 60000 spots"):
            table.append(1, rows_of(1, 50_000))
    assert [file.name for file in tmp_path.iterdir()] == ["out.xml"]
    root = ET.parse(table.path).getroot()
    assert len(root.findall("Model/AllSpots/SpotsInFrame/Spot")) == 50_000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.xlsx", r"unsupported output format \.xlsx; use \.csv, \.parquet, \.feather, or \.xml for TrackMate"),
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


@pytest.mark.parametrize(
    ("name", "layout", "words"),
    [
        ("out.csv", "trackmate", r"a table for trackmate cannot be \.csv; use \.xml"),
        ("out.xml", "napari", r"a table for napari cannot be \.xml; use \.csv, \.parquet, \.feather"),
        ("out.xml", "livetrack", r"a table for livetrack cannot be \.xml"),
        ("out.csv", "imaris", r"unknown layout 'imaris'; there are livetrack, trackpy, napari, trackmate"),
    ],
)
def test_a_layout_that_the_suffix_cannot_have_is_rejected(tmp_path: Path, name: str, layout: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TrackTable(tmp_path / name, layout=layout)
    assert not list(tmp_path.iterdir())


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


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather", "xml"])
def test_a_full_disk_is_reported_and_leaves_no_incomplete_table(tmp_path: Path, ending: str) -> None:
    class Full:
        def write_batch(self, _: Any) -> None:
            raise OSError(errno.ENOSPC, "Error writing bytes to file")

    path = tmp_path / f"tracks.{ending}"
    table = TrackTable(path)
    table._writer = Full()
    with pytest.raises(LivetrackError, match=rf"tracks.{ending}: cannot be written: the disk is full"), table:
        table.append(0, rows_of(0))
    assert list(tmp_path.iterdir()) == []
