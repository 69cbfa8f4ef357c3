"""Movies with their tracks, frame by frame and in any order, read and tracked by threads; no window."""

from __future__ import annotations
