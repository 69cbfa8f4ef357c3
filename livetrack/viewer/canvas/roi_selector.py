"""The ROI selector: a rectangle on the image, and a card with the buttons that apply it."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg

from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["RoiSelector"]

INITIAL_FRACTION = 0.5
"""Of the visible area along each axis."""
MIN_INITIAL_PX = 16
MARGIN = 18


class RoiSelector(QtWidgets.QFrame):
    """The card; it is shown and hidden together with the rectangle by `open`."""

    roi_selected = QtCore.Signal(int, int, int, int)
    """x, y, width, height, px of the image on display."""
    full_frame_requested = QtCore.Signal()
    closed = QtCore.Signal()

    def __init__(self, view: ParticleView) -> None:
        super().__init__(view)
        self.setObjectName("card")
        self._view = view
        self.rectangle = pg.ROI((0, 0), (1, 1), pen=pg.mkPen("#ffffff", width=1.5, style=_DASHES))
        for corner, opposite in (((1, 1), (0, 0)), ((0, 0), (1, 1)), ((1, 0), (0, 1)), ((0, 1), (1, 0))):
            self.rectangle.addScaleHandle(corner, opposite)
        self.rectangle.setZValue(200)
        self.rectangle.hide()
        view.view_box.addItem(self.rectangle, ignoreBounds=True)
        self._text = QtWidgets.QLabel()
        self.set_button, self.full_frame_button, self.cancel_button = (
            QtWidgets.QPushButton(text) for text in ("Set ROI  ⏎", "Full frame", "Cancel  Esc")
        )
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(16, 10, 12, 10)
        row.addWidget(self._text)
        for button in (self.set_button, self.full_frame_button, self.cancel_button):
            button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
            row.addWidget(button)
        self.rectangle.sigRegionChanged.connect(self._show_area)
        self.set_button.clicked.connect(self.set)
        self.full_frame_button.clicked.connect(self._set_full_frame)
        self.cancel_button.clicked.connect(self.closed)
        view.installEventFilter(self)
        self.hide()

    def open(self, on: bool) -> None:
        """Show the rectangle in the centre of the visible area, or hide it."""
        visible = self._view.frame & self._view.view_box.viewRect()
        if on and not visible.isEmpty():
            width, height = (
                max(float(MIN_INITIAL_PX), INITIAL_FRACTION * side) for side in (visible.width(), visible.height())
            )
            centre = visible.center()
            self.rectangle.maxBounds = self._view.frame
            self.rectangle.setPos((round(centre.x() - width / 2) - 0.5, round(centre.y() - height / 2) - 0.5))
            self.rectangle.setSize((round(width), round(height)))
            self._show_area()
        self.rectangle.setVisible(on)
        self.setVisible(on)
        self._move()

    def area(self) -> tuple[int, int, int, int]:
        """Return x, y, width, height in whole pixels of the image on display, clipped to it."""
        frame = self._view.frame
        corner, size = self.rectangle.pos(), self.rectangle.size()
        left, right = sorted((corner.x(), corner.x() + size.x()))
        top, bottom = sorted((corner.y(), corner.y() + size.y()))
        x, y = max(0, round(left + 0.5)), max(0, round(top + 0.5))
        end_x, end_y = (round(edge + 0.5) for edge in (min(right, frame.right()), min(bottom, frame.bottom())))
        return x, y, end_x - x, end_y - y

    def set(self) -> None:
        """Apply the rectangle, if it is shown, and close."""
        if self.isVisible():
            self.roi_selected.emit(*self.area())
            self.closed.emit()

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:  # noqa: D102, N802 - Qt's
        if event.type() == QtCore.QEvent.Type.Resize:
            self._move()
        return super().eventFilter(watched, event)

    def _set_full_frame(self) -> None:
        self.full_frame_requested.emit()
        self.closed.emit()

    def _show_area(self, *_: Any) -> None:
        x, y, width, height = self.area()
        self._text.setText(f"{width} x {height} px at {x}, {y}")
        self.adjustSize()

    def _move(self) -> None:
        """Keep the card at the bottom of the view."""
        self.adjustSize()
        self.move((self._view.width() - self.width()) // 2, self._view.height() - self.height() - MARGIN)
        self.raise_()


_DASHES = QtCore.Qt.PenStyle.DashLine
