"""Files that are dragged over a window and dropped on it."""

from __future__ import annotations

from pathlib import Path

from livetrack.viewer.qt import QtCore, QtGui, QtWidgets

__all__ = ["DropArea"]


class DropArea(QtCore.QObject):
    """Lets one file or folder be dropped on `window`, and shows meanwhile what would be done with it.

    `action` says what that is, such as "Open {} in the player".
    """

    dropped = QtCore.Signal(object)
    """The `Path`."""
    refused = QtCore.Signal(str)
    """Why nothing can be done with what was dropped."""

    def __init__(self, window: QtWidgets.QWidget, action: str) -> None:
        super().__init__(window)
        self._window = window
        self._action = action
        self.sign = QtWidgets.QLabel(window)
        self.sign.setObjectName("dropSign")
        self.sign.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self.sign.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.sign.hide()
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:  # noqa: D102, N802 - Qt's
        kind = QtCore.QEvent.Type
        if event.type() == kind.DragLeave:
            self.sign.hide()
        elif isinstance(event, QtGui.QDropEvent) and event.mimeData().hasUrls():  # the events of a drag derive from it
            path, problem = _local_path(event.mimeData())
            event.setDropAction(QtCore.Qt.DropAction.CopyAction)
            event.accept()
            if event.type() == kind.DragEnter:
                self._show(problem or self._action.format(path.name))
            elif event.type() == kind.Drop:
                self.sign.hide()
                if problem:
                    self.refused.emit(problem)
                else:
                    self.dropped.emit(path)
            return True
        return super().eventFilter(watched, event)

    def _show(self, text: str) -> None:
        self.sign.setText(text)
        self.sign.setGeometry(self._window.rect().adjusted(12, 12, -12, -12))
        self.sign.show()
        self.sign.raise_()


def _local_path(data: QtCore.QMimeData) -> tuple[Path, str]:
    """Return what is dragged, and why it cannot be used; the second is empty if it can."""
    urls = data.urls()
    if len(urls) != 1:
        return Path(), f"{len(urls)} files: drop a single one, or the folder of all"
    if not urls[0].isLocalFile():
        return Path(), f"{urls[0].toString()}: not a file of this computer; save it first"
    path = Path(urls[0].toLocalFile())
    return path, "" if path.exists() else f"{path}: there is no such file or folder"
