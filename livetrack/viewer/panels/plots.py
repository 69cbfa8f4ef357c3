"""The plots of the selected particle, side by side; what they show is defined in `analysis.plots`."""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg

from livetrack.viewer.analysis import PLOTS, Plot, Points
from livetrack.viewer.qt import QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["Plots"]

UPDATE_S = 0.33


class Plots(QtWidgets.QWidget):
    """One graph for each of `PLOTS`, drawn at most three times a second and only while visible."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._updated_s = -math.inf
        self._unit, self._scale = "px", 1.0
        self.graphs = {plot.name: _Graph(plot) for plot in PLOTS}
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(4, 0, 8, 4)
        row.setSpacing(2)
        for plot, graph in zip(PLOTS, self.graphs.values(), strict=True):
            row.addWidget(graph, plot.width)
        self.apply_palette(palette)
        self._label_axes()

    def apply_palette(self, palette: Palette) -> None:
        """Use the colours of `palette`."""
        for graph in self.graphs.values():
            graph.apply_palette(palette)

    def update_if_due(self, points: Points, pixel_size_um: float | None, now_s: float) -> None:
        """Plot a particle's positions, unless the last update was too recent or the plots are hidden."""
        if not self.isVisible() or now_s - self._updated_s < UPDATE_S:
            return
        self._updated_s = now_s
        unit, scale = ("µm", pixel_size_um) if pixel_size_um else ("px", 1.0)
        if (unit, scale) != (self._unit, self._scale):
            self._unit, self._scale = unit, scale
            self._label_axes()
        self._draw(points)

    def clear(self) -> None:
        """Show empty plots."""
        self._updated_s = -math.inf
        for graph in self.graphs.values():
            graph.clear_curves()

    def _draw(self, points: Points) -> None:
        for graph in self.graphs.values():
            graph.draw(points, self._scale)

    def _label_axes(self) -> None:
        for graph in self.graphs.values():
            graph.label_axes(self._unit)


class _Graph(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """The curves of one plot."""

    def __init__(self, plot: Plot) -> None:
        super().__init__(axisItems={side: _Axis(side) for side in ("left", "bottom")})
        self._plot = plot
        self.setMinimumWidth(120)
        self.hideButtons()
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.setLogMode(plot.log, plot.log)
        options = {"stepMode": "center", "fillLevel": 0} if plot.histogram else {"connect": "finite"}
        self.curves: dict[str, Any] = {style: self.plot(**options) for style in plot.styles}

    def draw(self, points: Points, scale: float) -> None:
        """Draw the curves of `points`; `scale` is the number of units per px."""
        if not len(points):
            self.clear_curves()
            return
        for curve, (x, y) in zip(self.curves.values(), self._plot.compute(points, scale), strict=True):
            shown = (x > 0) & (y > 0) if self._plot.log else slice(None)
            curve.setData(x, y) if self._plot.histogram else curve.setData(x[shown], y[shown])

    def clear_curves(self) -> None:
        """Show no curve."""
        for curve in self.curves.values():
            curve.setData([0, 0], [0]) if self._plot.histogram else curve.setData([], [])

    def label_axes(self, unit: str) -> None:
        """Label the axes; `unit` is that of lengths."""
        for side, label in (("left", self._plot.y_label), ("bottom", self._plot.x_label)):
            self.getAxis(side).setLabel(label.format(unit=unit))

    def apply_palette(self, palette: Palette) -> None:
        """Use the colours of `palette`."""
        self.setBackground(palette.panel)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(palette.line))
            axis.setTextPen(pg.mkPen(palette.faint))
            axis.setStyle(tickFont=_font(10), tickLength=-4, autoExpandTextSpace=False)
            axis.label.setFont(_font(10))
            axis.enableAutoSIPrefix(False)
            axis.setLabel(axis.labelText, color=palette.faint)
        self.getAxis("left").setWidth(46)
        self.getAxis("bottom").setHeight(34)
        self.showGrid(x=True, y=True, alpha=0.12)
        for style, curve in self.curves.items():
            colour = {"x": palette.x, "y": palette.y, "points": palette.text, "dashed": palette.faint}[style]
            dashes = pg.QtCore.Qt.PenStyle.DashLine if style == "dashed" else pg.QtCore.Qt.PenStyle.SolidLine
            curve.setPen(pg.mkPen(colour, width=1, style=dashes))
            if style == "points":
                curve.setSymbol("o")
                curve.setSymbolSize(5)
                curve.setSymbolBrush(colour)
                curve.setSymbolPen(None)
            if self._plot.histogram:
                fill = QtGui.QColor(colour)
                fill.setAlphaF(0.3)
                curve.setFillBrush(fill)


class _Axis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis that, where it is logarithmic, marks decades, and also 2 and 5 if there are few of them."""

    def tickValues(self, low: float, high: float, size: float) -> Any:  # noqa: N802 - pyqtgraph's
        if not self.logMode:
            return super().tickValues(low, high, size)
        decades = range(math.floor(low), math.ceil(high) + 1)
        every = max(1, math.ceil((high - low) * 42 / size))
        major = [float(decade) for decade in decades if decade % every == 0 and low <= decade <= high]
        minor = [decade + math.log10(digit) for decade in decades for digit in (2, 5)]
        show_minor = high - low < size / 90
        return [(1.0, major), (0.3, [value for value in minor if low <= value <= high and show_minor])]

    def tickStrings(self, values: Any, scale: float, spacing: float) -> list[str]:  # noqa: N802 - pyqtgraph's
        if not self.logMode:
            strings: list[str] = super().tickStrings(values, scale, spacing)
            return strings
        return [f"{10**value:.0e}" if abs(value) > 3.5 else f"{10**value:.4g}" for value in values]


def _font(size: int) -> QtGui.QFont:
    font = QtGui.QFont()
    font.setPixelSize(size)
    return font
