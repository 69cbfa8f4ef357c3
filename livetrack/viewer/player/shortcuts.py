"""The player's actions as data."""

from __future__ import annotations

from livetrack.viewer.shortcuts import MOUSE_GESTURES, SHORTCUTS, Shortcut

__all__ = ["PLAYER_GESTURES", "PLAYER_SHEET_COLUMNS", "PLAYER_SHORTCUTS"]

_OF_EVERY_WINDOW = {shortcut.name: shortcut for shortcut in SHORTCUTS}

PLAYER_SHORTCUTS = (
    Shortcut("play", "Play", "Space", "Play, or pause", "Play", True, in_tool_bar=False),
    Shortcut("step_back", "Step back", "Left", "Show the frame before", "Play", in_tool_bar=False),
    Shortcut("step", "Step", "Right", "Show the next frame", "Play", in_tool_bar=False),
    Shortcut("jump_back", "Ten back", "Shift+Left", "Go ten frames back", "Play", in_tool_bar=False),
    Shortcut("jump", "Ten forward", "Shift+Right", "Go ten frames forward", "Play", in_tool_bar=False),
    Shortcut("first", "First frame", "Home", "Go to the beginning", "Play", in_tool_bar=False),
    Shortcut("last", "Last frame", "End", "Go to the end", "Play", in_tool_bar=False),
    Shortcut("slower", "Slower", "[ ,", "Play more slowly", "Play", in_tool_bar=False),
    Shortcut("faster", "Faster", "] .", "Play faster", "Play", in_tool_bar=False),
    Shortcut("loop", "Loop", "O", "Begin again after the last frame", "Play", True),
    *(shortcut for shortcut in SHORTCUTS if shortcut.group == "Image"),
    *(shortcut for shortcut in SHORTCUTS if shortcut.group == "Save"),
    Shortcut("save_video", "Save video", "E", "Save the movie with rings and trails as a video", "Save"),
    Shortcut("open", "Open", "Ctrl+O", "Open another movie, or a table of tracks for this one", "Window",
             in_tool_bar=False),
    *(_OF_EVERY_WINDOW[name] for name in ("panels", "light")),
    Shortcut("deselect", "Deselect", "Esc", "Close the help, or deselect", "Window", in_tool_bar=False),
    _OF_EVERY_WINDOW["help"],
)  # fmt: skip

PLAYER_SHEET_COLUMNS = ("Play",), ("Image",), ("Save", "Window")

PLAYER_GESTURES = (
    ("Click a particle", "Select it: show its id, position, uncertainty and track length"),
    ("Drop a file or a folder", "Open a movie or a session, or a table of tracks"),
    *MOUSE_GESTURES[2:],
)
"""Each gesture and its effect."""
