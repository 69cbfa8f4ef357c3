"""The window's actions as data; the tool bar, the keyboard shortcuts and the shortcut sheet are made from it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MOUSE_GESTURES", "SHEET_COLUMNS", "SHORTCUTS", "Shortcut"]


class Shortcut(NamedTuple):
    """One action of the window, carried out by the method `name` of its `ImageActions`."""

    name: str
    text: str
    keys: str
    """Qt key sequences separated by spaces; the first one is shown on the button."""
    tip: str
    group: str
    checkable: bool = False
    """The action is on or off, and its method receives the new state."""
    in_tool_bar: bool = True


SHORTCUTS = (
    Shortcut("halt", "■ Halt", "F12 X", "Stop all motion at once, and refuse moves until they are allowed again",
             "Engine"),
    Shortcut("allow_moves", "Allow moves", "Shift+F12", "Accept moves again after a halt", "Engine", in_tool_bar=False),
    Shortcut("freeze", "Freeze", "Space", "Freeze the display; tracking continues", "Engine", True),
    Shortcut("pause", "Pause tracking", "P", "Stop tracking; the camera and the recording continue",
             "Engine", True),
    Shortcut("record", "● Record", "R", "Write frames and tracks to disk", "Engine", True),
    Shortcut("roi", "ROI", "O", "Select the camera's region of interest", "Engine", True),
    Shortcut("set_roi", "Set ROI", "Return Enter", "Apply the selected ROI", "Engine", in_tool_bar=False),
    Shortcut("auto_contrast", "Auto contrast", "A", "Adjust black and white automatically", "Image", True),
    Shortcut("trails", "Trails", "T", "Show where the particles have been", "Image", True),
    Shortcut("labels", "IDs", "L", "Show the track ids", "Image", True),
    Shortcut("uncertainty", "Uncertainty", "U", "Show uncertainty ellipses when zoomed in", "Image", True,
             in_tool_bar=False),
    Shortcut("fit", "Fit", "F", "Fit the image to the window", "Image"),
    Shortcut("zoom_in", "Zoom in", "+ =", "Twice as large", "Image", in_tool_bar=False),
    Shortcut("zoom_out", "Zoom out", "-", "Half as large", "Image", in_tool_bar=False),
    Shortcut("one_to_one", "1 : 1", "1", "One screen pixel per image pixel", "Image", in_tool_bar=False),
    Shortcut("snapshot", "Snapshot", "S", "Save the view as a PNG file", "Save"),
    Shortcut("snapshot_image", "Image only", "Shift+S", "Save the image without overlays", "Save", in_tool_bar=False),
    Shortcut("plots", "Plots", "G", "Show the plots of the selected particle", "Window", True),
    Shortcut("panels", "Panels", "V", "Show the panels on the right", "Window", True),
    Shortcut("light", "Light theme", "D", "Switch between the light and the dark theme", "Window", True,
             in_tool_bar=False),
    Shortcut("deselect", "Deselect", "Esc", "Close the help or the ROI selector, or deselect", "Window",
             in_tool_bar=False),
    Shortcut("help", "Help", "H ? F1", "Show all shortcuts", "Window", True),
)  # fmt: skip

SHEET_COLUMNS = ("Engine", "Save"), ("Image",), ("Window",)
"""The groups in each column of the shortcut sheet."""

MOUSE_GESTURES = (
    ("Click a particle", "Select it: show its plots and make it the target"),
    ("Drop a movie", "Open it in the player"),
    ("Wheel", "Zoom about the cursor"),
    ("Drag", "Move the image"),
    ("Drag a marker below the histogram", "Set black or white"),
    ("Double-click the histogram", "Switch auto contrast on"),
)
"""Each gesture and its effect."""
