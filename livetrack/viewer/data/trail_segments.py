"""The straight pieces that tails are made of: from where each particle was to where it is; no Qt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.particles import Flag, Rows

__all__ = ["Links", "drawable", "links_of"]

FAR = 1e6
"""px; what lies farther away is no position."""


class Links(NamedTuple):
    """Of one frame. A particle's newest piece is found once, when the frame comes, not at every refresh."""

    seen: npt.NDArray[np.int64]
    """(N,) ids of the particles that were measured, sorted."""
    places: npt.NDArray[np.float64]
    """(N, 2) x, y of these, px."""
    ids: npt.NDArray[np.int64]
    """(M,) whose pieces these are."""
    pieces: npt.NDArray[np.float64]
    """(M, 2, 2): both ends of each, the older first, px."""


def links_of(rows: Rows, before: Iterable[Links]) -> Links:
    """Return the pieces that end in the particles of `rows`; `before` are the frames before, the newest first.

    Particles without an id, and positions that were not measured, are left out; a particle that was missed for some
    frames is joined to where it was last seen.
    """
    good = drawable(rows) & (rows["id"] >= 0) & (rows["flags"] & Flag.COASTED == 0)
    order = np.argsort(rows["id"][good], kind="stable")
    ids: npt.NDArray[np.int64] = rows["id"][good][order]
    places = np.stack([rows[axis][good][order] for axis in ("x", "y")], axis=1).astype(np.float64)
    found: list[npt.NDArray[np.int64]] = [ids[:0]]
    pieces = [np.empty((0, 2, 2))]
    # one that is new was nowhere before
    open_ = np.flatnonzero(rows["flags"][good][order] & Flag.NEW == 0)
    for links in before:
        if not len(open_):
            break
        if not len(links.seen):
            continue
        there = np.minimum(np.searchsorted(links.seen, ids[open_]), len(links.seen) - 1)
        same = links.seen[there] == ids[open_]
        joined = open_[same]
        found.append(ids[joined])
        pieces.append(np.stack((links.places[there[same]], places[joined]), axis=1))
        open_ = open_[~same]
    return Links(ids, places, np.concatenate(found), np.concatenate(pieces))


def drawable(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return which rows have a position that can be drawn."""
    near: npt.NDArray[np.bool_] = (np.abs(rows["x"]) < FAR) & (np.abs(rows["y"]) < FAR)
    return near
