"""The actions on the image that every window has: contrast, overlays, zoom, snapshots, theme."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.shortcuts import Shortcut
from livetrack.viewer.theme import PALETTES

__all__ = ["ImageActions"]

ZOOM = 2.0


class ImageActions(QtCore.QObject):
    """One method for each of `shortcuts`, and the `QAction` of `host` that calls it.

    `actions["fit"]` is the `QAction` of the shortcut "fit". Snapshots of `view` are saved in `folder`.
    """

    message = QtCore.Signal(str)
    redraw_requested = QtCore.Signal()
    """An overlay was switched on or off."""
    theme_changed = QtCore.Signal(object)
    """The new `Palette`."""

    def __init__(
        self,
        shortcuts: Iterable[Shortcut],
        host: QtWidgets.QWidget,
        view: ParticleView,
        levels: Levels,
        folder: Path,
    ) -> None:
        super().__init__()
        self._host = host
        self._view = view
        self._levels = levels
        self.folder = folder
        self._actions = {shortcut.name: self._make(shortcut) for shortcut in shortcuts}

    def __getitem__(self, name: str) -> QtGui.QAction:
        return self._actions[name]

    def frame_number(self) -> int | None:
        """Return the number of the frame on display, for the names of snapshots; None if there is none."""
        raise NotImplementedError

    def show_state(self, name: str, on: bool) -> None:
        """Show a checkable action as on or off without carrying it out."""
        action = self[name]
        if action.isChecked() != on:
            action.blockSignals(True)
            action.setChecked(on)
            action.blockSignals(False)

    def set_state(self, name: str, on: bool) -> None:
        """Switch a checkable action on or off and carry it out even where its state is unchanged."""
        self.show_state(name, on)
        getattr(self, name)(on)

    def auto_contrast(self, on: bool) -> None:
        """Adjust black and white to the image, or keep them."""
        self._levels.auto = on

    def trails(self, on: bool) -> None:
        """Show or hide the trails."""
        self._view.trails.setVisible(on)
        self.redraw_requested.emit()

    def labels(self, on: bool) -> None:
        """Show or hide the track ids."""
        self._view.labels.setVisible(on)
        self.redraw_requested.emit()

    def uncertainty(self, on: bool) -> None:
        """Show or hide the uncertainty ellipses."""
        self._view.uncertainty.setVisible(on)
        self.redraw_requested.emit()

    def fit(self) -> None:
        """Fit the image to the window."""
        self._view.fit()

    def zoom_in(self) -> None:
        """Double the magnification."""
        self._view.zoom(ZOOM)

    def zoom_out(self) -> None:
        """Halve the magnification."""
        self._view.zoom(1 / ZOOM)

    def one_to_one(self) -> None:
        """Show one image pixel per screen pixel."""
        self._view.one_to_one()

    def snapshot(self) -> None:
        """Save the view with its overlays as a PNG file."""
        path = self._snapshot_path("")
        self._report_saved(path, self._view.grab().save(str(path)))

    def snapshot_image(self) -> None:
        """Save the image without overlays as a PNG file, pixel by pixel."""
        path = self._snapshot_path("-image")
        pixels = self._view.image.getPixmap()
        self._report_saved(path, pixels is not None and pixels.save(str(path)))

    def light(self, on: bool) -> None:
        """Switch to the light theme, or to the dark one."""
        self.theme_changed.emit(PALETTES["light" if on else "dark"])

    def _make(self, shortcut: Shortcut) -> QtGui.QAction:
        action = QtGui.QAction(shortcut.text, self)
        keys = shortcut.keys.split()
        action.setShortcuts([QtGui.QKeySequence(key) for key in keys])
        action.setToolTip(f"{shortcut.tip} ({keys[0]})")
        method = getattr(self, shortcut.name)
        if shortcut.checkable:
            action.setCheckable(True)
            action.toggled.connect(method)
        else:
            action.triggered.connect(lambda _checked=False: method())
        self._host.addAction(action)
        return action

    def _report_saved(self, path: Path, saved: bool) -> None:
        self.message.emit(
            f"saved {path}" if saved else f"cannot write {path}: check that the folder exists and is writable"
        )

    def _snapshot_path(self, suffix: str) -> Path:
        number = self.frame_number()
        frame = "" if number is None else f"-frame{number}"
        return self.folder / f"livetrack-{time.strftime('%Y%m%d-%H%M%S')}{frame}{suffix}.png"
