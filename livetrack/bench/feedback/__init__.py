"""Feedback against theory: the whole loop in lock-step and in real time, and the calibration of a trap."""
