"""Formats that need no further package: NumPy, WebP and NDTiff; and what is said of one whose package is missing."""

from __future__ import annotations

import gc
import json
import shutil
import struct
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ndstorage import Dataset as NDTiffReader
from ndstorage import NDTiffDataset
from PIL import Image as Pillow
from test_movie import same

from livetrack.cli import main
from livetrack.errors import InputError
from livetrack.movies import open_movie

STACK = np.random.default_rng(1).integers(0, 4000, (12, 24, 32)).astype(np.uint16)


def cut(path: Path, share: float = 0.6) -> Path:
    """Keep only the begin of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


# NumPy


def save(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("change", [np.asarray, np.asfortranarray, lambda images: images.astype(">f4")])
def test_an_array_is_a_movie(tmp_path: Path, change: Any) -> None:
    movie = open_movie(save(tmp_path / "movie.npy", change(STACK)))
    assert movie.length == 12
    assert same(movie, STACK.astype(movie.dtype))
    assert movie.dtype.isnative
    assert movie.problem is None
    assert movie.notes == []


@pytest.mark.parametrize("shape", [(12, 1, 24, 1, 32), (12, 24, 32, 1), (1, 12, 24, 32)])
def test_axes_of_one_are_left_out(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert same(open_movie(save(tmp_path / "movie.npy", STACK.reshape(shape))), STACK)


def test_colours_become_grey(tmp_path: Path) -> None:
    colours = np.stack([STACK, STACK + 1, STACK + 2], axis=-1)
    path = save(tmp_path / "movie.npy", colours)
    assert same(open_movie(path, channel=2), STACK + 2)
    assert open_movie(path).length == 12


def test_axes_that_an_array_does_not_name_have_to_be_named(tmp_path: Path) -> None:
    path = save(tmp_path / "movie.npy", STACK.reshape(6, 2, 24, 32))
    with pytest.raises(InputError, match="6 along dimension 0 and 2 along dimension 1; name its axes with --axes"):
        open_movie(path)
    assert same(open_movie(path, axes="TC", channel=1), STACK[1::2])
    assert same(open_movie(path, axes="TZ", z="max"), STACK.reshape(6, 2, 24, 32).max(axis=1))


def test_three_images_are_frames_and_a_note_says_so(tmp_path: Path) -> None:
    path = save(tmp_path / "movie.npy", STACK[:3])
    movie = open_movie(path)
    assert same(movie, STACK[:3])
    assert movie.notes == ["its 3 images are read as frames; if they are channels: --axes C"]
    chosen = open_movie(path, axes="C", channel=1)
    assert same(chosen, STACK[1:2])
    assert chosen.notes == []


def test_frames_that_may_be_last_are_noted(tmp_path: Path) -> None:
    square = STACK[:, :24, :24]
    np.save(tmp_path / "last.npy", np.moveaxis(square, 0, -1))
    note = "its first dimension, 24, is read as frames; if the last, 12, counts them: save numpy.moveaxis(array, -1, 0)"
    assert open_movie(tmp_path / "last.npy").notes == [note]
    np.save(tmp_path / "first.npy", square)
    assert open_movie(tmp_path / "first.npy").notes == []


def test_of_an_array_that_is_cut_short_the_frames_before_are_read(tmp_path: Path) -> None:
    movie = open_movie(cut(save(tmp_path / "movie.npy", STACK)))
    assert len(list(movie)) == 7
    assert movie.problem is not None
    assert movie.problem.endswith("the file is cut short (T 7); read the 7 of 12 frames before that")


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (STACK[0, 0], "which holds no images"),
        (STACK.astype(complex), "complex128, not real numbers"),
        (np.zeros((3, 0, 5)), "which holds no images"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(tmp_path: Path, array: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        open_movie(save(tmp_path / "movie.npy", array))
    assert "\n" not in str(caught.value)


def test_python_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "movie.npy", np.array([{}, {}], object), allow_pickle=True)
    with pytest.raises(InputError, match="Python objects"):
        open_movie(tmp_path / "movie.npy")


def test_an_array_that_claims_more_than_any_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "movie.npy"
    with path.open("wb") as file:
        claim = {"descr": "<u2", "fortran_order": False, "shape": (12, 1 << 20, 1 << 20)}
        np.lib.format.write_array_header_1_0(file, claim)
    with pytest.raises(InputError, match="at most"):
        open_movie(path)
    with pytest.raises(InputError, match="cannot be read as NumPy"):
        open_movie(cut(path))


def test_the_arrays_of_an_archive_are_its_positions(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "one.npz", movie=STACK, times=np.arange(12))
    assert same(open_movie(tmp_path / "one.npz"), STACK)
    np.savez(tmp_path / "two.npz", first=STACK, second=STACK[:5])
    with pytest.raises(InputError, match="2 arrays of images; choose one with --position: 0 first, 1 second"):
        open_movie(tmp_path / "two.npz")
    assert same(open_movie(tmp_path / "two.npz", position=1), STACK[:5])
    with pytest.raises(InputError, match="cannot be read as NumPy"):
        open_movie(cut(tmp_path / "two.npz"))


# WebP


def animate(path: Path) -> npt.NDArray[np.uint8]:
    images = (STACK >> 4).astype(np.uint8)
    first, *rest = (Pillow.fromarray(image).convert("RGB") for image in images)
    first.save(path, save_all=True, append_images=rest, duration=[40, 40, 160] * 4, lossless=True)
    return images


def test_an_animated_webp_is_a_movie_with_its_times(tmp_path: Path) -> None:
    images = animate(tmp_path / "movie.webp")
    movie = open_movie(tmp_path / "movie.webp")
    assert same(movie, images)
    times = movie.times_s()
    assert times is not None
    assert times[:5] == pytest.approx([0, 0.04, 0.08, 0.24, 0.28])
    assert movie.fps == pytest.approx(25)


def test_of_an_animation_that_is_cut_short_the_frames_before_are_read(tmp_path: Path) -> None:
    images = animate(tmp_path / "movie.webp")
    movie = open_movie(cut(tmp_path / "movie.webp"))
    assert same(list(movie), images[:7])
    assert movie.problem is not None
    assert "the file is cut short" in movie.problem
    with pytest.raises(InputError, match="cannot be read as WebP"):
        open_movie(cut(tmp_path / "movie.webp", 0.01))


# NDTiff


def acquire(folder: Path, places: list[dict[str, Any]], interval_ms: float | None = 50.0, **summary: Any) -> Path:
    """Write a data set as pycro-manager does, an image of STACK for each place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files open
        data = NDTiffDataset(str(folder), name="acq", summary_metadata=summary, writable=True)
        for number, place in enumerate(places):
            metadata = {} if interval_ms is None else {"ElapsedTime-ms": interval_ms * place.get("time", 0)}
            data.put_image(place, STACK[number % 12], {**metadata, "Axes": place})
        data.finish()
        del data
        gc.collect()
    return folder / "acq_1"


