"""`livetrack export`: a recorded session as OME-TIFF."""

from __future__ import annotations

import tracemalloc
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import tifffile
from test_record import frame_of

from livetrack.camera import Frame, Geometry
from livetrack.cli import main
from livetrack.errors import UsageError
from livetrack.movies import open_movie
from livetrack.record import Recorder, read_session
from livetrack.record.ome_tiff import write_ome_tiff

WIDE = Geometry(40, 24, x_origin=8, y_origin=16, binning=2, pixel_size_um=0.125)
SMALL = Geometry(16, 20)  # without a pixel size
OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def record(folder: Path, frames: list[Frame], *, pixels: bool = True) -> Path:
    recorder = Recorder(folder, frames=pixels)
    for frame in frames:
        recorder.offer_frame(frame)
    recorder.close()
    return recorder.folder


def test_pixels_types_sizes_and_times_are_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [frame_of(index, WIDE) for index in range(20)] + [frame_of(index, SMALL, 1) for index in range(22, 30)]
    session = record(tmp_path, frames)
    output = tmp_path / "all.ome.tif"
    assert main(["export", str(session), "-o", str(output)]) == 0
    assert "28 frames in 2 images" in capsys.readouterr().err
    with tifffile.TiffFile(output) as file:
        assert file.is_ome
        assert file.is_bigtiff
        assert [series.axes for series in file.series] == ["TYX", "TYX"]
        images = [series.asarray() for series in file.series]
        root = ElementTree.fromstring(file.ome_metadata or "")
        assert file.pages[0].tags["XResolution"].value == (80_000, 1)  # per cm
    assert images[0].dtype == images[1].dtype == np.uint16
    assert np.array_equal(images[0], [frame.pixels for frame in frames[:20]])
    assert np.array_equal(images[1], [frame.pixels for frame in frames[20:]])

    first, second = root.iter(f"{OME}Pixels")
    assert (first.get("SizeT"), first.get("SizeX"), first.get("SizeY"), first.get("Type")) == (
        "20",
        "40",
        "24",
        "uint16",
    )
    assert (first.get("PhysicalSizeX"), first.get("PhysicalSizeYUnit")) == ("0.125", "µm")
    assert second.get("PhysicalSizeX") is None
    assert float(first.get("TimeIncrement") or 0) == pytest.approx(1 / 200)
    times = [float(plane.get("DeltaT") or -1) for pixels in (first, second) for plane in pixels.iter(f"{OME}Plane")]
    assert times == pytest.approx([frame.t_s - frames[0].t_s for frame in frames])
    assert {plane.get("DeltaTUnit") for plane in first.iter(f"{OME}Plane")} == {"s"}
    date = root.find(f"{OME}Image/{OME}AcquisitionDate")
    assert date is not None
    assert date.text == read_session(session).info["started"]
    assert "frames 0 to 19" in (root.findtext(f"{OME}Image/{OME}Description") or "")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_every_pixel_type_of_a_movie_is_read_by_livetrack(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(3)
    images = rng.uniform(0, 100, (5, 24, 40)).astype(dtype)
    times = {"t_received_ns": 10**9, "t_exposed_ns": None, "geometry": WIDE, "geometry_number": 0}
    frames = [Frame(image, index=at, number=at, t_s=at / 50, **times) for at, image in enumerate(images)]
    write_ome_tiff(read_session(record(tmp_path, frames)), tmp_path / "all.ome.tif")
    movie = open_movie(tmp_path / "all.ome.tif")
    assert movie.fps == pytest.approx(50)
    assert np.array_equal(list(movie), images)


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    large = Geometry(256, 256)
    session = read_session(record(tmp_path, [frame_of(index, large) for index in range(150)]))
    tracemalloc.start()
    try:
        write_ome_tiff(session, tmp_path / "all.ome.tif")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000 < 150 * 256 * 256 * 2


def test_an_interrupted_export_leaves_the_file_of_before(tmp_path: Path) -> None:
    session = read_session(record(tmp_path, [frame_of(index) for index in range(20)]))
    output = tmp_path / "out" / "all.ome.tif"
    output.parent.mkdir()
    output.write_bytes(b"before")

    def interrupt(done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_ome_tiff(session, output, interrupt)
    assert output.read_bytes() == b"before"
    assert list(output.parent.iterdir()) == [output]


def test_a_killed_session_is_exported_as_far_as_it_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = record(tmp_path, [frame_of(index) for index in range(20)])
    (session / "session.json").write_text("{}")
    path = session / "frames_0000.tif"
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["export", str(session), "-o", str(tmp_path / "all.ome.tif")]) == 0
    text = capsys.readouterr().err
    assert "19 frames in 1 image;" in text
    assert "incomplete: " in text


def test_what_cannot_be_exported_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = record(tmp_path / "a", [frame_of(0)])
    empty = record(tmp_path / "b", [frame_of(0)], pixels=False)
    for arguments, text in [
        ([str(session), "-o", str(tmp_path / "all.tif")], "the name must end in .ome.tif"),
        ([str(session), "-o", str(session / "all.ome.tif")], "is inside the recorded session"),
        ([str(empty), "-o", str(tmp_path / "all.ome.tif")], "contains no frames with pixels"),
        ([str(tmp_path), "-o", str(tmp_path / "all.ome.tif")], "not a recording"),
    ]:
        assert main(["export", *arguments]) == 2
        error = capsys.readouterr().err
        assert text in error
        assert error.count("\n") == 1
    with pytest.raises(UsageError, match="cannot be written"):
        write_ome_tiff(read_session(session), tmp_path / "missing" / "all.ome.tif")
