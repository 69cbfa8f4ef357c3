"""Writes small files of the makers of microscopes and cameras, as far as they are needed to read them back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["write_cine", "write_czi", "write_lif", "write_nd2"]

_MAGIC = 0x0ABECEDA


def write_nd2(
    path: Path,
    images: npt.NDArray[np.uint16],
    *,
    planes: int = 1,
    positions: int = 1,
    times_ms: Sequence[float] | None = None,
    period_ms: float = 0.0,
    pixel_size_um: float = 0.25,
    without: Sequence[int] = (),
) -> Path:
    """Write images (N, H, W, channels): the planes of each position of each time. Leave out those of `without`."""
    count, height, width, channels = images.shape
    loops: list[dict[str, Any]] = [
        {
            "eType": 1,
            "uLoopPars": {
                "uiCount": count // planes // positions,
                "dStart": 0.0,
                "dPeriod": period_ms,
                "dDuration": 0.0,
                "dAvgPeriodDiff": 0.0,
            },
        }
    ]
    if positions > 1:
        points = [{"dPosX": 100.0 * place, "dPosY": 0.0, "dPosZ": 0.0} for place in range(positions)]
        loops.append({"eType": 2, "uLoopPars": {"uiCount": positions, "Points": points}, "pItemValid": [1] * positions})
    if planes > 1:
        loops.append({"eType": 4, "uLoopPars": {"uiCount": planes, "dZStep": 0.5}})
    for outer, inner in pairwise(loops):
        outer["ppNextLevelEx"] = [inner]
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": width * channels * 2,
        "uiHeight": height,
        "uiComp": channels,
        "uiBpcInMemory": 16,
        "uiBpcSignificant": 16,
        "uiSequenceCount": count,
    }
    probe = {"m_ExcitationSpectrum": {"uiCount": 0}, "m_EmissionSpectrum": {"uiCount": 0}}
    plane_list = [
        {"uiCompCount": 1, "sDescription": f"channel {place}", "pFluorescentProbe": probe} for place in range(channels)
    ]
    picture = {
        "bCalibrated": True,
        "dCalibration": pixel_size_um,
        "sPicturePlanes": {"uiCount": channels, "sPlaneNew": plane_list},
    }
    chunks: dict[bytes, bytes] = {
        b"ImageAttributesLV!": _entry("SLxImageAttributes", attributes),
        b"ImageMetadataLV!": _entry("SLxExperiment", loops[0]),
        b"ImageMetadataSeqLV|0!": _entry("SLxPictureMetadata", picture),
        b"ImageTextInfoLV!": _entry("SLxImageTextInfo", {"Count": 0}),
    }
    if times_ms is not None:
        chunks[b"CustomData|AcqTimesCache!"] = np.array(times_ms, np.float64).tobytes()
    places: dict[bytes, tuple[int, int]] = {}
    with path.open("wb") as file:
        file.write(struct.pack("<IIQ32s64s", _MAGIC, 32, 64, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0"))
        for number, image in enumerate(images):
            if number not in without:
                file.seek(-file.tell() % 4096, 1)
                name = f"ImageDataSeq|{number}!".encode()
                places[name] = file.tell(), image.nbytes + 8
                file.write(struct.pack("<IIQ", _MAGIC, 4072, image.nbytes + 8) + name.ljust(4072, b"\0"))
                file.write(struct.pack("<d", 0.0) + image.tobytes())
        for name, data in chunks.items():
            places[name] = file.tell(), len(data)
            file.write(struct.pack("<IIQ", _MAGIC, len(name), len(data)) + name + data)
        begin = file.tell()
        table = b"".join(name + struct.pack("<QQ", *place) for name, place in places.items())
        end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", begin)
        file.write(struct.pack("<IIQ", _MAGIC, 32, len(table) + len(end)) + b"ND2 FILEMAP SIGNATURE NAME 0001!" + table)
        file.write(end)
    return path


def _entry(name: str, value: Any) -> bytes:
    """Return a value in Nikon's binary notation: its type, its name, and what it is."""
    text = (name + "\0").encode("utf-16-le") if name else b"\0\0"
    head = bytes([_type(value), len(text) // 2]) + text
    if isinstance(value, bool):
        return head + struct.pack("B", value)
    if isinstance(value, int):
        return head + struct.pack("<I", value)
    if isinstance(value, float):
        return head + struct.pack("<d", value)
    if isinstance(value, str):
        return head + (value + "\0").encode("utf-16-le")
    if isinstance(value, dict):
        inner = [_entry(key, each) for key, each in value.items()]
    elif value and isinstance(value[0], int):
        return head + struct.pack("<Q", len(value)) + bytes(value)
    else:
        inner = [_entry("", each) for each in value]
    data = b"".join(inner)
    return head + struct.pack("<IQ", len(inner), len(head) + 12 + len(data)) + data + bytes(8 * len(inner))


def _type(value: Any) -> int:
    if isinstance(value, list) and value and isinstance(value[0], int):
        return 9
    return {bool: 1, int: 3, float: 6, str: 8, dict: 11, list: 11}[type(value)]


def write_lif(path: Path, series: dict[str, npt.NDArray[Any]], stamps_ms: Sequence[int] = ()) -> Path:
    """Write series by their names, each (T, channels, H, W) of uint8 or uint16, of pixels of 0.25 µm.

    `stamps_ms` are the times of all images of the first one.
    """
    elements = "".join(
        _lif_element(name, f"MemBlock_{place}", images, stamps_ms if place == 0 else ())
        for place, (name, images) in enumerate(series.items())
    )
    xml = f'<LMSDataContainerHeader Version="2"><Element Name="file" UniqueID="0"><Children>{elements}</Children>'
    text = (xml + "</Element></LMSDataContainerHeader>").encode("utf-16-le")
    with path.open("wb") as file:
        file.write(struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(text) // 2) + text)
        for place, images in enumerate(series.values()):
            name = f"MemBlock_{place}".encode("utf-16-le")
            file.write(struct.pack("<IIBQBI", 0x70, len(name) + 14, 0x2A, images.nbytes, 0x2A, len(name) // 2) + name)
            file.write(images.tobytes())
    return path


def _lif_element(name: str, block: str, images: npt.NDArray[Any], stamps_ms: Sequence[int]) -> str:
    times, channels, height, width = images.shape
    item = images.itemsize
    resolution = 8 * item
    plane = height * width * item
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{resolution}" Min="0" Max="1" '
        f'Unit="" LUTName="Gray" NameOfMeasuredQuantity="" IsLUTInverted="0" BitInc="0" BytesInc="{place * plane}"/>'
        for place in range(channels)
    )
    steps = [("1", width, 0.25e-6, "m", item), ("2", height, 0.25e-6, "m", width * item)]
    steps.append(("4", times, 0.05, "s", channels * plane))
    dimensions = "".join(
        f'<DimensionDescription DimID="{number}" NumberOfElements="{size}" Origin="0" Length="{(size - 1) * step}" '
        f'Unit="{unit}" BitInc="0" BytesInc="{increment}"/>'
        for number, size, step, unit, increment in steps
    )
    stamps = " ".join(f"{116444736000000000 + each * 10000:x}" for each in stamps_ms)
    list_of_stamps = f'<TimeStampList NumberOfTimeStamps="{len(stamps_ms)}">{stamps}</TimeStampList>' if stamps else ""
    return (
        f'<Element Name="{name}" UniqueID="{name}"><Data><Image><ImageDescription><Channels>{described}</Channels>'
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription>{list_of_stamps}</Image></Data>"
        f'<Memory Size="{images.nbytes}" MemoryBlockID="{block}"/><Children/></Element>'
    )


def write_cine(path: Path, images: np.ndarray, rate: int, times_s: list[float]) -> Path:
    """Write (N, H, W) uint8 images as the cameras of Phantom do."""
    count, height, width = images.shape
    setup = bytearray(5692)
    struct.pack_into("<2sH", setup, 140, b"ST", len(setup))
    struct.pack_into("<I", setup, 768, rate)
    stamps = b"".join(struct.pack("<II", int(each % 1 * 2**32) & ~3, int(each)) for each in times_s)
    block = struct.pack("<IHH", 8 + len(stamps), 1002, 0) + stamps if times_s else b""
    bitmap = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, height * width, 0, 0, 0, 0)
    offsets = 44 + len(bitmap) + len(setup) + len(block)
    begin = offsets + 8 * count
    places = [begin + number * (8 + height * width) for number in range(count)]
    header = struct.pack("<2s3HiIiI3I2I", b"CI", 44, 0, 1, 0, count, 0, count, 44, 84, offsets, 0, 0)
    pictures = b"".join(struct.pack("<II", 8, height * width) + image[::-1].tobytes() for image in images)
    path.write_bytes(header + bitmap + bytes(setup) + block + struct.pack(f"<{count}q", *places) + pictures)
    return path


def write_czi(path: Path, images: npt.NDArray[np.uint16]) -> Path:
    """Write (T, H, W) images as Zeiss' programs do, without compression."""
    height, width = images.shape[1:]

    def segment(name: bytes, contents: bytes) -> bytes:
        padded = contents + bytes(-len(contents) % 32)
        return struct.pack("<16sqq", name, len(padded), len(contents)) + padded

    def entry(time: int, position: int) -> bytes:
        axes = [(b"X", 0, width), (b"Y", 0, height), (b"T", time, 1)]
        dimensions = b"".join(struct.pack("<4siifi", name, begin, size, 0, size) for name, begin, size in axes)
        return struct.pack("<2siqiiBB4si", b"DV", 1, position, 0, 0, 0, 0, b"", len(axes)) + dimensions

    def header(directory: int) -> bytes:
        return segment(b"ZISRAWFILE", struct.pack("<2i44xiqqiq", 1, 0, 0, directory, 0, 0, 0).ljust(512, b"\0"))

    data, entries = header(0), b""
    for time, image in enumerate(images):
        place = entry(time, len(data))
        block = (struct.pack("<iiq", 0, 0, image.nbytes) + place).ljust(256, b"\0")
        data, entries = data + segment(b"ZISRAWSUBBLOCK", block + image.tobytes()), entries + place
    directory = segment(b"ZISRAWDIRECTORY", struct.pack("<i124x", len(images)) + entries)
    path.write_bytes(header(len(data)) + data[len(header(0)) :] + directory)
    return path
