"""Where models are, and what their metadata says."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import msgspec
import onnxruntime as ort

from livetrack.errors import ModelError
from livetrack.localize.classical import METHODS

__all__ = ["FORMAT", "ModelCard", "find_model", "models_folder", "read_card", "shipped_models"]


FORMAT = 2
"""Changes with what goes into a network, `normalize`, and with what comes out of it, `decode`."""


class ModelCard(msgspec.Struct, frozen=True):
    """The metadata that `livetrack train` writes into a model, under the key `livetrack`."""

    name: str
    family: str
    multiple: int
    """Width and height that the network takes are multiples of this, px."""
    background_radius_px: int
    crop_px: int
    """Side of the crops that are looked at about known particles."""
    diameter_px: float
    """A typical particle's."""
    contrast: str
    """"bright", "dark" or "either"."""
    format: int = 1
    """Must be `FORMAT`."""
    oriented: bool = False
    """The particles have a long axis, whose angle is given."""
    symmetry: str = "round"
    """"round": the particles look the same from all sides; "half turn": after half a turn; "none"."""
    profiles: list[list[float]] = []
    """(M, S) radial profiles of particles drawn from the recipe, for `ProfilePrior`; none where they are not round."""
    score_law: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """`ScoreCalibration`: from the network's score to the share of rows that are particles."""
    threshold: float = 0.5
    """Least score of a row, unless the user sets another."""
    description: str = ""
    seed: int = 0
    steps: int = 0
    minutes: float = 0.0
    """That the training took."""
    hardware: str = ""
    """That it ran on."""
    date: str = ""
    livetrack: str = ""
    recipe: dict[str, Any] = {}


def models_folder() -> Path:
    """Return the folder of the shipped models: the checkout's, else the installed copy."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    return checkout / "models" if (checkout / "pyproject.toml").is_file() else package / "models"


def shipped_models() -> dict[str, Path]:
    """Return the shipped models' files by name, sorted."""
    return {path.stem: path for path in sorted(models_folder().glob("*.onnx"))}


def find_model(model: str | Path) -> Path:
    """Return the file of a shipped model's name, or of a path that ends in `.onnx`.

    Raises
    ------
    ModelError
        No such file; or no model of that name, with the nearest one that there is.
    """
    shipped = shipped_models()
    if str(model) in shipped:
        return shipped[str(model)]
    path = Path(model)
    if path.suffix == ".onnx":
        if path.is_file():
            return path
        raise ModelError(f"model {path}: no such file")
    names = [*shipped, *METHODS]
    close = difflib.get_close_matches(str(model), names, n=1)
    hint = f"did you mean {close[0]}?" if close else "give one of them, or an .onnx file"
    raise ModelError(f"model {str(model)!r} is not known; there are {', '.join(names)}; {hint}")


def read_card(session: ort.InferenceSession, path: Path) -> ModelCard:
    """Return the metadata of an opened model.

    Raises
    ------
    ModelError
        The file is no livetrack model, or one for another version's input.
    """
    text = session.get_modelmeta().custom_metadata_map.get("livetrack")
    if text is None:
        raise ModelError(f"model {path}: not made by `livetrack train`: it has no livetrack metadata")
    try:
        card = msgspec.json.decode(text, type=ModelCard)
    except msgspec.DecodeError as error:
        raise ModelError(f"model {path}: its livetrack metadata cannot be read: {error}") from None
    if card.format != FORMAT:
        raise ModelError(
            f"model {path}: of format {card.format}, this livetrack takes {FORMAT}; train it again from its recipe"
        )
    return card
