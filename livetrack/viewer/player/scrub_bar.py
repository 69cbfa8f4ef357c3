"""The scrub bar: shows where in the movie the player is and how far it is tracked, and goes to where it is dragged."""

from __future__ import annotations

from collections.abc import Callable

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["ScrubBar"]

HEIGHT = 26
GROOVE = 6
HANDLE = 7.0
"""Radius."""
MARGIN = 12


class ScrubBar(QtWidgets.QWidget):
    """Frames are counted by their index; `describe` returns the text shown at the cursor for one of them."""

    sought = QtCore.Signal(int)
    """The index of the frame that is to be shown."""

    def __init__(self, palette: Palette, describe: Callable[[int], str]) -> None:
        super().__init__()
        self.colours = palette
        self._describe = describe
        self._length, self._index, self._known = 1, 0, 0
        self.setFixedHeight(HEIGHT)
        self.setMouseTracking(True)
        self.setCursor(QtCore.Qt.CursorShape.PointingHandCursor)

    def show_place(self, index: int, length: int, known: int) -> None:
        """Show that frame `index` of `length` is on display, and that the particles of the first `known` are known."""
        if (index, length, known) != (self._index, self._length, self._known):
            self._index, self._length, self._known = index, length, known
            self.update()

    def x_of(self, index: float) -> float:
        """Return the x coordinate of a frame in this widget, pixels."""
        return MARGIN + (self.width() - 2 * MARGIN) * min(1.0, index / max(1, self._length - 1))

    def index_at(self, x: float) -> int:
        """Return the index of the frame at the x coordinate `x`."""
        fraction = (x - MARGIN) / max(1, self.width() - 2 * MARGIN)
        return round(min(max(fraction, 0.0), 1.0) * (self._length - 1))

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        if event.button() == QtCore.Qt.MouseButton.LeftButton:
            self.sought.emit(self.index_at(event.position().x()))

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: D102, N802 - Qt's
        index = self.index_at(event.position().x())
        if event.buttons() & QtCore.Qt.MouseButton.LeftButton:
            self.sought.emit(index)
        QtWidgets.QToolTip.showText(event.globalPosition().toPoint(), self._describe(index), self)

    def paintEvent(self, _: QtGui.QPaintEvent) -> None:  # noqa: D102, N802 - Qt's
        colours, middle = self.colours, self.height() / 2
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        known = QtGui.QColor(colours.accent)
        known.setAlphaF(0.35)
        left, here = self.x_of(0), self.x_of(self._index)
        ends = (
            (self.x_of(self._length - 1), QtGui.QColor(colours.line)),
            (self.x_of(max(0, self._known - 1)), known),
            (here, QtGui.QColor(colours.accent)),
        )
        for right, colour in ends:
            painter.setBrush(colour)
            painter.drawRoundedRect(QtCore.QRectF(left, middle - GROOVE / 2, right - left, GROOVE), 3, 3)
        painter.setBrush(QtGui.QColor(colours.text))
        painter.drawEllipse(QtCore.QPointF(here, middle), HANDLE, HANDLE)
        painter.end()
