"""Chooses the model for a movie, by what its particles look like, and tries the shipped ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from livetrack.check.measure import ParticleProperties
from livetrack.check.model_trial import ModelTrial, try_model
from livetrack.particles import Rows

__all__ = ["Choice", "choose"]

_MODELS = ("spot", "bead")
_MAX_SPOT_PX = 10.0  # 2 sqrt(2) times the max sigma in models/spot.toml, and a margin for the error of the estimate


@dataclass(frozen=True)
class Choice:
    """Model chosen, and what the trials gave."""

    model: str
    reason: str
    trials: list[ModelTrial]
    rows: list[Rows]
    """What the chosen model finds in each image; empty if it could not be tried."""


def choose(images: Sequence[npt.NDArray[Any]], particles: ParticleProperties) -> Choice:
    """Choose a model for `particles` and try it, and the others, on `images`, each (H, W)."""
    model, reason = _by_appearance(particles)
    trials = {name: try_model(name, images) for name in _MODELS}
    return Choice(model, reason, [trial for trial, _ in trials.values()], trials[model][1])


def _by_appearance(particles: ParticleProperties) -> tuple[str, str]:
    """Return a model and the reason: fluorescence gives bright particles without a ring of opposite sign.

    Bright beads without a dark ring look like spots and are recognised by their width alone.
    """
    if particles.contrast != "bright":
        sign = "bright and dark" if particles.contrast == "both" else "dark"
        return "bead", f"{sign} particles indicate bright field, not fluorescence"
    if particles.has_ring:
        return "bead", "bright cores with a dark ring indicate bright field, not fluorescence"
    if particles.diameter_px > _MAX_SPOT_PX:
        return "bead", f"wider than the particles of the spot model, which are up to about {_MAX_SPOT_PX:.0f} px"
    return "spot", "bright without a dark ring, like fluorescent particles"
