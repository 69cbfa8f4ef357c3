"""The particle panel: position, physical properties and plots of the selected particle."""

from __future__ import annotations

import math

from livetrack.annotate.colours import track_colour
from livetrack.calibrate import Medium
from livetrack.client import Update
from livetrack.viewer.analysis import Trace, physics_text
from livetrack.viewer.panels.plots import Plots
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import Palette

__all__ = ["ParticlePanel"]

HEIGHT, EMPTY_HEIGHT = 232, 44
PHYSICS_S = 2.0
"""Interval of the fits of stiffness and diffusion."""
HINT = "Click a particle to plot its position, power spectrum and mean squared displacement"


class ParticlePanel(QtWidgets.QFrame):
    """Below the image; shows the trace of one track."""

    deselected = QtCore.Signal()
    learn_requested = QtCore.Signal()
    """A model of this particle is to be trained."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.setObjectName("pane")
        self.trace: Trace | None = None
        self.exposure_s = 0.0
        """Exposure time, and below, the medium; for the fits of stiffness and diffusion."""
        self.medium = Medium()
        self._physics, self._physics_s = "", -math.inf
        self._name, self._facts = QtWidgets.QLabel(), QtWidgets.QLabel()
        self._name.setObjectName("title")
        self._facts.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        self._facts.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.learn_button = QtWidgets.QPushButton("Learn this particle")
        self.learn_button.setToolTip("Train a model of particles like this one, from its own images, in three minutes")
        self.learn_button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.learn_button.clicked.connect(self.learn_requested)
        self._deselect = QtWidgets.QPushButton("Deselect")
        self._deselect.setToolTip("Deselect the particle (Esc)")
        self._deselect.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self._deselect.clicked.connect(self.deselected)
        self.plots = Plots(palette)
        head = QtWidgets.QHBoxLayout()
        head.setContentsMargins(16, 8, 12, 2)
        head.setSpacing(14)
        head.addWidget(self._name)
        head.addWidget(self._facts, 1)
        head.addWidget(self.learn_button)
        head.addWidget(self._deselect)
        self._selected = QtWidgets.QWidget()
        selected = QtWidgets.QVBoxLayout(self._selected)
        selected.setContentsMargins(0, 0, 0, 0)
        selected.setSpacing(0)
        selected.addLayout(head)
        selected.addWidget(self.plots, 1)
        self._hint = QtWidgets.QLabel(HINT)
        self._hint.setObjectName("empty")
        self._hint.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._hint)
        layout.addWidget(self._selected)
        self.select(None)

    def select(self, trace: Trace | None) -> None:
        """Show this trace; None shows the hint."""
        self.trace = trace
        self._physics, self._physics_s = "", -math.inf
        self._hint.setVisible(trace is None)
        self._selected.setVisible(trace is not None)
        self.setFixedHeight(EMPTY_HEIGHT if trace is None else HEIGHT)
        self.plots.clear()
        if trace is not None:
            self._name.setText(f"#{trace.track_id}")
            self._name.setStyleSheet(f"color: {track_colour(trace.track_id)};")

    def update_if_due(self, update: Update | None, now_s: float) -> None:
        """Show the facts in `update`, the frame on display, and the plots if they are due."""
        if self.trace is None or update is None or not self.isVisible():
            return
        points = self.trace.points
        if now_s - self._physics_s > PHYSICS_S:
            self._physics_s = now_s
            self._physics = physics_text(points, update.pixel_size_um, self.exposure_s, self.medium)
        self._facts.setText("     ".join([*_facts(self.trace, update), self._physics]).rstrip())
        self.plots.update_if_due(points, update.pixel_size_um, now_s)


def _facts(trace: Trace, update: Update) -> list[str]:
    """Return the selected particle's position, intensity and score in the frame of `update`, and its history."""
    points = trace.points
    if not len(points):
        return ["not found yet"]
    last = points[-1]
    items = [f"x {last['x']:.2f}   y {last['y']:.2f} px", f"± {last['x_std']:.3f}, {last['y_std']:.3f} px"]
    rows = update.particles[update.particles["id"] == trace.track_id]
    if len(rows):
        items += [f"intensity {rows['intensity'][0]:.0f}", f"score {rows['score'][0]:.2f}"]
    duration_s = float(points["t_s"][-1] - points["t_s"][0])
    items.append(f"{len(points):,} positions in {duration_s:.1f} s")
    missed = update.frame - int(last["frame"])
    if missed > 0 and not len(rows):
        items.append(f"not found for {missed:,} frames")
    return items