def test_an_ndtiff_data_set_is_opened_by_its_folder_or_a_file(tmp_path: Path) -> None:
    folder = acquire(tmp_path, [{"time": number} for number in range(12)], PixelSize_um=0.1)
    for path in (folder, folder / "acq_NDTiffStack.tif"):
        movie = open_movie(path)
        assert same(movie, STACK)
        assert movie.fps == pytest.approx(20)
        assert movie.pixel_size_um == 0.1
        assert movie.times_s() == pytest.approx(np.arange(12) * 0.05)
        assert [frame.number for frame in movie.frames(9)] == [9, 10, 11]


def test_channels_planes_and_positions_are_chosen(tmp_path: Path) -> None:
    axes = [
        {"time": time, "z": z, "channel": channel, "position": position}
        for time in range(3)
        for position in range(2)
        for z in range(2)
        for channel in ("DAPI", "FITC")
    ]
    folder = acquire(tmp_path, axes)
    with pytest.raises(InputError, match="--position 0 to 1"):
        open_movie(folder, channel=0)
    with pytest.raises(InputError, match="--channel 0 to 1"):
        open_movie(folder, position=0)
    with pytest.raises(InputError, match="a plane with --z 0 to 1"):
        open_movie(folder, channel=0, position=0)
    movie = open_movie(folder, channel=1, position=1, z=0)
    expected = [STACK[number % 12] for number, each in enumerate(axes) if list(each.values())[1:] == [0, "FITC", 1]]
    assert same(movie, expected)


