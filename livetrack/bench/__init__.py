"""Benchmarks, side by side with peers and with the physical limit (extra: bench)."""
