"""A line about the selected particle."""

from __future__ import annotations

import numpy as np

from livetrack.annotate.colours import track_colour
from livetrack.particles import Flag
from livetrack.playback.track_store import TrackSpan
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["ParticleBar", "particle_facts"]

HINT = "Click a particle for its id, position, uncertainty and track length"


class ParticleBar(QtWidgets.QFrame):
    """Below the image: id, position, uncertainty and track length."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("pane")
        self.name, self.facts = QtWidgets.QLabel(), QtWidgets.QLabel(HINT)
        self.name.setObjectName("title")
        self.facts.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(16, 5, 12, 5)
        row.setSpacing(14)
        row.addWidget(self.name)
        row.addWidget(self.facts, 1)
        self.setFixedHeight(36)
        self.show_particle(None, None, None, None)

    def show_particle(
        self, track_id: int | None, row: np.void | None, span: TrackSpan | None, pixel_size_um: float | None
    ) -> None:
        """Show the selected particle in one frame; a `row` of None: it is not in it; without an id, a hint."""
        self.name.setVisible(track_id is not None)
        self.facts.setEnabled(track_id is not None)
        if track_id is None:
            self.facts.setText(HINT)
            return
        if self.name.text() != f"#{track_id}":
            self.name.setText(f"#{track_id}")
            self.name.setStyleSheet(f"color: {track_colour(track_id)};")
        text = "     ".join(particle_facts(row, span, pixel_size_um))
        right = QtCore.Qt.TextElideMode.ElideRight
        self.facts.setText(self.facts.fontMetrics().elidedText(text, right, self.facts.width()))
        self.facts.setToolTip(text)


def particle_facts(row: np.void | None, span: TrackSpan | None, pixel_size_um: float | None) -> list[str]:
    """Return position, uncertainty, intensity and score in one frame, and the length of the track."""
    items = []
    if row is None:
        items.append("not in this frame")
    else:
        items.append(f"x {row['x']:.2f}   y {row['y']:.2f} px")
        if np.isfinite(row["x_std"]) and np.isfinite(row["y_std"]):
            items.append(f"± {row['x_std']:.3f}, {row['y_std']:.3f} px")
    if span is not None:
        plural = "s" if span.positions > 1 else ""
        items.append(f"{span.positions:,} position{plural}, frames {span.first:,} to {span.last:,}")
    if row is None:
        return items
    if row["flags"] & Flag.COASTED:
        items.append("predicted, not seen in this frame")
    elif np.isfinite(row["intensity"]) and np.isfinite(row["score"]):
        items.append(f"intensity {row['intensity']:.0f}   score {row['score']:.2f}")
    if pixel_size_um:
        items.append(f"{row['x'] * pixel_size_um:.3f}, {row['y'] * pixel_size_um:.3f} µm")
    return items
