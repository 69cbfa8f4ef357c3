"""The pane of the chosen particle: what it is, where it has been, and graphs of that."""

from __future__ import annotations

import math

from livetrack.calibrate import Medium
from livetrack.client import Update
from livetrack.viewer.analysis import Trace, physics_of
from livetrack.viewer.panels.plots import Plots
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import TRAJECTORY_COLOURS, Palette

__all__ = ["ParticlePane"]

HEIGHT, EMPTY_HEIGHT = 232, 44
PHYSICS_S = 2.0
"""Between two fits."""
EMPTY = "Click a particle to see its path, its power spectrum and how far it wanders"


class ParticlePane(QtWidgets.QFrame):
    """Below the picture; follows one trajectory by its id."""

    let_go = QtCore.Signal()

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.setObjectName("pane")
        self.trace: Trace | None = None
        self.exposure_s = 0.0
        """Of each picture, and what is about the particles: for what is said of them."""
        self.medium = Medium()
        self._physics, self._physics_s = "", -math.inf
        self._name, self._facts = QtWidgets.QLabel(), QtWidgets.QLabel()
        self._name.setObjectName("title")
        self._facts.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self._drop = QtWidgets.QPushButton("Let go")
        self._drop.setToolTip("Choose no particle (Esc)")
        self._drop.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self._drop.clicked.connect(self.let_go)
        self.plots = Plots(palette)
        head = QtWidgets.QHBoxLayout()
        head.setContentsMargins(16, 8, 12, 2)
        head.setSpacing(14)
        head.addWidget(self._name)
        head.addWidget(self._facts, 1)
        head.addWidget(self._drop)
        self._full = QtWidgets.QWidget()
        full = QtWidgets.QVBoxLayout(self._full)
        full.setContentsMargins(0, 0, 0, 0)
        full.setSpacing(0)
        full.addLayout(head)
        full.addWidget(self.plots, 1)
        self._empty = QtWidgets.QLabel(EMPTY)
        self._empty.setObjectName("empty")
        self._empty.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._empty)
        layout.addWidget(self._full)
        self.choose(None)

    def choose(self, trace: Trace | None) -> None:
        """Follow another trajectory, or none."""
        self.trace = trace
        self._physics, self._physics_s = "", -math.inf
        self._empty.setVisible(trace is None)
        self._full.setVisible(trace is not None)
        self.setFixedHeight(EMPTY_HEIGHT if trace is None else HEIGHT)
        self.plots.clear()
        if trace is not None:
            self._name.setText(f"#{trace.number}")
            self._name.setStyleSheet(f"color: {TRAJECTORY_COLOURS[trace.number % len(TRAJECTORY_COLOURS)]};")

    def look(self, update: Update | None, now_s: float) -> None:
        """Show the graphs and the facts as they are in `update`, the newest frame."""
        if self.trace is None or update is None or not self.isVisible():
            return
        points = self.trace.points
        if now_s - self._physics_s > PHYSICS_S:
            self._physics_s = now_s
            self._physics = physics_of(points, update.pixel_size_um, self.exposure_s, self.medium)
        self._facts.setText("     ".join([*facts(self.trace, update), self._physics]).rstrip())
        self.plots.look(points, update.pixel_size_um, now_s)


def facts(trace: Trace, update: Update) -> list[str]:
    """Return what is known of the chosen particle in the frame of `update`, piece by piece."""
    points = trace.points
    if not len(points):
        return ["not seen yet"]
    last = points[-1]
    pieces = [f"x {last['x']:.2f}   y {last['y']:.2f} px", f"± {last['x_std']:.3f}, {last['y_std']:.3f} px"]
    rows = update.particles[update.particles["id"] == trace.number]
    if len(rows):
        pieces += [f"height {rows['intensity'][0]:.0f}", f"score {rows['score'][0]:.2f}"]
    seen_s = float(points["t_s"][-1] - points["t_s"][0])
    pieces.append(f"{len(points):,} positions in {seen_s:.1f} s")
    missing = update.frame - int(last["frame"])
    if missing > 0 and not len(rows):
        pieces.append(f"not seen for {missing:,} frames")
    return pieces
