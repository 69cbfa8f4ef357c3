"""The image view: preview and overlays, zoom, pan, fit, and the readout under the cursor."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg

from livetrack.annotate.trail_segments import TrailSegments, drawable
from livetrack.client import Update
from livetrack.particles import Rows, empty_rows
from livetrack.viewer.canvas.annotations import Labels, ScaleBar, Selection
from livetrack.viewer.canvas.markers import MARKER_PX, Markers
from livetrack.viewer.canvas.trails import Trails
from livetrack.viewer.canvas.uncertainty import UncertaintyEllipses
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import Palette
from livetrack.wire import Preview

__all__ = ["ParticleView", "preview_rect"]

CLICK_RADIUS_PX = 14
"""Distance on the screen within which a click selects a particle."""
MIN_WIDTH_PX = 4
"""Image pixels across the view at the highest zoom."""
COARSE = 0.75
"""A preview looks coarse where a screen pixel covers less than this fraction of a preview pixel."""


class ParticleView(pg.GraphicsView):  # type: ignore[misc]  # pyqtgraph has no types
    """The view in pixel coordinates of the frame: integers are pixel centres, x to the right, y down."""

    clicked = QtCore.Signal(float, float)
    """x, y of a click on the image, px."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(background=palette.canvas)
        self.view_box = pg.ViewBox(lockAspect=1.0, invertY=True, enableMenu=False)
        self.setCentralItem(self.view_box)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.trails, self.markers, self.labels = Trails(), Markers(), Labels()
        self.uncertainty, self.selection = UncertaintyEllipses(), Selection()
        for item in (self.image, self.trails, self.markers, self.uncertainty, self.labels, self.selection):
            self.view_box.addItem(item, ignoreBounds=True)
        self.scale_bar = ScaleBar(self.view_box)
        self.hint = QtWidgets.QLabel("No image yet", self)
        self.hint.setObjectName("hint")
        self.hint.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self.hint.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._preview: Preview | None = None
        self._step = 1  # largest subsampling step of the previews with this frame size
        self._update: Update | None = None
        self.origin = 0, 0
        """x, y of the first pixel of the images, px, where only a part of them is shown."""
        self.frame = QtCore.QRectF()
        """The area of the frame."""
        self._fitted = True
        self._cursor: QtCore.QPoint | None = None  # in this widget; None outside it
        self.view_box.sigRangeChangedManually.connect(self._keep_zoom)
        self.view_box.sigResized.connect(self._refit)
        self.scene().sigMouseClicked.connect(self._click)

    def show_preview(self, preview: Preview, levels: tuple[float, float]) -> None:
        """Show a preview; `levels` are the grey levels shown black and white."""
        self.image.setImage(preview.pixels, levels=_pixel_levels(preview, levels), autoLevels=False)
        rect = preview_rect(preview).translated(*self.origin)
        if self._preview is None or preview_rect(self._preview).translated(*self.origin) != rect:
            self.image.setRect(rect)
        self._preview = preview
        self._step = max(self._step, preview.step)
        self.hint.hide()
        if self._update is None:
            self._set_frame(rect)

    def show_levels(self, levels: tuple[float, float]) -> None:
        """Show the same preview with other levels."""
        if self._preview is not None:
            self.image.setLevels(_pixel_levels(self._preview, levels))

    def show_lookup_table(self, table: npt.NDArray[np.uint8] | None) -> None:
        """Show grey levels in the colours of a (256, 3) table; None shows them in grey, which is fastest to draw."""
        self.image.setLookupTable(table)

    def show_particles(self, update: Update, segments: list[TrailSegments]) -> None:
        """Show the particles of one frame and their trails."""
        self._update = update
        self.hint.hide()
        self._set_frame(QtCore.QRectF(-0.5, -0.5, update.width, update.height).translated(*self.origin))
        self.scale_bar.set_pixel_size(update.pixel_size_um)
        self.markers.show_rows(update.particles)
        if self.labels.isVisible():
            self.labels.show_rows(update.particles, self.selection.track_id)
        if self.uncertainty.isVisible():
            self.uncertainty.show_rows(update.particles)
        if self.trails.isVisible():
            self.trails.show_segments(segments)

    def clear_all(self) -> None:
        """Show nothing; keep the zoom."""
        self._preview = self._update = None
        self.image.clear()
        self.markers.show_rows(empty_rows())
        self.labels.show_rows(empty_rows())
        self.uncertainty.show_rows(empty_rows())
        self.trails.show_segments([])
        self.selection.show_row(None)
        self.hint.show()

    def fit(self) -> None:
        """Show the whole frame, also after the window is resized."""
        self._fitted = True
        if not self.frame.isEmpty():
            self.view_box.setRange(self.frame, padding=0.02)

    def zoom(self, factor: float) -> None:
        """Magnify by `factor` about the centre."""
        self._fitted = False
        self.view_box.scaleBy((1 / factor, 1 / factor))

    def center_on(self, x: float, y: float, width_px: float) -> None:
        """Show `width_px` image pixels across, with x, y in the centre."""
        self._fitted = False
        height_px = width_px * self.height() / max(1, self.width())
        self.view_box.setRange(QtCore.QRectF(x - width_px / 2, y - height_px / 2, width_px, height_px), padding=0)

    def one_to_one(self) -> None:
        """Show one image pixel per screen pixel."""
        self.zoom(self.view_box.viewPixelSize()[0] / self.devicePixelRatioF())

    def is_coarse(self) -> bool:
        """Whether the subsampling of the previews is visible at this zoom, or would be without full resolution."""
        return self._step > 1 and bool(self.view_box.viewPixelSize()[0] < COARSE * self._step)

    def particle_at(self, x: float, y: float, radius_px: float = CLICK_RADIUS_PX) -> np.void | None:
        """Return the row of the nearest particle within `radius_px` screen pixels of x, y in the image."""
        rows = self._rows()
        if not len(rows):
            return None
        distance = np.hypot(rows["x"] - x, rows["y"] - y)
        nearest: np.void = rows[distance.argmin()]
        return nearest if distance.min() <= radius_px * self.view_box.viewPixelSize()[0] else None

    def readout(self) -> str:
        """Return position, grey level and particle under the cursor; empty outside the image."""
        if self._cursor is None:
            return ""
        point = self.view_box.mapSceneToView(self.mapToScene(self._cursor))
        if not self.frame.contains(point):
            return ""
        items = [f"x {point.x():.1f}  y {point.y():.1f} px"]
        if self._update and (size := self._update.pixel_size_um):
            items.append(f"{point.x() * size:.2f}, {point.y() * size:.2f} µm")
        if grey := self._grey(point):
            items.append(f"grey {grey}")
        if (row := self.particle_at(point.x(), point.y(), MARKER_PX / 2)) is not None:
            items.append(f"#{row['id']} at {row['x']:.2f}, {row['y']:.2f} px")
        return "   ".join(items)

    def resizeEvent(self, event: Any) -> None:  # noqa: D102, N802 - Qt's
        super().resizeEvent(event)
        if hasattr(self, "hint"):  # pyqtgraph resizes in its constructor
            self.hint.setGeometry(self.rect())

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: D102, N802 - Qt's
        self._cursor = event.position().toPoint()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: Any) -> None:  # noqa: D102, N802 - Qt's
        self._cursor = None
        super().leaveEvent(event)

    def _rows(self) -> Rows:
        """Return the particles on display."""
        if self._update is None:
            return empty_rows()
        rows: Rows = self._update.particles[drawable(self._update.particles)]
        return rows

    def _grey(self, point: QtCore.QPointF) -> str:
        """Return the grey level at `point`, marked with ≈ if the preview is scaled to 8 bits."""
        if self._preview is None:
            return ""
        inside = point.x() - self.origin[0], point.y() - self.origin[1]
        column, row = (round(value / self._preview.step) for value in inside)
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
            for item in (self.trails, self.markers, self.labels, self.uncertainty):
                item.set_bounds(frame)
            self.scale_bar.set_frame(frame)
            max_range = 20 * max(frame.width(), frame.height())
            min_range = min(MIN_WIDTH_PX, frame.width())
            self.view_box.setLimits(minXRange=min_range, minYRange=min_range, maxXRange=max_range, maxYRange=max_range)
            self.fit()

    def _keep_zoom(self) -> None:
        self._fitted = False

    def _refit(self) -> None:
        if self._fitted:
            self.fit()


def preview_rect(preview: Preview) -> QtCore.QRectF:
    """Return the area of a preview; the centre of its pixel (row i, column k) is at x = k step, y = i step."""
    height, width = preview.pixels.shape
    step = preview.step
    return QtCore.QRectF(-step / 2, -step / 2, width * step, height * step)


def _pixel_levels(preview: Preview, levels: tuple[float, float]) -> tuple[float, float]:
    """Return grey levels as pixel values of the preview."""
    black, white = ((level - preview.offset) / preview.scale for level in levels)
    return black, white
