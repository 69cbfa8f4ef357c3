"""The bar that shows the training of a particle's model, and offers the model at the end."""

from __future__ import annotations

from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["LearnBar"]

STEPS = 1000  # of the progress bar
BAR_WIDTH = 160


class LearnBar(QtWidgets.QFrame):
    """Above the particle panel, from the start of a training until the user has decided what to do with the model."""

    cancelled = QtCore.Signal()
    accepted = QtCore.Signal()
    """The session is to use the model."""
    declined = QtCore.Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("pane")
        self._title, self._text = QtWidgets.QLabel(), QtWidgets.QLabel()
        self._title.setObjectName("title")
        self._text.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        self._bar = QtWidgets.QProgressBar()
        self._bar.setRange(0, STEPS)
        self._bar.setFixedWidth(BAR_WIDTH)
        self.cancel_button = _button("Cancel", "Stop the training and delete its files")
        self.use_button = _button("Use it", "Make the session use this model")
        self.keep_button = _button("Keep the present one", "Leave the session as it is; the model's file is kept")
        self.close_button = _button("Close", "")
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(16, 6, 12, 6)
        row.setSpacing(12)
        row.addWidget(self._title)
        row.addWidget(self._bar)
        row.addWidget(self._text, 1)
        for button in (self.cancel_button, self.use_button, self.keep_button, self.close_button):
            row.addWidget(button)
        self.cancel_button.clicked.connect(self.cancelled)
        self.use_button.clicked.connect(self.accepted)
        self.keep_button.clicked.connect(self.declined)
        self.close_button.clicked.connect(self.hide)
        self.hide()

    @property
    def text(self) -> str:
        """The line on display."""
        return self._text.text()

    def begin(self, track_id: int) -> None:
        """Show that this particle is being learnt."""
        self._title.setText(f"Learning #{track_id}")
        self.show_progress(0.0, "starting")
        self._show(self._bar, self.cancel_button)

    def show_progress(self, fraction: float, text: str) -> None:
        """Show the fraction done, 0..1, and a line of text."""
        self._bar.setValue(round(STEPS * fraction))
        self._show_text(text)

    def offer(self, text: str) -> None:
        """Offer the model, with its accuracy."""
        self._title.setText("Learnt")
        self._show_text(text)
        self._show(self.use_button, self.keep_button)

    def show_message(self, text: str) -> None:
        """Show how the training ended, until the bar is closed."""
        self._show_text(text)
        self._show(self.close_button)

    def _show_text(self, text: str) -> None:
        self._text.setText(text)
        self._text.setToolTip(text)

    def _show(self, *widgets: QtWidgets.QWidget) -> None:
        for widget in (self._bar, self.cancel_button, self.use_button, self.keep_button, self.close_button):
            widget.setVisible(widget in widgets)
        self.show()


def _button(text: str, tip: str) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
    return button
