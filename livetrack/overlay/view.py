"""The picture with the particles on it: zoom, pan, fit, and what lies under the mouse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg

from livetrack.client import Update
from livetrack.overlay.marks import MARKER_PX, Labels, Markers, ScaleBar
from livetrack.overlay.palette import Palette
from livetrack.overlay.qt import QtCore
from livetrack.overlay.tails import Tails, drawable
from livetrack.particles import empty_rows
from livetrack.wire import Preview

__all__ = ["ParticleView", "picture_rect"]


class ParticleView(pg.GraphicsView):  # type: ignore[misc]  # pyqtgraph has no types
    """Everything is placed in pixels of the delivered image: integer = pixel centre, x to the right, y down."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(background=palette.canvas)
        self.view_box = pg.ViewBox(lockAspect=1.0, invertY=True, enableMenu=False)
        self.setCentralItem(self.view_box)
        self.picture = pg.ImageItem(axisOrder="row-major")
        self.tails, self.markers, self.labels = Tails(), Markers(), Labels()
        for item in (self.picture, self.tails, self.markers, self.labels):
            self.view_box.addItem(item, ignoreBounds=True)
        self.scale_bar = ScaleBar(self.view_box)
        self._preview: Preview | None = None
        self._update: Update | None = None
        self._frame = QtCore.QRectF()
        self._fitted = True
        self._mouse: QtCore.QPoint | None = None  # in this widget; None: elsewhere
        self.view_box.sigRangeChangedManually.connect(self._keep_zoom)
        self.view_box.sigResized.connect(self._refit)

    def show_picture(self, preview: Preview, levels: tuple[float, float]) -> None:
        """Show a picture, black at the first of `levels`, white at the second."""
        self.picture.setImage(preview.pixels, levels=levels, autoLevels=False)
        rect = picture_rect(preview)
        if self._preview is None or picture_rect(self._preview) != rect:
            self.picture.setRect(rect)
        self._preview = preview
        if self._update is None:
            self._set_frame(rect)

    def show_particles(self, update: Update, tail: list[Update]) -> None:
        """Show the particles of one frame, and the tails of the updates that lead up to it."""
        self._update = update
        self._set_frame(QtCore.QRectF(-0.5, -0.5, update.width, update.height))
        self.scale_bar.set_pixel_size(update.pixel_size_um)
        self.markers.show_rows(update.particles)
        self.labels.show_rows(update.particles)
        self.tails.show_updates(tail)

    def clear_all(self) -> None:
        """Show nothing; the zoom stays."""
        self._preview = self._update = None
        self.picture.clear()
        self.markers.clear()
        self.labels.show_rows(empty_rows())
        self.tails.show_updates([])

    def fit(self) -> None:
        """Show the whole frame, and go on doing so when the window changes its size."""
        self._fitted = True
        if not self._frame.isEmpty():
            self.view_box.setRange(self._frame, padding=0.02)

    def readout(self) -> str:
        """Return position, grey value and particle under the mouse; empty where there is no picture."""
        if self._mouse is None:
            return ""
        point = self.view_box.mapSceneToView(self.mapToScene(self._mouse))
        if not self._frame.contains(point):
            return ""
        pieces = [f"x {point.x():.1f}  y {point.y():.1f} px"]
        if self._update and (size := self._update.pixel_size_um):
            pieces.append(f"{point.x() * size:.2f}, {point.y() * size:.2f} µm")
        if (value := self._grey_value(point)) is not None:
            pieces.append(f"grey {value:g}")
        return "   ".join(pieces + self._particle(point))

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: D102, N802 - Qt's
        self._mouse = event.position().toPoint()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: Any) -> None:  # noqa: D102, N802 - Qt's
        self._mouse = None
        super().leaveEvent(event)

    def _grey_value(self, point: QtCore.QPointF) -> float | None:
        if self._preview is None:
            return None
        column, row = (round(value / self._preview.step) for value in (point.x(), point.y()))
        height, width = self._preview.pixels.shape
        return self._preview.pixels[row, column].item() if 0 <= row < height and 0 <= column < width else None

    def _particle(self, point: QtCore.QPointF) -> list[str]:
        """Return the particle whose marker `point` lies in, if any."""
        if self._update is None:
            return []
        rows = self._update.particles[drawable(self._update.particles)]
        if not len(rows):
            return []
        distance = np.hypot(rows["x"] - point.x(), rows["y"] - point.y())
        nearest = rows[distance.argmin()]
        if distance.min() > MARKER_PX / 2 * self.view_box.viewPixelSize()[0]:
            return []
        return [f"#{nearest['id']} at {nearest['x']:.2f}, {nearest['y']:.2f} px"]

    def _set_frame(self, frame: QtCore.QRectF) -> None:
        if frame != self._frame:
            self._frame = frame
            self.tails.set_bounds(frame)
            self.labels.set_bounds(frame)
            self.scale_bar.set_frame(frame)
            self.fit()

    def _keep_zoom(self) -> None:
        self._fitted = False

    def _refit(self) -> None:
        if self._fitted:
            self.fit()


def picture_rect(preview: Preview) -> QtCore.QRectF:
    """Return where a picture lies: the centre of its pixel (row i, column k) at x = k step, y = i step."""
    height, width = preview.pixels.shape
    step = preview.step
    return QtCore.QRectF(-step / 2, -step / 2, width * step, height * step)
