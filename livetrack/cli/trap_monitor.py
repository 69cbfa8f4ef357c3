"""`livetrack listen --trap`: what the chosen particle's positions tell of its trap, once a second."""

from __future__ import annotations

import math

from livetrack.calibrate import Estimate, Medium, TrapMonitor, TrapReading
from livetrack.client import Remote, Update
from livetrack.devices import EXPOSURE
from livetrack.errors import UsageError
from livetrack.particles import Flag

__all__ = ["TrapReadout"]

_TELL_S = 1.0
_LOOKED_AT = 32  # frames, from which the time between two is taken


class TrapReadout:
    """Follows the engine's target, or the particle that is nearest to the middle; `update` returns a line now and then.

    Raises
    ------
    UsageError
        The pixel size is not known.
    """

    def __init__(self, address: str, seconds: float = 10.0) -> None:
        with Remote(address) as remote:
            welcome = remote.hello()
            properties = {each.name: each.value for each in remote.properties()}
        if welcome.geometry.pixel_size_um is None:
            raise UsageError("--trap: the pixel size is not known: set calibration.pixel_size_um")
        self._pixel_um = welcome.geometry.pixel_size_um
        self._exposure_s = 1e-3 * float(properties.get(EXPOSURE, 0.0))
        self._medium = Medium(**{name: welcome.calibration[name] for name in Medium.__struct_fields__})
        self._seconds = seconds
        self._first: list[tuple[int, float]] = []
        self._gauge: TrapMonitor | None = None
        self._particle: int | None = None
        self._told_s = -math.inf
        self.reading: TrapReading | None = None
        """The last."""

    def update(self, update: Update) -> str:
        """Note where the particle is; return a line where it is time for one, else nothing."""
        rows = update.particles[(update.particles["flags"] & Flag.COASTED) == 0]
        if self._particle is None or (update.target is not None and update.target != self._particle):
            self._choose(update)
        row = rows[rows["id"] == self._particle]
        if not len(row):
            gone = self._particle not in update.particles["id"]
            self._particle = None if gone else self._particle
            return ""
        if self._gauge is None:
            self._first.append((update.frame, update.t_s))
            if len(self._first) < _LOOKED_AT:
                return ""
            (frame, t_s), (last, end_s) = self._first[0], self._first[-1]
            self._told_s = update.t_s
            self._gauge = TrapMonitor((end_s - t_s) / (last - frame), self._exposure_s, self._medium, self._seconds)
        place = (float(row[name][0]) * self._pixel_um for name in ("x", "y", "x_std", "y_std"))
        self._gauge.add(update.frame, *place)
        if update.t_s - self._told_s < _TELL_S:
            return ""
        self._told_s = update.t_s
        self.reading = self._gauge.reading()
        return _line(self._particle, self.reading, self._medium)

    def _choose(self, update: Update) -> None:
        self._particle, self._gauge, self._first = update.target, None, []
        rows = update.particles
        if self._particle is None and len(rows):
            x, y = (update.width - 1) / 2, (update.height - 1) / 2
            self._particle = int(rows["id"][((rows["x"] - x) ** 2 + (rows["y"] - y) ** 2).argmin()])


def _line(particle: int | None, reading: TrapReading, medium: Medium) -> str:
    x, y = reading.spectrum
    parts = [
        f"#{particle}  {reading.seconds:.0f} s",
        f"stiffness by equipartition {_pair(reading.equipartition)} pN/µm",
        f"by spectrum {_pair((x.stiffness if x else None, y.stiffness if y else None))} pN/µm",
        f"D {_pair((x.diffusion if x else None, y.diffusion if y else None))} µm²/s "
        f"(free: {medium.diffusion_um2_s:.3g})",
    ]
    return "  ".join(parts)


def _pair(values: tuple[Estimate | None, Estimate | None]) -> str:
    return ", ".join("-" if each is None else f"{each.value:.3g} ± {each.std:.1g}" for each in values)
