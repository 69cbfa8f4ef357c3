"""Particles and trails drawn on the frames of a movie, without a window; colours, trails and labels for windows too.

The modules are imported one by one: `annotated_video` loads what encodes videos.
"""

from __future__ import annotations
