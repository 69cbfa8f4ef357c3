"""The tails: where each particle came from, in its colour, paler with age; one item draws them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pyqtgraph.functions import arrayToQPath

from livetrack.client import Update
from livetrack.overlay.palette import TRAJECTORY_COLOURS
from livetrack.overlay.qt import QtCore, QtGui, QtWidgets
from livetrack.particles import Flag, Rows

__all__ = ["Tails", "drawable", "tail_segments"]

OPACITIES = 1.0, 0.75, 0.5, 0.3
"""Of a tail's quarters, from the particle backwards."""
MOST_POINTS = 50_000
"""Longer tails, or more of them, are drawn with every second, third ... point."""
FAR = 1e6
"""px; what lies farther away is no position."""


class Tails(QtWidgets.QGraphicsObject):
    """All tails, in the picture's coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self._bounds = QtCore.QRectF()
        self._pens = [_pen(colour, opacity) for colour in TRAJECTORY_COLOURS for opacity in OPACITIES]
        self._paths: list[tuple[QtGui.QPen, QtGui.QPainterPath]] = []

    def show_updates(self, updates: list[Update]) -> None:
        """Draw the tails that `updates`, oldest first, make."""
        self._paths = [
            (self._pens[group], arrayToQPath(points[:, 0], points[:, 1], connect="pairs", finiteCheck=False))
            for group, points in tail_segments(updates)
        ]
        self.update()

    def set_bounds(self, bounds: QtCore.QRectF) -> None:
        """Say where particles can be."""
        self.prepareGeometryChange()
        self._bounds = bounds

    def boundingRect(self) -> QtCore.QRectF:  # noqa: D102, N802 - Qt's
        return self._bounds

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        for pen, path in self._paths:
            painter.setPen(pen)
            painter.drawPath(path)


def tail_segments(updates: list[Update]) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Yield, by colour and age, the line segments that join each particle's positions.

    Each group is numbered colour * len(OPACITIES) + quarter of age, and comes with (2 n, 2) x, y in px: the two
    ends of n segments in turn. Particles without an id, and positions that were not measured, are left out.
    """
    every = 1 + sum(len(update.particles) for update in updates) // MOST_POINTS
    used = [update for update in updates if update.seq % every == 0 or update is updates[-1]]
    if not used:
        return
    rows = np.concatenate([update.particles for update in used])
    age = np.repeat(np.arange(len(used))[::-1], [len(update.particles) for update in used])
    good = drawable(rows) & (rows["id"] >= 0) & (rows["flags"] & Flag.COASTED == 0)
    ids, age, points = rows["id"][good], age[good], np.stack((rows["x"][good], rows["y"][good]), axis=1, dtype=float)

    order = np.argsort(ids, kind="stable")  # by particle, and oldest first as they came
    ids, age, points = ids[order], age[order], points[order]
    start = np.flatnonzero(ids[1:] == ids[:-1])
    quarter = age[start + 1] * len(OPACITIES) // len(used)
    group = ids[start] % len(TRAJECTORY_COLOURS) * len(OPACITIES) + quarter
    for number in np.unique(group):
        ends = start[group == number]
        yield int(number), np.stack((points[ends], points[ends + 1]), axis=1).reshape(-1, 2)


def drawable(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return which rows have a position that can be drawn."""
    near: npt.NDArray[np.bool_] = (np.abs(rows["x"]) < FAR) & (np.abs(rows["y"]) < FAR)
    return near


def _pen(colour: str, opacity: float) -> QtGui.QPen:
    shade = QtGui.QColor(colour)
    shade.setAlphaF(opacity)
    pen = QtGui.QPen(shade, 1)
    pen.setCosmetic(True)
    return pen
