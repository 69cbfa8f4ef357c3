"""Lines about the camera: rate, losses, times, geometry and image."""

from __future__ import annotations

import numpy as np

from livetrack.camera import Camera, Geometry
from livetrack.check.camera_trial import CameraTrial
from livetrack.check.diagnostics import count_copies, is_blank, pixel_diagnostics
from livetrack.check.lines import Line, fault, fine, warn
from livetrack.config import Config
from livetrack.devices import HasOptics
from livetrack.errors import CameraError
from livetrack.session.acquisition import CameraState

__all__ = ["check_camera", "check_geometry", "check_pixels"]

_LONG_GAP, _LONG_GAP_S = 5.0, 0.05  # usual intervals, and s
_SAME_SIZE = 0.01
_OWN_CLOCK_S = 60.0
_POWER = "check its power, its cable, its trigger, and whether another program uses it"
_FEW = 40  # frames after which a driver should have found out what their times are worth


def check_camera(trial: CameraTrial, driver: str) -> list[Line]:
    """Return the lines about the frames that came, or about why none did."""
    lines = []
    if trial.state in (CameraState.FAILED, CameraState.RETRYING) or trial.outages:
        why = trial.message or trial.outage or "it stopped by itself"
        lines.append(fault("camera", f"{driver}: {why}", _POWER))
    if not trial.frames:
        return lines or [_no_frame(trial, driver)]
    if trial.state is CameraState.WAITING:
        lines.append(warn("camera", f"{driver}: {trial.message}", "send triggers during the experiment"))
    elif trial.state is CameraState.STALLED:
        lines.append(fault("camera", f"{driver}: {trial.message}", _POWER))
    return [*lines, _rate_line(trial), _loss_line(trial), _time_line(trial)]


def check_geometry(camera: Camera, config: Config, geometry: Geometry) -> list[Line]:
    """Return the lines about region, binning, pixel size and objective of an open camera."""
    binning = f"binning {geometry.binning}"
    turned = f", {geometry.orientation}" if geometry.orientation else ""
    label = f" of {geometry.camera!r}" if geometry.camera else ""
    lines = [
        fine(
            "geometry",
            f"{geometry.width}x{geometry.height} px{label}, from sensor pixel {geometry.x_origin}, "
            f"{geometry.y_origin} on, {binning}{turned}",
        )
    ]
    if geometry.objective:
        lines.append(fine("objective", geometry.objective))
    return [*lines, _pixel_size_line(camera, config, geometry)]


def check_pixels(trial: CameraTrial) -> list[Line]:
    """Return the lines about the grey levels of the frames that came."""
    last, images = trial.frames[-1].pixels, trial.images
    text = f"{last.dtype}, grey levels {np.min(last):g} to {np.max(last):g}, median {np.median(last):g}"
    lines = [warn("image", finding.text, finding.cure) for finding in pixel_diagnostics(images)]
    copies = 0 if is_blank(images) else count_copies(images)
    if copies:
        repeated = f"{copies} of {len(images)} images are exact copies of the one before: the camera repeats them"
        lines.append(warn("image", repeated))
    return [fine("image", text), *lines]


def _no_frame(trial: CameraTrial, driver: str) -> Line:
    timing = trial.timing
    if timing.waits_for:
        return warn(
            "camera",
            f"{driver}: it waits for {timing.waits_for}, and no frame came; rate, times and image are unknown",
            "let it run during the check",
        )
    why = trial.message or "it is open but sends nothing; is it waiting for a trigger?"
    return fault("camera", f"{driver}: no frame came; {why}", _POWER)


def _rate_line(trial: CameraTrial) -> Line:
    fps, intervals = trial.fps, trial.intervals_s
    if trial.waits:
        return fine("rate", f"as fast as frames are tracked: {len(trial.t_received_ns)} frames came, untracked")
    if fps is None:
        return warn("rate", "a single frame came", "check for longer: --seconds 30")
    usual, longest = float(np.median(intervals)), float(intervals.max())
    total = float(intervals.sum())
    text = f"{fps:.4g} frames/s over {total:.1f} s, one every {_time(usual)}, longest interval {_time(longest)}"
    if longest > max(_LONG_GAP * usual, _LONG_GAP_S):
        return warn("rate", text, "something holds the frames up: close other programs, check cable and power saving")
    return fine("rate", text)


def _loss_line(trial: CameraTrial) -> Line:
    count = len(trial.t_received_ns)
    numbered = any(frame.number is not None for frame in trial.frames)
    lost = f"{trial.lost} lost" if numbered else "losses unknown (the camera gives no frame numbers)"
    text = f"{count} received, {lost}, {trial.repeated} repeated"
    if trial.wrong:
        return warn(
            "frames",
            f"{text}; {trial.wrong} with a number or a time that cannot be true",
            "they are left out or estimated; is the camera's driver up to date?",
        )
    if trial.lost or trial.repeated:
        cure = "a smaller ROI, 8 instead of 16 bits, a faster connection, or a larger buffer loses fewer"
        return warn("frames", text, cure if trial.lost else "the camera delivers frames again; update its driver")
    return fine("frames", text)


def _time_line(trial: CameraTrial) -> Line:
    count = len(trial.t_received_ns)
    if trial.exposed == count:
        text = "of the middle of each exposure, from the camera"
    elif trial.time_source:
        text = f"of receipt, from {trial.time_source}"
    elif _has_own_clock(trial):
        text = "of the camera's own clock, for velocities; of its exposures on this computer's clock it gives none"
    elif trial.waits or count >= _FEW:
        text = "of the arrival of each frame here; the camera gives none of its own"
    else:
        text = "of receipt; too few frames to say from where"
    if trial.untimed:
        return warn(
            "times",
            f"{text}; {trial.untimed} frames waited unread, and their times are estimated",
            "do not rely on velocities of frames with the flag `untimed`",
        )
    return fine("times", text)


def _has_own_clock(trial: CameraTrial) -> bool:
    """Return whether the times for velocities are not those of this computer, as in a movie or a simulation."""
    return any(abs(frame.t_s - frame.t_received_ns * 1e-9) > _OWN_CLOCK_S for frame in trial.frames)


def _pixel_size_line(camera: Camera, config: Config, geometry: Geometry) -> Line:
    used, given = geometry.pixel_size_um, config.calibration.pixel_size_um
    if used is None:
        return warn(
            "pixel size",
            "unknown: positions, speeds and sizes are in px only",
            "set calibration.pixel_size_um, or the pixel size of this objective in Micro-Manager",
        )
    if given is None:
        return fine("pixel size", f"{used:.6g} µm per px, from the camera's driver")
    reported = None
    if isinstance(camera, HasOptics):
        try:
            reported = camera.read_geometry().pixel_size_um
        except CameraError as error:
            return warn("pixel size", f"{used:.6g} µm per px; the devices do not answer: {error}")
    if reported is not None and abs(used / reported - 1) > _SAME_SIZE:
        return warn(
            "pixel size",
            f"{used:.6g} µm per px, by calibration.pixel_size_um; the devices report {reported:.6g} µm",
            "is this the objective that it was measured with?",
        )
    return fine("pixel size", f"{used:.6g} µm per px, by calibration.pixel_size_um")


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"
