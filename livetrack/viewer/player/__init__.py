"""The player: a window with a movie or a recorded session and its tracks."""
