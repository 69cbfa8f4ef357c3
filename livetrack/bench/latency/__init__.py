"""Latency bench: from receipt of a frame to a client, guided against full search, trackpy, load and long sessions."""

__all__: list[str] = []
