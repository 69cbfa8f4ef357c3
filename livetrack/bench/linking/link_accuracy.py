"""Fraction of correct links of each method, on particles of known identity."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from msgspec import Struct

from livetrack.bench.linking.methods import LIVETRACK, LIVETRACK_VELOCITY, METHODS, Ids, laptrack_movie, method_names
from livetrack.bench.linking.scenes import ObservedFrame
from livetrack.bench.report import Table

__all__ = ["LinkAccuracy", "correct_fraction", "link_table", "measure_link_accuracy"]


class LinkAccuracy(Struct, frozen=True):
    """Fraction of correct links in one scene by method; None if the method raised."""

    scene: str
    step: float
    memory: int
    pairs: int
    fractions: dict[str, float | None]


def measure_link_accuracy(
    name: str, step: float, scene: list[ObservedFrame], radius: float, memory: int
) -> LinkAccuracy:
    """Return the fraction of correct links for each method that returns ids."""
    fractions: dict[str, float | None] = {}
    for method in (LIVETRACK, LIVETRACK_VELOCITY, "trackpy"):
        link = METHODS[method][1](radius, memory)
        try:
            fractions[method] = correct_fraction(scene, [_ids(link(frame.points)) for frame in scene])[0]
        except Exception:  # noqa: BLE001  a peer may raise anything
            fractions[method] = None
    if "laptrack" in method_names():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ids = laptrack_movie([frame.points for frame in scene], radius, memory)
        fractions["laptrack"] = correct_fraction(scene, ids)[0]
    pairs = correct_fraction(scene, [frame.identities for frame in scene])[1]
    return LinkAccuracy(name, step, memory, pairs, fractions)


def correct_fraction(scene: list[ObservedFrame], ids: list[Ids]) -> tuple[float, int]:
    """Return the fraction of particles seen in two successive frames that kept their id, and the number of these."""
    before: dict[int, int] = {}
    kept = pairs = 0
    for frame, frame_ids in zip(scene, ids, strict=True):
        identified = zip(frame.identities.tolist(), frame_ids.tolist(), strict=True)
        now = {identity: given for identity, given in identified if identity >= 0}
        common = now.keys() & before.keys()
        pairs += len(common)
        kept += sum(now[identity] == before[identity] for identity in common)
        before = now
    return kept / max(pairs, 1), pairs


def link_table(links: Sequence[LinkAccuracy]) -> Table:
    """Return the fractions, a row per scene."""
    rows = []
    for case in links:
        values = ["raises" if fraction is None else f"{fraction:.3f}" for fraction in case.fractions.values()]
        rows.append([case.scene, f"{case.step:g}", *values])
    columns = "particles", "spacings per frame", *links[0].fractions
    return Table("Fraction of correct links, 500 particles, 5 % missed", columns, rows)


def _ids(ids: Ids | None) -> Ids:
    if ids is None:
        raise TypeError("this method returns no ids")
    return ids
