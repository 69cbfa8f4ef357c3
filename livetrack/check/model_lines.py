"""Lines about the model of the settings: whether it can be used, and what it finds in the frames that came."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from livetrack.check.annotated_image import save_annotated_image
from livetrack.check.camera_trial import CameraTrial
from livetrack.check.comparison import agreement_diagnostics, compare, score_marks
from livetrack.check.diagnostics import is_blank, particle_diagnostics
from livetrack.check.lines import Line, fault, fine, warn
from livetrack.check.measure import measure_particles
from livetrack.config import Config
from livetrack.errors import LivetrackError
from livetrack.particles import Rows
from livetrack.tracker import Tracker

__all__ = ["check_model"]

_MIN_TRIED, _MAX_TRIED_MS = 3, 2000.0  # frames; time after which no further one is searched
_MEASURED = 8  # frames
_DIAMETER_PX = 8.0  # of the circles, if it cannot be measured


def check_model(config: Config, trial: CameraTrial | None, picture: Path | None) -> tuple[list[Line], int | None, str]:
    """Load the model and search frames of `trial`, if there are any; the last one is drawn into `picture`.

    Returns the lines, the number of particles in the last frame that was searched, and the file written, or "".
    """
    try:
        tracker = Tracker.from_config(config)
    except LivetrackError as error:
        return [fault("model", str(error))], None, ""
    localizer = tracker.localizer
    name = f"{localizer.name} on {localizer.provider}"
    if trial is None:
        return [fine("model", f"{name}: loaded, and not tried without a frame")], None, ""
    images = trial.images
    try:
        tracker.warmup((images[0].shape[0], images[0].shape[1]), (images[0].dtype,))
        found, times_ms = [], []
        for image in images:
            begun = time.perf_counter()
            found.append(tracker.update(image).copy())
            times_ms.append(1e3 * (time.perf_counter() - begun))
            if len(found) >= _MIN_TRIED and sum(times_ms) > _MAX_TRIED_MS:
                break
    except LivetrackError as error:
        return [fault("model", f"{name}: {error}")], None, ""
    lines = [_speed_line(f"{name}: {len(found[-1])} particles in the last frame searched", times_ms, trial, config)]
    diameter_px = _DIAMETER_PX
    if not is_blank(images):
        measured = measure_particles(images[:_MEASURED])
        if measured is None:
            cure = "check the focus, the light and the sample"
            lines.append(warn("particles", "none stand out from the noise", cure))
        else:
            particles = measured.particles
            diameter_px = particles.diameter_px
            compared = [
                compare(rows, blobs, measured.part, diameter_px)
                for rows, blobs in zip(found, measured.blobs[0], strict=False)
            ]
            about = agreement_diagnostics(localizer.name, found, compared, particles)
            about += particle_diagnostics(particles, images[0].dtype, fits=not particles.is_elongated)
            lines += [warn("particles", finding.text, finding.cure) for finding in about]
    if picture is None:
        return lines, len(found[-1]), ""
    try:
        _draw(picture, trial, len(found) - 1, found[-1], localizer.name, diameter_px)
    except LivetrackError as error:
        return [*lines, warn("picture", str(error))], len(found[-1]), ""
    return lines, len(found[-1]), str(picture)


def _speed_line(text: str, times_ms: list[float], trial: CameraTrial, config: Config) -> Line:
    took_ms = float(np.median(times_ms))
    text += f"; about {took_ms:.2g} ms per frame"
    if trial.fps is None or trial.waits or took_ms < 1e3 / trial.fps:
        return fine("model", text)
    slow = f"{text}, and the camera sends one every {1e3 / trial.fps:.2g} ms"
    if config.camera.every_frame:
        return warn("model", f"{slow}: frames wait, and then are skipped", "use a smaller ROI or a lower frame rate")
    return warn("model", f"{slow}: only the newest are tracked", "a smaller ROI or a lower frame rate skips fewer")


def _draw(path: Path, trial: CameraTrial, index: int, rows: Rows, model: str, diameter_px: float) -> None:
    caption = f"{len(rows)} particles found by {model}"
    size_um = trial.frames[-1].geometry.pixel_size_um
    reach = 0.75 * diameter_px + 1
    save_annotated_image(path, trial.images[index], score_marks(rows), reach, size_um, caption)
