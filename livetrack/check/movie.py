"""From a movie to a report: measure, decide, try the models, and draw."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.check.annotated_image import save_annotated_image
from livetrack.check.blobs import Blobs
from livetrack.check.diagnostics import frame_diagnostics, particle_diagnostics
from livetrack.check.measure import ParticleProperties, measure_particles
from livetrack.check.model_trial import try_model
from livetrack.check.report import CheckReport
from livetrack.config import LinkerSettings
from livetrack.errors import InputError, UsageError
from livetrack.localize.normalize import to_float
from livetrack.movies import Movie, open_movie
from livetrack.particles import Rows

__all__ = ["check_movie"]

_MODELS = ("spot", "bead")
_TRIED_FRAMES = 3
_WIDEST_SPOT_PX = 10.0  # models/spot.toml: sigma up to 3 px, times 2 sqrt(2), and room for the estimate's error


def check_movie(
    path: str | Path, picture: str | Path | None = None, *, frames: int = 16, channel: int | None = None
) -> CheckReport:
    """Look at the first frames of a movie and suggest how to track it.

    Parameters
    ----------
    path
        What `livetrack.movies.open_movie` reads.
    picture
        Where a PNG of the first frame with the found particles is written; None writes none.
    frames
        How many frames are read.
    channel
        Which channel of the movie, as `open_movie` takes it.

    Raises
    ------
    InputError
        The movie cannot be read, holds no frame, or one that no localizer takes: too small, or with a pixel that is
        not finite.
    UsageError
        The picture cannot be written, or its name does not end in `.png`.
    """
    if picture is not None and Path(picture).suffix.lower() != ".png":
        raise UsageError(f"{picture}: the picture is a PNG file; give it a name that ends in .png")
    movie = open_movie(path, channel)
    images = _first_images(movie, frames)
    warnings = [movie.problem] if movie.problem else []
    warnings += frame_diagnostics(images)
    report = CheckReport(
        movie=str(path),
        channel=channel,
        width=movie.shape[1],
        height=movie.shape[0],
        dtype=str(movie.dtype),
        length=movie.length,
        fps=movie.fps,
        pixel_size_um=movie.pixel_size_um,
        frames_checked=len(images),
        warnings=warnings,
    )
    measured = measure_particles(images)
    if measured is None:
        warnings.append("nothing stands out of the noise in these frames")
        return report
    particles, blobs = measured
    warnings += particle_diagnostics(particles, movie.dtype)
    model, model_reason = _suggest_model(particles)
    radius, radius_reason = _suggest_search_radius(particles, LinkerSettings().memory)
    tried = images[:: math.ceil(len(images) / _TRIED_FRAMES)]
    trials = {name: try_model(name, tried) for name in _MODELS}
    trial, rows = trials[model]
    if rows and not particles.count / 2 <= trial.count <= 2 * particles.count:
        warnings.append(
            f"{model} finds {trial.count:.0f} particles a frame where about {particles.count:.0f} stand out: look at "
            "the picture; another localizer.threshold may help, or a model trained on such particles"
        )
    if picture is not None:
        _draw(Path(picture), images[0], report.pixel_size_um, particles, model, rows[0] if rows else blobs)
    return msgspec.structs.replace(
        report,
        particles=particles,
        model=model,
        model_reason=model_reason,
        search_radius_px=radius,
        search_radius_reason=radius_reason,
        trials=[trial for trial, _ in trials.values()],
        picture="" if picture is None else str(picture),
    )


def _first_images(movie: Movie, count: int) -> list[npt.NDArray[Any]]:
    """Return up to `count` images, at least one, each fit for a localizer."""
    images = list(islice(movie, count))
    if not images:
        raise InputError(movie.problem or f"{movie.path}: there is no frame in it")
    for number, image in enumerate(images):
        try:
            with np.errstate(over="ignore"):  # of float32: told as a number that is not finite
                to_float(image)
        except InputError as error:
            raise InputError(f"{movie.path}: frame {number}: {error}") from None
    return images


def _suggest_model(particles: ParticleProperties) -> tuple[str, str]:
    """Fluorescence adds light, and its image has no ring of opposite sign; scattered light has both.

    Bright beads without a dark ring look like spots: they are told by their width alone.
    """
    if particles.contrast != "bright":
        sign = "bright and dark" if particles.contrast == "both" else "dark"
        return "bead", f"{sign} particles are seen in bright field, not in fluorescence"
    if particles.has_ring:
        return "bead", "bright cores with a dark ring are seen in bright field, not in fluorescence"
    if particles.diameter_px > _WIDEST_SPOT_PX:
        return "bead", f"wider than the spots that spot was trained on, which end at about {_WIDEST_SPOT_PX:.0f} px"
    return "spot", "bright, with no dark ring, as fluorescent particles are"


def _suggest_search_radius(particles: ParticleProperties, memory: int) -> tuple[float, str]:
    """Hold four rms steps over the longest gap, or half a diameter, within which no other particle can be.

    Half the distance of neighbours is the limit. Above a quarter of it a step is no more than chance would give:
    particles at random places are 0.6 of that distance from the nearest in another frame, as an rms along one axis.
    """
    half, step, spacing = particles.diameter_px / 2, particles.step_px, particles.spacing_px
    if step is None:
        return _half_px(2 * half), "a diameter, as the motion could not be measured"
    if spacing is not None and step > spacing / 4:
        return _half_px(spacing / 2), "half the distance of neighbours, as the motion cannot be told from chance"
    radius, reason = 4 * step * math.sqrt(memory + 1), f"four rms steps over {memory + 1} frames"
    if radius < half:
        radius, reason = half, "half a diameter, which is more than particles move"
    if spacing is not None and radius > spacing / 2:
        radius, reason = spacing / 2, "half the distance of neighbours, less than particles may move"
    return _half_px(radius), reason


def _half_px(radius: float) -> float:
    return max(1.0, math.ceil(2 * radius) / 2)


def _draw(
    path: Path,
    image: npt.NDArray[Any],
    pixel_size_um: float | None,
    particles: ParticleProperties,
    model: str,
    found: Rows | Blobs,
) -> None:
    if isinstance(found, Blobs):
        x, y, score, how = found.x, found.y, None, "found without a model"
    else:
        x, y, score, how = found["x"], found["y"], found["score"], f"found by {model}"
    caption = f"first frame: {len(x)} particles {how}; diameter about {particles.diameter_px:.1f} px"
    save_annotated_image(path, image, x, y, score, particles.diameter_px, pixel_size_um, caption)
