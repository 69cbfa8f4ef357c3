"""Compressed TIFF stacks are read without imagecodecs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image
from test_movie import same

from livetrack.errors import InputError
from livetrack.movies import open_movie, tiff_decoding

RNG = np.random.default_rng(4)
GREY = RNG.normal(500, 60, (5, 37, 53)).astype(np.uint16)
STACKS: dict[str, npt.NDArray[Any]] = {
    "16 bit": GREY,
    "8 bit": (GREY // 4).astype(np.uint8),
    "float": (GREY / 7).astype(np.float32),
    "colours": np.stack([GREY // 4, GREY // 5, GREY // 6], -1).astype(np.uint8),
}


@pytest.fixture(autouse=True)
def without_imagecodecs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_decoding, "_has_imagecodecs", lambda: False)


def write(path: Path, stack: npt.NDArray[Any], compression: str, predictor: int = 1) -> Path:
    images = [Image.fromarray(image) for image in stack]
    options = {"tiffinfo": {317: predictor}} if predictor > 1 else {}
    images[0].save(path, save_all=True, append_images=images[1:], compression=compression, **options)
    return path


@pytest.mark.parametrize("compression", ["tiff_lzw", "zstd", "tiff_adobe_deflate"])
@pytest.mark.parametrize(
    ("kind", "predictor"),
    [
        ("16 bit", 1),
        ("16 bit", 2),
        ("8 bit", 2),
        ("float", 1),
        ("float", 2),
        ("float", 3),
        ("colours", 1),
        ("colours", 2),
    ],
)
def test_lossless_compression(tmp_path: Path, kind: str, predictor: int, compression: str) -> None:
    stack = STACKS[kind]
    path = write(tmp_path / "movie.tif", stack, compression, predictor)
    with tifffile.TiffFile(path) as file:
        assert file.pages.first.compression != 1
        assert file.pages.first.predictor == predictor
    movie = open_movie(path, channel=1 if kind == "colours" else None)
    assert same(movie, stack[..., 1] if kind == "colours" else stack)
    assert movie.problem is None


@pytest.mark.parametrize("kind", ["8 bit", "colours"])
def test_jpeg(tmp_path: Path, kind: str) -> None:
    smooth = np.cumsum(np.full((3, 40, 64), 3, np.uint8), axis=2, dtype=np.uint8)  # a ramp, which JPEG keeps
    stack = smooth if kind == "8 bit" else np.stack([smooth, smooth[:, :, ::-1], smooth // 2], -1)
    movie = open_movie(write(tmp_path / "movie.tif", stack, "jpeg"), channel=None if kind == "8 bit" else 1)
    frames = np.stack(list(movie)).astype(int)
    np.testing.assert_allclose(frames, stack if kind == "8 bit" else stack[..., 1], atol=6)


def test_other_compression_names_the_package(tmp_path: Path) -> None:
    path = write(tmp_path / "movie.tif", STACKS["8 bit"], "tiff_lzw")
    with tifffile.TiffFile(path) as file:
        places = [page.tags[259].offset + 8 for page in file.pages]  # type: ignore[union-attr]
    data = bytearray(path.read_bytes())
    for place in places:
        data[place : place + 2] = (34712).to_bytes(2, "little")  # JPEG 2000
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"compressed \(JPEG2000\): python -m pip install imagecodecs$"):
        open_movie(path)


def test_a_damaged_part_is_a_lost_frame(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "movie.tif", GREY, "zstd")
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages.get(2)
        place = page.dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[place : place + 40] = bytes(40)
    path.write_bytes(data)
    movie = open_movie(path)
    assert [frame.number for frame in movie.frames()] == [0, 1, 3, 4]
    assert "frame 2 cannot be read" in (movie.problem or "")
    assert "read the 4 of 5 frames" in (movie.problem or "")
    assert "\n" not in (movie.problem or "")


@pytest.mark.parametrize("bits", [12, 14])
def test_packed_bits_name_the_package_that_reads_them(tmp_path: Path, bits: int) -> None:
    data = bytes(37 * -(-53 * bits // 8))
    tifffile.imwrite(
        tmp_path / "packed.tif", iter([data]), shape=(37, 53), dtype=np.uint16, bitspersample=bits, rowsperstrip=37
    )
    with pytest.raises(InputError, match=rf"{bits} bits per pixel: python -m pip install imagecodecs$"):
        open_movie(tmp_path / "packed.tif")


@pytest.mark.parametrize("layout", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"contiguous": False}])
def test_where_white_is_0_bright_pixels_are_high(tmp_path: Path, layout: dict[str, Any]) -> None:
    with tifffile.TiffWriter(tmp_path / "inverted.tif") as writer:
        for image in GREY:
            writer.write(65535 - image, photometric="miniswhite", **layout)
    movie = open_movie(tmp_path / "inverted.tif")
    assert same(movie, GREY)
    assert movie.notes == ["white is 0 in this file: its pixels are inverted, so that bright is high"]
