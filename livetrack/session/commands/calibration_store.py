"""Stores the calibrations of actuators in a file that all sessions share, and finds those that are valid now."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from livetrack.camera import Geometry
from livetrack.devices import ActuatorCalibration
from livetrack.errors import CommandError, UsageError, reason
from livetrack.limits import CALIBRATIONS_BYTES, read_bytes_up_to
from livetrack.whole_file import write_whole

__all__ = ["CalibrationStore", "StoredCalibration"]

_VERSION = 2
_SAME_SIZE = 1e-6  # relative difference of pixel sizes, from rounding


class StoredCalibration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A calibration, and what the image was like besides its binning and pixel size: see `Geometry`.

    The last three are None in calibrations of format 1, which did not record them.
    """

    calibration: ActuatorCalibration
    label: str | None = None
    """Label of the camera."""
    objective: str | None = None
    orientation: str | None = None

    def is_valid(self, geometry: Geometry) -> bool:
        """Whether it was made with this camera, objective, binning, pixel size and orientation.

        One of format 1 is valid if the pixel size distinguishes the objectives, and the image is not turned.
        """
        made = self.calibration
        if made.binning != geometry.binning or not _same_size(made.pixel_size_um, geometry.pixel_size_um):
            return False
        if self.objective is None:
            return not geometry.orientation and (made.pixel_size_um is not None or not geometry.objective)
        return self._image() == (geometry.camera, geometry.objective, geometry.orientation)

    def replaces(self, other: StoredCalibration) -> bool:
        """Whether this one, which is newer, makes `other` superfluous."""
        mine, others = self.calibration, other.calibration
        if (mine.camera, mine.actuator, mine.binning) != (others.camera, others.actuator, others.binning):
            return False
        if other.objective is None:
            return _same_size(mine.pixel_size_um, others.pixel_size_um)
        return self._image() == other._image()

    def describe(self) -> str:
        """Return in a few words what it was made with."""
        size = self.calibration.pixel_size_um
        objective = "an unrecorded objective" if self.objective is None else f"objective {self.objective!r}"
        return _describe(objective if self.objective != "" else "", self.calibration.binning, size, self.orientation)

    def _image(self) -> tuple[str | None, str | None, str | None]:
        return self.label, self.objective, self.orientation


class CalibrationStore:
    """Calibrations by camera, image and actuator, read from `path` and written whenever one is stored.

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
        self._all = _read(self._path) if self._path is not None else []

    def of_camera(self) -> list[StoredCalibration]:
        """Return all calibrations made with this camera."""
        return [item for item in self._all if item.calibration.camera == self._camera]

    def valid(self, geometry: Geometry) -> dict[str, ActuatorCalibration]:
        """Return the calibrations that hold for this geometry, by the actuator's name."""
        valid = [item for item in self.of_camera() if item.is_valid(geometry)]
        valid.sort(key=lambda item: item.objective is not None)  # the last one counts
        return {item.calibration.actuator: item.calibration for item in valid}

    def refusals(self, geometry: Geometry) -> dict[str, str]:
        """Return why no calibration holds, by the name of each actuator that has some for this camera."""
        found: dict[str, list[str]] = {}
        for item in self.of_camera():
            found.setdefault(item.calibration.actuator, []).append(item.describe())
        objective = geometry.objective and f"objective {geometry.objective!r}"
        now = _describe(objective, geometry.binning, geometry.pixel_size_um, geometry.orientation)
        return {
            actuator: f"actuator {actuator!r} was calibrated with {'; with '.join(made)}; now there is {now}: "
            f"calibrate again (`livetrack calibrate {actuator}`)"
            for actuator, made in found.items()
            if actuator not in self.valid(geometry)
        }

    def store(self, calibration: ActuatorCalibration, geometry: Geometry) -> None:
        """Store a calibration that was made with this geometry, in place of an older one for the same image.

        Raises `CommandError` if the file cannot be written.
        """
        new = StoredCalibration(
            calibration=calibration,
            label=geometry.camera,
            objective=geometry.objective,
            orientation=geometry.orientation,
        )
        try:
            stored = _read(self._path) if self._path is not None else self._all  # another session may have written it
        except UsageError as error:
            raise CommandError(str(error)) from None
        kept = [item for item in stored if not new.replaces(item)] + [new]
        if self._path is not None:
            _write(self._path, kept)
        self._all = kept


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    calibrations: list[StoredCalibration]


def _read(path: Path) -> list[StoredCalibration]:
    """Return the calibrations of a file of this format or of format 1, a bare list; none if there is no file."""
    try:
        content: Any = msgspec.json.decode(read_bytes_up_to(path, CALIBRATIONS_BYTES))
        if isinstance(content, list):
            return [StoredCalibration(calibration=item) for item in msgspec.convert(content, list[ActuatorCalibration])]
        version = content.get("version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > _VERSION:
            raise UsageError(
                f"calibration.file {path}: is of format {version}, and this livetrack reads up to {_VERSION}: install "
                "the newer livetrack, or name another file"
            )
        return msgspec.convert(content, _File).calibrations
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"calibration.file {path}: cannot be read: {reason(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"calibration.file {path}: {error}; delete it and run `livetrack calibrate` again") from None


def _write(path: Path, calibrations: list[StoredCalibration]) -> None:
    """Write the file as a whole or not at all."""
    try:
        write_whole(path, msgspec.json.format(msgspec.json.encode(_File(_VERSION, calibrations)), indent=2) + b"\n")
    except OSError as error:
        raise CommandError(f"calibration.file {path}: cannot be written: {reason(error)}") from None


def _same_size(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_SAME_SIZE)


def _describe(objective: str, binning: int, pixel_size_um: float | None, orientation: str | None) -> str:
    size = "no pixel size" if pixel_size_um is None else f"{pixel_size_um:g} µm per px"
    return ", ".join(part for part in (objective, f"binning {binning}", size, orientation) if part)
