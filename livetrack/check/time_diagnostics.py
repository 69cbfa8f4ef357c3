"""Findings about the course of a movie: empty and repeated frames, flicker, bleaching, blinking, times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from livetrack.check.blobs import Blobs
from livetrack.check.diagnostics import percent
from livetrack.check.finding import Finding
from livetrack.check.motion import nearest
from livetrack.check.sampling import Sample, SampledFrame

__all__ = ["frame_course", "particle_course", "time_diagnostics"]

Array = npt.NDArray[np.float64]

_NEARLY = 0.1  # of the usual change: the frame repeats the one before
_MIN_RUN = 12  # consecutive frames in which flicker is measured
_FLICKER = 0.01  # rms of the level about its trend, over the level
_LEAST_FLICKER = 0.5  # grey levels
_LIT = 10.0  # times the noise of the responses to blobs
_PERIODIC = 0.6  # of the variance in one frequency and its neighbours
_MIN_LOSS = 0.15  # of the particles' intensity over the movie
_TREND = 0.8  # variance explained by the decay
_LEVEL_CHANGE = 0.2  # of the background over the movie
_FOCUS = 1.3  # ratio of diameters
_GAP = 1.5  # intervals
_JITTER = 0.25  # of the interval
_MAX_JITTERED = 0.05  # fraction of the intervals
_MIN_BLINKING = 0.1  # fraction of the particles that are there before and after
_CLEAR = 0.6  # of the typical response: such blobs are not at the limit of detection
_MAX_PARTICLES = 1500  # compared with each other
_MIN_SEEN = 30  # particles in three successive frames


def frame_course(sample: Sample, first: int | None, last: int | None) -> list[Finding]:
    """Return what is wrong with the course of the frames.

    `first` and `last` are the numbers of the first and of the last frame that holds something, as far as known.
    """
    strengths = [max(frame.figures.strength) for frame in sample.frames]
    if max(strengths) == 0:
        return []  # all pixels are equal
    return [*_empty(sample, first, last), *_copies(sample), *_level(sample)]


def _empty(sample: Sample, first: int | None, last: int | None) -> list[Finding]:
    found = []
    start, end = sample.frames[0].number, sample.frames[-1].number
    if first is not None and first > start:
        count = first - start
        text = f"the first {count} frames are empty" if count > 1 else "the first frame is empty"
        found.append(Finding("begins empty", text, f"leave them out with --frames {first}:", {"frames": count}))
    if last is not None and last < end:
        count = end - last
        text = f"the last {count} frames are empty" if count > 1 else "the last frame is empty"
        found.append(Finding("ends empty", text, f"leave them out with --frames 0:{last + 1}", {"frames": count}))
    within = [
        frame.number
        for frame, holds in zip(sample.frames, sample.holding, strict=True)
        if not holds and (first or start) < frame.number < (end if last is None else last)
    ]
    if within:
        inside = sum((first or start) <= frame.number <= (end if last is None else last) for frame in sample.frames)
        text = f"{len(within)} of {inside} frames between are empty, such as frame {within[0]}: the light blinks"
        cure = f"tracks survive gaps of up to linker.memory frames: --set linker.memory={_longest_run(within)}"
        found.append(Finding("blinks", text, cure, {"frames": len(within)}))
    return found


def _longest_run(numbers: Sequence[int]) -> int:
    longest = run = 1
    for before, after in pairwise(numbers):
        run = run + 1 if after == before + 1 else 1
        longest = max(longest, run)
    return longest


def _copies(sample: Sample) -> list[Finding]:
    """Find frames that repeat the one before, exactly or but for the compression."""
    changes = [after.figures for _, after in sample.consecutive() if after.figures.change is not None]
    copies = sum(figures.copy for figures in changes)
    if copies:
        text = f"{copies} of {len(changes) + 1} frames are exact copies of the one before: they were saved twice"
    else:
        values = np.array([figures.change for figures in changes], float)
        usual = float(np.percentile(values, 75)) if values.size else 0.0
        copies = int((values < _NEARLY * usual).sum())
        if not copies or values.size < _MIN_RUN:
            return []
        text = f"{copies} of {values.size + 1} frames nearly repeat the one before: a converter has filled in frames"
    cure = "convert at the true frame rate, or leave them out with --frames A:B:STEP; speeds are wrong otherwise"
    return [Finding("repeated frames", text, cure, {"frames": copies})]


def _level(sample: Sample) -> list[Finding]:
    """Find flicker within runs of consecutive frames, and a background that changes over the movie."""
    runs = [run for run in _runs(sample) if len(run) >= _MIN_RUN]
    if not runs:
        return []
    residuals, levels = [], []
    for run in runs:
        values = np.array([frame.figures.level for frame in run])
        trend = np.polynomial.Polynomial.fit(np.arange(values.size), values, 2)(np.arange(values.size))
        residuals.append(values - trend)
        levels.append(float(values.mean()))
    level = float(np.mean(levels))
    rms = math.sqrt(float(np.mean(np.concatenate([np.square(each) for each in residuals]))))
    found = []
    integers = any(frame.pixels is not None and frame.pixels.dtype.kind in "ui" for frame in sample.frames)
    noise = float(np.median([frame.figures.noise[0] for frame in sample.frames]))
    lit = level > _LIT * noise  # not so where a background was subtracted
    if lit and rms > max(_FLICKER * level, _LEAST_FLICKER if integers else 0.0):
        text = f"the light flickers by {percent(rms / level)} (rms)"
        period = _period(max(residuals, key=len))
        figures = {"rms": rms / level}
        if period is not None:
            text += f", with a period of about {period:.1f} frames"
            figures["period_frames"] = period
        cure = "use a lamp on direct current, or an exposure of a multiple of the mains period"
        found.append(Finding("flicker", text, cure, figures))
    if len(runs) > 1 and lit and abs(levels[-1] - levels[0]) > _LEVEL_CHANGE * level:
        text = f"the background changes from {levels[0]:.4g} to {levels[-1]:.4g} grey levels"
        found.append(
            Finding(
                "background changes",
                text,
                "let the lamp warm up; check the beginning and the end",
                {"first": levels[0], "last": levels[-1]},
            )
        )
    return found


def _runs(sample: Sample) -> list[list[SampledFrame]]:
    runs: list[list[SampledFrame]] = []
    for frame, holds in zip(sample.frames, sample.holding, strict=True):
        if holds and runs and runs[-1][-1].number == frame.number - 1:
            runs[-1].append(frame)
        elif holds:
            runs.append([frame])
    return runs


def _period(residual: Array) -> float | None:
    """Return the period in frames if most of the variance has one frequency."""
    size = 8 * residual.size
    power = np.square(np.abs(np.fft.rfft(residual * np.hanning(residual.size), size)))
    peak = int(np.argmax(power))
    width = 2 * size // residual.size
    near = power[max(0, peak - width) : peak + width + 1].sum()
    return size / peak if peak > width and near > _PERIODIC * power.sum() else None


def particle_course(
    numbers: Sequence[Sequence[int]],
    blobs: Sequence[Sequence[Blobs]],
    diameters_px: Sequence[float],
    fps: float | None,
    bright: bool,
) -> list[Finding]:
    """Return how the particles of some series of frames change: bleaching, focus, blinking.

    `numbers` are the frame numbers of `blobs`; `diameters_px` are those of the beginning, the middle and the end.
    """
    found = []
    if bright and (fading := _fading(numbers, blobs, fps)):
        found.append(fading)
    if len(numbers) > 1 and len(diameters_px) > 1:
        first, last = diameters_px[0], diameters_px[-1]
        if max(first, last) > _FOCUS * min(first, last):
            text = f"the focus changes: diameters of {first:.1f} px at the beginning and {last:.1f} px at the end"
            figures = {"first_px": first, "last_px": last}
            found.append(Finding("focus", text, "hold the focus, or track the parts with --frames A:B", figures))
    if blinking := _blinking(blobs):
        found.append(blinking)
    return found


def _fading(numbers: Sequence[Sequence[int]], blobs: Sequence[Sequence[Blobs]], fps: float | None) -> Finding | None:
    """Find an exponential loss of intensity of the brightest particles of each frame."""
    pairs = [
        (number, found)
        for some, each in zip(numbers, blobs, strict=True)
        for number, found in zip(some, each, strict=False)
    ]
    least = min((found.x.size for _, found in pairs), default=0)
    if least < 3 or len(pairs) < _MIN_RUN:
        return None
    brightest = max(3, least // 2)
    number = np.array([number for number, _ in pairs], float)
    value = np.log([np.sort(np.abs(found.response))[-brightest:].mean() for _, found in pairs])
    slope, start = np.polyfit(number, value, 1)
    explained = 1 - (value - (slope * number + start)).var() / max(float(value.var()), 1e-12)
    loss = 1 - math.exp(slope * (number[-1] - number[0]))
    if loss < _MIN_LOSS or explained < _TREND:
        return None
    frames = math.log(2) / -slope
    seconds = "" if not fps else f" ({frames / fps:.2g} s)"
    text = f"particles bleach by {percent(loss)}: they lose half of their intensity in {frames:.0f} frames{seconds}"
    cure = "use less light, or a lower localizer.threshold towards the end"
    return Finding("bleaching", text, cure, {"loss": loss, "half_life_frames": frames})


def _blinking(blobs: Sequence[Sequence[Blobs]]) -> Finding | None:
    """Find particles that are there before and after a frame, at one place, but not in it."""
    seen = gone = 0
    for series in blobs:
        for before, between, after in zip(series, series[1:], series[2:], strict=False):
            if min(before.x.size, after.x.size) < 3 or before.x.size > _MAX_PARTICLES:
                continue
            typical = float(np.median(np.abs(before.response)))
            clear = np.abs(before.response) > _CLEAR * typical
            index, distance = nearest(before, after)
            radius = before.sigma[0]
            stays = clear & (distance < radius) & (np.abs(after.response[index]) > _CLEAR * typical)
            missing = nearest(before, between)[1] > 2 * radius if between.x.size else np.ones(before.x.size, bool)
            seen += int(stays.sum())
            gone += int((stays & missing).sum())
    if seen < _MIN_SEEN or gone < _MIN_BLINKING * seen:
        return None
    text = f"particles blink: {percent(gone / seen)} of those before and after a frame are missing in it"
    cure = "bridge longer gaps with a higher linker.memory"
    return Finding("blinking", text, cure, {"fraction": gone / seen})


def time_diagnostics(times_s: Array | None) -> list[Finding]:
    """Return whether the frames are unevenly spaced in time; `times_s` (N,) are those of all frames."""
    if times_s is None or times_s.size < 3:
        return []
    intervals = np.diff(times_s)
    usual = float(np.median(intervals))
    if usual <= 0:
        return [Finding("times", "the times of the frames do not increase", "they cannot be used; set the frame rate")]
    tolerance = max(_JITTER * usual, 1.01 * _clock_step(times_s))
    long = intervals > max(_GAP * usual, usual + tolerance)
    off = np.abs(intervals - usual) > tolerance
    if not long.any() and off.mean() <= _MAX_JITTERED:
        return []
    longest = int(np.argmax(intervals))
    text = (
        f"frames are not evenly spaced in time: {percent(off.mean())} of the intervals differ from the usual "
        f"{1e3 * usual:.3g} ms, the longest is {1e3 * intervals[longest]:.3g} ms, after frame {longest}"
    )
    figures = {"interval_ms": 1e3 * usual, "longest_ms": 1e3 * float(intervals[longest]), "fraction": float(off.mean())}
    return [Finding("uneven times", text, "use the column t_s of the table, not the frame number, for speeds", figures)]


def _clock_step(times_s: Array) -> float:
    """Return the coarsest step, 1 µs to 0.1 s, of which all times are multiples: they were rounded to it."""
    for step in (0.1, 0.01, 0.001, 1e-4, 1e-5):
        if np.abs(times_s / step - np.rint(times_s / step)).max() < 1e-3:
            return step
    return 1e-6
