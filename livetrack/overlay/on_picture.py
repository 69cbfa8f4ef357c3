"""What lies on the picture, in its coordinates, and reaches as far as it does."""

from __future__ import annotations

from livetrack.overlay.qt import QtCore, QtWidgets

__all__ = ["OnPicture"]


class OnPicture(QtWidgets.QGraphicsObject):
    """One item that draws many things; it paints itself."""

    def __init__(self) -> None:
        super().__init__()
        self._bounds = QtCore.QRectF()

    def set_bounds(self, bounds: QtCore.QRectF) -> None:
        """Say where particles can be."""
        self.prepareGeometryChange()
        self._bounds = bounds

    def boundingRect(self) -> QtCore.QRectF:  # noqa: D102, N802 - Qt's
        return self._bounds
