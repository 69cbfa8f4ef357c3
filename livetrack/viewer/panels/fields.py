"""Input fields whose values cannot be changed by accident while scrolling past them, and buttons."""

from __future__ import annotations

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets

__all__ = ["ChoiceField", "DoubleField", "button", "in_a_row"]


class DoubleField(QtWidgets.QDoubleSpinBox):
    """A number with its unit; `valueChanged` is emitted when an edit is finished, or for each step."""

    def __init__(self, suffix: str, low: float, high: float, decimals: int) -> None:
        super().__init__()
        self.setSuffix(suffix)
        self.setDecimals(decimals)
        self.setRange(low, high)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.editingFinished.connect(self.clearFocus)

    def show_value(self, value: float, bounds: tuple[float, float] | None = None) -> None:
        """Show a value, and set its bounds, without emitting `valueChanged`; ignored while the field is edited."""
        if not self.hasFocus():
            self.blockSignals(True)
            if bounds:
                self.setRange(*bounds)
            self.setValue(value)
            self.blockSignals(False)

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:  # noqa: D102, N802 - Qt's
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class ChoiceField(QtWidgets.QComboBox):
    """One of several texts."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:  # noqa: D102, N802 - Qt's
        event.ignore()


def in_a_row(*widgets: QtWidgets.QWidget) -> QtWidgets.QWidget:
    """Return a widget with these side by side; of more than two, buttons keep their width."""
    row = QtWidgets.QWidget()
    layout = QtWidgets.QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for widget in widgets:
        layout.addWidget(widget, 0 if isinstance(widget, QtWidgets.QPushButton) and len(widgets) > 2 else 1)
    return row


def button(text: str, *, checkable: bool = False) -> QtWidgets.QPushButton:
    """Return a button that never takes the keyboard's focus."""
    created = QtWidgets.QPushButton(text)
    created.setCheckable(checkable)
    created.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
    return created
