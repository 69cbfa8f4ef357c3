"""The guide of the first start: three steps, shown once."""

from __future__ import annotations

from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["STEPS", "Guide"]

STEPS = (
    (
        "Look around",
        "The wheel zooms, dragging moves the picture, F shows all of it again. "
        "Each ring is a particle, its tail is where it came from.",
    ),
    (
        "Choose a particle",
        "Click one: below the picture you see its path, its spectrum and how far it wanders. "
        "It is also the target for whoever controls.",
    ),
    (
        "Take hold",
        "At the right are the controls: exposure, threshold, search radius, model; each takes effect at once. "
        "R records, S keeps a picture, H shows all the keys.",
    ),
)
"""Title and text of each."""

WIDTH = 372
MARGIN = 18
KEY = "guide/seen"


class Guide(QtWidgets.QFrame):
    """A card in the lower left corner of `parent`; `store` remembers that it has been seen."""

    def __init__(self, parent: QtWidgets.QWidget, store: QtCore.QSettings) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setFixedWidth(WIDTH)
        self._store = store
        self.step = 0
        self._number, self._title, self._text = (QtWidgets.QLabel() for _ in range(3))
        self._number.setObjectName("note")
        self._title.setObjectName("title")
        self._text.setWordWrap(True)
        self.skip, self.next = QtWidgets.QPushButton("Skip"), QtWidgets.QPushButton("Next")
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self._number, 1)
        for button in (self.skip, self.next):
            button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
            buttons.addWidget(button)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self._text)
        layout.addSpacing(4)
        layout.addLayout(buttons)
        self.skip.clicked.connect(self.dismiss)
        self.next.clicked.connect(self.go_on)
        parent.installEventFilter(self)
        self._show_step()
        self.setVisible(not store.value(KEY, False, type=bool))

    def go_on(self) -> None:
        """Show the next step; after the last one, go."""
        self.step += 1
        if self.step == len(STEPS):
            self.dismiss()
        else:
            self._show_step()

    def done(self, step: int) -> None:
        """Go on if `step` is shown: the user has just done what it tells of."""
        if self.isVisible() and step == self.step:
            self.go_on()

    def dismiss(self) -> None:
        """Go, and do not come again."""
        self._store.setValue(KEY, True)
        self.hide()

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:  # noqa: D102, N802 - Qt's
        if event.type() in (QtCore.QEvent.Type.Resize, QtCore.QEvent.Type.Show):
            self._place()
        return super().eventFilter(watched, event)

    def _show_step(self) -> None:
        title, text = STEPS[self.step]
        self._number.setText("●  " * (self.step + 1) + "○  " * (len(STEPS) - self.step - 1))
        self._title.setText(title)
        self._text.setText(text)
        self.skip.setVisible(self.step + 1 < len(STEPS))
        self.next.setText("Done" if self.step + 1 == len(STEPS) else "Next")
        self._place()

    def _place(self) -> None:
        parent = self.parentWidget()
        self.adjustSize()
        if parent is not None:
            self.move(MARGIN, max(0, parent.height() - self.height() - MARGIN))
        self.raise_()
