"""What the keys do, as data: the tool bar, the shortcuts and the help sheet are made from this."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KEYS", "MOUSE", "Key"]


class Key(NamedTuple):
    """One shortcut; it calls the method `name` of `Doings`, with its state if it is a switch."""

    name: str
    text: str
    key: str
    """As Qt spells it; several are parted by a space, and the first is the one that is shown."""
    tip: str
    group: str
    switch: bool = False
    in_bar: bool = True
    """It is a button of the tool bar as well."""


KEYS = (
    Key("freeze", "Freeze", "Space", "Hold the picture still; tracking goes on", "Engine", switch=True),
    Key("pause", "Pause", "P", "Track no frame until it is switched off; the camera goes on", "Engine", switch=True),
    Key("record", "● Record", "R", "Write frames and trajectories to disk", "Engine", switch=True),
    Key("region", "Region", "O", "Choose the part of the image that the camera is to deliver", "Engine", switch=True),
    Key("set_region", "Set region", "Return Enter", "Have the camera deliver the rectangle", "Engine", in_bar=False),
    Key("contrast", "Contrast", "A", "Follow the picture's brightness, or keep the levels", "Picture", switch=True),
    Key("tails", "Tails", "T", "Show where the particles came from", "Picture", switch=True),
    Key("labels", "Ids", "L", "Show the trajectories' numbers", "Picture", switch=True),
    Key("uncertainty", "Uncertainty", "U", "Show how sure each position is, when zoomed in", "Picture", True, False),
    Key("fit", "Fit", "F", "Show the whole picture", "Picture"),
    Key("zoom_in", "Zoom in", "+ =", "Twice as large", "Picture", in_bar=False),
    Key("zoom_out", "Zoom out", "-", "Half as large", "Picture", in_bar=False),
    Key("one_to_one", "1 : 1", "1", "One pixel of the screen for each of the picture", "Picture", in_bar=False),
    Key("snapshot", "Snapshot", "S", "Save the view as a PNG file", "Keep"),
    Key("snapshot_picture", "Picture alone", "Shift+S", "Save it without what is drawn on it", "Keep", False, False),
    Key("plots", "Plots", "G", "Show the graphs of the chosen particle", "Window", switch=True),
    Key("panels", "Panels", "V", "Show the panels at the side", "Window", switch=True),
    Key("light", "Light", "D", "Light or dark", "Window", True, False),
    Key("let_go", "Let go", "Esc", "Close the help, drop the region, choose no particle", "Window", in_bar=False),
    Key("help", "Help", "H ? F1", "Show this sheet", "Window", switch=True),
)  # fmt: skip

MOUSE = (
    ("Click a particle", "Choose it: its graphs, and the target of control"),
    ("Wheel", "Zoom about the mouse"),
    ("Drag", "Move the picture"),
    ("Drag a mark below the histogram", "Set black or white"),
    ("Double click the histogram", "Follow the brightness again"),
)
"""What the mouse does: the gesture, and what it is for."""
