"""The actions of the player."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from livetrack.viewer.canvas.view import ParticleView
from livetrack.viewer.data.levels import Levels
from livetrack.viewer.image_actions import ImageActions
from livetrack.viewer.player.shortcuts import PLAYER_SHORTCUTS
from livetrack.viewer.qt import QtCore, QtWidgets

__all__ = ["Player", "PlayerActions"]

JUMP_FRAMES = 10


class Player(Protocol):
    """What the actions act on."""

    playing: bool
    index: int

    def play(self, on: bool) -> None:
        """Play, or pause."""

    def seek(self, index: int) -> None:
        """Show another frame."""

    def last(self) -> int:
        """Return the index of the last frame."""

    def shown_number(self) -> int | None:
        """Return the number of the frame on display."""


class PlayerActions(ImageActions):
    """One method for each of `PLAYER_SHORTCUTS`."""

    deselected = QtCore.Signal()
    open_requested = QtCore.Signal()
    video_requested = QtCore.Signal()
    speed_changed = QtCore.Signal(int)
    """By so many places in the list."""
    panels_shown = QtCore.Signal(bool)
    help_shown = QtCore.Signal(bool)

    def __init__(
        self, player: Player, host: QtWidgets.QWidget, view: ParticleView, levels: Levels, folder: Path
    ) -> None:
        self._player = player
        super().__init__(PLAYER_SHORTCUTS, host, view, levels, folder)

    def frame_number(self) -> int | None:
        """Return the number of the frame on display."""
        return self._player.shown_number()

    def play(self, on: bool) -> None:
        """Play, or pause."""
        self._player.play(on)

    def step_back(self) -> None:
        """Show the frame before."""
        self._go(-1)

    def step(self) -> None:
        """Show the next frame."""
        self._go(1)

    def jump_back(self) -> None:
        """Go some frames back."""
        self._go(-JUMP_FRAMES)

    def jump(self) -> None:
        """Go some frames forward."""
        self._go(JUMP_FRAMES)

    def first(self) -> None:
        """Go to the beginning."""
        self._player.seek(0)

    def last(self) -> None:
        """Go to the end."""
        self._player.seek(self._player.last())

    def slower(self) -> None:
        """Play more slowly."""
        self.speed_changed.emit(-1)

    def faster(self) -> None:
        """Play faster."""
        self.speed_changed.emit(1)

    def loop(self, on: bool) -> None:
        """Begin again after the last frame, or stop there; the player reads the state of the action."""

    def open(self) -> None:
        """Ask for another movie."""
        self.open_requested.emit()

    def save_video(self) -> None:
        """Ask for the name of a video, and save it."""
        self.video_requested.emit()

    def panels(self, on: bool) -> None:
        """Show or hide the panels on the right."""
        self.panels_shown.emit(on)

    def deselect(self) -> None:
        """Close the help if it is open; else leave the input field; else deselect the particle."""
        if self["help"].isChecked():
            self["help"].setChecked(False)
        elif isinstance(focus := self._host.window().focusWidget(), QtWidgets.QAbstractSpinBox):
            focus.clearFocus()
        else:
            self.deselected.emit()

    def help(self, on: bool) -> None:
        """Show or hide the shortcut sheet."""
        self.help_shown.emit(on)

    def _go(self, frames: int) -> None:
        self._player.play(False)
        self._player.seek(self._player.index + frames)
