"""`Learn this particle`: starts the training, shows its progress, and hands the model to the engine."""

from __future__ import annotations

from pathlib import Path

from livetrack.client.address import is_local
from livetrack.viewer.data.learning import LearningProcess
from livetrack.viewer.layout import CentralWidget

__all__ = ["LearnPresenter"]


class LearnPresenter:
    """Connects the button of the particle panel, the training, and the bar; models are saved in `folder`."""

    def __init__(self, address: str, central: CentralWidget, folder: Path) -> None:
        self._address = address
        self._central = central
        self.process = LearningProcess(folder)
        bar = central.learn_bar
        central.particle_panel.learn_requested.connect(self._start)
        self.process.progressed.connect(bar.show_progress)
        self.process.finished.connect(self._offer)
        self.process.failed.connect(self._fail)
        bar.cancelled.connect(self._cancel)
        bar.accepted.connect(self._use)
        bar.declined.connect(lambda: bar.show_message(f"the model is saved: {self.process.model}"))

    def close(self) -> None:
        """Cancel the training, if one runs."""
        self.process.cancel()

    def _start(self) -> None:
        trace = self._central.particle_panel.trace
        if trace is None or not len(trace.points) or self.process.running:
            return
        last = trace.points[-1]
        self._central.learn_bar.begin(trace.track_id)
        self._central.particle_panel.learn_button.setEnabled(False)
        self.process.start(self._address, trace.track_id, (float(last["x"]), float(last["y"])))

    def _offer(self, accuracy: str) -> None:
        self._central.particle_panel.learn_button.setEnabled(True)
        if is_local(self._address):
            self._central.learn_bar.offer(accuracy)
        else:
            self._central.learn_bar.show_message(
                f"{accuracy} Copy {self.process.model} to the engine's computer, and enter its name there under Model."
            )

    def _fail(self, reason: str) -> None:
        self._central.particle_panel.learn_button.setEnabled(True)
        self._central.learn_bar.show_message(reason)

    def _cancel(self) -> None:
        self.process.cancel()
        self._central.particle_panel.learn_button.setEnabled(True)
        self._central.learn_bar.hide()

    def _use(self) -> None:
        self._central.control_panel.use_model(str(self.process.model.resolve()))
        self._central.learn_bar.hide()
