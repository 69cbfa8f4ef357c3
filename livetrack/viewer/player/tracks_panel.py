"""The panel of the player with which tracks are chosen: those that came with the movie, or new ones by a model."""

from __future__ import annotations

from livetrack.config import LocalizerSettings
from livetrack.localize.models import localizer_names
from livetrack.viewer.panels.fields import ChoiceField
from livetrack.viewer.panels.sidebar import form, note
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["TracksPanel"]

SCALES = ("1", "2", "0.5", "0.25", "0.125", "0.0625", "0.03125", "auto")
HINT = "Every frame is tracked again from the first one, as by `livetrack track` with this model and scale."


class TracksPanel(QtWidgets.QWidget):
    """Offers the table that was opened, if there is one, and all models."""

    table_chosen = QtCore.Signal()
    model_chosen = QtCore.Signal(str, str)
    """Model and scale."""

    def __init__(self, settings: LocalizerSettings) -> None:
        super().__init__()
        self._table = ""
        self.source, self.scale = ChoiceField(), ChoiceField()
        self._models = list(dict.fromkeys((settings.model, *localizer_names())))
        self.scale.addItems(list(dict.fromkeys((_scale_text(settings.scale), *SCALES))))
        self.source.setToolTip("The tracks that are shown: of a table, or made by a model")
        self.scale.setToolTip("Scale of the image that is searched: below 1 for particles larger than the model's")
        panel, grid = form()
        for row, (name, field) in enumerate((("Tracks", self.source), ("Scale", self.scale))):
            label = QtWidgets.QLabel(name)
            label.setObjectName("faint")
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(note(HINT), 2, 0, 1, 2)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(panel)
        self.source.currentIndexChanged.connect(lambda _: self._choose())
        self.scale.currentIndexChanged.connect(lambda _: self._choose())
        self.show_table("")

    def show_table(self, name: str) -> None:
        """Offer a table and show that it is chosen; an empty name: offer and choose models only."""
        self._table = name
        model = self.source.currentText() if self.source.currentText() in self._models else self._models[0]
        self.source.blockSignals(True)
        self.source.clear()
        self.source.addItems([name, *self._models] if name else self._models)
        self.source.setCurrentText(name or model)
        self.source.blockSignals(False)
        self.scale.setEnabled(not name)

    def _choose(self) -> None:
        is_table = bool(self._table) and self.source.currentIndex() == 0
        self.scale.setEnabled(not is_table)
        if is_table:
            self.table_chosen.emit()
        else:
            self.model_chosen.emit(self.source.currentText(), self.scale.currentText())


def _scale_text(scale: float | str) -> str:
    return scale if isinstance(scale, str) else f"{scale:g}"
