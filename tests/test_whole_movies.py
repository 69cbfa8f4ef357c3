"""A TIFF movie is whole, or a line says what is missing of it; what only a damaged file claims costs nothing."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from test_movie import STACK, same

from livetrack.errors import InputError
from livetrack.movies import open_movie


def write_pages(path: Path, images: Any, **options: Any) -> Path:
    """Write images one by one, as a program does that writes each as it comes."""
    with tifffile.TiffWriter(path) as writer:
        for image in images:
            writer.write(image, contiguous=False, **options)
    return path


def change(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


def entry(path: Path, page: int, tag: int) -> int:
    """Return where the value of a directory's entry is, or its offset."""
    with tifffile.TiffFile(path) as file:
        found: Any = file.pages.get(page)
        return int(found.tags[tag].offset) + 8


def put(path: Path, at: int, value: int) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + 4] = struct.pack("<I", value)
    path.write_bytes(bytes(data))


# one by one


@pytest.mark.parametrize("metadata", [None, {}])
def test_images_written_one_by_one_are_one_movie(tmp_path: Path, metadata: Any) -> None:
    movie = open_movie(write_pages(tmp_path / "movie.tif", STACK, metadata=metadata))
    assert movie.length == 12
    assert same(movie, STACK)
    assert movie.problem is None


def test_the_padding_between_many_images_is_not_missing_images(tmp_path: Path) -> None:
    images = np.zeros((600, 8, 8), np.uint8)
    movie = open_movie(write_pages(tmp_path / "movie.tif", images, metadata=None))
    assert sum(1 for _ in movie) == 600
    assert movie.problem is None


def test_stacks_appended_to_one_another_are_one_movie(tmp_path: Path) -> None:
    for part in (STACK[:6], STACK[6:]):
        tifffile.imwrite(tmp_path / "movie.tif", part, append=True)
    movie = open_movie(tmp_path / "movie.tif")
    assert same(movie, STACK)
    assert movie.problem is None


def test_a_thumbnail_behind_the_movie_is_left_out_with_a_note(tmp_path: Path) -> None:
    movie = open_movie(write_pages(tmp_path / "movie.tif", [*STACK, STACK[0, :16, :16]]))
    assert same(movie, STACK)
    assert movie.problem is None
    assert movie.notes == ["contains images of 2 kinds; the most frequent are read: --position N reads others"]


@pytest.mark.parametrize("number", [4, 7])
def test_an_image_of_another_size_is_left_out_and_the_others_keep_their_numbers(tmp_path: Path, number: int) -> None:
    images = [*STACK[:number], STACK[0, :30, :50], *STACK[number + 1 :]]
    movie = open_movie(write_pages(tmp_path / "movie.tif", images, metadata=None))
    frames = list(movie.frames())
    rest = [each for each in range(12) if each != number]
    assert [frame.number for frame in frames] == rest
    assert same([frame.pixels for frame in frames], STACK[rest])
    assert f"image {number} is of another kind, 50x30 px, than the others" in (movie.problem or "")
    assert "read the 11 of 12 frames" in (movie.problem or "")
    assert [frame.number for frame in movie.frames(number, 3)] == list(range(number + 3, 12, 3))


def test_three_images_that_look_like_colours_are_frames_if_the_file_says_so(tmp_path: Path) -> None:
    colours = {"photometric": "rgb", "planarconfig": "separate"}  # as tifffile stored them by itself for years
    for compression in (None, "zlib"):
        tifffile.imwrite(tmp_path / "said.tif", STACK[:3], metadata={"axes": "TYX"}, compression=compression, **colours)
        movie = open_movie(tmp_path / "said.tif")
        assert same(movie, STACK[:3])
        assert not movie.notes
    tifffile.imwrite(tmp_path / "unsaid.tif", STACK[:3], metadata=None, **colours)
    movie = open_movie(tmp_path / "unsaid.tif")
    assert len(list(movie)) == 1
    assert movie.notes == ["its 3 planes are read as colours; if they are frames: --axes T"]
    assert same(open_movie(tmp_path / "unsaid.tif", axes="T"), STACK[:3])
    assert same(open_movie(tmp_path / "unsaid.tif", axes="C", channel=2), STACK[2:3])


