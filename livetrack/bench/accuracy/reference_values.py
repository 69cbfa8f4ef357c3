"""What is known of others on DeepTrack's images: the yardsticks must give it, or these would be other images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from livetrack.bench.accuracy.conditions import Condition, DeepTrackImages
from livetrack.bench.accuracy.measure import ConditionResult
from livetrack.bench.result import TargetResult

__all__ = ["REFERENCE_VALUES", "Reference", "reference_for", "reference_results"]


class Reference(NamedTuple):
    """RMSE per axis, px: of DeepTrack's published network, of radial symmetry, and the bound."""

    deeptrack: float
    radial_symmetry: float
    bound: float


REFERENCE_VALUES = {
    (5.0, 0.0): Reference(0.442, 0.940, 0.264),
    (10.0, 0.0): Reference(0.211, 0.605, 0.132),
    (20.0, 0.0): Reference(0.119, 0.250, 0.065),
    (50.0, 0.0): Reference(0.083, 0.054, 0.025),
    (100.0, 0.0): Reference(0.080, 0.019, 0.013),
    (50.0, 0.5): Reference(0.125, 0.409, 0.026),
    (50.0, 1.0): Reference(0.212, 0.844, 0.026),
}
"""By SNR and gradient: DeepTrack's network as published with Helgadottir, Argun, Volpe, Optica 6, 506 (2019)."""

_WITHIN = 0.15


def reference_for(condition: Condition) -> Reference | None:
    """Return what is known of others on a condition's images, None where nothing is."""
    return REFERENCE_VALUES.get((condition.snr, condition.gradient)) if isinstance(condition, DeepTrackImages) else None


def reference_results(results: Sequence[ConditionResult]) -> Iterator[TargetResult]:
    """Yield whether radial symmetry and the bound give what is known of them."""
    for result in results:
        known, figures = reference_for(result.condition), result.of("radial symmetry")
        if not known or not figures:
            continue
        for what, value, expected in (
            ("radial symmetry", figures.rmse_px, known.radial_symmetry),
            ("bound", figures.crlb_px, known.bound),
        ):
            yield TargetResult(
                name=f"yardstick: {what}, {result.condition.name.removeprefix('bead: ')}",
                definition=result.condition.definition,
                n=figures.particles,
                figures={"px": value, "known_px": expected},
                target=f"within {100 * _WITHIN:.0f} % of what is known",
                met=value is not None and abs(value / expected - 1) <= _WITHIN,
            )
