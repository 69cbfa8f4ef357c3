"""How many links are correct: each method on particles whose names are known."""

from __future__ import annotations

import warnings

from msgspec import Struct

from livetrack.bench.linking.methods import LIVETRACK, LIVETRACK_VELOCITY, METHODS, Ids, laptrack_movie, method_names
from livetrack.bench.linking.scenes import ObservedFrame

__all__ = ["LinkAccuracy", "correct_fraction", "measure_link_accuracy"]


class LinkAccuracy(Struct, frozen=True):
    """The share of correct links in one scene, by method; None where one gave up."""

    scene: str
    step: float
    memory: int
    pairs: int
    fractions: dict[str, float | None]


def measure_link_accuracy(
    name: str, step: float, scene: list[ObservedFrame], radius: float, memory: int
) -> LinkAccuracy:
    """Return the share for each method that gives ids."""
    fractions: dict[str, float | None] = {}
    for method in (LIVETRACK, LIVETRACK_VELOCITY, "trackpy"):
        link = METHODS[method][1](radius, memory)
        try:
            fractions[method] = correct_fraction(scene, [_ids(link(frame.points)) for frame in scene])[0]
        except Exception:  # noqa: BLE001  whatever a peer may raise
            fractions[method] = None
    if "laptrack" in method_names():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ids = laptrack_movie([frame.points for frame in scene], radius, memory)
        fractions["laptrack"] = correct_fraction(scene, ids)[0]
    pairs = correct_fraction(scene, [frame.names for frame in scene])[1]
    return LinkAccuracy(name, step, memory, pairs, fractions)


def correct_fraction(scene: list[ObservedFrame], ids: list[Ids]) -> tuple[float, int]:
    """Return the share of particles seen in two frames in succession that kept their id, and how many those are."""
    before: dict[int, int] = {}
    kept = pairs = 0
    for frame, of_frame in zip(scene, ids, strict=True):
        named = zip(frame.names.tolist(), of_frame.tolist(), strict=True)
        now = {name: given for name, given in named if name >= 0}
        shared = now.keys() & before.keys()
        pairs += len(shared)
        kept += sum(now[name] == before[name] for name in shared)
        before = now
    return kept / max(pairs, 1), pairs


def _ids(given: Ids | None) -> Ids:
    if given is None:
        raise TypeError("this method gives no ids")
    return given
