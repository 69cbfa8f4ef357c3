"""The image panel: histogram, black and white, gamma, colour map and resolution of the image."""

from __future__ import annotations

import math
from typing import Any

from livetrack.viewer.data.levels import Levels, grey_histogram
from livetrack.viewer.panels.fields import ChoiceField, DoubleField
from livetrack.viewer.panels.histogram import Histogram
from livetrack.viewer.panels.sidebar import form
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import COLORMAPS, Palette, lookup_table
from livetrack.wire import Preview

__all__ = ["ImagePanel"]

UPDATE_S = 0.25
MAX_GAMMA = 5.0
"""The minimum is its inverse."""
STEPS = 200
"""Of the gamma slider."""


class ImagePanel(QtWidgets.QWidget):
    """Shows and sets `levels`, `gamma` and `lookup_table`, the (256, 3) colours; its signals report changes."""

    levels_changed = QtCore.Signal()
    colormap_changed = QtCore.Signal()
    auto_changed = QtCore.Signal(bool)

    def __init__(self, levels: Levels, palette: Palette) -> None:
        super().__init__()
        self.levels = levels
        self.gamma = 1.0
        self.lookup_table = lookup_table(COLORMAPS[0])
        self._updated_s = -math.inf
        self.histogram = Histogram(palette)
        self.black, self.white = (_field(f"Grey level shown {shade}") for shade in ("black", "white"))
        self.gamma_slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self.gamma_slider.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.gamma_slider.setRange(0, STEPS)
        self.gamma_slider.setValue(STEPS // 2)
        self.gamma_slider.setToolTip("Values below 1 brighten faint objects; double-click for 1")
        self.gamma_text = QtWidgets.QLabel("1.00")
        self.colormap = ChoiceField()
        self.colormap.addItems(COLORMAPS)
        self.colormap.setToolTip(
            "HiLo is grey with clipped pixels in colour: blue at or below black, red at or above white"
        )
        self.clip_low, self.clip_high = (
            _percent(value) for value in (levels.percentiles[0], 100 - levels.percentiles[1])
        )
        self.clip_low.setToolTip("Percentage of the pixels that auto contrast shows black")
        self.clip_high.setToolTip("Percentage of the pixels that auto contrast shows white")
        self.full_resolution = QtWidgets.QCheckBox("full resolution and bit depth")
        self.full_resolution.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.full_resolution.setToolTip(
            "Receive every pixel as delivered; otherwise previews are reduced to 8 bits and, if large, subsampled"
        )
        self._lay_out()
        self._connect()

    def update_if_due(self, preview: Preview, now_s: float) -> None:
        """Show the histogram of a preview, a few times a second while the panel is visible."""
        if not self.isVisible() or now_s - self._updated_s < UPDATE_S:
            return
        self._updated_s = now_s
        self.histogram.show_counts(*grey_histogram(preview))

    def show_levels(self, levels: tuple[float, float]) -> None:
        """Show the active levels."""
        self.histogram.show_levels(levels, self.gamma, self.lookup_table)
        for field, level in zip((self.black, self.white), levels, strict=True):
            if round(level, 1) != field.value():
                field.show_value(round(level, 1))

    def reset_gamma(self) -> None:
        """Set gamma to 1."""
        self.gamma_slider.setValue(STEPS // 2)

    def _set_levels(self, black: float, white: float) -> None:
        was_auto = self.levels.auto
        self.levels.set(black, white)
        if was_auto:
            self.auto_changed.emit(False)
        self.levels_changed.emit()

    def _set_colormap(self) -> None:
        exponent = 2 * self.gamma_slider.value() / STEPS - 1
        self.gamma = round(MAX_GAMMA**exponent, 2)
        self.gamma_text.setText(f"{self.gamma:.2f}")
        self.lookup_table = lookup_table(self.colormap.currentText(), self.gamma)
        self.colormap_changed.emit()

    def _set_percentiles(self) -> None:
        self.levels.percentiles = self.clip_low.value(), 100 - self.clip_high.value()
        self.auto_changed.emit(True)

    def _connect(self) -> None:
        self.histogram.levels_dragged.connect(self._set_levels)
        self.histogram.auto_requested.connect(lambda: self.auto_changed.emit(True))
        for field in (self.black, self.white):
            field.valueChanged.connect(lambda _: self._set_levels(self.black.value(), self.white.value()))
        self.gamma_slider.valueChanged.connect(lambda _: self._set_colormap())
        self.gamma_slider.installEventFilter(self)
        self.colormap.currentTextChanged.connect(lambda _: self._set_colormap())
        for field in (self.clip_low, self.clip_high):
            field.valueChanged.connect(lambda _: self._set_percentiles())

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
            ("Clip", self.clip_low, self.clip_high),
            ("Gamma", self.gamma_slider, self.gamma_text),
            ("Colour map", self.colormap, None),
            ("", self.full_resolution, None),
        ]
        for row, (name, first, second) in enumerate(rows, start=1):
            grid.addWidget(_label(name), row, 0)
            grid.addWidget(first, row, 1, 1, 1 if second else 2)
            if second:
                grid.addWidget(second, row, 2)
        grid.setColumnStretch(2, 1)


def _label(text: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setObjectName("faint")
    return label


def _field(tip: str) -> DoubleField:
    field = DoubleField("", -1e9, 1e9, 1)
    field.setMinimumWidth(60)
    field.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
    field.setButtonSymbols(QtWidgets.QAbstractSpinBox.ButtonSymbols.NoButtons)
    field.setToolTip(tip)
    return field


def _percent(value: float) -> DoubleField:
    field = _field("")
    field.setRange(0.0, 40.0)
    field.setDecimals(2)
    field.setSingleStep(0.05)
    field.setSuffix(" %")
    field.setValue(value)
    return field
