"""The panel for how grey levels are shown: histogram, black and white, gamma, colours."""

from __future__ import annotations

import math
from typing import Any

from livetrack.viewer.data.levels import Levels, grey_histogram
from livetrack.viewer.panels.fields import Choice, Number
from livetrack.viewer.panels.histogram import Histogram
from livetrack.viewer.panels.sidebar import form
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import LOOKUPS, Palette, lookup_table
from livetrack.wire import Preview

__all__ = ["PicturePanel"]

LOOK_S = 0.25
GAMMAS = 0.2, 5.0
STEPS = 200
"""Of the slider for gamma."""


class PicturePanel(QtWidgets.QWidget):
    """Shows and sets `levels`; says through its signals what the picture must be drawn with."""

    levels_changed = QtCore.Signal()
    table_changed = QtCore.Signal()
    auto_changed = QtCore.Signal(bool)
    whole_wanted = QtCore.Signal(bool)

    def __init__(self, levels: Levels, palette: Palette) -> None:
        super().__init__()
        self.levels = levels
        self.gamma = 1.0
        self.table = lookup_table(LOOKUPS[0])
        self._looked_s = -math.inf
        self.histogram = Histogram(palette)
        self.black, self.white = (_spin(f"The grey level shown {what}") for what in ("black", "white"))
        self.gamma_slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self.gamma_slider.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.gamma_slider.setRange(0, STEPS)
        self.gamma_slider.setValue(STEPS // 2)
        self.gamma_slider.setToolTip("Below 1, faint things are brightened; double click for 1")
        self.gamma_text = QtWidgets.QLabel("1.00")
        self.lookup = Choice()
        self.lookup.addItems(LOOKUPS)
        self.lookup.setToolTip("Colours of the grey levels; limits: blue is black and less, red is white and more")
        self.dark_cut, self.bright_cut = (
            _percent(value) for value in (levels.percentiles[0], 100 - levels.percentiles[1])
        )
        self.dark_cut.setToolTip("Share of the pixels that Contrast makes black")
        self.bright_cut.setToolTip("Share of the pixels that Contrast makes white")
        self.whole = QtWidgets.QCheckBox("every pixel, all bits")
        self.whole.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.whole.setToolTip("Ask the engine for whole pictures; else it thins out large ones and sends 8 bits")
        self._lay_out()
        self._connect()

    def look(self, preview: Preview, now_s: float) -> None:
        """Show a picture's histogram, if it is time and anybody can see it."""
        if not self.isVisible() or now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        self.histogram.show_counts(*grey_histogram(preview))

    def show_levels(self, levels: tuple[float, float]) -> None:
        """Show the levels in use."""
        self.histogram.show_levels(levels, self.gamma, self.table)
        for spin, level in zip((self.black, self.white), levels, strict=True):
            if round(level, 1) != spin.value():
                spin.show_value(round(level, 1))

    def reset_gamma(self) -> None:
        """Put gamma back to 1."""
        self.gamma_slider.setValue(STEPS // 2)

    def _set_levels(self, black: float, white: float) -> None:
        was_auto = self.levels.auto
        self.levels.set(black, white)
        if was_auto:
            self.auto_changed.emit(False)
        self.levels_changed.emit()

    def _set_table(self) -> None:
        share = 2 * self.gamma_slider.value() / STEPS - 1
        self.gamma = round(GAMMAS[1] ** share, 2)
        self.gamma_text.setText(f"{self.gamma:.2f}")
        self.table = lookup_table(self.lookup.currentText(), self.gamma)
        self.table_changed.emit()

    def _set_percentiles(self) -> None:
        self.levels.percentiles = self.dark_cut.value(), 100 - self.bright_cut.value()
        self.auto_changed.emit(True)

    def _connect(self) -> None:
        self.histogram.levels_dragged.connect(self._set_levels)
        self.histogram.auto_wanted.connect(lambda: self.auto_changed.emit(True))
        for spin in (self.black, self.white):
            spin.valueChanged.connect(lambda _: self._set_levels(self.black.value(), self.white.value()))
        self.gamma_slider.valueChanged.connect(lambda _: self._set_table())
        self.gamma_slider.installEventFilter(self)
        self.lookup.currentTextChanged.connect(lambda _: self._set_table())
        for spin in (self.dark_cut, self.bright_cut):
            spin.valueChanged.connect(lambda _: self._set_percentiles())
        self.whole.toggled.connect(self.whole_wanted)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:  # noqa: D102, N802 - Qt's
        if watched is self.gamma_slider and event.type() == QtCore.QEvent.Type.MouseButtonDblClick:
            self.reset_gamma()
            return True
        return super().eventFilter(watched, event)

    def _lay_out(self) -> None:
        panel, grid = form()
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(panel)
        grid.addWidget(self.histogram, 0, 0, 1, 3)
        rows: list[tuple[str, Any, Any]] = [
            ("Black, white", self.black, self.white),
            ("Cut off", self.dark_cut, self.bright_cut),
            ("Gamma", self.gamma_slider, self.gamma_text),
            ("Colours", self.lookup, None),
            ("", self.whole, None),
        ]
        for row, (name, first, second) in enumerate(rows, start=1):
            grid.addWidget(_name(name), row, 0)
            grid.addWidget(first, row, 1, 1, 1 if second else 2)
            if second:
                grid.addWidget(second, row, 2)
        grid.setColumnStretch(2, 1)


def _name(text: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setObjectName("faint")
    return label


def _spin(tip: str) -> Number:
    spin = Number("", -1e9, 1e9, 1)
    spin.setMinimumWidth(60)
    spin.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
    spin.setButtonSymbols(QtWidgets.QAbstractSpinBox.ButtonSymbols.NoButtons)
    spin.setToolTip(tip)
    return spin


def _percent(value: float) -> Number:
    spin = _spin("")
    spin.setRange(0.0, 40.0)
    spin.setDecimals(2)
    spin.setSingleStep(0.05)
    spin.setSuffix(" %")
    spin.setValue(value)
    return spin
