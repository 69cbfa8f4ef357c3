"""How sure each position is: an ellipse of two standard deviations, where it is large enough to be seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.particles import Rows, empty_rows
from livetrack.viewer.canvas.markers import OnPicture
from livetrack.viewer.data.trail_segments import drawable
from livetrack.viewer.qt import QtCore, QtGui
from livetrack.viewer.theme import TRAJECTORY_COLOURS

__all__ = ["DEVIATIONS", "Uncertainty", "ellipse_of"]

DEVIATIONS = 2.0
LEAST_PX = 2.0
"""Half axis on the screen below which an ellipse tells nothing."""
CROSS_PX = 3.0


class Uncertainty(OnPicture):
    """Ellipses in the picture's coordinates, with a cross at the position itself."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = empty_rows()

    def show_rows(self, rows: Rows) -> None:
        """Show one frame's particles; those whose uncertainty is not known are left out."""
        known = np.isfinite(rows["x_std"]) & np.isfinite(rows["y_std"]) & (rows["x_std"] > 0) & (rows["y_std"] > 0)
        self._rows = rows[drawable(rows) & known]
        self.update()

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        screen_px = painter.transform().m11()  # of a pixel of the picture, at this zoom
        rows = self._rows
        large = DEVIATIONS * np.maximum(rows["x_std"], rows["y_std"]) * screen_px >= LEAST_PX
        cross = CROSS_PX / screen_px
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setBrush(QtCore.Qt.BrushStyle.NoBrush)
        for row in rows[large]:
            painter.setPen(_pen(int(row["id"])))
            painter.save()
            painter.translate(float(row["x"]), float(row["y"]))
            painter.drawLine(QtCore.QPointF(-cross, 0), QtCore.QPointF(cross, 0))
            painter.drawLine(QtCore.QPointF(0, -cross), QtCore.QPointF(0, cross))
            long, short, angle = ellipse_of(float(row["x_std"]), float(row["y_std"]), float(row["xy_cov"]))
            painter.rotate(np.degrees(angle))
            painter.drawEllipse(QtCore.QPointF(0, 0), DEVIATIONS * long, DEVIATIONS * short)
            painter.restore()


def ellipse_of(x_std: float, y_std: float, xy_cov: float) -> tuple[float, float, float]:
    """Return the standard deviations along the long and the short axis, px, and the angle of the long one, rad.

    The angle goes from x (to the right) towards y (down). A covariance that is not known counts as 0.
    """
    covariance = xy_cov if np.isfinite(xy_cov) else 0.0
    mean, half = (x_std**2 + y_std**2) / 2, (x_std**2 - y_std**2) / 2
    apart = np.hypot(half, covariance)
    angle = 0.5 * np.arctan2(covariance, half)
    return float(np.sqrt(mean + apart)), float(np.sqrt(max(0.0, mean - apart))), float(angle)


def _pen(number: int) -> QtGui.QPen:
    colour = TRAJECTORY_COLOURS[number % len(TRAJECTORY_COLOURS)] if number >= 0 else "#ffffff"
    pen = QtGui.QPen(QtGui.QColor(colour), 1.2)
    pen.setCosmetic(True)
    return pen
