"""Benchmarks against other software and the physical limit (extra: `bench`). Internal: `livetrack bench` is public."""

__all__: list[str] = []
