"""Model files, as sessions load them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from livetrack.localize import load_localizer
from livetrack.localize.models import models_folder

from .changes import change_bytes, change_text
from .target import Input

__all__ = ["ModelTarget"]


class ModelTarget:
    """`spot.onnx` with changes to its graph, its weights or its card."""

    watched = ("livetrack/localize/models.py", "livetrack/localize/inference/", "livetrack/localize/network.py")

    def inputs(self, folder: Path) -> list[Input]:
        """Return the model; its image has particles and grey levels up to saturation."""
        data = (models_folder() / "spot.onnx").read_bytes()
        self._image = np.random.default_rng(0).integers(0, 300, (64, 64)).astype(np.uint16)
        self._image[20:23, 30:33] = 65535
        return [Input("model.onnx", data)]

    def change(self, one: Input, rng: random.Random) -> bytes:
        """Change the card as text in its place, or the graph, which is at the beginning, or any bytes."""
        begin, end = _card(one.data)
        kind = rng.random()
        if kind < 0.45 and begin >= 0:
            changed = change_text(one.data[begin:end], rng)
            return _with_card(one.data, begin, end, changed)
        places = tuple(range(0, min(len(one.data), 12_000)))
        return change_bytes(one.data, rng, places if kind < 0.9 else ())

    def read(self, folder: Path, name: str) -> str:
        """Load the model and use it as a session does."""
        localizer = load_localizer(folder / name, threads=1)
        localizer.warmup(self._image.shape, self._image.dtype)
        rows = localizer.localize(self._image)
        assert np.isfinite(rows["x"]).all()
        assert np.isfinite(rows["score"]).all()
        return "read"


def _card(data: bytes) -> tuple[int, int]:
    """Return where the JSON of the card is; (-1, -1) if it is not found any more."""
    begin = data.find(b'{"name"')
    if begin < 0:
        return -1, -1
    try:
        _, length = json.JSONDecoder().raw_decode(data[begin:].decode(errors="replace"))
    except ValueError:
        return -1, -1
    return begin, begin + length


def _with_card(data: bytes, begin: int, end: int, card: bytes) -> bytes:
    """Return the file with another card; the lengths of the messages around it are corrected, if it can be read."""
    try:
        model = onnx.load_from_string(data)
    except DecodeError:
        return data[:begin] + card + data[end:]
    for each in model.metadata_props:
        if each.key == "livetrack":
            each.value = card.decode(errors="replace")
    return bytes(model.SerializeToString())
