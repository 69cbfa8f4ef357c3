"""The bar below the image: scrub bar, buttons, frame number, time, speed."""

from __future__ import annotations

from collections.abc import Callable

from livetrack.viewer.image_actions import ImageActions
from livetrack.viewer.panels.fields import ChoiceField
from livetrack.viewer.player.scrub_bar import ScrubBar
from livetrack.viewer.player.speeds import Speed
from livetrack.viewer.player.transport_button import BUTTONS, TransportButton
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["Transport"]


class Transport(QtWidgets.QFrame):
    """Shows the place in the movie; the window connects its signals and buttons."""

    number_entered = QtCore.Signal(int)
    """A frame number."""
    speed_chosen = QtCore.Signal(object)
    """A `Speed`."""

    def __init__(self, palette: Palette, describe: Callable[[int], str]) -> None:
        super().__init__()
        self.setObjectName("pane")
        self.scrub_bar = ScrubBar(palette, describe)
        self.number = QtWidgets.QSpinBox()
        self.number.setButtonSymbols(QtWidgets.QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.number.setKeyboardTracking(False)
        self.number.setFocusPolicy(QtCore.Qt.FocusPolicy.ClickFocus)
        self.number.setToolTip("Number of the frame, and of the last one; enter one to go there")
        self.number.setFixedWidth(64)
        self.number.valueChanged.connect(self.number_entered)
        self.number.editingFinished.connect(self.number.clearFocus)
        self.last_number, self.time = QtWidgets.QLabel(), QtWidgets.QLabel()
        self.last_number.setObjectName("faint")
        self.speed = ChoiceField()
        self.speed.setToolTip("Speed  [ slower  ] faster")
        self.speed.setSizePolicy(QtWidgets.QSizePolicy.Policy.Fixed, QtWidgets.QSizePolicy.Policy.Fixed)
        self.speed.setFixedWidth(112)
        self.speed.currentIndexChanged.connect(self._choose)
        self._speeds: list[Speed] = []
        self._palette = palette
        self._buttons: list[TransportButton] = []
        self._button_row = QtWidgets.QHBoxLayout()
        self._button_row.setSpacing(2)
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 8)
        row.setSpacing(8)
        row.addLayout(self._button_row)
        row.addWidget(self.number)
        row.addWidget(self.last_number)
        row.addWidget(self.time)
        row.addStretch(1)
        row.addWidget(self.speed)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.scrub_bar)
        layout.addLayout(row)

    def add_buttons(self, actions: ImageActions) -> None:
        """Add the buttons of `BUTTONS`."""
        for name in BUTTONS:
            self._buttons.append(TransportButton(actions[name], name, self._palette))
            self._button_row.addWidget(self._buttons[-1])

    def update_buttons(self) -> None:
        """Draw the buttons again, after the state of an action has changed."""
        for button in self._buttons:
            button.update()

    def show_speeds(self, speeds: list[Speed], chosen: int) -> None:
        """Offer these speeds, and choose one."""
        self.speed.blockSignals(True)
        self.speed.clear()
        self.speed.addItems([speed.text for speed in speeds])
        self.speed.setCurrentIndex(chosen)
        self.speed.blockSignals(False)
        self._speeds = speeds
        self._choose(chosen)

    def change_speed(self, by: int) -> None:
        """Choose the speed so many places further down the list, of the same kind."""
        place = self.speed.currentIndex() + by
        if 0 <= place < len(self._speeds) and self._speeds[place].is_factor == self._speeds[place - by].is_factor:
            self.speed.setCurrentIndex(place)

    def apply_palette(self, palette: Palette) -> None:
        """Use the colours of `palette`."""
        self._palette = palette
        for button in self._buttons:
            button.colours = palette
        self.scrub_bar.colours = palette
        self.update()

    def show_number(self, number: int, last: int | None) -> None:
        """Show the number of the frame on display, and that of the last one, None while it is unknown."""
        if not self.number.hasFocus():
            self.number.blockSignals(True)
            self.number.setRange(0, 2**31 - 1)
            self.number.setValue(number)
            self.number.blockSignals(False)
        self.last_number.setText("" if last is None else f"/ {last:,}")

    def _choose(self, place: int) -> None:
        if 0 <= place < len(self._speeds):
            self.speed_chosen.emit(self._speeds[place])
