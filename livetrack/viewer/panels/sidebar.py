"""The sidebar: panels one below the other, each opened and closed by its heading."""

from __future__ import annotations

from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["Section", "Sidebar", "form", "note"]

WIDTH = 352


class Section(QtWidgets.QWidget):
    """A panel, and a heading that shows and hides it."""

    def __init__(self, title: str, panel: QtWidgets.QWidget) -> None:
        super().__init__()
        self.heading = QtWidgets.QToolButton()
        self.heading.setObjectName("section")
        self.heading.setText(title.upper())
        self.heading.setCheckable(True)
        self.heading.setChecked(True)
        self.heading.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        policy = QtWidgets.QSizePolicy.Policy
        self.heading.setSizePolicy(policy.Expanding, policy.Fixed)
        self.heading.toggled.connect(self._open)
        self._panel = panel
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.heading)
        layout.addWidget(panel)
        self._open(True)

    def _open(self, on: bool) -> None:
        self.heading.setArrowType(QtCore.Qt.ArrowType.DownArrow if on else QtCore.Qt.ArrowType.RightArrow)
        self._panel.setVisible(on)


class Sidebar(QtWidgets.QScrollArea):
    """A scrolling column of sections."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("sidebar")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedWidth(WIDTH)
        self.sections: dict[str, Section] = {}
        column = QtWidgets.QWidget()
        column.setObjectName("column")
        self._layout = QtWidgets.QVBoxLayout(column)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._layout.addStretch(1)
        self.setWidget(column)

    def add(self, title: str, panel: QtWidgets.QWidget) -> None:
        """Add a panel at the bottom."""
        self.sections[title] = Section(title, panel)
        self._layout.insertWidget(self._layout.count() - 1, self.sections[title])


def form() -> tuple[QtWidgets.QWidget, QtWidgets.QGridLayout]:
    """Return an empty panel and its grid, with labels in column 0 and fields in column 1."""
    panel = QtWidgets.QWidget()
    grid = QtWidgets.QGridLayout(panel)
    grid.setContentsMargins(12, 2, 14, 10)
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(5)
    grid.setColumnStretch(1, 1)
    return panel, grid


def note(text: str = "") -> QtWidgets.QLabel:
    """Return a small line of explanation."""
    label = QtWidgets.QLabel(text)
    label.setObjectName("note")
    label.setWordWrap(True)
    return label
