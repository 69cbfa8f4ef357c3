"""The part of the image that the camera is to deliver: a rectangle on the picture, and the buttons that set it."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg

from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["Region"]

SHARE = 0.5
"""Of what is seen, along each axis, at first."""
LEAST_PX = 16
MARGIN = 18


class Region(QtWidgets.QFrame):
    """A card below the rectangle; both are shown by `open`."""

    wanted = QtCore.Signal(int, int, int, int)
    """x, y, width, height, px of the delivered image."""
    whole_wanted = QtCore.Signal()
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
        self.set_button, self.whole_button, self.cancel = (
            QtWidgets.QPushButton(text) for text in ("Set  ⏎", "Whole image", "Cancel  Esc")
        )
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(16, 10, 12, 10)
        row.addWidget(self._text)
        for button in (self.set_button, self.whole_button, self.cancel):
            button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
            row.addWidget(button)
        self.rectangle.sigRegionChanged.connect(self._tell)
        self.set_button.clicked.connect(self.set)
        self.whole_button.clicked.connect(self._set_whole)
        self.cancel.clicked.connect(self.closed)
        view.installEventFilter(self)
        self.hide()

    def open(self, on: bool) -> None:
        """Show the rectangle in the middle of what is seen, or hide it."""
        seen = self._view.frame & self._view.view_box.viewRect()
        if on and not seen.isEmpty():
            width, height = (max(float(LEAST_PX), SHARE * side) for side in (seen.width(), seen.height()))
            centre = seen.center()
            self.rectangle.maxBounds = self._view.frame
            self.rectangle.setPos((round(centre.x() - width / 2) - 0.5, round(centre.y() - height / 2) - 0.5))
            self.rectangle.setSize((round(width), round(height)))
            self._tell()
        self.rectangle.setVisible(on)
        self.setVisible(on)
        self._place()

    def area(self) -> tuple[int, int, int, int]:
        """Return x, y, width, height, whole px of the delivered image, inside it."""
        frame = self._view.frame
        place, size = self.rectangle.pos(), self.rectangle.size()
        left, right = sorted((place.x(), place.x() + size.x()))
        top, bottom = sorted((place.y(), place.y() + size.y()))
        x, y = max(0, round(left + 0.5)), max(0, round(top + 0.5))
        end_x, end_y = (round(edge + 0.5) for edge in (min(right, frame.right()), min(bottom, frame.bottom())))
        return x, y, end_x - x, end_y - y

    def set(self) -> None:
        """Want the rectangle; nothing while it is not shown."""
        if self.isVisible():
            self.wanted.emit(*self.area())
            self.closed.emit()

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:  # noqa: D102, N802 - Qt's
        if event.type() == QtCore.QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)

    def _set_whole(self) -> None:
        self.whole_wanted.emit()
        self.closed.emit()

    def _tell(self, *_: Any) -> None:
        x, y, width, height = self.area()
        self._text.setText(f"{width} x {height} px at {x}, {y}")
        self.adjustSize()

    def _place(self) -> None:
        self.adjustSize()
        self.move((self._view.width() - self.width()) // 2, self._view.height() - self.height() - MARGIN)
        self.raise_()


_DASHES = QtCore.Qt.PenStyle.DashLine