def test_frames_that_were_not_recorded_leave_a_gap(tmp_path: Path) -> None:
    movie = open_movie(acquire(tmp_path, [{"time": number} for number in (0, 1, 2, 5, 6, 7)]))
    frames = list(movie.frames())
    assert [frame.number for frame in frames] == [0, 1, 2, 5, 6, 7]
    assert [frame.t_s for frame in frames] == pytest.approx([0, 0.05, 0.1, 0.25, 0.3, 0.35])
    assert movie.problem is not None
    assert "the data set has no image of it (T 3), and 1 more frame; read the 6 of 8 frames" in movie.problem


def test_of_a_data_set_that_is_cut_short_what_is_there_is_read(tmp_path: Path) -> None:
    folder = acquire(tmp_path, [{"time": number} for number in range(12)])
    cut(folder / "acq_NDTiffStack.tif")
    movie = open_movie(folder)
    assert len(list(movie)) == 7
    assert movie.problem is not None
    assert "acq_NDTiffStack.tif is cut short" in movie.problem
    cut(folder / "NDTiff.index")
    assert "NDTiff.index is cut short" in str(open_movie(folder).problem)
    (folder / "acq_NDTiffStack.tif").unlink()
    with pytest.raises(InputError, match=r"the file acq_NDTiffStack\.tif is missing"):
        open_movie(folder)


ACQUIRE = """
import os, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import mm_test_adapters
from pycromanager import Acquisition, Core, multi_d_acquisition_events, start_headless
libs = Path(mm_test_adapters.__file__).parent / "libs"
start_headless(str(libs), str(libs / "MMConfig_demo.cfg"), python_backend=True, buffer_size_mb=64)
Core().set_exposure(10)
channels = {"channel_group": "Channel", "channels": ["DAPI", "FITC"], "z_start": 0, "z_end": 4, "z_step": 2}
times = {"num_time_points": 6, "time_interval_s": 0.02}
for name, more in {"times": times, "all": {"num_time_points": 4, **channels}}.items():
    with Acquisition(sys.argv[1], name, show_display=False) as acquisition:
        acquisition.acquire(multi_d_acquisition_events(**more))
os._exit(0)
"""


