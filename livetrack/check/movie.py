"""Checks a movie: samples it, measures its particles, suggests settings, tries the models, and draws the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from livetrack.check.annotated_image import Mark, Marks, is_inside_movie, require_png, save_annotated_image
from livetrack.check.blobs import Blobs
from livetrack.check.choice import Choice, choose
from livetrack.check.comparison import (
    Comparison,
    agreement_diagnostics,
    are_alike,
    compare,
    comparison_marks,
    edge_diagnostics,
    score_marks,
)
from livetrack.check.diagnostics import frame_diagnostics, particle_diagnostics
from livetrack.check.finding import Finding
from livetrack.check.image_diagnostics import image_diagnostics
from livetrack.check.measure import Measured, ParticleProperties, measure_series
from livetrack.check.report import CheckReport
from livetrack.check.sampling import Sample, SampledFrame, holding_range, take_sample
from livetrack.check.search_radius import suggest_search_radius
from livetrack.check.time_diagnostics import frame_course, particle_course, time_diagnostics
from livetrack.config import LinkerSettings
from livetrack.errors import UsageError
from livetrack.movies import EVERYTHING, Movie, Selection, open_selected

__all__ = ["check_movie"]

_TRIED_FRAMES = 3
_SAME_SIZE = 1.5  # ratio of diameters
_TRIED_PX = 2.5e6  # in all frames tried; one frame is tried in any case


def check_movie(
    path: str | Path, picture: str | Path | None = None, *, selection: Selection = EVERYTHING
) -> CheckReport:
    """Check a sample of a movie's frames, from its beginning to its end, and suggest how to track it.

    Parameters
    ----------
    path
        Any movie that `livetrack.movies.open_movie` reads.
    picture
        PNG file to write: a frame with what the suggested model finds, doubts and misses; None writes none.
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
    sample = take_sample(movie)
    first, last = holding_range(movie, sample)
    series = sample.series()
    images = [frame.pixels for some in series for frame in some if frame.pixels is not None]
    findings = [Finding("incomplete", problem) for problem in sample.problems]
    findings += frame_course(sample, first, last) + time_diagnostics(movie.times_s())
    findings += frame_diagnostics(images) + image_diagnostics(images)
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
        frames_checked=len(sample.frames),
        frames_read=_ranges(sample),
        first_frame=first,
        last_frame=last,
        notes=movie.notes,
        findings=findings,
    )
    measured = measure_series([[_pixels(frame) for frame in some] for some in series])
    if measured is None:
        findings.append(Finding("nothing", "no particles stand out from the noise in these frames"))
        return report
    return _with_particles(report, movie, series, measured, picture)


def _with_particles(
    report: CheckReport,
    movie: Movie,
    series: list[list[SampledFrame]],
    measured: Measured,
    picture: str | Path | None,
) -> CheckReport:
    """Complete the report of a movie in which particles were measured."""
    findings = report.findings
    tried = _tried(series, measured)
    choice = choose([_pixels(frame) for frame, _ in tried], measured.particles, measured.part)
    measured, tried, compared = _confirmed(choice, series, measured, tried)
    particles = measured.particles
    numbers = [[frame.number for frame in some] for some in series]
    bright = particles.contrast == "bright" and not particles.has_ring
    about = particle_diagnostics(particles, movie.dtype, fits=bool(choice.model))
    about += particle_course(numbers, measured.blobs, measured.diameters_px, movie.fps, bright)
    if choice.rows:
        about += agreement_diagnostics(choice.model, choice.rows, compared, particles)
        about += edge_diagnostics(choice.rows[0], movie)
    findings[:0] = about
    radius, radius_reason = suggest_search_radius(particles, LinkerSettings().memory)
    drawn, blobs = tried[0]
    if compared:
        marks = comparison_marks(compared[0])
    else:
        marks = score_marks(choice.rows[0]) if choice.rows else _unjudged(blobs)
    counts = {each.mark: int(each.x.size) for each in marks}
    if picture is not None:
        method = choice.model or "no model"
        caption = f"frame {drawn.number}, {method}: particles of about {particles.diameter_px:.1f} px"
        pixels, reach = _pixels(drawn), _reach(particles)
        save_annotated_image(Path(picture), pixels, marks, reach, report.pixel_size_um, caption)
    return msgspec.structs.replace(
        report,
        particles=particles,
        model=choice.model,
        model_reason=choice.reason,
        scale=choice.scale,
        options=choice.options,
        advice=choice.advice,
        search_radius_px=radius,
        search_radius_reason=radius_reason,
        trials=choice.trials,
        drawn_frame=drawn.number,
        found=counts.get(Mark.FOUND, 0),
        doubtful=counts.get(Mark.DOUBTFUL, 0),
        missed=counts.get(Mark.MISSED, 0),
        picture="" if picture is None else str(picture),
    )


