"""Stiffness and diffusion of a trapped particle, for `livetrack listen --trap`."""

from __future__ import annotations

import math

from livetrack.calibrate import Estimate, Medium, TrapMonitor, TrapReading
from livetrack.client import Remote, Update
from livetrack.devices import EXPOSURE
from livetrack.errors import UsageError
from livetrack.particles import Flag

__all__ = ["TrapReadout"]

_LINE_INTERVAL_S = 1.0
_RATE_FRAMES = 32  # from which the frame interval is measured


class TrapReadout:
    """Trap monitor of the engine's target, or of the particle nearest to the image centre; makes a line every second.

    Parameters
    ----------
    address
        The engine's address.
    seconds
        How far back a reading goes.

    Raises
    ------
    UsageError
        The pixel size is not known.
    """

    def __init__(self, address: str, seconds: float = 10.0) -> None:
        with Remote(address) as remote:
            welcome = remote.hello()
            properties = {item.name: item.value for item in remote.properties()}
        if welcome.geometry.pixel_size_um is None:
            raise UsageError("--trap: the pixel size is unknown; set calibration.pixel_size_um")
        self._exposure_s = 1e-3 * float(properties.get(EXPOSURE, 0.0))
        self._medium = Medium(**{name: welcome.calibration[name] for name in Medium.__struct_fields__})
        self._seconds = seconds
        self._geometry = welcome.geometry_number
        self._first: list[tuple[int, float]] = []
        self._monitor: TrapMonitor | None = None
        self._particle: int | None = None
        self._printed_s = -math.inf
        self.reading: TrapReading | None = None
        """The latest."""

    def update(self, update: Update) -> str:
        """Add the particle's position in a frame; return a line when one is due, otherwise an empty string."""
        if update.geometry != self._geometry:  # another objective, ROI or binning: the old positions do not fit
            self._geometry, self._particle = update.geometry, None
        rows = update.particles[(update.particles["flags"] & Flag.COASTED) == 0]  # a coasted position is a prediction
        if self._particle is None or (update.target is not None and update.target != self._particle):
            self._choose(update)
        row = rows[rows["id"] == self._particle]
        if not len(row):
            if self._particle not in update.particles["id"]:
                self._particle = None
            return ""
        if self._monitor is None:
            self._first.append((update.frame, update.t_s))
            if len(self._first) < _RATE_FRAMES:
                return ""
            (frame, t_s), (last, end_s) = self._first[0], self._first[-1]
            self._printed_s = update.t_s
            self._monitor = TrapMonitor((end_s - t_s) / (last - frame), self._exposure_s, self._medium, self._seconds)
        if update.pixel_size_um is None:
            return ""
        position = (float(row[name][0]) * update.pixel_size_um for name in ("x", "y", "x_std", "y_std"))
        self._monitor.add(update.frame, *position)
        if update.t_s - self._printed_s < _LINE_INTERVAL_S:
            return ""
        self._printed_s = update.t_s
        self.reading = self._monitor.reading()
        return _line(self._particle, self.reading, self._medium)

    def _choose(self, update: Update) -> None:
        self._particle, self._monitor, self._first = update.target, None, []
        rows = update.particles
        if self._particle is None and len(rows):
            x, y = (update.width - 1) / 2, (update.height - 1) / 2
            self._particle = int(rows["id"][((rows["x"] - x) ** 2 + (rows["y"] - y) ** 2).argmin()])


def _line(particle: int | None, reading: TrapReading, medium: Medium) -> str:
    x, y = reading.spectrum
    return (
        f"#{particle}  {reading.seconds:.0f} s  stiffness (x, y), pN/µm: equipartition {_pair(reading.equipartition)}, "
        f"power spectrum {_pair((x.stiffness if x else None, y.stiffness if y else None))}; D (x, y), µm²/s: "
        f"{_pair((x.diffusion if x else None, y.diffusion if y else None))}, "
        f"expected for a free particle {medium.diffusion_um2_s:.3g}"
    )


def _pair(values: tuple[Estimate | None, Estimate | None]) -> str:
    return "(" + ", ".join("-" if value is None else f"{value.value:.3g} ± {value.std:.1g}" for value in values) + ")"
