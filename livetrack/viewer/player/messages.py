"""The player's banner and status line."""

from __future__ import annotations

from pathlib import Path

from livetrack.annotate.trail_segments import drawable
from livetrack.client import Update
from livetrack.particles import Flag
from livetrack.playback.playback import Playback
from livetrack.viewer.data.status_text import Banner

__all__ = ["player_banner", "status_text"]

PATIENCE_S = 0.7
"""Particles are waited for so long without a banner."""
ENOUGH_FRAMES = 20
"""Without a particle in so many frames, a banner says what to try."""


def player_banner(
    playback: Playback | None, path: Path, index: int, failure: str, *, waited_s: float, opening: bool
) -> Banner | None:
    """Return the most important message of the moment."""
    if failure:
        return Banner(failure, True)
    if opening:
        return Banner("Opening ...", False)
    if playback is None:
        return None
    feed, store = playback.feed, playback.feed.store
    if feed.error:
        return Banner(f"Tracks are missing: {feed.error}", True, "tracks")
    if problem := feed.problem or playback.frames.problem:
        return Banner(problem, playback.frames.failed, "movie")
    if not store.known_to and not store.ended:
        return Banner(f"{feed.source.name or 'starting'} ...", False) if waited_s > PATIENCE_S else None
    if waited_s > PATIENCE_S:
        number, known = playback.number(index), store.known_to - 1
        return Banner(f"Frame {number:,} is not tracked yet: every frame is, in order; now frame {known:,}", False)
    last = None if playback.frames.length is None else playback.number(playback.frames.length - 1)
    if store.complete and last is not None and store.known_to - 1 > last:
        name, end = feed.source.name, store.known_to - 1
        return Banner(f"{name} goes on to frame {end:,}, the movie to {last:,}: is it another movie's?", False, "table")
    if not store.row_count and (store.complete or store.known_to >= ENOUGH_FRAMES):
        return Banner(f"No particles found; `livetrack check {path}` suggests a model and a scale", False, "none")
    if playback.movie.notes:
        return Banner("; ".join(playback.movie.notes), False, "notes")
    return None


def status_text(playback: Playback, update: Update | None, stride: int, known: int) -> str:
    """Return what is shown: particles, source of the tracks, how far these are known, and which frames."""
    items = []
    if update is not None:
        seen = drawable(update.particles) & (update.particles["flags"] & Flag.COASTED == 0)
        count = int(seen.sum())
        items.append(f"{count:,} particle{'' if count == 1 else 's'}")
    feed = playback.feed
    if feed.source.name and not feed.error:
        items.append(feed.source.name)
    if not feed.store.ended:
        items.append(f"{known:,} of {playback.frames.read_to:,} frames tracked")
    if stride > 1:
        items.append(f"every {stride}. frame shown")
    return "     ".join(items)
