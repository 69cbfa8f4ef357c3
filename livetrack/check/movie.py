"""Checks a movie: measures its particles, suggests settings, tries the models, and draws the result."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.check.annotated_image import is_inside_movie, require_png, save_annotated_image
from livetrack.check.blobs import Blobs
from livetrack.check.choice import choose
from livetrack.check.diagnostics import count_diagnostics, frame_diagnostics, particle_diagnostics
from livetrack.check.measure import ParticleProperties, measure_particles
from livetrack.check.report import CheckReport
from livetrack.config import LinkerSettings
from livetrack.errors import InputError, UsageError
from livetrack.localize.normalize import to_float
from livetrack.movies import EVERYTHING, Movie, Selection, open_selected
from livetrack.particles import Rows

__all__ = ["check_movie"]

_TRIED_FRAMES = 3


def check_movie(
    path: str | Path, picture: str | Path | None = None, *, frames: int = 16, selection: Selection = EVERYTHING
) -> CheckReport:
    """Check the first frames of a movie and suggest how to track it.

    Parameters
    ----------
    path
        Any movie that `livetrack.movies.open_movie` reads.
    picture
        PNG file to write: the first frame with the particles found; None writes none.
    frames
        Number of frames to read.
    selection
        Part of the movie to check.

    Raises
    ------
    InputError
        The movie cannot be read, has no frame, or has one that is too small or contains pixels that are not finite.
    UsageError
        The picture cannot be written, its suffix is not `.png`, or it would become an image of the movie.
    """
    if picture is not None:
        require_png(Path(picture))
        if is_inside_movie(Path(picture), Path(path)):
            raise UsageError(f"{picture}: the picture would become an image of the movie {path}; choose another folder")
    movie = open_selected(path, selection)
    images = _first_images(movie, frames)
    warnings = [movie.problem] if movie.problem else []
    warnings += frame_diagnostics(images)
    report = CheckReport(
        movie=str(path),
        channel=selection.channel,
        selection=selection.options,
        width=movie.shape[1],
        height=movie.shape[0],
        dtype=str(movie.dtype),
        length=movie.length,
        fps=movie.fps,
        pixel_size_um=movie.pixel_size_um,
        frames_checked=len(images),
        notes=movie.notes,
        warnings=warnings,
    )
    measured = measure_particles(images)
    if measured is None:
        warnings.append("no particles stand out from the noise in these frames")
        return report
    particles, blobs = measured.particles, measured.blobs[0][0]
    warnings += particle_diagnostics(particles, movie.dtype)
    radius, radius_reason = _suggest_search_radius(particles, LinkerSettings().memory)
    choice = choose(images[:: math.ceil(len(images) / _TRIED_FRAMES)], particles)
    if choice.rows:
        found = sum(map(len, choice.rows)) / len(choice.rows)
        warnings += count_diagnostics(choice.model, found, particles)
    if picture is not None:
        found_first = choice.rows[0] if choice.rows else blobs
        _draw(Path(picture), images[0], report.pixel_size_um, particles, choice.model, found_first)
    return msgspec.structs.replace(
        report,
        particles=particles,
        model=choice.model,
        model_reason=choice.reason,
        search_radius_px=radius,
        search_radius_reason=radius_reason,
        trials=choice.trials,
        picture="" if picture is None else str(picture),
    )


def _first_images(movie: Movie, count: int) -> list[npt.NDArray[Any]]:
    """Return the first `count` images, or all of a shorter movie, each usable by a localizer."""
    images = list(islice(movie, count))
    if not images:
        raise InputError(movie.problem or f"{movie.path}: contains no frames")
    for number, image in enumerate(images):
        try:
            with np.errstate(over="ignore"):  # to float32: reported as not finite
                to_float(image)
        except InputError as error:
            raise InputError(f"{movie.path}: frame {number}: {error}") from None
    return images


def _suggest_search_radius(particles: ParticleProperties, memory: int) -> tuple[float, str]:
    """Return a search radius and the reason: four rms steps over the longest gap, at least half a diameter.

    Half the distance between neighbours is the limit. A measured step above a quarter of that distance may be chance:
    the rms distance along one axis from a random position to the nearest particle is 0.6 of it.
    """
    half, step, spacing = particles.diameter_px / 2, particles.step_px, particles.spacing_px
    if step is None:
        return _round_up(2 * half), "one diameter, because motion could not be measured"
    if spacing is not None and step > spacing / 4:
        return _round_up(spacing / 2), "half the distance between neighbours, because the measured motion may be chance"
    radius, reason = 4 * step * math.sqrt(memory + 1), f"four rms steps over {memory + 1} frames"
    if radius < half:
        radius, reason = half, "half a diameter, which exceeds the motion"
    if spacing is not None and radius > spacing / 2:
        radius, reason = spacing / 2, "half the distance between neighbours, which the motion may exceed"
    return _round_up(radius), reason


def _round_up(radius: float) -> float:
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
        x, y, score, method = found.x, found.y, None, "without a model"
    else:
        x, y, score, method = found["x"], found["y"], found["score"], f"by {model}"
    caption = f"first frame: {len(x)} particles found {method}; diameter about {particles.diameter_px:.1f} px"
    save_annotated_image(path, image, x, y, score, particles.diameter_px, pixel_size_um, caption)
