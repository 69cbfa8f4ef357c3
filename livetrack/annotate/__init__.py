"""Particles and trails drawn on the frames of a movie, without a window; colours, trails and labels for windows too."""

from __future__ import annotations

from livetrack.annotate.annotated_video import AnnotatedVideo, playable_rate

__all__ = ["AnnotatedVideo", "playable_rate"]
