"""The calibration of an actuator: how particles move in the image when it moves."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from livetrack.camera import Geometry
from livetrack.errors import UsageError

__all__ = ["ActuatorCalibration"]

Matrix: TypeAlias = tuple[tuple[float, float], tuple[float, float]]


class ActuatorCalibration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How particles move in the image when an actuator of two axes moves: measured by `livetrack calibrate`."""

    actuator: str
    unit: str
    """Unit of the actuator's positions."""
    camera: str
    """Camera driver used for the measurement."""
    matrix: Matrix
    """Motion of the particles, px, per unit of motion along each axis: first row x, second row y."""
    matrix_std: Matrix
    """Standard uncertainty of each element."""
    delay_frames: float
    """Frames between a command sent after a frame and the first frame that shows its full effect; 0: the next one."""
    delay_std_frames: float
    interval_s: float
    """Time between frames during the measurement."""
    binning: int
    """Binning during the measurement; with another one the matrix is not valid. The same holds for the pixel size."""
    pixel_size_um: float | None
    made: str
    """Date and time, ISO 8601."""

    def move(self, dx_px: float, dy_px: float) -> tuple[float, float]:
        """Return the actuator's step that moves the particles by (`dx_px`, `dy_px`)."""
        (a, b), (c, d) = self.matrix
        determinant = a * d - b * c
        return (d * dx_px - b * dy_px) / determinant, (a * dy_px - c * dx_px) / determinant

    def check(self, camera: str, geometry: Geometry) -> None:
        """Raise `UsageError` if the camera, its binning or its pixel size differ from those of the measurement."""
        now = (camera, geometry.binning, geometry.pixel_size_um)
        then = (self.camera, self.binning, self.pixel_size_um)
        if now != then:
            raise UsageError(
                f"the calibration of {self.actuator!r} was made with camera {then[0]}, binning {then[1]}, "
                f"{_size(then[2])}; now they are {now[0]}, {now[1]}, {_size(now[2])}: calibrate again "
                "(`livetrack calibrate`)"
            )


def _size(pixel_size_um: float | None) -> str:
    return "no pixel size" if pixel_size_um is None else f"{pixel_size_um:g} µm per px"
