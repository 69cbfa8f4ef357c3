"""Linking: which localisation of one frame belongs to which track of the frames before."""

from __future__ import annotations

from livetrack.linking.linker import Linker

__all__ = ["Linker"]
