"""A model's card: what it is for, how it was made, how accurate and how fast it is."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from livetrack.localize.network import NetworkLocalizer
from livetrack.training.isolated_accuracy import IsolatedAccuracy
from livetrack.training.recipe import FAMILIES_OF, Recipe
from livetrack.training.speed import speed_line
from livetrack.training.validate import IMAGE_SIDE_PX, MATCH_RADIUS_PX, Accuracy, Validation

__all__ = ["accuracy_line", "accuracy_table", "isolated_table", "precision_line", "write_card"]

_LEAST_RECALL = 0.1  # below it a model has learnt too little to be of use


def write_card(
    localizer: NetworkLocalizer, recipe: Recipe, model: Path, validation: Validation, isolated: list[IsolatedAccuracy]
) -> Path:
    """Write the card as Markdown beside `model`; return its path."""
    card = localizer.card
    text = f"""\
# {card.name}

{card.description or "The recipe does not describe it"}.

- family: {card.family}; {_settings(card.recipe["particles"], card.family)}
- scenes: {_settings(card.recipe["scenes"], card.family)}
- trained: {card.steps} steps from seed {card.seed} in {card.minutes:.1f} min on {card.hardware}, {card.date}, livetrack
  {card.livetrack}
- file: {model.stat().st_size / 1000:.0f} kB; format {card.format}
- speed at best, with {localizer.provider} on {os.cpu_count()} cores:
  {speed_line(localizer, recipe)}

Precision of `localize` for one particle at a time in white noise, against the Cramér-Rao bound for unknown height and
background; SNR is the particle's height over the background / standard deviation of the noise:

{isolated_table(isolated)}
Accuracy of `find` on new scenes of the recipe, {IMAGE_SIDE_PX}x{IMAGE_SIDE_PX} px, including crowding, edges and camera
artefacts; found means a row within {MATCH_RADIUS_PX:g} px.

{accuracy_line(validation.overall)}

{accuracy_table(validation.by_snr)}"""
    path = model.with_suffix(".md")
    path.write_text(text, encoding="utf-8")
    return path


def isolated_table(isolated: list[IsolatedAccuracy]) -> str:
    """Return the precision for isolated particles as a Markdown table."""
    lines = ["| SNR | found | RMSE per axis, px | bound, px | error / bound |", "|---|---|---|---|---|"]
    lines += [
        f"| {cell.snr:g} | {cell.recall:.3f} | {_known(cell.rmse_px, 4)} | {_known(cell.bound_px, 4)} "
        f"| {_known(cell.over_bound, 2)} |"
        for cell in isolated
    ]
    return "\n".join(lines) + "\n"


def accuracy_line(overall: Accuracy) -> str:
    """Return the accuracy in one line, and that more training is needed where it is."""
    if not overall.particles:
        return "Accuracy unknown: the recipe's scenes hold no particle of SNR 1 or above."
    if not overall.recall:
        return f"Nothing was found of {overall.particles} particles in new scenes: it needs more training."
    line = (
        f"Finds {100 * overall.recall:.1f} % of the particles in new scenes, RMSE {overall.rmse_px:.2f} px per axis; "
        f"{100 * overall.false_fraction:.1f} % of what it finds is false."
    )
    return line + (" It needs more training." if overall.recall < _LEAST_RECALL else "")


def precision_line(isolated: IsolatedAccuracy) -> str:
    """Return the precision for isolated particles in one line."""
    if not isolated.recall:
        return f"None of SNR {isolated.snr:g} was found alone."
    return f"Alone, at SNR {isolated.snr:g}: error {isolated.over_bound:.2f} times the physical limit."


def accuracy_table(accuracy: list[Accuracy]) -> str:
    """Return the accuracy as a Markdown table, empty where there is none."""
    if not accuracy:
        return ""
    lines = [
        "| SNR | particles | recall | false | RMSE per axis, px | median error, px | bias, px | error / x_std |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for cell in accuracy:
        snr = f"{cell.snr_from:g}-{cell.snr_to:g}" if np.isfinite(cell.snr_to) else f"from {cell.snr_from:g}"
        lines.append(
            f"| {snr} | {cell.particles} | {cell.recall:.3f} | {cell.false_fraction:.3f} | {_known(cell.rmse_px)} "
            f"| {_known(cell.median_px)} | {_known(cell.bias_px)} | {_known(cell.spread, 2)} |"
        )
    return "\n".join(lines) + "\n"


def _settings(section: dict[str, Any], family: str) -> str:
    """Return a section of a recipe in words; of a picture, what it was."""
    words = []
    for key, value in section.items():
        if key == "picture" and value:
            words.append(f"picture {value['width']}x{value['height']} px with SHA-256 {value['sha256']}")
        elif family not in FAMILIES_OF.get(key, (family,)):
            continue
        elif isinstance(value, list):
            words.append(f"{key} {value[0]:g} to {value[1]:g}")
        else:
            words.append(f"{key} {value}")
    return ", ".join(words)


def _known(value: float, digits: int = 3) -> str:
    return "none" if math.isnan(value) else f"{value:.{digits}f}"
