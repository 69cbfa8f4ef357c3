"""Sample of a movie: series of consecutive frames from its beginning to its end, limited in time and memory."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

import numpy as np

from livetrack.check.frame_figures import FrameFigures, figures
from livetrack.errors import InputError
from livetrack.localize.normalize import to_float
from livetrack.movies import Movie
from livetrack.movies.movie import Image
from livetrack.movies.quiet import quiet_movies

__all__ = ["Sample", "SampledFrame", "holding_range", "take_sample"]

_SERIES = 5
_SERIES_FRAMES = 24
_WHOLE_FRAMES = 100  # of a movie that is read as a whole
_MAX_KEPT_BYTES = 64_000_000  # of pixels
_MIN_KEPT = 3  # frames of a series
_MAX_KEPT = 16
_MAX_S = 4.0  # for reading; the beginning is read in any case
_EMPTY = 0.1  # of the strength of the busiest frames
_BUSIEST = 3  # frames
_APART = 1.15  # ratio of the limit to empty and to other frames
_FEW_BETWEEN = 0.1  # of the empty frames
_BY_CHANCE = 5.5  # standard deviations of the noise: the strength of an empty frame is less


@dataclass(frozen=True)
class SampledFrame:
    """One frame that was read."""

    index: int
    """From 0, of the frames that are there."""
    number: int
    """As the data count it."""
    pixels: Image | None
    """None if only the figures were kept."""
    figures: FrameFigures


@dataclass(frozen=True)
class Sample:
    """Frames read from a movie, in order."""

    frames: list[SampledFrame]
    length: int | None
    """Frames that can be read; None if unknown."""
    problems: list[str]
    """What is missing, one sentence each."""
    complete: bool
    """Whether all frames of the movie were read."""

    @property
    def holding(self) -> list[bool]:
        """Whether each frame holds something; all True if none stands out."""
        return [self.holds(frame.figures) for frame in self.frames]

    def holds(self, figures: FrameFigures) -> bool:
        """Return whether a frame holds something, by its figures."""
        pairs = zip(figures.strength, self._least_strength, strict=True)
        return any(strength >= least for strength, least in pairs)

    @cached_property
    def _least_strength(self) -> list[float]:
        """Of frames that hold something: a tenth of the busiest frames', over the largest by chance."""
        limits = []
        for level in range(len(self.frames[0].figures.strength)):
            strength = np.sort([frame.figures.strength[level] for frame in self.frames])
            noise = float(np.median([frame.figures.noise[level] for frame in self.frames]))
            busiest, by_chance = float(strength[-min(_BUSIEST, len(strength))]), _BY_CHANCE * noise
            limit = by_chance + _EMPTY * (busiest - by_chance) if busiest > 2 * by_chance else math.inf
            between = (strength > limit / _APART) & (strength < limit * _APART)
            if between.sum() > _FEW_BETWEEN * (strength < limit).sum():
                limit = 0.0  # what is there comes and goes by degrees
            limits.append(limit)
        return limits if min(limits) < math.inf else [0.0] * len(limits)

    def series(self) -> list[list[SampledFrame]]:
        """Return runs of consecutive frames that hold something and whose pixels were kept."""
        runs: list[list[SampledFrame]] = []
        for frame, holds in zip(self.frames, self.holding, strict=True):
            if frame.pixels is None or not holds:
                continue
            if runs and runs[-1][-1].number == frame.number - 1:
                runs[-1].append(frame)
            else:
                runs.append([frame])
        longest = max(map(len, runs), default=0)
        return [run for run in runs if len(run) >= min(longest, _MIN_KEPT)]

    def consecutive(self) -> list[tuple[SampledFrame, SampledFrame]]:
        """Return the pairs of successive frames."""
        return [(before, after) for before, after in pairwise(self.frames) if after.number == before.number + 1]


def holding_range(movie: Movie, sample: Sample) -> tuple[int | None, int | None]:
    """Return the numbers of the first and of the last frame that holds something; None if no frame does.

    Between two frames of the sample of which one is empty, the limit is found by halving the interval. The last one is
    None, too, if the end of the movie was not read.
    """
    holding = [frame for frame, holds in zip(sample.frames, sample.holding, strict=True) if holds]
    if not holding:
        return None, None
    first = _limit(movie, sample, holding[0], forwards=False)
    ends = sample.length is not None and sample.frames[-1].index == sample.length - 1
    return first, _limit(movie, sample, holding[-1], forwards=True) if ends else None


