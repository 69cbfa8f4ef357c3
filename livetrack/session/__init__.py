"""Live sessions: acquisition, the tracking loop, publishing and commands."""