def test_axes_of_length_one_are_left_out(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", STACK[:, None, :, :, None], metadata={"axes": "TZYXC"})
    assert same(open_movie(tmp_path / "movie.tif"), STACK)


# less than was declared


def test_an_imagej_stack_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    """As ImageJ writes more than 4 GB: one directory, the images one behind the other."""
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "TYX"}, truncate=True)
    whole = path.read_bytes()
    assert same(open_movie(path), STACK)
    path.write_bytes(whole[: -4 * STACK[0].nbytes])
    movie = open_movie(path)
    assert movie.length == 12
    assert same(movie, STACK[:8])
    assert "the file is cut short; read the 8 of 12 frames before that" in (movie.problem or "")


OME = {"ome": True, "metadata": {"axes": "TYX"}}
IMAGEJ = {"imagej": True, "metadata": {"axes": "TYX"}}


@pytest.mark.parametrize(
    ("options", "old", "new", "problem"),
    [
        (OME, b'SizeT="12"', b'SizeT="17"', "frame 12 and those after it are missing"),
        (OME, b'SizeT="12"', b'SizeT="07"', "its metadata names 7 of the 12 images that it contains"),
        ({"compression": "zlib"}, b"[12, 40, 64]", b"[13, 40, 64]", "its metadata declares 13 images"),
        ({"truncate": True}, b"[12, 40, 64]", b"[10, 40, 64]", "bytes belong to none of its 10 images"),
        (IMAGEJ | {"truncate": True}, b"images=12\n", b"images=10\n", None),
    ],
)
def test_a_movie_with_another_number_of_frames_than_declared_says_so(
    tmp_path: Path, options: dict[str, Any], old: bytes, new: bytes, problem: str | None
) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, STACK, **options)
    movie = open_movie(change(path, old, new))
    frames = list(movie)
    assert all(np.array_equal(a, b) for a, b in zip(frames, STACK, strict=False))
    assert problem in (movie.problem or "") if problem else len(frames) == 12


def test_the_files_that_an_ome_tiff_lacks_are_named(tmp_path: Path) -> None:
    path = tmp_path / "movie.ome.tif"
    tifffile.imwrite(path, STACK, **OME)
    with tifffile.TiffFile(path) as file:
        text = file.ome_metadata or ""
    uuid = '<UUID FileName="second.ome.tif">urn:uuid:00000000-0000-0000-0000-000000000001</UUID>'
    moved = text.replace("</Pixels>", f'<TiffData FirstT="12" PlaneCount="6">{uuid}</TiffData></Pixels>')
    tifffile.tiffcomment(path, moved.replace('SizeT="12"', 'SizeT="18"').encode())
    movie = open_movie(path)
    assert same(movie, STACK)
    absent = f"{path}: 6 of its 18 frames are missing: there is no second.ome.tif in this folder"
    assert (movie.problem or "").startswith(absent)
    assert "frame 12 and those after it are missing; read the 12 of 18 frames" in (movie.problem or "")
    assert open_movie(path).problem == absent  # before any frame is read


def test_a_chain_of_directories_that_skips_an_image_says_so(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "movie.tif", STACK, metadata=None)
    with tifffile.TiffFile(path) as file:
        fourth, fifth = file.pages[3].offset, file.pages[4].offset
    change(path, struct.pack("<I", fourth), struct.pack("<I", fifth))
    movie = open_movie(path)
    assert len(list(movie)) == 11
    assert "bytes belong to none of its 11 images; some may be lost" in (movie.problem or "")


def test_a_stack_whose_description_is_damaged_says_that_more_follows(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, STACK, truncate=True)
    put(path, entry(path, 0, 270) - 4, 2**31 - 1)  # its length
    movie = open_movie(path)
    assert same(movie, STACK[:1])
    assert "bytes belong to none of its 1 images; some may be lost" in (movie.problem or "")


def test_an_image_without_its_pixels_is_not_zeros(tmp_path: Path) -> None:
    path = write_pages(tmp_path / "movie.tif", STACK, metadata=None)
    put(path, entry(path, 5, 273), 0)
    movie = open_movie(path)
    assert same(movie, np.delete(STACK, 5, axis=0))
    assert "parts of image 5 are missing" in (movie.problem or "")


