"""Baseline of the window: the same image, markers and trails drawn with bare pyqtgraph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from livetrack.bench.viewer.scene import TRAILS, Frame

__all__ = ["BaselineView"]

_COLOURS = 12
_LEVELS = 150.0, 320.0


class BaselineView(pg.GraphicsView):  # type: ignore[misc]  # pyqtgraph has no types
    """One image item, one scatter item with pens made once, one item for all trails with a connect array.

    `full`: draw the image with all its pixels in 16 bits instead of the engine's reduced 8-bit preview.
    """

    def __init__(self, *, full: bool) -> None:
        super().__init__()
        self._full = full
        self.box = pg.ViewBox(lockAspect=1.0, invertY=True, enableMenu=False)
        self.setCentralItem(self.box)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._trails = _Trails()
        self._markers = pg.ScatterPlotItem(size=13, brush=None, pxMode=True)
        for item in (self._image, self._trails, self._markers):
            self.box.addItem(item, ignoreBounds=True)
        self._pens = np.array([pg.mkPen(pg.intColor(n, _COLOURS), width=1.6) for n in range(_COLOURS)])
        self._sized = False

    def show_frame(self, frame: Frame) -> None:
        """Draw one frame."""
        black, white = _LEVELS
        if self._full:
            self._image.setImage(frame.image, levels=(black, white), autoLevels=False)
        else:
            scale = frame.preview.scale
            self._image.setImage(frame.preview.pixels, levels=(black / scale, white / scale), autoLevels=False)
        ids = frame.update.particles["id"]
        self._markers.setData(x=frame.x, y=frame.y, pen=list(self._pens[ids % _COLOURS]))
        self._trails.show_trails(frame.trails)
        if not self._sized:
            side = frame.update.width
            rect = QtCore.QRectF(-0.5, -0.5, side, side)
            self._image.setRect(rect)
            self._trails.bounds = rect
            self.box.setRange(rect, padding=0.02)
            self._sized = True


class _Trails(QtWidgets.QGraphicsObject):  # type: ignore[misc]  # Qt's classes are untyped here
    def __init__(self) -> None:
        super().__init__()
        self.bounds = QtCore.QRectF()
        self._paths: list[Any] = []
        self._pens = [pg.mkPen(pg.intColor(n, _COLOURS), width=1) for n in range(_COLOURS)]

    def show_trails(self, trails: npt.NDArray[np.float64]) -> None:
        self._paths = []
        for colour in range(_COLOURS):
            members = trails[np.arange(TRAILS) % _COLOURS == colour]
            connect = np.ones(members.shape[:2], np.int32)
            connect[:, -1] = 0
            points = members.reshape(-1, 2)
            self._paths.append(pg.arrayToQPath(points[:, 0], points[:, 1], connect=connect.ravel(), finiteCheck=False))
        self.update()

    def boundingRect(self) -> QtCore.QRectF:  # noqa: N802  Qt's name
        return self.bounds

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:
        for pen, path in zip(self._pens, self._paths, strict=False):
            painter.setPen(pen)
            painter.drawPath(path)
