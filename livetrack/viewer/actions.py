"""The actions of the window: one method for each shortcut, and the `QAction` that calls it."""

from __future__ import annotations

import time
from pathlib import Path

from livetrack.viewer.frame_presenter import FramePresenter
from livetrack.viewer.layout import CentralWidget
from livetrack.viewer.qt import QtCore, QtGui, QtWidgets
from livetrack.viewer.shortcuts import SHORTCUTS, Shortcut
from livetrack.viewer.theme import PALETTES

__all__ = ["ViewerActions"]

ZOOM = 2.0
_FIELDS = (QtWidgets.QAbstractSpinBox, QtWidgets.QLineEdit, QtWidgets.QComboBox)


class ViewerActions(QtCore.QObject):
    """Acts on the widgets of `central` and on `frame_presenter`; snapshots are saved in `folder`.

    `actions["pause"]` is the `QAction` of the shortcut "pause".
    """

    message = QtCore.Signal(str)
    deselected = QtCore.Signal()
    halt_requested = QtCore.Signal()
    moves_allowed = QtCore.Signal()
    theme_changed = QtCore.Signal(object)
    """The new `Palette`."""

    def __init__(self, central: CentralWidget, frame_presenter: FramePresenter, folder: Path) -> None:
        super().__init__()
        self._central = central
        self._frame_presenter = frame_presenter
        self.folder = folder
        self._actions = {shortcut.name: self._make(shortcut) for shortcut in SHORTCUTS}

    def __getitem__(self, name: str) -> QtGui.QAction:
        return self._actions[name]

    def show_state(self, name: str, on: bool) -> None:
        """Show a checkable action as on or off without carrying it out, when the engine reports its state."""
        action = self[name]
        if action.isChecked() != on:
            action.blockSignals(True)
            action.setChecked(on)
            action.blockSignals(False)

    def set_state(self, name: str, on: bool) -> None:
        """Switch a checkable action on or off and carry it out even where its state is unchanged."""
        self.show_state(name, on)
        getattr(self, name)(on)

    def halt(self) -> None:
        """Stop all motion."""
        self.message.emit("halting all motion ...")
        self.halt_requested.emit()

    def allow_moves(self) -> None:
        """Accept moves again."""
        self.moves_allowed.emit()

    def freeze(self, on: bool) -> None:
        """Freeze the display; incoming data are still read."""
        self._frame_presenter.frozen = on

    def pause(self, on: bool) -> None:
        """Pause tracking in the engine, or resume it."""
        self._central.control_panel.pause(on)

    def record(self, on: bool) -> None:
        """Start a recording in the engine, or stop it."""
        self._central.control_panel.record(on)

    def roi(self, on: bool) -> None:
        """Show or hide the ROI selector."""
        self._central.roi_selector.open(on)
        self["set_roi"].setEnabled(on)  # otherwise Return belongs to the input fields

    def set_roi(self) -> None:
        """Apply the ROI that is selected."""
        self._central.roi_selector.set()

    def auto_contrast(self, on: bool) -> None:
        """Adjust black and white to the image, or keep them."""
        self._frame_presenter.levels.auto = on

    def trails(self, on: bool) -> None:
        """Show or hide the trails."""
        self._central.view.trails.setVisible(on)
        self._frame_presenter.redraw_particles()

    def labels(self, on: bool) -> None:
        """Show or hide the track ids."""
        self._central.view.labels.setVisible(on)
        self._frame_presenter.redraw_particles()

    def uncertainty(self, on: bool) -> None:
        """Show or hide the uncertainty ellipses."""
        self._central.view.uncertainty.setVisible(on)
        self._frame_presenter.redraw_particles()

    def fit(self) -> None:
        """Fit the image to the window."""
        self._central.view.fit()

    def zoom_in(self) -> None:
        """Double the magnification."""
        self._central.view.zoom(ZOOM)

    def zoom_out(self) -> None:
        """Halve the magnification."""
        self._central.view.zoom(1 / ZOOM)

    def one_to_one(self) -> None:
        """Show one image pixel per screen pixel."""
        self._central.view.one_to_one()

    def snapshot(self) -> None:
        """Save the view with its overlays as a PNG file."""
        path = self._snapshot_path("")
        self._report_saved(path, self._central.view.grab().save(str(path)))

    def snapshot_image(self) -> None:
        """Save the image without overlays as a PNG file, pixel by pixel."""
        path = self._snapshot_path("-image")
        pixels = self._central.view.image.getPixmap()
        self._report_saved(path, pixels is not None and pixels.save(str(path)))

    def plots(self, on: bool) -> None:
        """Show or hide the plots of the selected particle."""
        self._central.particle_panel.setVisible(on)

    def panels(self, on: bool) -> None:
        """Show or hide the panels on the right."""
        self._central.sidebar.setVisible(on)

    def light(self, on: bool) -> None:
        """Switch to the light theme, or to the dark one."""
        self.theme_changed.emit(PALETTES["light" if on else "dark"])

    def deselect(self) -> None:
        """Close the help and the ROI selector if open; else leave the input field; else deselect the particle."""
        if self["help"].isChecked() or self["roi"].isChecked():
            self["help"].setChecked(False)
            self["roi"].setChecked(False)
        elif isinstance(focus := self._central.window().focusWidget(), _FIELDS):
            focus.clearFocus()
        else:
            self.deselected.emit()

    def help(self, on: bool) -> None:
        """Show or hide the shortcut sheet."""
        self._central.shortcuts_sheet.setVisible(on)

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
        self._central.addAction(action)
        return action

    def _report_saved(self, path: Path, saved: bool) -> None:
        self.message.emit(
            f"saved {path}" if saved else f"cannot write {path}: check that the folder exists and is writable"
        )

    def _snapshot_path(self, suffix: str) -> Path:
        update = self._frame_presenter.shown[1]
        frame = f"-frame{update.frame}" if update else ""
        return self.folder / f"livetrack-{time.strftime('%Y%m%d-%H%M%S')}{frame}{suffix}.png"
