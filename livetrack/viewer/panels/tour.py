"""The tour of the window at the first start: three steps, shown once."""

from __future__ import annotations

from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["STEPS", "Tour"]

STEPS = (
    (
        "Look around",
        "Scroll to zoom, drag to move the image, press F to fit it again. "
        "Each ring marks a particle; its trail shows where it has been.",
    ),
    (
        "Select a particle",
        "Click one to plot its position, power spectrum and mean squared displacement below the image. "
        "It also becomes the target of control programs.",
    ),
    (
        "Adjust",
        "The controls on the right set exposure, threshold, search radius and model; changes take effect at once. "
        "Press R to record, S to save a snapshot, H to see all shortcuts.",
    ),
)
"""Title and text of each step."""

WIDTH = 372
MARGIN = 18
SEEN = "tour/seen"


class Tour(QtWidgets.QFrame):
    """A card in the lower left corner of `parent`; `store` records that it has been shown."""

    def __init__(self, parent: QtWidgets.QWidget, store: QtCore.QSettings) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setFixedWidth(WIDTH)
        self._store = store
        self.step = 0
        self._dots, self._title, self._text = (QtWidgets.QLabel() for _ in range(3))
        self._dots.setObjectName("note")
        self._title.setObjectName("title")
        self._text.setWordWrap(True)
        self.skip_button, self.next_button = QtWidgets.QPushButton("Skip"), QtWidgets.QPushButton("Next")
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self._dots, 1)
        for button in (self.skip_button, self.next_button):
            button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
            buttons.addWidget(button)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self._text)
        layout.addSpacing(4)
        layout.addLayout(buttons)
        self.skip_button.clicked.connect(self.dismiss)
        self.next_button.clicked.connect(self.next_step)
        parent.installEventFilter(self)
        self._show_step()
        self.setVisible(not store.value(SEEN, False, type=bool))

    def next_step(self) -> None:
        """Show the next step; after the last one, close."""
        self.step += 1
        if self.step == len(STEPS):
            self.dismiss()
        else:
            self._show_step()

    def step_done(self, step: int) -> None:
        """Show the next step if `step` is on display, because the user has just done what it describes."""
        if self.isVisible() and step == self.step:
            self.next_step()

    def dismiss(self) -> None:
        """Close for good."""
        self._store.setValue(SEEN, True)
        self.hide()

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:  # noqa: D102, N802 - Qt's
        if event.type() in (QtCore.QEvent.Type.Resize, QtCore.QEvent.Type.Show):
            self._move()
        return super().eventFilter(watched, event)

    def _show_step(self) -> None:
        title, text = STEPS[self.step]
        self._dots.setText("●  " * (self.step + 1) + "○  " * (len(STEPS) - self.step - 1))
        self._title.setText(title)
        self._text.setText(text)
        self.skip_button.setVisible(self.step + 1 < len(STEPS))
        self.next_button.setText("Done" if self.step + 1 == len(STEPS) else "Next")
        self._move()

    def _move(self) -> None:
        parent = self.parentWidget()
        self.adjustSize()
        if parent is not None:
            self.move(MARGIN, max(0, parent.height() - self.height() - MARGIN))
        self.raise_()