@pytest.mark.parametrize(("size", "problem"), [(0, "parts of image 5 are missing"), (100, "frame 5 cannot be read")])
def test_an_image_without_all_of_its_pixels_is_not_made_up(tmp_path: Path, size: int, problem: str) -> None:
    path = write_pages(tmp_path / "movie.tif", STACK, metadata=None, tile=(16, 16))
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages.get(5)
        sizes = page.tags[325]
        assert sizes.count == 12
    data = bytearray(path.read_bytes())
    data[sizes.valueoffset : sizes.valueoffset + sizes.valuebytecount // 12] = size.to_bytes(
        sizes.valuebytecount // 12, "little"
    )
    path.write_bytes(data)
    movie = open_movie(path)
    assert same(movie, np.delete(STACK, 5, axis=0))
    assert problem in (movie.problem or "")


@pytest.mark.parametrize(
    "data",
    [
        *(b"II*\0\x08\0\0\0"[:length] for length in (1, 2, 3, 4, 7, 8)),
        b"MM\0*\0\0\0\0",
        b"II*\0\xff\xff\xff\x7f",
        b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
        b"II+\0\x08\0\0\0" + bytes(8),
        bytes(100),
    ],
)
def test_a_header_without_an_image_gives_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "movie.tif"
    path.write_bytes(data)
    words = r"movie\.tif: cannot be read as TIFF: (it contains no image|it ends within its header|not a TIFF file.*); "
    with pytest.raises(InputError, match=words) as caught:
        open_movie(path)
    assert "\n" not in str(caught.value)


# what only a damaged file claims


def many_parts(path: Path) -> str:
    """Claim 400,000 strips, one a row, all of them the same few bytes."""
    rows = 400_000
    parts = np.full(rows, 8, "<u4").tobytes()
    size = 8 + len(parts)
    entries = [
        (256, 3, 1, 64), (257, 4, 1, rows), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (273, 4, rows, 8),
        (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, rows, 8),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *each) for each in entries)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, size) + parts + directory + bytes(4))
    return "in 400,000 parts; at most 65,536 are read"


def many_pixels(path: Path) -> str:
    tifffile.imwrite(path, STACK[0], metadata=None)
    put(path, entry(path, 0, 257), 1 << 30)
    return "bytes; at most 536,870,912 are read"


def bomb(path: Path) -> str:
    """Hide 640 MB of zeros in one strip that claims to be 80 kB."""
    tifffile.imwrite(path, np.zeros((200, 200), np.uint16), compression="zlib", rowsperstrip=200, metadata=None)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(1 << 24)) for _ in range(40)) + packer.flush()
    put(path, entry(path, 0, 273), path.stat().st_size)
    put(path, entry(path, 0, 279), len(packed))
    with path.open("ab") as file:
        file.write(packed)
    return "unpacks to more than"


@pytest.mark.parametrize("make", [many_parts, many_pixels, bomb])
def test_claims_beyond_the_limits_cost_neither_time_nor_memory(tmp_path: Path, make: Callable[[Path], str]) -> None:
    limit = make(tmp_path / "movie.tif")
    begun = time.process_time()
    with pytest.raises(InputError, match=limit) as caught:
        open_movie(tmp_path / "movie.tif")
    assert time.process_time() - begun < 5
    assert "\n" not in str(caught.value)


def png(width: int, height: int) -> bytes:
    """Return the beginning of a PNG of this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [13_370, 60_000, 2**31 - 1])  # below and above what Pillow accepts
def test_an_image_that_claims_too_many_pixels_is_refused_in_one_line(tmp_path: Path, side: int) -> None:
    (tmp_path / "0.png").write_bytes(png(side, side))
    with pytest.raises(
        InputError, match=r"0\.png (claims to have .* bytes of pixels; at most|cannot be read)"
    ) as caught:
        open_movie(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "alone.png").write_bytes(png(side, side))
    with pytest.raises(InputError, match=r"alone\.png"):
        open_movie(tmp_path / "alone.png")
