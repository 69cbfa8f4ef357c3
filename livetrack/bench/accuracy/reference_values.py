"""Published errors of other methods on DeepTrack's images.

The bench must reproduce those of radial symmetry and the bound: this verifies its images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from livetrack.bench.accuracy.conditions import Condition, DeepTrackImages
from livetrack.bench.accuracy.measure import ConditionResult
from livetrack.bench.result import TargetResult

__all__ = ["REFERENCE_VALUES", "Reference", "reference_for", "reference_results"]


class Reference(NamedTuple):
    """RMSE per axis, px: DeepTrack's published network, radial symmetry, and the Cramér-Rao bound."""

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
"""By SNR and gradient; DeepTrack's network as published with Helgadottir, Argun, Volpe, Optica 6, 506 (2019)."""

_TOLERANCE = 0.15


def reference_for(condition: Condition) -> Reference | None:
    """Return the published errors for a condition, None if there are none."""
    return REFERENCE_VALUES.get((condition.snr, condition.gradient)) if isinstance(condition, DeepTrackImages) else None


def reference_results(results: Sequence[ConditionResult]) -> Iterator[TargetResult]:
    """Yield whether radial symmetry and the bound agree with their published values."""
    for result in results:
        reference, figures = reference_for(result.condition), result.of("radial symmetry")
        if not reference or not figures:
            continue
        for name, value, expected in (
            ("radial symmetry", figures.rmse_px, reference.radial_symmetry),
            ("bound", figures.crlb_px, reference.bound),
        ):
            yield TargetResult(
                name=f"reference: {name}, {result.condition.name.removeprefix('bead: ')}",
                definition=result.condition.definition,
                n=figures.particles,
                figures={"px": value, "published_px": expected},
                target=f"within {100 * _TOLERANCE:.0f} % of the published value",
                met=value is not None and abs(value / expected - 1) <= _TOLERANCE,
            )
