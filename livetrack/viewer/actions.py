"""The actions of the live window: one method for each shortcut, and the `QAction` that calls it."""

from __future__ import annotations

from pathlib import Path

from livetrack.viewer.frame_presenter import FramePresenter
from livetrack.viewer.image_actions import ImageActions
from livetrack.viewer.layout import CentralWidget
from livetrack.viewer.qt import QtCore, QtWidgets
from livetrack.viewer.shortcuts import SHORTCUTS

__all__ = ["ViewerActions"]

_FIELDS = (QtWidgets.QAbstractSpinBox, QtWidgets.QLineEdit, QtWidgets.QComboBox)


class ViewerActions(ImageActions):
    """Acts on the widgets of `central` and on `frame_presenter`; snapshots are saved in `folder`."""

    deselected = QtCore.Signal()
    halt_requested = QtCore.Signal()
    moves_allowed = QtCore.Signal()

    def __init__(self, central: CentralWidget, frame_presenter: FramePresenter, folder: Path) -> None:
        self._central = central
        self._frame_presenter = frame_presenter
        super().__init__(SHORTCUTS, central, central.view, frame_presenter.levels, folder)
        self.redraw_requested.connect(frame_presenter.redraw_particles)

    def frame_number(self) -> int | None:
        """Return the number of the frame on display; None if there is none."""
        update = self._frame_presenter.shown[1]
        return update.frame if update else None

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

    def plots(self, on: bool) -> None:
        """Show or hide the plots of the selected particle."""
        self._central.particle_panel.setVisible(on)

    def panels(self, on: bool) -> None:
        """Show or hide the panels on the right."""
        self._central.sidebar.setVisible(on)

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
