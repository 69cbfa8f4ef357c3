"""The diagnostics panel: frame rates, latency of the stages, frame counts, recording, and sub-pixel phase."""

from __future__ import annotations

from livetrack.viewer.analysis import PhaseCounts
from livetrack.viewer.data.status_text import recording_line
from livetrack.viewer.panels.latency_chart import LatencyChart
from livetrack.viewer.panels.phase_chart import PhaseChart
from livetrack.viewer.panels.sidebar import form, note
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import Palette
from livetrack.wire import Status

__all__ = ["DiagnosticsPanel"]

RATES = {
    "camera": "Frames received per second",
    "tracked": "Frames tracked per second",
    "display": "Frames drawn per second",
}
COUNTS = {
    "particles": ("particles", "Particles in the newest frame"),
    "skipped": ("skipped", "Frames received but not tracked, because newer ones came or tracking was paused"),
    "lost": ("lost", "Frames that went missing between the sensor and livetrack"),
    "born": ("tracks started", "Tracks started so far"),
}
"""For each field of the heartbeat, its name and its tooltip."""


class DiagnosticsPanel(QtWidgets.QWidget):
    """Shows the heartbeats while it is visible."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.phases = PhaseCounts()
        self.latency_chart = LatencyChart(palette)
        self.phase_chart = PhaseChart(self.phases, palette)
        self.rates = {name: _figure(tip) for name, tip in RATES.items()}
        self.counts = {name: _count(tip) for name, (_, tip) in COUNTS.items()}
        self.recording = QtWidgets.QLabel()
        self.recording.setObjectName("recordingState")
        self.recording.setWordWrap(True)
        self._lay_out()

    def show_status(self, status: Status | None, display_fps: float) -> None:
        """Show the engine's status, if any, and the display rate."""
        if not self.isVisible():
            return
        self.rates["display"].setText(f"{display_fps:.0f}")
        self.phase_chart.update()
        if status is None:
            return
        self.rates["camera"].setText(f"{status.camera_fps:.0f}")
        self.rates["tracked"].setText(f"{status.tracked_fps:.0f}")
        self.latency_chart.show_latency(status.latency_us)
        for name, label in self.counts.items():
            label.setText(f"{getattr(status, name):,}")
        text = recording_line(status.recording)
        if text != self.recording.text():
            self.recording.setText(text)
            self.recording.setProperty("on", status.recording is not None and not status.recording.problem)
            self.recording.style().polish(self.recording)

    def clear(self) -> None:
        """Drop the data of the last session."""
        self.phases.clear()
        self.latency_chart.show_latency({})
        for label in (*self.rates.values(), *self.counts.values()):
            label.setText("-")

    def _lay_out(self) -> None:
        panel, grid = form()
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(panel)
        counts = {COUNTS[name][0]: label for name, label in self.counts.items()}
        for part in (
            _heading("Frames per second"), _row(self.rates), _heading("Latency, ms"), self.latency_chart, _row(counts),
            _heading("Recording"), self.recording, _heading("Sub-pixel phase"), self.phase_chart,
        ):  # fmt: skip
            grid.addWidget(part, grid.rowCount(), 0, 1, 2)
        self.recording.setText(recording_line(None))
        self.clear()


def _row(labels: dict[str, QtWidgets.QLabel]) -> QtWidgets.QWidget:
    """Return numbers side by side, each with its name below."""
    row = QtWidgets.QWidget()
    grid = QtWidgets.QGridLayout(row)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(0)
    for column, (name, label) in enumerate(labels.items()):
        grid.addWidget(label, 0, column)
        caption = note(name)
        caption.setWordWrap(False)
        grid.addWidget(caption, 1, column)
        grid.setColumnStretch(column, 1)
    return row


def _heading(text: str) -> QtWidgets.QLabel:
    label = note(text)
    label.setContentsMargins(0, 6, 0, 0)
    return label


def _figure(tip: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setObjectName("figure")
    label.setToolTip(tip)
    return label


def _count(tip: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setToolTip(tip)
    label.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
