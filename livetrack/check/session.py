"""Checks the settings of a live session: what it would do, whether its parts work, and what could spoil it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from msgspec import Struct, structs

from livetrack.camera import Camera, Geometry, load_driver
from livetrack.check.annotated_image import require_png
from livetrack.check.camera_lines import check_camera, check_geometry, check_pixels
from livetrack.check.camera_trial import CameraTrial, try_camera
from livetrack.check.computer_lines import check_addresses, check_disk
from livetrack.check.device_lines import check_devices
from livetrack.check.lines import Grade, Line, fault, fine, format_lines, worst
from livetrack.check.model_lines import check_model
from livetrack.config import Config, load_config
from livetrack.errors import LivetrackError
from livetrack.session.acquisition import Acquisition

__all__ = ["SessionReport", "check_session", "session_text"]


class SessionReport(Struct, frozen=True, kw_only=True):
    """Result of `check_session`; `msgspec.json.encode` writes it as JSON."""

    settings: str
    """Name of the settings."""
    grade: Grade
    """The worst of all lines."""
    lines: list[Line]
    geometry: Geometry | None = None
    """Of the last frame, or of the open camera; None if it does not open."""
    dtype: str = ""
    """Type of the pixels; empty if no frame came."""
    fps: float | None = None
    frames: int = 0
    lost: int = 0
    repeated: int = 0
    untimed: int = 0
    particles: int | None = None
    """In the last frame tried; None if none was."""
    picture: str = ""


def check_session(
    config: Config, name: str, picture: str | Path | None = None, *, seconds: float | None = None
) -> SessionReport:
    """Check the settings `config`, called `name`: open the camera as a session does, and run it for some seconds.

    Beyond what `config` sets when the camera is opened, nothing is set or moved, and the light is as it was before.
    What cannot be used makes a line of the report; the rest is checked all the same.

    Parameters
    ----------
    config, name
        The settings, and their name for the report.
    picture
        PNG file to write: the last frame tried with the particles found; None writes none.
    seconds
        Time for which the camera runs after its first frame; default: 5, or longer than two exposures.

    Raises
    ------
    UsageError
        The suffix of `picture` is not `.png`.
    """
    if picture is not None:
        require_png(Path(picture))
    note = ", all defaults" if config == load_config() and not name.startswith("defaults") else ""
    lines = [fine("settings", f"{name}: valid{note}")]
    report = SessionReport(settings=name, grade=Grade.FINE, lines=lines)
    trial = None
    try:
        camera = load_driver(config.camera.driver)(config.driver_settings)
        trial, report = _run_camera(camera, config, report, seconds)
    except LivetrackError as error:
        lines.append(fault("camera", str(error)))
    if trial is not None and trial.frames:
        model_lines, particles, written = check_model(config, trial, None if picture is None else Path(picture))
        lines += model_lines
        report = structs.replace(report, particles=particles, picture=written)
    elif trial is None or not trial.frames:
        lines += check_model(config, None, None)[0]
    size = trial.frames[-1].pixels.nbytes if trial is not None and trial.frames else 0
    rate = None if report.fps is None else report.fps * size
    lines += [check_disk(config.record, rate), *check_addresses(config.publish)]
    if report.picture:
        lines.append(Line("picture", report.picture))
    return structs.replace(report, grade=worst(lines))


def session_text(report: SessionReport, width: int | None = None) -> str:
    """Return the report as lines of text, of at most `width` characters, with a summary at the end."""
    counts = [(sum(line.grade is grade for line in report.lines), grade) for grade in (Grade.FAULT, Grade.WARNING)]
    found = [f"{count} {grade}{'s' if count > 1 else ''}" for count, grade in counts if count]
    return "\n".join([*format_lines(report.lines, width), "", ", ".join(found) or "everything is fine"])


def _run_camera(
    camera: Camera, config: Config, report: SessionReport, seconds: float | None
) -> tuple[CameraTrial, SessionReport]:
    """Open the camera, run it, and close it; return what it delivered, and the report with its lines."""
    acquisition = Acquisition(camera, config.camera, pixel_size_um=config.calibration.pixel_size_um)
    lines = report.lines
    geometry = acquisition.open()
    try:
        lines.append(fine("camera", f"{config.camera.driver}: opens" + _exposure(camera)))
        device_lines = check_devices(camera, config, geometry)
        geometry_lines = check_geometry(camera, config, geometry)
        trial = try_camera(acquisition, camera, seconds)
    finally:
        with suppress(LivetrackError):
            acquisition.close(restore_light=True)
    lines += check_camera(trial, config.camera.driver)
    if trial.frames:
        geometry = trial.frames[-1].geometry
        lines += check_pixels(trial)
    lines += [*geometry_lines, *device_lines]
    report = structs.replace(
        report,
        geometry=geometry,
        dtype=str(trial.frames[-1].pixels.dtype) if trial.frames else "",
        fps=None if trial.waits else trial.fps,
        frames=len(trial.t_received_ns),
        lost=trial.lost,
        repeated=trial.repeated,
        untimed=trial.untimed,
    )
    return trial, report


def _exposure(camera: Camera) -> str:
    from livetrack.devices import EXPOSURE, HasProperties

    if not isinstance(camera, HasProperties):
        return ""
    found = [each for each in camera.properties() if each.name == EXPOSURE]
    return f", exposure {found[0].value:g} ms" if found else ""
