"""The calibrations of actuators that an engine has: a file beside the settings, one for all sessions."""

from __future__ import annotations

from pathlib import Path

import msgspec

from livetrack.devices import ActuatorCalibration
from livetrack.errors import CommandError, UsageError, reason

__all__ = ["CalibrationStore"]


class CalibrationStore:
    """By the actuator's name; read from `path` at the start, and written there whenever one is stored.

    Parameters
    ----------
    path
        JSON; empty keeps them in memory only.
    camera
        The driver in use: those of others are kept, but not given.

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
        """Return those of this camera."""
        return {each.actuator: each for each in self._all if each.camera == self._camera}

    def store(self, calibration: ActuatorCalibration) -> None:
        """Keep one in place of an older one of the same actuator. Raises `CommandError` where it cannot be written."""
        same = (calibration.camera, calibration.actuator)
        kept = [each for each in self._all if (each.camera, each.actuator) != same] + [calibration]
        if self._path is not None:
            try:
                self._path.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
            except OSError as error:
                raise CommandError(f"calibration.file {self._path}: cannot be written: {reason(error)}") from None
        self._all = kept
