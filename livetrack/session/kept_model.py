"""The models that a recording was made with: copied into its folder, each once."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec

from livetrack.errors import reason
from livetrack.limits import MODEL_BYTES, read_bytes_up_to
from livetrack.localize import Localizer
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.resizing import ResizingLocalizer
from livetrack.whole_file import write_whole

__all__ = ["describe_model", "keep_model"]

_FOLDER = "model"


def describe_model(localizer: Localizer) -> dict[str, Any]:
    """Return name and class of a localizer, what it runs on, its scale and threshold."""
    return {
        "name": localizer.name,
        "class": f"{type(localizer).__module__}.{type(localizer).__qualname__}",
        "provider": localizer.provider,
        "threads": localizer.threads,
        "search_scale": localizer.search_scale,
        "threshold": localizer.threshold,
    }


def keep_model(folder: Path, localizer: Localizer, model: dict[str, Any]) -> dict[str, Any]:
    """Copy the file of a model and its card into `model/` of a recording's folder.

    Returns
    -------
    dict
        `model`, the description, and for a network `file` and `card`, their names in the folder, and `sha256`; or
        `problem`, if the model could not be copied.
    """
    network = localizer.network if isinstance(localizer, ResizingLocalizer) else localizer
    if not isinstance(network, NetworkLocalizer):
        return model
    digest = network.sha256
    stem = f"{_FOLDER}/{re.sub(r'[^A-Za-z0-9._-]', '_', network.name)[:60]}-{digest[:12]}"
    model = {**model, "sha256": digest, "file": f"{stem}.onnx", "card": f"{stem}.json"}
    try:
        if not (folder / f"{stem}.onnx").exists():
            (folder / _FOLDER).mkdir(exist_ok=True)
            write_whole(folder / f"{stem}.json", msgspec.json.format(msgspec.json.encode(network.card)))
            write_whole(folder / f"{stem}.onnx", _read(network.path, digest))
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        model |= {"file": None, "problem": f"the model {network.name} is not kept: {why}"}
    return model


def _read(path: Path, digest: str) -> bytes:
    """Return the contents of a model file. Raises ValueError if they have changed since it was loaded."""
    content = read_bytes_up_to(path, MODEL_BYTES)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path} has changed since it was loaded")
    return content
