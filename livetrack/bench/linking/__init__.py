"""Linking bench: time per frame, total cost and correct links, compared with other linkers."""

__all__: list[str] = []
