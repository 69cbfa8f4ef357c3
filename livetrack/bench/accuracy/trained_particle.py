"""The targets of training: a model of somebody's own particles, on particles drawn from its recipe."""

from __future__ import annotations

import msgspec

from livetrack.bench.result import TargetResult
from livetrack.errors import ModelError
from livetrack.localize.network import NetworkLocalizer
from livetrack.training.isolated_accuracy import measure_isolated
from livetrack.training.recipe import Recipe

__all__ = ["FAMILIES", "trained_particle"]

FAMILIES = {"rod": "recipe", "template": "template"}
"""Families that are trained by users, and what from."""

_SNRS = (5.0, 10.0, 20.0, 50.0, 100.0)
_MOST, _MINUTES = 1.3, 30.0


def trained_particle(localizer: NetworkLocalizer, name: str, count: int) -> TargetResult:
    """Return the largest error over the bound, for `count` isolated particles an SNR, and the minutes of training.

    Raises
    ------
    ModelError
        The model's recipe is one of another livetrack.
    """
    card = localizer.card
    try:
        recipe = msgspec.convert(card.recipe, Recipe)
    except msgspec.ValidationError as error:
        raise ModelError(f"model {name}: its recipe is one of another livetrack: {error}; train it again") from None
    reached = measure_isolated(localizer, recipe, _SNRS, count)
    worst = max(reached, key=lambda each: each.over_bound)
    return TargetResult(
        name=f"{name}: a new particle type by {FAMILIES[card.family]}",
        definition="one particle of the model's recipe in 64x64 px, drawn by livetrack.optics; additive white noise, "
        "SNR = extreme / its standard deviation; RMSE per axis of error / bound, gate 3 px; bound with height and "
        "background unknown",
        n=len(_SNRS) * count,
        figures={
            "ratio": worst.over_bound,
            "at_snr": worst.snr,
            "recall": worst.recall,
            **{f"ratio_{each.snr:g}": each.over_bound for each in reached},
            "minutes": card.minutes,
            "trained_on": card.hardware,
        },
        target=f"at most {_MOST} x CRLB after at most {_MINUTES:g} minutes",
        met=worst.over_bound <= _MOST and 0 < card.minutes <= _MINUTES,
    )
