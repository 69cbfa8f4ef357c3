"""Settings that are each fine and together are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from livetrack.overlay.links import drawable
from livetrack.particles import Rows
from livetrack.wire import Status

__all__ = ["clash", "typical_distance"]

_MOST = 600
"""Particles of which each other's distances are looked at."""
_LATE = 3.0
"""Frame times that frames may wait before it is told."""


def clash(settings: dict[str, Any], status: Status, rows: Rows) -> str:
    """Return what clashes first, and what would put it right; empty where nothing does.

    Parameters
    ----------
    settings
        All settings in force, section by section, as the engine's welcome has them.
    status
        The newest heartbeat.
    rows
        The newest frame's particles.
    """
    publish, camera, linker = (settings.get(section) or {} for section in ("publish", "camera", "linker"))
    if publish.get("preview_fps") == 0:
        return "No picture: publish.preview_fps is 0. Start the engine with --set publish.preview_fps=30"
    wait = status.latency_us.get("wait")
    if camera.get("every_frame") and wait and status.camera_fps and wait.p50 * status.camera_fps > _LATE * 1e6:
        return (
            f"Every frame is tracked and the tracker is behind: frames wait {wait.p50 / 1000:.0f} ms. "
            "camera.every_frame = false takes the newest instead"
        )
    radius_px, apart_px = linker.get("search_radius_px", 0.0), typical_distance(rows)
    if radius_px > apart_px:
        return (
            f"The search radius, {radius_px:g} px, is more than the {apart_px:.1f} px between neighbours: "
            "trajectories may swap. A smaller one, or fewer particles"
        )
    return ""


def typical_distance(rows: Rows) -> float:
    """Return the median distance of a particle from its nearest neighbour, px; infinite for fewer than 8."""
    rows = rows[drawable(rows)][:_MOST]
    if len(rows) < 8:
        return float("inf")
    places = np.stack((rows["x"], rows["y"]), axis=1).astype(np.float64)
    squares = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return float(np.sqrt(np.median(squares.min(axis=1))))