def test_acquisitions_of_pycro_manager_on_the_real_core(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", ACQUIRE, str(tmp_path)], check=True, timeout=120, capture_output=True)
    movie = open_movie(tmp_path / "times_1")
    assert len(list(movie)) == movie.length == 6
    assert movie.shape == (512, 512)
    times = movie.times_s()
    assert times is not None
    assert (np.diff(times) > 0).all()
    assert movie.problem is None
    with NDTiffReader(str(tmp_path / "all_1")) as data:
        expected = [data.read_image(time=time, channel="FITC", z=1).copy() for time in range(4)]
    assert same(open_movie(tmp_path / "all_1", channel=1, z=1), expected)


def test_images_are_found_without_the_index(tmp_path: Path) -> None:
    axes = [{"time": time, "channel": channel} for time in range(6) for channel in ("DAPI", "FITC")]
    folder = acquire(tmp_path, axes)
    alone = shutil.copy(folder / "acq_NDTiffStack.tif", tmp_path / "renamed.tif")
    (folder / "NDTiff.index").unlink()
    for path in (folder, folder / "acq_NDTiffStack.tif", Path(alone)):
        with pytest.raises(InputError, match="--channel 0 to 1"):
            open_movie(path)
        movie = open_movie(path, channel=1)
        assert same(movie, STACK[1::2])
        assert movie.times_s() == pytest.approx(np.arange(6) * 0.05)
        assert "its NDTiff.index is missing; the images that were found in its files are read" in str(movie.problem)


def test_tiles_of_a_mosaic_are_positions(tmp_path: Path) -> None:
    axes = [{"time": time, "row": row, "column": column} for time in range(3) for row in (0, 1) for column in (0, 1)]
    folder = acquire(tmp_path, axes)
    with pytest.raises(InputError, match="has 4 positions; choose one with --position 0 to 3"):
        open_movie(folder)
    assert same(open_movie(folder, position=2), STACK[2::4])


def test_the_index_of_a_data_set_cannot_lead_out_of_its_folder_or_claim_the_memory(tmp_path: Path) -> None:
    (tmp_path / "secret.tif").write_bytes(bytes(10_000))
    (tmp_path / "data").mkdir()

    def index(axes: Any, name: str, width: int) -> None:
        texts = [json.dumps(axes).encode(), name.encode()]
        entry = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        (tmp_path / "data" / "NDTiff.index").write_bytes(entry + struct.pack("<8I", 0, width, 8, 1, 0, 0, 0, 0))

    index({"time": 0}, "../secret.tif", 8)
    with pytest.raises(InputError, match="is missing"):
        open_movie(tmp_path / "data")
    (tmp_path / "data" / "a.tif").write_bytes(bytes(10_000))
    index({"time": 0}, "a.tif", 1 << 31)
    with pytest.raises(InputError, match="at most"):
        open_movie(tmp_path / "data")
    index({"time": 1 << 40}, "a.tif", 8)
    with pytest.raises(InputError, match="at most"):
        open_movie(tmp_path / "data")
    (tmp_path / "data" / "NDTiff.index").write_bytes(b"\xff" * 100)
    with pytest.raises(InputError, match="names no image"):
        open_movie(tmp_path / "data")


# what the files state of times and sizes


def test_times_that_are_all_zero_are_not_used(tmp_path: Path) -> None:
    movie = open_movie(acquire(tmp_path, [{"time": number} for number in range(12)], 0.0, Interval_ms=25))
    assert movie.times_s() is None
    assert movie.fps == 40
    assert movie.notes == ["the times of all its frames are the same and are not used; --fps N gives a rate"]


def test_a_stated_rate_that_the_times_contradict_is_not_used(tmp_path: Path) -> None:
    movie = open_movie(acquire(tmp_path, [{"time": number} for number in range(12)], Interval_ms=10, PixelSize_um=1))
    assert movie.fps == pytest.approx(20)
    assert movie.notes == [
        "states 100 frames/s, but its times give 20, which are used",
        "states exactly 1 µm per px, which programs also write if none was calibrated; --pixel-size UM replaces it",
    ]


# packages that are missing


def compressed_czi() -> bytes:
    """Return a CZI file that has only the list of its images: one, of compressed pixels."""
    dimensions = b"".join(struct.pack("<4siifi", name, 0, 8, 0, 8) for name in (b"X", b"Y"))
    entry = struct.pack("<2siqiiBB4si", b"DV", 0, 0, 0, 6, 0, 0, b"", 2) + dimensions
    head = struct.pack("<16sqq52sq20s", b"ZISRAWFILE", 80, 80, b"", 112, b"")
    return head + struct.pack("<16sqqi124s", b"ZISRAWDIRECTORY", 0, 0, 1, b"") + entry


@pytest.mark.parametrize(
    ("name", "package"),
    [("movie.nd2", "nd2"), ("movie.czi", "imagecodecs"), ("movie.lif", "liffile"), ("movie.zarr", "zarr")],
)
def test_a_missing_package_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, package: str
) -> None:
    for each in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, each)
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / name
    if name.endswith("zarr"):
        path.mkdir()
        (path / "zarr.json").write_text("{}")
    elif name.endswith("czi"):
        path.write_bytes(compressed_czi())
    else:
        path.write_bytes(b"anything")
    assert main(["track", str(path), "-o", str(tmp_path / "tracks.csv")]) == 2
    lines = capsys.readouterr().err.strip()
    assert f"needs the package {package}:" in " ".join(lines.split())
    assert 'python -m pip install "livetrack[formats]"' in " ".join(lines.split())
    assert "Traceback" not in lines
