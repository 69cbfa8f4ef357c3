"""Benchmarks, side by side with peers and with the physical limit (extra: bench).

The images are made here and not by `livetrack.optics`, whose errors a comparison would otherwise share.
"""
