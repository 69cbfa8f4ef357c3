"""Model card: purpose, training, accuracy and speed, as Markdown."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from livetrack.localize.models import ModelCard
from livetrack.localize.network import NetworkLocalizer
from livetrack.training.isolated_accuracy import IsolatedAccuracy
from livetrack.training.recipe import Recipe, keys_of_other_families
from livetrack.training.speed import speed_line
from livetrack.training.validate import IMAGE_SIDE_PX, MATCH_RADIUS_PX, Accuracy, Validation
from livetrack.whole_file import write_whole

__all__ = ["accuracy_line", "accuracy_table", "isolated_table", "precision_line", "write_card"]

_MIN_RECALL = 0.1  # below it a model is of no use yet


def write_card(
    localizer: NetworkLocalizer, recipe: Recipe, model: Path, validation: Validation, isolated: list[IsolatedAccuracy]
) -> Path:
    """Write the card next to `model`, with suffix .md; return its path."""
    card = localizer.card
    text = f"""\
# {card.name}

{card.description or "No description"}.

- family: {card.family}; {_settings(card.recipe["particles"], card.family)}
- scenes: {_settings(card.recipe["scenes"], card.family)}
- trained: {card.steps} steps from {_start(card)} in {card.minutes:.1f} min on {card.hardware}, {card.date}, livetrack
  {card.livetrack}
- file: {model.stat().st_size / 1000:.0f} kB; format {card.format}
- shortest time per image, with {localizer.provider} on {os.cpu_count()} cores:
  {speed_line(localizer, recipe)}

Precision of `localize` for isolated particles in white noise, against the Cramér-Rao bound for unknown intensity and
background. SNR is peak intensity / standard deviation of the noise.

{isolated_table(isolated)}
Accuracy of `find` on new scenes of the recipe, {IMAGE_SIDE_PX}x{IMAGE_SIDE_PX} px, including crowding, edges and camera
artefacts, but no crystals; found means a row within {MATCH_RADIUS_PX:g} px.

{accuracy_line(validation.overall)}

{accuracy_table(validation.by_snr)}"""
    path = model.with_suffix(".md")
    write_whole(path, text)
    return path


def isolated_table(isolated: list[IsolatedAccuracy]) -> str:
    """Return the precision of isolated particles as a Markdown table."""
    lines = ["| SNR | found | RMSE per axis, px | bound, px | error / bound |", "|---|---|---|---|---|"]
    lines += [
        f"| {cell.snr:g} | {cell.recall:.3f} | {_number(cell.rmse_px, 4)} | {_number(cell.bound_px, 4)} "
        f"| {_number(cell.over_bound, 2)} |"
        for cell in isolated
    ]
    return "\n".join(lines) + "\n"


def accuracy_line(overall: Accuracy) -> str:
    """Return the accuracy in one line, with a remark if more training is needed."""
    if not overall.particles:
        return "Accuracy unknown: the scenes of the recipe contain no particle of SNR 1 or above."
    if not overall.recall:
        return f"Found none of {overall.particles} particles in new scenes: the model needs more training."
    line = (
        f"Finds {100 * overall.recall:.1f} % of the particles in new scenes, RMSE {overall.rmse_px:.2f} px per axis; "
        f"{100 * overall.false_fraction:.1f} % of its localisations are false."
    )
    return line + (" It needs more training." if overall.recall < _MIN_RECALL else "")


def precision_line(isolated: IsolatedAccuracy) -> str:
    """Return the precision of isolated particles in one line."""
    if not isolated.recall:
        return f"Found no isolated particle of SNR {isolated.snr:g}."
    return f"Isolated particles of SNR {isolated.snr:g}: error {isolated.over_bound:.2f} times the Cramér-Rao bound."


def accuracy_table(accuracy: list[Accuracy]) -> str:
    """Return the accuracy as a Markdown table; empty if `accuracy` is."""
    if not accuracy:
        return ""
    lines = [
        "| SNR | particles | recall | false | RMSE per axis, px | median error, px | bias, px | error / x_std |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cell in accuracy:
        snr = f"{cell.snr_from:g}-{cell.snr_to:g}" if np.isfinite(cell.snr_to) else f"from {cell.snr_from:g}"
        lines.append(
            f"| {snr} | {cell.particles} | {cell.recall:.3f} | {cell.false_fraction:.3f} | {_number(cell.rmse_px)} "
            f"| {_number(cell.median_px)} | {_number(cell.bias_px)} | {_number(cell.spread, 2)} |"
        )
    return "\n".join(lines) + "\n"


def _start(card: ModelCard) -> str:
    return f"the weights of {card.start}, and seed {card.seed}," if card.start else f"seed {card.seed}"


def _settings(section: dict[str, Any], family: str) -> str:
    """Return a section of a recipe as text; of a template image, its size and hash."""
    parts, other_keys = [], keys_of_other_families(family)
    for key, value in section.items():
        if key == "picture" and value:
            parts.append(f"picture {value['width']}x{value['height']} px with SHA-256 {value['sha256']}")
        elif key == "picture" or key in other_keys:
            continue
        elif isinstance(value, list):
            parts.append(f"{key} {value[0]:g} to {value[1]:g}")
        else:
            parts.append(f"{key} {value}")
    return ", ".join(parts)


def _number(value: float, digits: int = 3) -> str:
    return "none" if math.isnan(value) else f"{value:.{digits}f}"
