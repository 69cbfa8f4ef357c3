"""The panel of instruments: rates, where the time goes, what was missed, the recording, the sub-pixel phase."""

from __future__ import annotations

from livetrack.viewer.analysis import PhaseCounts
from livetrack.viewer.data.status_text import recording_line
from livetrack.viewer.panels.latency_chart import StageChart
from livetrack.viewer.panels.phase_chart import PhaseChart
from livetrack.viewer.panels.sidebar import form, note
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.theme import Palette
from livetrack.wire import Status

__all__ = ["Instruments"]

RATES = {
    "camera": "Frames received a second",
    "tracked": "Frames tracked a second",
    "display": "Pictures drawn a second",
}
COUNTS = {
    "particles": "In the newest frame",
    "skipped": "Frames received but not tracked: a newer one had come",
    "lost": "Frames that the camera took but never delivered",
    "born": "Trajectories begun so far",
}


class Instruments(QtWidgets.QWidget):
    """Reads heartbeats; draws only while it can be seen."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.phases = PhaseCounts()
        self.stages = StageChart(palette)
        self.phase_chart = PhaseChart(self.phases, palette)
        self.figures = {name: _figure(tip) for name, tip in RATES.items()}
        self.counts = {name: _count(tip) for name, tip in COUNTS.items()}
        self.recording = QtWidgets.QLabel()
        self.recording.setObjectName("recordingState")
        self.recording.setWordWrap(True)
        self._lay_out()

    def show_status(self, status: Status | None, display_fps: float) -> None:
        """Show how things stand."""
        if not self.isVisible():
            return
        self.figures["display"].setText(f"{display_fps:.0f}")
        self.phase_chart.update()
        if status is None:
            return
        self.figures["camera"].setText(f"{status.camera_fps:.0f}")
        self.figures["tracked"].setText(f"{status.tracked_fps:.0f}")
        self.stages.show_latency(status.latency_us)
        for name, label in self.counts.items():
            label.setText(f"{getattr(status, name):,}")
        text = recording_line(status.recording)
        if text != self.recording.text():
            self.recording.setText(text)
            self.recording.setProperty("on", status.recording is not None and not status.recording.problem)
            self.recording.style().polish(self.recording)

    def clear(self) -> None:
        """Forget the last engine."""
        self.phases.clear()
        self.stages.show_latency({})
        for label in (*self.figures.values(), *self.counts.values()):
            label.setText("-")

    def _lay_out(self) -> None:
        panel, grid = form()
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(panel)
        for part in (
            _heading("Frames a second"), _row(self.figures), _heading("Latency, ms"), self.stages, _row(self.counts),
            _heading("Recording"), self.recording, _heading("Sub-pixel phase"), self.phase_chart,
        ):  # fmt: skip
            grid.addWidget(part, grid.rowCount(), 0, 1, 2)
        self.recording.setText(recording_line(None))
        self.clear()


def _row(labels: dict[str, QtWidgets.QLabel]) -> QtWidgets.QWidget:
    """Return figures side by side, each with its name below."""
    row = QtWidgets.QWidget()
    grid = QtWidgets.QGridLayout(row)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(0)
    for column, (name, label) in enumerate(labels.items()):
        grid.addWidget(label, 0, column)
        under = note(name)
        under.setWordWrap(False)
        grid.addWidget(under, 1, column)
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
