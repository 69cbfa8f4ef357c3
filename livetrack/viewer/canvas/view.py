"""The picture with the particles on it: zoom, pan, fit, and what lies under the mouse."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg

from livetrack.client import Update
from livetrack.particles import Rows, empty_rows
from livetrack.viewer.canvas.annotations import Labels, ScaleBar, Selection
from livetrack.viewer.canvas.markers import MARKER_PX, Markers
from livetrack.viewer.canvas.trails import Tails
from livetrack.viewer.canvas.uncertainty import Uncertainty
from livetrack.viewer.data.trail_segments import Links, drawable
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import Palette
from livetrack.wire import Preview

__all__ = ["ParticleView", "picture_rect"]

REACH_PX = 14
"""How near a particle a click must be, on the screen."""
CLOSEST_PX = 4
"""Of the picture, across the view, at the highest zoom."""
COARSE = 0.75
"""A screen pixel that covers less than this share of a thinned pixel shows that it is thinned."""


class ParticleView(pg.GraphicsView):  # type: ignore[misc]  # pyqtgraph has no types
    """Everything is placed in pixels of the delivered image: integer = pixel centre, x to the right, y down."""

    clicked = QtCore.Signal(float, float)
    """Where the picture was clicked, px."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(background=palette.canvas)
        self.view_box = pg.ViewBox(lockAspect=1.0, invertY=True, enableMenu=False)
        self.setCentralItem(self.view_box)
        self.picture = pg.ImageItem(axisOrder="row-major")
        self.tails, self.markers, self.labels = Tails(), Markers(), Labels()
        self.uncertainty, self.selection = Uncertainty(), Selection()
        for item in (self.picture, self.tails, self.markers, self.uncertainty, self.labels, self.selection):
            self.view_box.addItem(item, ignoreBounds=True)
        self.scale_bar = ScaleBar(self.view_box)
        self.hint = QtWidgets.QLabel("No picture yet", self)
        self.hint.setObjectName("hint")
        self.hint.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self.hint.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._preview: Preview | None = None
        self._step = 1  # of the small pictures of this frame
        self._update: Update | None = None
        self.frame = QtCore.QRectF()
        """What the delivered image covers."""
        self._fitted = True
        self._mouse: QtCore.QPoint | None = None  # in this widget; None: elsewhere
        self.view_box.sigRangeChangedManually.connect(self._keep_zoom)
        self.view_box.sigResized.connect(self._refit)
        self.scene().sigMouseClicked.connect(self._click)

    def show_picture(self, preview: Preview, levels: tuple[float, float]) -> None:
        """Show a picture, black at the first of `levels`, white at the second, in grey levels."""
        self.picture.setImage(preview.pixels, levels=_pixel_levels(preview, levels), autoLevels=False)
        rect = picture_rect(preview)
        if self._preview is None or picture_rect(self._preview) != rect:
            self.picture.setRect(rect)
        self._preview = preview
        self._step = max(self._step, preview.step)
        self.hint.hide()
        if self._update is None:
            self._set_frame(rect)

    def show_levels(self, levels: tuple[float, float]) -> None:
        """Show the same picture with other levels."""
        if self._preview is not None:
            self.picture.setLevels(_pixel_levels(self._preview, levels))

    def show_table(self, table: npt.NDArray[np.uint8] | None) -> None:
        """Show grey levels in the colours of a table, (256, 3); None: in grey, which is drawn soonest."""
        self.picture.setLookupTable(table)

    def show_particles(self, update: Update, tail: list[Links]) -> None:
        """Show the particles of one frame, and the tails that lead up to it."""
        self._update = update
        self.hint.hide()
        self._set_frame(QtCore.QRectF(-0.5, -0.5, update.width, update.height))
        self.scale_bar.set_pixel_size(update.pixel_size_um)
        self.markers.show_rows(update.particles)
        if self.labels.isVisible():
            self.labels.show_rows(update.particles, self.selection.number)
        if self.uncertainty.isVisible():
            self.uncertainty.show_rows(update.particles)
        if self.tails.isVisible():
            self.tails.show_links(tail)

    def clear_all(self) -> None:
        """Show nothing; the zoom stays."""
        self._preview = self._update = None
        self.picture.clear()
        self.markers.show_rows(empty_rows())
        self.labels.show_rows(empty_rows())
        self.uncertainty.show_rows(empty_rows())
        self.tails.show_links([])
        self.selection.show_row(None)
        self.hint.show()

    def fit(self) -> None:
        """Show the whole frame, and go on doing so when the window changes its size."""
        self._fitted = True
        if not self.frame.isEmpty():
            self.view_box.setRange(self.frame, padding=0.02)

    def zoom(self, factor: float) -> None:
        """Show everything `factor` times as large, about the middle."""
        self._fitted = False
        self.view_box.scaleBy((1 / factor, 1 / factor))

    def look_at(self, x: float, y: float, width_px: float) -> None:
        """Show `width_px` of the picture's pixels across, with x, y in the middle."""
        self._fitted = False
        height_px = width_px * self.height() / max(1, self.width())
        self.view_box.setRange(QtCore.QRectF(x - width_px / 2, y - height_px / 2, width_px, height_px), padding=0)

    def one_to_one(self) -> None:
        """Show one pixel of the picture on each of the screen."""
        self.zoom(self.view_box.viewPixelSize()[0] / self.devicePixelRatioF())

    def is_coarse(self) -> bool:
        """Whether the zoom shows that the picture is thinned out, or would show it of one that is not."""
        return self._step > 1 and bool(self.view_box.viewPixelSize()[0] < COARSE * self._step)

    def particle_at(self, x: float, y: float, reach_px: float = REACH_PX) -> np.void | None:
        """Return the row of the nearest particle within `reach_px` on the screen of x, y in the picture."""
        rows = self._rows()
        if not len(rows):
            return None
        distance = np.hypot(rows["x"] - x, rows["y"] - y)
        nearest: np.void = rows[distance.argmin()]
        return nearest if distance.min() <= reach_px * self.view_box.viewPixelSize()[0] else None

    def readout(self) -> str:
        """Return position, grey value and particle under the mouse; empty where there is no picture."""
        if self._mouse is None:
            return ""
        point = self.view_box.mapSceneToView(self.mapToScene(self._mouse))
        if not self.frame.contains(point):
            return ""
        pieces = [f"x {point.x():.1f}  y {point.y():.1f} px"]
        if self._update and (size := self._update.pixel_size_um):
            pieces.append(f"{point.x() * size:.2f}, {point.y() * size:.2f} µm")
        if grey := self._grey(point):
            pieces.append(f"grey {grey}")
        if (row := self.particle_at(point.x(), point.y(), MARKER_PX / 2)) is not None:
            pieces.append(f"#{row['id']} at {row['x']:.2f}, {row['y']:.2f} px")
        return "   ".join(pieces)

    def resizeEvent(self, event: Any) -> None:  # noqa: D102, N802 - Qt's
        super().resizeEvent(event)
        if hasattr(self, "hint"):  # pyqtgraph resizes while it is being made
            self.hint.setGeometry(self.rect())

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: D102, N802 - Qt's
        self._mouse = event.position().toPoint()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: Any) -> None:  # noqa: D102, N802 - Qt's
        self._mouse = None
        super().leaveEvent(event)

    def _rows(self) -> Rows:
        """Return the particles that are shown."""
        if self._update is None:
            return empty_rows()
        rows: Rows = self._update.particles[drawable(self._update.particles)]
        return rows

    def _grey(self, point: QtCore.QPointF) -> str:
        """Return the grey level at `point`; as exact as the picture's levels are apart."""
        if self._preview is None:
            return ""
        column, row = (round(value / self._preview.step) for value in (point.x(), point.y()))
        height, width = self._preview.pixels.shape
        if not (0 <= row < height and 0 <= column < width):
            return ""
        grey = self._preview.offset + self._preview.scale * self._preview.pixels[row, column].item()
        return f"{grey:g}" if self._preview.scale == 1.0 else f"≈ {grey:.4g}"

    def _click(self, event: Any) -> None:
        if event.button() == QtCore.Qt.MouseButton.LeftButton:
            point = self.view_box.mapSceneToView(event.scenePos())
            if self.frame.contains(point):
                self.clicked.emit(point.x(), point.y())

    def _set_frame(self, frame: QtCore.QRectF) -> None:
        if frame != self.frame:
            self.frame = frame
            self._step = self._preview.step if self._preview else 1
            for item in (self.tails, self.markers, self.labels, self.uncertainty):
                item.set_bounds(frame)
            self.scale_bar.set_frame(frame)
            widest = 20 * max(frame.width(), frame.height())
            closest = min(CLOSEST_PX, frame.width())
            self.view_box.setLimits(minXRange=closest, minYRange=closest, maxXRange=widest, maxYRange=widest)
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


def _pixel_levels(preview: Preview, levels: tuple[float, float]) -> tuple[float, float]:
    """Return grey levels as the numbers that stand for them in a picture's pixels."""
    black, white = ((level - preview.offset) / preview.scale for level in levels)
    return black, white
