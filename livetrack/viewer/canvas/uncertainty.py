"""Uncertainty ellipses of two standard deviations, drawn where they are large enough to be seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.annotate.colours import track_colour
from livetrack.annotate.trail_segments import drawable
from livetrack.particles import Rows, empty_rows
from livetrack.viewer.canvas.markers import OverlayItem
from livetrack.viewer.qt import QtCore, QtGui

__all__ = ["DEVIATIONS", "UncertaintyEllipses", "ellipse_of"]

DEVIATIONS = 2.0
MIN_AXIS_PX = 2.0
"""Semi-axis on the screen below which an ellipse is not drawn."""
CROSS_PX = 3.0


class UncertaintyEllipses(OverlayItem):
    """Ellipses in image coordinates, with a cross at each position."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = empty_rows()

    def show_rows(self, rows: Rows) -> None:
        """Show the particles of one frame whose uncertainty is known."""
        known = np.isfinite(rows["x_std"]) & np.isfinite(rows["y_std"]) & (rows["x_std"] > 0) & (rows["y_std"] > 0)
        self._rows = rows[drawable(rows) & known]
        self.update()

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:  # noqa: D102 - Qt's
        screen_px = painter.transform().m11()  # screen pixels per image pixel
        rows = self._rows
        large = DEVIATIONS * np.maximum(rows["x_std"], rows["y_std"]) * screen_px >= MIN_AXIS_PX
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
    """Return the standard deviations along the long and the short axis, px, and the angle of the long axis, rad.

    The angle is measured from x (to the right) towards y (down). A covariance that is not finite counts as 0.
    """
    covariance = xy_cov if np.isfinite(xy_cov) else 0.0
    mean, half_difference = (x_std**2 + y_std**2) / 2, (x_std**2 - y_std**2) / 2
    spread = np.hypot(half_difference, covariance)
    angle = 0.5 * np.arctan2(covariance, half_difference)
    return float(np.sqrt(mean + spread)), float(np.sqrt(max(0.0, mean - spread))), float(angle)


def _pen(track_id: int) -> QtGui.QPen:
    pen = QtGui.QPen(QtGui.QColor(track_colour(track_id) if track_id >= 0 else "#ffffff"), 1.2)
    pen.setCosmetic(True)
    return pen