def _limit(movie: Movie, sample: Sample, frame: SampledFrame, *, forwards: bool) -> int:
    """Return the number of the frame next to the empty ones before or behind `frame`, which holds something."""
    beyond = [other.index for other in sample.frames if (other.index > frame.index) == forwards and other is not frame]
    full, number = frame.index, frame.number
    empty = min(beyond, default=full) if forwards else max(beyond, default=full)
    while abs(full - empty) > 1:
        middle = (full + empty) // 2
        read = next(movie.frames(middle), None)
        if read is not None and sample.holds(figures(read.pixels, None)):
            full, number = middle, read.number
        else:
            empty = middle
    return number


def take_sample(movie: Movie) -> Sample:
    """Read a sample of `movie`: all of a short one, else series at the beginning, the end and between.

    Raises
    ------
    InputError
        The movie has no frame, or one that a localizer cannot use; the error names it.
    """
    begun = time.monotonic()
    frames: dict[int, SampledFrame] = {}
    problems: list[str] = []
    length = movie.length
    frame_bytes = movie.shape[0] * movie.shape[1] * movie.dtype.itemsize
    kept = _MAX_KEPT_BYTES // frame_bytes
    with quiet_movies():
        if length is None or (length <= _WHOLE_FRAMES and length <= max(kept, _MIN_KEPT)):
            whole = _read(movie, 0, length or _WHOLE_FRAMES, max(kept, _MIN_KEPT), frames, begun, problems)
            complete = whole and (length is not None or len(frames) < _WHOLE_FRAMES)
            if length is None and complete:
                length = len(frames)
        else:
            length = _readable(movie, length, problems)
            each = min(_MAX_KEPT, max(_MIN_KEPT, kept // _SERIES))
            count = min(_SERIES, max(2, kept // each))
            starts = np.linspace(0, max(0, length - _SERIES_FRAMES), count).round().astype(int).tolist()
            for start in sorted(starts, key=lambda start: (start not in (starts[0], starts[-1]), start)):
                _read(movie, start, min(_SERIES_FRAMES, length - start), each, frames, begun, problems)
            complete = len(frames) >= length
    if not frames:
        raise InputError(movie.problem or f"{movie.path}: contains no frames")
    if not problems and movie.problem:  # that all of its frames are there does not mean that it has all of them
        problems.append(movie.problem)
    return Sample([frames[index] for index in sorted(frames)], length, list(dict.fromkeys(problems)), complete)


def _read(
    movie: Movie,
    start: int,
    count: int,
    kept: int,
    frames: dict[int, SampledFrame],
    begun: float,
    problems: list[str],
) -> bool:
    """Read `count` frames from `start` on, those with pixels that are not there yet; return False if time ran out."""
    before: Image | None = None
    read = 0
    for index, frame in enumerate(islice(movie.frames(start), count), start):
        if read >= _MIN_KEPT and time.monotonic() - begun > _MAX_S:
            return False
        if index not in frames:
            _require_usable(movie, frame.number, frame.pixels)
            pixels = frame.pixels.copy() if read < kept else None
            frames[index] = SampledFrame(index, frame.number, pixels, figures(frame.pixels, before))
        before = frame.pixels.copy()
        read += 1
    if read < count and movie.problem:
        problems.append(movie.problem)
    return True


def _readable(movie: Movie, length: int, problems: list[str]) -> int:
    """Return how many of `length` frames can be read, by trying the last one and then halving the interval."""
    if _can_read(movie, length - 1):
        return length
    first, behind = 0, length - 1
    while behind - first > 1:
        middle = (first + behind) // 2
        first, behind = (middle, behind) if _can_read(movie, middle) else (first, middle)
    problems.append(f"{movie.path}: the file ends early: of {length} frames only about {behind} can be read")
    return behind


def _can_read(movie: Movie, index: int) -> bool:
    return next(movie.frames(index), None) is not None


def _require_usable(movie: Movie, number: int, image: Image) -> None:
    try:
        with np.errstate(over="ignore"):  # to float32: reported as not finite
            to_float(image)
    except InputError as error:
        raise InputError(f"{movie.path}: frame {number}: {error}") from None
