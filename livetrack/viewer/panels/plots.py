"""The graphs of the chosen particle: x(t), y(t), power spectrum, mean squared displacement, histogram of positions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg

from livetrack.viewer.analysis import (
    Points,
    binned_spectrum,
    mean_squared_displacement,
    on_even_times,
    power_spectrum,
)
from livetrack.viewer.qt import QtGui, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["Plots"]

LOOK_S = 0.33
SHOWN_POINTS = 1500
"""Of a trace: more than there are pixels."""
BINS = 41


class Plots(QtWidgets.QWidget):
    """Four graphs in a row; drawn three times a second at most, and only while they can be seen."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.colours = palette
        self._looked_s = -math.inf
        self._unit, self._scale = "px", 1.0
        self._row = QtWidgets.QHBoxLayout(self)
        self._row.setContentsMargins(4, 0, 8, 4)
        self._row.setSpacing(2)
        self.trace, self.spectrum, self.displacement, self.histogram = (_graph() for _ in range(4))
        for graph, share in ((self.trace, 5), (self.spectrum, 4), (self.displacement, 4), (self.histogram, 4)):
            self._row.addWidget(graph, share)
        for graph in (self.spectrum, self.displacement):
            graph.setLogMode(True, True)
        self.curves: dict[str, Any] = {
            name: graph.plot(connect="finite")
            for name, graph in (
                ("x", self.trace), ("y", self.trace), ("spectrum_x", self.spectrum), ("spectrum_y", self.spectrum),
                ("displacement", self.displacement), ("floor", self.displacement),
            )
        }  # fmt: skip
        for axis in "xy":
            self.curves[f"histogram_{axis}"] = self.histogram.plot(stepMode="center", fillLevel=0)
        self.paint(palette)

    def paint(self, palette: Palette) -> None:
        """Take the colours of `palette`."""
        self.colours = palette
        for graph in (self.trace, self.spectrum, self.displacement, self.histogram):
            graph.setBackground(palette.panel)
            for side in ("left", "bottom"):
                axis = graph.getAxis(side)
                axis.setPen(pg.mkPen(palette.line))
                axis.setTextPen(pg.mkPen(palette.faint))
                axis.setStyle(tickFont=_font(10), tickLength=-4, autoExpandTextSpace=False)
                axis.label.setFont(_font(10))
                axis.enableAutoSIPrefix(False)
            graph.getAxis("left").setWidth(46)
            graph.getAxis("bottom").setHeight(34)
            graph.showGrid(x=True, y=True, alpha=0.12)
        for name, curve in self.curves.items():
            colour = palette.y if name.endswith("y") else palette.x
            curve.setPen(pg.mkPen(colour, width=1))
            if name.startswith("histogram"):
                fill = QtGui.QColor(colour)
                fill.setAlphaF(0.3)
                curve.setFillBrush(fill)
        self.curves["displacement"].setSymbol("o")
        self.curves["displacement"].setSymbolSize(5)
        self.curves["displacement"].setSymbolBrush(palette.text)
        self.curves["displacement"].setSymbolPen(None)
        self.curves["displacement"].setPen(pg.mkPen(palette.text, width=1))
        self.curves["floor"].setPen(pg.mkPen(palette.faint, width=1, style=pg.QtCore.Qt.PenStyle.DashLine))
        self._name_axes()

    def look(self, points: Points, pixel_size_um: float | None, now_s: float) -> None:
        """Show a particle's positions, if it is time and anybody can see it."""
        if not self.isVisible() or now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        unit, scale = ("µm", pixel_size_um) if pixel_size_um else ("px", 1.0)
        if (unit, scale) != (self._unit, self._scale):
            self._unit, self._scale = unit, scale
            self._name_axes()
        self._draw(points)

    def clear(self) -> None:
        """Show empty graphs."""
        self._looked_s = -math.inf
        for name, curve in self.curves.items():
            curve.setData([0, 0], [0]) if name.startswith("histogram") else curve.setData([], [])

    def _draw(self, points: Points) -> None:
        thin = points[-SHOWN_POINTS * max(1, len(points) // SHOWN_POINTS) :: max(1, len(points) // SHOWN_POINTS)]
        even = on_even_times(points)
        for axis, position in zip("xy", even[:2], strict=True):
            mean = float(points[axis].mean()) if len(points) else 0.0
            self.curves[axis].setData(thin["t_s"] - points["t_s"][-1:], (thin[axis] - mean) * self._scale)
            frequency, density = binned_spectrum(*power_spectrum(position, even[2]))
            self.curves[f"spectrum_{axis}"].setData(*_positive(frequency, density * self._scale**2))
            if len(points):
                counts, edges = np.histogram((points[axis] - mean) * self._scale, BINS)
                self.curves[f"histogram_{axis}"].setData(edges, counts)
        lags, squares, floor = mean_squared_displacement(points)
        self.curves["displacement"].setData(*_positive(lags, squares * self._scale**2))
        ends = lags[[0, -1]] if len(lags) else lags
        self.curves["floor"].setData(*_positive(ends, np.full(len(ends), floor * self._scale**2)))

    def _name_axes(self) -> None:
        unit = self._unit
        names = (
            (self.trace, f"x, y from the mean, {unit}", "time, s"),
            (self.spectrum, f"power, {unit}²/Hz", "frequency, Hz"),
            (self.displacement, f"MSD, {unit}²", "lag, s"),
            (self.histogram, "positions", f"x, y from the mean, {unit}"),
        )
        for graph, left, bottom in names:
            graph.getAxis("left").setLabel(left, color=self.colours.faint)
            graph.getAxis("bottom").setLabel(bottom, color=self.colours.faint)


class _Axis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis that marks decades where it is logarithmic, and 2 and 5 where there are few of them."""

    def tickValues(self, low: float, high: float, size: float) -> Any:  # noqa: N802 - pyqtgraph's
        if not self.logMode:
            return super().tickValues(low, high, size)
        decades = range(math.floor(low), math.ceil(high) + 1)
        every = max(1, math.ceil((high - low) * 42 / size))
        major = [float(decade) for decade in decades if decade % every == 0 and low <= decade <= high]
        minor = [decade + math.log10(digit) for decade in decades for digit in (2, 5)]
        room = high - low < size / 90
        return [(1.0, major), (0.3, [value for value in minor if low <= value <= high and room])]

    def tickStrings(self, values: Any, scale: float, spacing: float) -> list[str]:  # noqa: N802 - pyqtgraph's
        if not self.logMode:
            strings: list[str] = super().tickStrings(values, scale, spacing)
            return strings
        return [f"{10**value:.0e}" if abs(value) > 3.5 else f"{10**value:.4g}" for value in values]


def _graph() -> Any:
    graph = pg.PlotWidget(axisItems={side: _Axis(side) for side in ("left", "bottom")})
    graph.setMinimumWidth(120)
    graph.hideButtons()
    graph.setMenuEnabled(False)
    graph.setMouseEnabled(False, False)
    return graph


def _positive(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the points that a logarithmic graph can show."""
    good = (x > 0) & (y > 0)
    return x[good], y[good]


def _font(size: int) -> QtGui.QFont:
    font = QtGui.QFont()
    font.setPixelSize(size)
    return font
