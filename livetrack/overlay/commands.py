"""What the keys do, as data: the tool bar and the shortcuts are made from this."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COMMANDS", "Command"]


class Command(NamedTuple):
    """One button with its key; it calls the method `name` of the window, with its state if it is a switch."""

    name: str
    text: str
    key: str
    tip: str
    switch: bool = False


COMMANDS = (
    Command("pause", "Pause", "Space", "Hold the picture still; tracking goes on", switch=True),
    Command("auto_contrast", "Auto contrast", "A", "Follow the picture's brightness, or keep the levels", switch=True),
    Command("tails", "Tails", "T", "Show where the particles came from", switch=True),
    Command("labels", "Labels", "L", "Show the trajectories' numbers", switch=True),
    Command("fit", "Fit", "F", "Show the whole picture"),
    Command("snapshot", "Snapshot", "S", "Save the view as a PNG file"),
)
