"""The bare technique: what pyqtgraph needs at least to draw a picture, rings and tails. The peer of the window."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from livetrack.bench.viewer.scene import TAILS, Frame

__all__ = ["BaselineView"]

_COLOURS = 12
_LEVELS = 150.0, 320.0


class BaselineView(pg.GraphicsView):  # type: ignore[misc]  # pyqtgraph has no types
    """One image item, one scatter item whose pens are made once, one item for all tails with a connect array.

    `whole`: draw the picture with all its pixels and bits; else the small one of 8 bits that the engine sends.
    """

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self._whole = whole
        self.box = pg.ViewBox(lockAspect=1.0, invertY=True, enableMenu=False)
        self.setCentralItem(self.box)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._tails = _Tails()
        self._rings = pg.ScatterPlotItem(size=13, brush=None, pxMode=True)
        for item in (self._image, self._tails, self._rings):
            self.box.addItem(item, ignoreBounds=True)
        self._pens = np.array([pg.mkPen(pg.intColor(n, _COLOURS), width=1.6) for n in range(_COLOURS)])
        self._sized = False

    def show_frame(self, frame: Frame) -> None:
        """Draw one frame."""
        black, white = _LEVELS
        if self._whole:
            self._image.setImage(frame.whole, levels=(black, white), autoLevels=False)
        else:
            scale = frame.preview.scale
            self._image.setImage(frame.preview.pixels, levels=(black / scale, white / scale), autoLevels=False)
        ids = frame.update.particles["id"]
        self._rings.setData(x=frame.x, y=frame.y, pen=list(self._pens[ids % _COLOURS]))
        self._tails.show_paths(frame.tails)
        if not self._sized:
            side = frame.update.width
            rect = QtCore.QRectF(-0.5, -0.5, side, side)
            self._image.setRect(rect)
            self._tails.bounds = rect
            self.box.setRange(rect, padding=0.02)
            self._sized = True


class _Tails(QtWidgets.QGraphicsObject):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.bounds = QtCore.QRectF()
        self._paths: list[Any] = []
        self._pens = [pg.mkPen(pg.intColor(n, _COLOURS), width=1) for n in range(_COLOURS)]

    def show_paths(self, paths: npt.NDArray[np.float64]) -> None:
        self._paths = []
        for colour in range(_COLOURS):
            some = paths[np.arange(TAILS) % _COLOURS == colour]
            connect = np.ones(some.shape[:2], np.int32)
            connect[:, -1] = 0
            points = some.reshape(-1, 2)
            self._paths.append(pg.arrayToQPath(points[:, 0], points[:, 1], connect=connect.ravel(), finiteCheck=False))
        self.update()

    def boundingRect(self) -> QtCore.QRectF:  # noqa: N802 - Qt's
        return self.bounds

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:
        for pen, path in zip(self._pens, self._paths, strict=False):
            painter.setPen(pen)
            painter.drawPath(path)
