"""The linkers that are compared: livetrack, trackpy, SciPy's assignment and laptrack."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.bench.timing import quiet_trackpy
from livetrack.linking import Linker

__all__ = ["LIVETRACK", "LIVETRACK_VELOCITY", "METHODS", "Ids", "Link", "laptrack_movie", "method_names"]

Points = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Link = Callable[[Points], Ids | None]
"""Links the points (N, 2) of the next frame; returns their ids, or None from a method without ids."""

LIVETRACK, LIVETRACK_VELOCITY = "livetrack", "livetrack, velocity"


def _linker(radius: float, memory: int, motion: str = "brownian") -> Link:
    linker = Linker(radius, memory, motion)
    linker.warmup()
    return linker.link_points


def _trackpy(radius: float, memory: int) -> Link:
    """Feed trackpy's generator one frame at a time, as a live session would."""
    link_iter = quiet_trackpy().link_iter
    pending: list[Points] = []
    linked: Iterator[Any] | None = None

    def frames() -> Iterator[Points]:
        while pending:
            yield pending.pop()

    def link(points: Points) -> Ids:
        nonlocal linked
        pending.append(points)
        linked = linked or link_iter(frames(), radius, memory=memory)
        return np.array(next(linked)[1])

    return link


def _scipy(radius: float, memory: int) -> Link:
    """Solve the dense matrix of squared distances with SciPy: the least time that its optimal assignment takes."""
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
    LIVETRACK: ("Linker(radius, memory), default motion", _linker),
    LIVETRACK_VELOCITY: (
        'Linker(radius, memory, "velocity"), the default of sessions',
        partial(_linker, motion="velocity"),
    ),
    "trackpy": ("trackpy.linking.link_iter, default settings", _trackpy),
    "SciPy": (
        "linear_sum_assignment of squared distances, capped at the squared radius; no ids, no memory",
        _scipy,
    ),
}
"""Name: (description, constructor from search radius and memory)."""

_LAPTRACK = "laptrack"


def method_names() -> dict[str, str]:
    """Return the names and descriptions of the installed methods."""
    names = {name: description for name, (description, _) in METHODS.items()}
    if importlib.util.find_spec(_LAPTRACK):
        names[_LAPTRACK] = "LapTrack without splitting and merging, a whole movie at once: mean time per frame"
    return names


def laptrack_movie(movie: list[Points], radius: float, memory: int) -> list[Ids]:
    """Return the ids of each frame of a movie; laptrack links only whole movies."""
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
    next_id = 0
    for frame, points in enumerate(movie):
        for row in range(len(points)):
            before = next(iter(tree.predecessors((frame, row))), None)
            if before is None:
                ids[frame][row], next_id = next_id, next_id + 1
            else:
                ids[frame][row] = ids[before[0]][before[1]]
    return ids
