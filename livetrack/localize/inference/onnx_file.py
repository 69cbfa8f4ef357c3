"""What an ONNX file refers to, read without running anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from livetrack.errors import ModelError, reason
from livetrack.limits import MODEL_BYTES, read_bytes_up_to

__all__ = ["NotAModelError", "check_model_file"]


class NotAModelError(ModelError):
    """There is no file, or not one of livetrack's models. To clients, both are the same."""


_EXTERNAL = 1
_MAX_DEPTH = 32
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIELDS = {  # per message of onnx.proto: the fields that lead to tensors, and what they hold
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of a tensor


def check_model_file(path: Path) -> None:
    """Check a file before it is opened.

    Raises
    ------
    NotAModelError
        It cannot be read, is no ONNX file, or is larger than `MODEL_BYTES`.
    ModelError
        It takes numbers from other files.
    """
    try:
        external = _has_external_data(memoryview(read_bytes_up_to(path, MODEL_BYTES)), "model", 0)
    except OSError as error:
        raise NotAModelError(f"model {path}: livetrack cannot open it: {reason(error)}") from None
    except (ValueError, IndexError):
        raise NotAModelError(f"model {path}: livetrack cannot open it: it is not an ONNX file") from None
    if external:
        raise ModelError(f"model {path}: its data is in other files; export it with all data in one file")


def _has_external_data(message: memoryview, kind: str, depth: int) -> bool:
    """Whether a tensor in a `message` of this kind lies in another file."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if kind == "tensor":
        return any(
            number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == _EXTERNAL)
            for number, value in _fields(message)
        )
    inner = _FIELDS[kind]
    return any(
        _has_external_data(value, inner[number], depth + 1)
        for number, value in _fields(message)
        if number in inner and isinstance(value, memoryview)
    )


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of an encoded protobuf message; raises ValueError or IndexError."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("truncated")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