def _confirmed(
    choice: Choice, series: list[list[SampledFrame]], measured: Measured, tried: list[tuple[SampledFrame, Blobs]]
) -> tuple[Measured, list[tuple[SampledFrame, Blobs]], list[Comparison]]:
    """Compare what the model finds with the blobs; measure blobs of its size where these are others.

    What was measured may be the parts of larger particles, or something else. The comparisons are empty if no model
    fits, or if the blobs that stand out are not what it finds.
    """
    if choice.diameter_px is None:
        return measured, tried, []
    compared = _compared(choice, measured, tried)
    if _is_same_size(choice.diameter_px, measured.particles.diameter_px) and are_alike(compared, choice.missed):
        return measured, tried, compared
    again = measure_series([[_pixels(frame) for frame in some] for some in series], choice.diameter_px)
    if again is None:
        return measured, tried, []
    tried = _tried(series, again)
    compared = _compared(choice, again, tried)
    return again, tried, compared if are_alike(compared, choice.missed) else []


def _compared(choice: Choice, measured: Measured, tried: list[tuple[SampledFrame, Blobs]]) -> list[Comparison]:
    return [
        compare(rows, blobs, measured.part, measured.particles.diameter_px)
        for rows, (_, blobs) in zip(choice.rows, tried, strict=False)
    ]


def _is_same_size(found_px: float, measured_px: float) -> bool:
    """Return whether what a model finds is what was measured, and not larger particles that have these as parts."""
    return 1 / _SAME_SIZE < found_px / measured_px < _SAME_SIZE


def _ranges(sample: Sample) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for frame in sample.frames:
        if ranges and frame.number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], frame.number
        else:
            ranges.append((frame.number, frame.number))
    return ranges


def _pixels(frame: SampledFrame) -> npt.NDArray[Any]:
    assert frame.pixels is not None  # as in all frames of a series
    return frame.pixels


def _tried(series: list[list[SampledFrame]], measured: Measured) -> list[tuple[SampledFrame, Blobs]]:
    """Return a few frames of different series, or far from each other, with their blobs."""
    pairs = [list(zip(some, blobs, strict=False)) for some, blobs in zip(series, measured.blobs, strict=True)]
    candidates = (
        [some[0] for some in pairs] if len(pairs) >= _TRIED_FRAMES else [pair for some in pairs for pair in some]
    )
    count = max(1, min(_TRIED_FRAMES, int(_TRIED_PX / _pixels(candidates[0][0]).size)))
    chosen = np.unique(np.linspace(0, len(candidates) - 1, count).round().astype(int))
    return [candidates[index] for index in chosen]


def _unjudged(blobs: Blobs) -> list[Marks]:
    """Return marks of what stands out, where no model was tried."""
    return [Marks(Mark.FOUND, f"{blobs.x.size} stand out, without a model", blobs.x, blobs.y)]


def _reach(particles: ParticleProperties) -> float:
    """Return the radius of the marks: larger than a particle, but within half the distance to the neighbour."""
    reach = 0.75 * particles.diameter_px + 1
    return reach if particles.spacing_px is None else max(2.0, min(reach, 0.55 * particles.spacing_px))
