"""Stores the calibrations of actuators in a file that all sessions share."""

from __future__ import annotations

from pathlib import Path

import msgspec

from livetrack.devices import ActuatorCalibration
from livetrack.errors import CommandError, UsageError, reason

__all__ = ["CalibrationStore"]


class CalibrationStore:
    """Calibrations by camera driver and actuator, read from `path` and written whenever one is stored.

    Parameters
    ----------
    path
        A JSON file; if empty, calibrations are kept in memory only.
    camera
        The driver in use.

    Raises
    ------
    UsageError
        The file cannot be read.
    """

    def __init__(self, path: str, camera: str) -> None:
        self._path = Path(path) if path else None
        self._camera = camera
        self._all: list[ActuatorCalibration] = []
        if self._path is None or not self._path.exists():
            return
        try:
            self._all = msgspec.json.decode(self._path.read_bytes(), type=list[ActuatorCalibration])
        except OSError as error:
            raise UsageError(f"calibration.file {self._path}: cannot be read: {reason(error)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(
                f"calibration.file {self._path}: {error}; delete it and run `livetrack calibrate` again"
            ) from None

    def for_camera(self) -> dict[str, ActuatorCalibration]:
        """Return the calibrations made with this camera, by the actuator's name."""
        return {item.actuator: item for item in self._all if item.camera == self._camera}

    def store(self, calibration: ActuatorCalibration) -> None:
        """Store a calibration in place of an older one. Raises `CommandError` if the file cannot be written."""
        key = (calibration.camera, calibration.actuator)
        kept = [item for item in self._all if (item.camera, item.actuator) != key] + [calibration]
        if self._path is not None:
            try:
                self._path.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
            except OSError as error:
                raise CommandError(f"calibration.file {self._path}: cannot be written: {reason(error)}") from None
        self._all = kept
