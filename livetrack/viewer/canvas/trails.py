"""The tails: where each particle came from, in its colour, paler with age; one item draws them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pyqtgraph.functions import arrayToQPath

from livetrack.viewer.canvas.markers import OnPicture
from livetrack.viewer.data.trail_segments import Links
from livetrack.viewer.qt import QtGui
from livetrack.viewer.theme import TRAJECTORY_COLOURS

__all__ = ["Tails", "tail_segments"]

OPACITIES = 1.0, 0.75, 0.5, 0.3
"""Of a tail's quarters, from the particle backwards."""
MOST_PIECES = 50_000
"""Longer tails, or more of them, are cut off."""


class Tails(OnPicture):
    """All tails, in the picture's coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self._pens = [_pen(colour, opacity) for colour in TRAJECTORY_COLOURS for opacity in OPACITIES]
        self._paths: list[tuple[QtGui.QPen, QtGui.QPainterPath]] = []

    def show_links(self, links: list[Links]) -> None:
        """Draw the tails that `links`, oldest first, make."""
        self._paths = [
            (self._pens[group], arrayToQPath(points[:, 0], points[:, 1], connect="pairs", finiteCheck=False))
            for group, points in tail_segments(links)
        ]
        self.update()

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        for pen, path in self._paths:
            painter.setPen(pen)
            painter.drawPath(path)


def tail_segments(links: list[Links]) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Yield, by colour and age, the pieces of tails over `links`, oldest first.

    Each group is numbered colour * len(OPACITIES) + quarter of age, and comes with (2 n, 2) x, y in px: the two
    ends of n pieces in turn. Of more than `MOST_PIECES` the newest frames' are taken.
    """
    counts = np.cumsum([len(each.ids) for each in links[::-1]], dtype=int)
    used = links[max(0, len(links) - int(np.searchsorted(counts, MOST_PIECES, side="right"))) :]
    if not used:
        return
    age = np.repeat(np.arange(len(used))[::-1], [len(each.ids) for each in used])
    ids, pieces = np.concatenate([each.ids for each in used]), np.concatenate([each.pieces for each in used])
    group = ids % len(TRAJECTORY_COLOURS) * len(OPACITIES) + age * len(OPACITIES) // len(used)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=len(TRAJECTORY_COLOURS) * len(OPACITIES)))
    for number, some in enumerate(np.split(pieces[order], ends[:-1])):
        if len(some):
            yield number, some.reshape(-1, 2)


def _pen(colour: str, opacity: float) -> QtGui.QPen:
    shade = QtGui.QColor(colour)
    shade.setAlphaF(opacity)
    pen = QtGui.QPen(shade, 1)
    pen.setCosmetic(True)
    return pen
