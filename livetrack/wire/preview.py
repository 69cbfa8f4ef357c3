"""Previews, images for viewers: topic, `PREVIEW_HEADER`, then the pixels row by row.

Topic `PREVIEW` is subsampled and in 8 bits; `FULL_PREVIEW` has full resolution and bit depth. Each is sent only while
somebody subscribes to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.wire.common import TOPIC_SIZE, VERSION, WireError, decode_header

__all__ = ["FULL_PREVIEW", "PREVIEW", "PREVIEW_HEADER", "Preview", "decode_preview", "encode_preview"]

PREVIEW = b"lt.img\0\0"
FULL_PREVIEW = b"lt.whole"

PREVIEW_HEADER = np.dtype(
    [
        ("version", "<u2"),
        ("header_size", "<u2"),
        ("step", "<u2"),  # every step-th pixel of the frame along each axis
        ("reserved", "<u2"),
        ("session", "<u8"),
        ("frame", "<u8"),
        ("width", "<u4"),  # of the preview
        ("height", "<u4"),
        ("dtype", "S8"),  # NumPy type of the pixels, such as "<u2"
        ("offset", "<f8"),  # grey level = offset + scale * pixel
        ("scale", "<f8"),
    ]
)

_PIXEL_TYPES = {
    np.dtype(name).str.encode(): np.dtype(name)
    for name in ("u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
}


class Preview(NamedTuple):
    """A preview: every `step`-th pixel of frame `frame`; `pixels` is (H, W), read-only."""

    session: int
    frame: int
    step: int
    pixels: npt.NDArray[Any]
    offset: float = 0.0
    """The grey level of a pixel is `offset + scale * pixel`."""
    scale: float = 1.0


def encode_preview(preview: Preview, *, full_resolution: bool = False) -> bytearray:
    """Return the message of a preview, with topic `FULL_PREVIEW` or `PREVIEW`."""
    pixels = preview.pixels
    kind = pixels.dtype.newbyteorder("<")
    height, width = pixels.shape
    header = np.zeros(1, PREVIEW_HEADER)
    header[0] = (
        VERSION,
        PREVIEW_HEADER.itemsize,
        preview.step,
        0,
        preview.session,
        preview.frame,
        width,
        height,
        kind.str.encode(),
        preview.offset,
        preview.scale,
    )
    start = TOPIC_SIZE + PREVIEW_HEADER.itemsize
    message = bytearray(start + pixels.size * kind.itemsize)
    message[:start] = (FULL_PREVIEW if full_resolution else PREVIEW) + header.tobytes()
    np.copyto(np.frombuffer(message, kind, offset=start).reshape(pixels.shape), pixels)  # releases the GIL
    return message


def decode_preview(message: bytes) -> Preview:
    """Return the preview of a message; raises `WireError` as `decode_positions` does."""
    header = decode_header(message, FULL_PREVIEW if message.startswith(FULL_PREVIEW) else PREVIEW, PREVIEW_HEADER)
    start, shape, step = TOPIC_SIZE + header["header_size"], (header["height"], header["width"]), header["step"]
    kind = _PIXEL_TYPES.get(header["dtype"])
    if kind is None:
        raise WireError(f"preview message cannot be read: pixels of an unknown type {header['dtype']!r}")
    if not (step and shape[0] and shape[1]) or len(message) < start + shape[0] * shape[1] * kind.itemsize:
        size = f"{shape[1]} x {shape[0]} pixels of {kind}, step {step}"
        raise WireError(f"preview message cannot be read: {size} in {len(message)} bytes")
    offset, scale = header["offset"], header["scale"]
    if not (np.isfinite(offset) and 0 < scale < np.inf):
        raise WireError(f"preview message cannot be read: grey levels of {offset} + {scale} * pixel")
    pixels = np.frombuffer(message, kind, shape[0] * shape[1], start).reshape(shape)
    return Preview(header["session"], header["frame"], step, pixels, offset, scale)
