"""The live session: acquisition, the tracking loop, publishing and commands."""
