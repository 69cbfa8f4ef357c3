"""What the keys do: a method for each of `keys.KEYS`, by its name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from livetrack.viewer.qt import QtWidgets
from livetrack.viewer.theme import PALETTES, dress

if TYPE_CHECKING:
    from livetrack.viewer.window import Window

__all__ = ["Doings"]

ZOOM = 2.0
_FIELDS = (QtWidgets.QAbstractSpinBox, QtWidgets.QLineEdit, QtWidgets.QComboBox)


class Doings:
    """Works on `window`; snapshots are written to `folder`."""

    def __init__(self, window: Window, folder: Path) -> None:
        self._window = window
        self.folder = folder

    def freeze(self, on: bool) -> None:
        """Hold the picture, or let it go on; what comes meanwhile is still read."""
        self._window.scene.frozen = on

    def pause(self, on: bool) -> None:
        """Have the engine track no more, or track again."""
        self._window.body.controls.pause(on)

    def record(self, on: bool) -> None:
        """Have the engine begin a recording, or end it."""
        self._window.body.controls.record(on)

    def region(self, on: bool) -> None:
        """Show or hide the rectangle that the camera can be told to deliver."""
        self._window.body.region.open(on)
        self._window.bar.keys["set_region"].setEnabled(on)  # else Return is for the fields

    def set_region(self) -> None:
        """Have the camera deliver the rectangle."""
        self._window.body.region.set()

    def contrast(self, on: bool) -> None:
        """Follow the picture's brightness, or keep the levels."""
        self._window.scene.levels.auto = on

    def tails(self, on: bool) -> None:
        """Show or hide the tails."""
        self._window.body.view.tails.setVisible(on)
        self._window.scene.draw_again()

    def labels(self, on: bool) -> None:
        """Show or hide the trajectories' numbers."""
        self._window.body.view.labels.setVisible(on)
        self._window.scene.draw_again()

    def uncertainty(self, on: bool) -> None:
        """Show or hide how sure the positions are."""
        self._window.body.view.uncertainty.setVisible(on)
        self._window.scene.draw_again()

    def fit(self) -> None:
        """Show the whole picture."""
        self._window.body.view.fit()

    def zoom_in(self) -> None:
        """Show everything twice as large."""
        self._window.body.view.zoom(ZOOM)

    def zoom_out(self) -> None:
        """Show everything half as large."""
        self._window.body.view.zoom(1 / ZOOM)

    def one_to_one(self) -> None:
        """Show one pixel of the picture on each of the screen."""
        self._window.body.view.one_to_one()

    def snapshot(self) -> None:
        """Save the view as it is seen as a PNG file, and say where."""
        path = self._picture_path("")
        self._say_saved(path, self._window.body.view.grab().save(str(path)))

    def snapshot_picture(self) -> None:
        """Save the picture alone, each of its pixels one of the file's, and say where."""
        path = self._picture_path("-picture")
        pixels = self._window.body.view.picture.getPixmap()
        self._say_saved(path, pixels is not None and pixels.save(str(path)))

    def plots(self, on: bool) -> None:
        """Show or hide the graphs."""
        self._window.body.pane.setVisible(on)

    def panels(self, on: bool) -> None:
        """Show or hide the panels."""
        self._window.body.sidebar.setVisible(on)

    def light(self, on: bool) -> None:
        """Take the light palette, or the dark one."""
        palette = PALETTES["light" if on else "dark"]
        dress(self._window, palette)
        self._window.bar.paint(palette)
        self._window.body.paint(palette)

    def let_go(self) -> None:
        """Close the help, or the region; else leave the field that is typed into; else choose no particle."""
        keys = self._window.bar.keys
        if keys["help"].isChecked() or keys["region"].isChecked():
            keys["help"].setChecked(False)
            keys["region"].setChecked(False)
        elif isinstance(focus := self._window.focusWidget(), _FIELDS):
            focus.clearFocus()
        else:
            self._window.choose(None)

    def help(self, on: bool) -> None:
        """Show or hide the sheet of keys."""
        self._window.body.help.setVisible(on)

    def _say_saved(self, path: Path, saved: bool) -> None:
        self._window.note(f"saved {path}" if saved else f"cannot write {path}: is the folder there, and writable?")

    def _picture_path(self, ending: str) -> Path:
        update = self._window.scene.shown[1]
        frame = f"-frame{update.frame}" if update else ""
        return self.folder / f"livetrack-{time.strftime('%Y%m%d-%H%M%S')}{frame}{ending}.png"
