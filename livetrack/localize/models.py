"""The names of all localizers, and the model files with their cards."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from livetrack.errors import ModelError
from livetrack.limits import CARD_BYTES
from livetrack.localize.classical import METHODS
from livetrack.localize.inference.onnx_file import NotAModelError, check_model_file
from livetrack.localize.inference.onnx_runtime import OnnxRuntime

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "FORMAT", "ModelCard", "find_model", "installed_localizers", "localizer_names", "models_folder", "read_card",
    "shipped_models",
]  # fmt: skip


FORMAT = 2
"""Changes with the network's input, `normalize`, and with its output, `decode`."""


_MOST_ELONGATED = 100
_Size = Annotated[float, Meta(gt=0, le=1024)]
_Height = Annotated[float, Meta(ge=-100, le=100)]  # that of a profile's middle is 1
_Profile = Annotated[list[_Height], Meta(min_length=1, max_length=1024)]
_Weight = Annotated[float, Meta(ge=-1e6, le=1e6)]


class ModelCard(msgspec.Struct, frozen=True):
    """A model's metadata, written by `livetrack train` into the ONNX file under the key `livetrack`.

    A card with a value out of bounds is refused when it is read.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    family: str
    multiple: Annotated[int, Meta(ge=4, le=256, multiple_of=4)]
    """The network's input is a multiple of this wide and high, px."""
    background_radius_px: Annotated[int, Meta(ge=1, le=1024)]
    crop_px: Annotated[int, Meta(ge=8, le=1024)]
    """Side of the crops around known particles, px."""
    diameter_px: _Size
    """Of a typical particle."""
    contrast: Literal["bright", "dark", "either"]
    """"bright", "dark" or "either"."""
    format: int = 1
    """Must be `FORMAT`."""
    input_scale: Annotated[float, Meta(gt=0, le=1e6)] = 1.0
    """Of the network's input, see `normalize`."""
    oriented: bool = False
    """The particles have a long axis; rows give its angle."""
    symmetry: Literal["round", "half turn", "none"] = "round"
    """"round": the particles look the same in any orientation; "half turn": after half a turn; "none"."""
    profiles: Annotated[list[_Profile], Meta(max_length=4096)] = []
    """(M, S) radial profiles of particles drawn from the recipe, for `ProfilePrior`; empty unless they are round."""
    score_law: tuple[_Weight, _Weight, _Weight] = (1.0, 0.0, 0.0)
    """The `ScoreCalibration`: slope, brightness, shift."""
    filters_px: Annotated[list[Annotated[float, Meta(gt=0, le=64)]], Meta(max_length=32)] = []
    """Sigmas of the matched filters whose evidence is judged beside the network; empty for models without."""
    decision_weights: Annotated[list[_Weight], Meta(max_length=1024)] = []
    """Of the decision's features (`livetrack.localize.evidence.decision`), instead of `score_law` where there are
    filters."""
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Minimum score of a row, unless the user sets another."""
    description: str = ""
    seed: int = 0
    start: str = ""
    """Model whose weights the training began with: name, steps and hash; empty for random weights."""
    steps: int = 0
    minutes: float = 0.0
    """Duration of the training."""
    hardware: str = ""
    """On which it was trained."""
    date: str = ""
    livetrack: str = ""
    recipe: dict[str, Any] = {}

    @property
    def longest(self) -> float:
        """Length over width of the recipe's particles, at most; 1 for round ones."""
        return float(max(self.recipe.get("particles", {}).get("elongation", (1.0,))))


def models_folder() -> Path:
    """Return the folder of the shipped models: in a checkout its `models`, otherwise the installed copy."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    return checkout / "models" if (checkout / "pyproject.toml").is_file() else package / "models"


def shipped_models() -> dict[str, Path]:
    """Return the files of the shipped models by name, sorted."""
    return {path.stem: path for path in sorted(models_folder().glob("*.onnx"))}


@cache
def installed_localizers() -> dict[str, EntryPoint]:
    """Return the entry points of the group `livetrack.localizers` by name, sorted; none is imported.

    They are looked up once: a package that is installed while livetrack runs is found after the next start.
    """
    from importlib.metadata import entry_points  # here: the import is slow

    points = sorted(entry_points(group="livetrack.localizers"), key=lambda point: point.name)
    return {point.name: point for point in points}


def localizer_names() -> list[str]:
    """Return every name that `load_localizer` accepts: shipped models, classical methods, installed localizers."""
    return list(dict.fromkeys((*shipped_models(), *METHODS, *installed_localizers())))


def find_model(model: str | Path) -> Path:
    """Return the file of a shipped model, by its name, or of a path that ends in `.onnx`.

    Raises
    ------
    ModelError
        There is no such file, or no model of that name; with the most similar name.
    """
    shipped = shipped_models()
    if str(model) in shipped:
        return shipped[str(model)]
    path = Path(model)
    if path.suffix == ".onnx":
        if path.is_file():
            return path
        raise NotAModelError(f"model {path}: no such file")
    names = localizer_names()
    close = difflib.get_close_matches(str(model), names, n=1)
    hint = f"did you mean {close[0]}?" if close else "use one of them, or an .onnx file"
    raise ModelError(f"unknown model {str(model)!r}; available: {', '.join(names)}; {hint}")


def read_card(path: Path) -> ModelCard:
    """Return a model's metadata.

    Raises
    ------
    ModelError
        The file is not a model, was not made by livetrack, or for another version's input.
    """
    check_model_file(path)
    try:
        text = OnnxRuntime(path, "cpu", 1).session.get_modelmeta().custom_metadata_map.get("livetrack")
    except UnicodeDecodeError:
        raise ModelError(f"model {path}: its livetrack metadata cannot be read: it is not UTF-8") from None
    if text is None:
        raise NotAModelError(f"model {path}: not made by `livetrack train` (it has no livetrack metadata)")
    if len(text) > CARD_BYTES:
        raise ModelError(f"model {path}: its livetrack metadata is larger than {CARD_BYTES >> 10:,} KB, the limit")
    try:
        card = msgspec.json.decode(text, type=ModelCard)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise ModelError(f"model {path}: its livetrack metadata cannot be read: {error}") from None
    try:
        sensible = 1 <= card.longest <= _MOST_ELONGATED
    except (AttributeError, TypeError, ValueError):
        sensible = False
    if not sensible:
        raise ModelError(f"model {path}: its recipe's elongation is not between 1 and {_MOST_ELONGATED}")
    if len({len(profile) for profile in card.profiles}) > 1:
        raise ModelError(f"model {path}: its profiles differ in length; train it again from its recipe")
    if card.format != FORMAT:
        raise ModelError(
            f"model {path}: its format is {card.format}, this livetrack needs {FORMAT}; train it again from its recipe"
        )
    return card
