"""The target of training: a user's model on particles drawn from its own recipe."""

from __future__ import annotations

import msgspec

from livetrack.bench.result import TargetResult
from livetrack.errors import ModelError
from livetrack.localize.network import NetworkLocalizer
from livetrack.training.isolated_accuracy import measure_isolated
from livetrack.training.recipe import Recipe

__all__ = ["FAMILIES", "trained_particle"]

FAMILIES = {"rod": "recipe", "template": "template"}
"""Families of users' models, and what they are trained from."""

_SNRS = (5.0, 10.0, 20.0, 50.0, 100.0)
_MAX_RATIO, _MAX_MINUTES = 1.3, 30.0


def trained_particle(localizer: NetworkLocalizer, name: str, count: int) -> TargetResult:
    """Return the largest error over the bound, for `count` isolated particles per SNR, and the minutes of training.

    Raises
    ------
    ModelError
        The model was trained by another version of livetrack.
    """
    card = localizer.card
    try:
        recipe = msgspec.convert(card.recipe, Recipe)
    except msgspec.ValidationError as error:
        raise ModelError(
            f"model {name}: its recipe is from another version of livetrack: {error}; train it again"
        ) from None
    reached = measure_isolated(localizer, recipe, _SNRS, count)
    worst = max(reached, key=lambda precision: precision.over_bound)
    return TargetResult(
        name=f"{name}: a new particle type by {FAMILIES[card.family]}",
        definition="one particle of the model's recipe in 64x64 px, drawn by livetrack.optics; additive white noise, "
        "SNR = extreme / its standard deviation; RMSE per axis of error / bound, gate 3 px; bound with intensity "
        "and background unknown",
        n=len(_SNRS) * count,
        figures={
            "ratio": worst.over_bound,
            "at_snr": worst.snr,
            "recall": worst.recall,
            **{f"ratio_{precision.snr:g}": precision.over_bound for precision in reached},
            "minutes": card.minutes,
            "trained_on": card.hardware,
        },
        target=f"at most {_MAX_RATIO} x CRLB after at most {_MAX_MINUTES:g} minutes",
        met=worst.over_bound <= _MAX_RATIO and 0 < card.minutes <= _MAX_MINUTES,
    )
