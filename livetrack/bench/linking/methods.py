"""The linkers that are compared: each is made for a scene and takes it frame by frame."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.linking import Linker

__all__ = ["LIVETRACK", "LIVETRACK_VELOCITY", "METHODS", "Ids", "Link", "laptrack_movie", "method_names"]

Points = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Link = Callable[[Points], Ids | None]
"""Takes the points of the next frame; returns their ids, None where a method gives none."""

LIVETRACK, LIVETRACK_VELOCITY = "livetrack", "livetrack, velocity"


def _linker(radius: float, memory: int) -> Link:
    linker = Linker(radius, memory)
    linker.warmup()
    return linker.link_points


def _velocity(radius: float, memory: int) -> Link:
    linker = Linker(radius, memory, "velocity")
    linker.warmup()
    return linker.link_points


def _trackpy(radius: float, memory: int) -> Link:
    """Feed trackpy's generator with one frame at a time, as a live session would."""
    import trackpy
    from trackpy.linking import link_iter

    trackpy.quiet()
    waiting: list[Points] = []
    linked: Iterator[Any] | None = None

    def frames() -> Iterator[Points]:
        while waiting:
            yield waiting.pop()

    def link(points: Points) -> Ids:
        nonlocal linked
        waiting.append(points)
        linked = linked or link_iter(frames(), radius, memory=memory)
        return np.array(next(linked)[1])

    return link


def _scipy(radius: float, memory: int) -> Link:
    """Solve the dense matrix of squared distances from frame to frame: the floor of an assignment that is not ours."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    before: Points | None = None

    def link(points: Points) -> None:
        nonlocal before
        if before is not None:
            linear_sum_assignment(np.minimum(cdist(before, points, "sqeuclidean"), radius * radius))
        before = points

    return link


METHODS: dict[str, tuple[str, Callable[[float, int], Link]]] = {
    LIVETRACK: ("Linker(radius, memory), the defaults", _linker),
    LIVETRACK_VELOCITY: ('Linker(radius, memory, "velocity"), as the settings have it', _velocity),
    "trackpy": ("trackpy.linking.link_iter with its defaults", _trackpy),
    "SciPy": ("linear_sum_assignment of all squared distances, cut at the squared radius; no ids, no memory", _scipy),
}
"""Name: what it is, and how it is made."""

_LAPTRACK = "laptrack"


def method_names() -> dict[str, str]:
    """Return what is compared here, and what it is."""
    names = {name: what for name, (what, _) in METHODS.items()}
    if importlib.util.find_spec(_LAPTRACK):
        names[_LAPTRACK] = "LapTrack without splitting and merging, a whole movie at once: mean time of a frame"
    return names


def laptrack_movie(movie: list[Points], radius: float, memory: int) -> list[Ids]:
    """Link a whole movie with laptrack, which takes no other; return the ids of each frame."""
    from laptrack import LapTrack

    tracker = LapTrack(
        cutoff=radius**2,
        gap_closing_cutoff=radius**2 if memory else False,
        gap_closing_max_frame_count=memory,
        splitting_cutoff=False,
        merging_cutoff=False,
    )
    tree = tracker.predict(movie)
    ids = [np.full(len(points), -1) for points in movie]
    free = 0
    for frame, points in enumerate(movie):
        for row in range(len(points)):
            before = next(iter(tree.predecessors((frame, row))), None)
            if before is None:
                ids[frame][row], free = free, free + 1
            else:
                ids[frame][row] = ids[before[0]][before[1]]
    return ids
