"""Feedback bench: closed loops in lock-step and in real time, and trap calibration, against theory."""

__all__: list[str] = []
