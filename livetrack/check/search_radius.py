"""Search radius for linking, from the motion and the spacing that were measured."""

from __future__ import annotations

import math

from livetrack.check.measure import ParticleProperties

__all__ = ["suggest_search_radius"]


def suggest_search_radius(particles: ParticleProperties, memory: int) -> tuple[float, str]:
    """Return a search radius and the reason: four rms steps over the longest gap, at least half a diameter.

    Half the distance between neighbours is the limit. A measured step above a quarter of that distance may be chance:
    the rms distance along one axis from a random position to the nearest particle is 0.6 of it.
    """
    half, step, spacing = particles.diameter_px / 2, particles.step_px, particles.spacing_px
    if step is None:
        return _round_up(2 * half), "one diameter, because motion could not be measured"
    if spacing is not None and step > spacing / 4:
        return _round_up(spacing / 2), "half the distance between neighbours, because the measured motion may be chance"
    radius, reason = 4 * step * math.sqrt(memory + 1), f"four rms steps over {memory + 1} frames"
    if radius < half:
        radius, reason = half, "half a diameter, which exceeds the motion"
    if spacing is not None and radius > spacing / 2:
        radius, reason = spacing / 2, "half the distance between neighbours, which the motion may exceed"
    return _round_up(radius), reason


def _round_up(radius: float) -> float:
    return max(1.0, math.ceil(2 * radius) / 2)
