"""Candidates: rows of the network and peaks of the evidence, each with what speaks for it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.localize.evidence.matched_filters import BEYOND_NOISE, MatchedFilters, Noise, measure, read_patch
from livetrack.particles import NO_ID, ROW, Rows

__all__ = ["Candidates", "near_rows", "of_image"]

_SAME_PX = 3.0  # a peak this near to a row of the network is the same particle
_MIN_SCORE = 1e-6  # distance from 0 and 1 that keeps logits finite
_UNSEEN = -6.0  # logit of a peak that the network has not proposed, where candidates are put in order
_STRONGEST = 8.0  # evidence that decides the order
_HOT = -9.0  # logit of a hot pixel, whatever the network says
_SHARPEST = 1.13  # outputs of two filters times their sigmas, second over first: 1 for a pixel, 1.2 for sigma 0.5 px
_EXPLAINS = 4.0  # evidence from which a candidate may explain that of others
_NEIGHBOUR = 3.0  # of a filter's sigma: spots farther apart explain nothing of each other
_LEAST_OWN = 1e-3  # of the evidence's variance, for two at the same place

Doubles = npt.NDArray[np.float64]


class Candidates(NamedTuple):
    """N candidates of an image.

    `rows` (N,) are the network's, then those of peaks of the evidence only; `logit` (N,) the network's, NaN for peaks;
    `evidence` (N,) that the better candidates beside it do not explain; `explained` (N,) what one of these does.
    """

    rows: Rows
    logit: Doubles
    evidence: Doubles
    explained: Doubles


def of_image(
    rows: Rows, flat: npt.NDArray[np.float32], filters: MatchedFilters, noise_level: float, threads: int
) -> tuple[Candidates, Noise]:
    """Return the candidates of an image: the network's `rows`, (N,), and the other peaks of the evidence.

    Parameters
    ----------
    flat
        (H, W) grey levels over the background, in units of the noise, or below it for dark particles.
    noise_level
        Grey levels; negative for dark particles.
    threads
        Number of threads.
    """
    peaks, highest, noise = filters.find_peaks(flat, threads)
    both, numbers = np.zeros(len(rows) + len(peaks), ROW), np.empty((3, len(rows) + len(peaks)))
    count = _of_image(rows, peaks, flat, highest, *filters.kernels(noise), noise_level, both, *numbers)
    return Candidates(both[:count], *numbers[:, :count]), noise


def near_rows(
    rows: Rows, image: npt.NDArray[Any], filters: MatchedFilters, scale: float, radius: int, noise: Noise
) -> Candidates:
    """Return the network's `rows`, (N,), of parts of an `image` (H, W), as candidates.

    Parameters
    ----------
    scale
        1 over the noise level, grey levels; negative for dark particles.
    radius
        Of the background's box, px.
    noise
        Of the image.
    """
    numbers = np.empty((3, len(rows)))
    patch = np.empty((2 * filters.reach_px + 3, 2 * filters.reach_px + 3), np.float32)
    _near_rows(rows, image, scale, radius, patch, *filters.kernels(noise), *numbers)
    return Candidates(rows, *numbers)


@njit
def _of_image(
    rows: Any, peaks: Any, flat: Any, highest: Any, sigmas: Any, taps: Any, radii: Any, skew: Any, noise: float,
    both: Any, logit: Any, evidence: Any, explained: Any,
) -> int:  # fmt: skip
    """Fill the candidates' fields; return their number."""
    count, first = len(rows), 0
    pixels, outputs = np.empty((len(both), 2), np.int32), np.full((len(both), len(taps)), np.nan)
    for n in range(len(rows)):
        both[n] = rows[n]
        logit[n] = _logit(rows[n]["score"])
        evidence[n] = _highest_near(rows[n], highest, pixels[n])
    for p in range(len(peaks)):
        column, row = peaks[p]
        while first < len(rows) and rows[first]["y"] < row - _SAME_PX:
            first += 1
        if not _is_found(rows, first, column, row):
            pixels[count], logit[count], evidence[count] = peaks[p], np.nan, highest[row, column]
            measure(flat, taps, radii, skew, column, row, outputs[count])
            _write_peak(column, row, highest, outputs[count], sigmas, noise, both[count])
            count += 1
    for n in range(count):
        if evidence[n] >= _EXPLAINS:
            if n < len(rows):
                measure(flat, taps, radii, skew, pixels[n, 0], pixels[n, 1], outputs[n])
            if _is_hot_pixel(evidence[n], outputs[n], sigmas):
                logit[n] = _HOT
    _explain_all(both[:count], pixels, outputs, logit, flat, sigmas, taps, radii, skew, evidence, explained)
    return count


@njit
def _near_rows(
    rows: Any, image: Any, scale: float, radius: int, patch: Any, sigmas: Any, taps: Any, radii: Any, skew: Any,
    logit: Any, evidence: Any, explained: Any,
) -> None:  # fmt: skip
    outputs, tried = np.empty((len(rows), len(taps))), np.empty(len(taps))
    pixels = np.empty((len(rows), 2), np.int32)
    for n in range(len(rows)):
        logit[n] = _logit(rows[n]["score"])
        part, x, y, left, top = read_patch(rows[n], image, scale, radius, patch)
        evidence[n] = -np.inf
        for i in range(max(y - 1, 0), min(y + 2, part.shape[0])):
            for j in range(max(x - 1, 0), min(x + 2, part.shape[1])):
                measure(part, taps, radii, skew, j, i, tried)
                if tried.max() > evidence[n]:
                    evidence[n], outputs[n] = tried.max(), tried
                    pixels[n, 0], pixels[n, 1] = left + j, top + i
        if _is_hot_pixel(evidence[n], outputs[n], sigmas):
            logit[n] = _HOT
    _explain_all(rows, pixels, outputs, logit, patch, sigmas, taps, radii, skew, evidence, explained)


@njit
def _explain_all(
    rows: Any, pixels: Any, outputs: Any, logit: Any, flat: Any, sigmas: Any, taps: Any, radii: Any, skew: Any,
    evidence: Any, explained: Any,
) -> None:  # fmt: skip
    """Fill `explained`, and take it from the `evidence`.

    Those of the `outputs` at the candidates' `pixels` that are NaN are measured in `flat` where they are needed.
    """
    count = len(rows)
    x, y = np.empty(count, np.float32), np.empty(count, np.float32)
    for n in range(count):
        x[n], y[n] = rows[n]["x"], rows[n]["y"]
    order = np.argsort(y, kind="mergesort")
    x, y = x[order], y[order]
    explained[:] = 0
    strength, reach = evidence[:count].copy(), np.float32(_NEIGHBOUR * sigmas[-1] + 1)
    for a in range(count):
        for b in range(a + 1, count):
            if y[b] - y[a] >= reach:
                break
            if abs(x[b] - x[a]) >= reach:
                continue
            n, m = order[a], order[b]
            by, other = _in_order(n, m, strength, logit)
            size, share = _share(rows[by], pixels[other], outputs[by], strength[by], sigmas)
            if share > 0:
                if np.isnan(outputs[other, 0]):
                    measure(flat, taps, radii, skew, pixels[other, 0], pixels[other, 1], outputs[other])
                _explain(share, strength[by], outputs[other, size], other, evidence, explained)


@njit
def _is_hot_pixel(evidence: float, outputs: Any, sigmas: Any) -> bool:
    """Whether what is there is narrower than any spot: outputs of one pixel are inversely proportional to sigma."""
    return bool(
        evidence >= BEYOND_NOISE and len(sigmas) > 1 and outputs[1] * sigmas[1] < _SHARPEST * outputs[0] * sigmas[0]
    )


@njit
def _logit(score: float) -> float:
    score = min(max(score, _MIN_SCORE), 1 - _MIN_SCORE)
    return math.log(score / (1 - score))


@njit
def _highest_near(row: Any, highest: Any, pixel: Any) -> Any:
    """Return the most evidence in the 3x3 pixels around a row, and write the `pixel`, x and y."""
    height, width = highest.shape
    y, x = min(max(round(row["y"]), 0), height - 1), min(max(round(row["x"]), 0), width - 1)
    pixel[0], pixel[1] = x, y
    for i in range(max(y - 1, 0), min(y + 2, height)):
        for j in range(max(x - 1, 0), min(x + 2, width)):
            if highest[i, j] > highest[pixel[1], pixel[0]]:
                pixel[0], pixel[1] = j, i
    return highest[pixel[1], pixel[0]]


@njit
def _is_found(rows: Any, first: int, x: int, y: int) -> bool:
    """Whether one of the rows from the `first` on, sorted from top to bottom, is at (x, y)."""
    for n in range(first, len(rows)):
        if rows[n]["y"] > y + _SAME_PX:
            return False
        if (rows[n]["x"] - x) ** 2 + (rows[n]["y"] - y) ** 2 <= _SAME_PX * _SAME_PX:
            return True
    return False


@njit
def _write_peak(x: int, y: int, highest: Any, outputs: Any, sigmas: Any, noise: float, row: Any) -> None:
    """Write a spot at a peak into `row`; `noise` is negative for dark ones."""
    best = np.argmax(outputs)
    row["id"], row["vx"], row["vy"], row["flags"] = NO_ID, np.nan, np.nan, 0
    row["x"] = x + _vertex(highest[y, x - 1], highest[y, x], highest[y, x + 1])
    row["y"] = y + _vertex(highest[y - 1, x], highest[y, x], highest[y + 1, x])
    row["x_std"] = row["y_std"] = math.sqrt(2.0) * sigmas[best] / outputs[best]
    row["xy_cov"], row["angle"] = 0, np.nan
    row["intensity"] = noise * outputs[best] / (sigmas[best] * math.sqrt(math.pi))


@njit
def _vertex(before: float, here: float, after: float) -> float:
    """Return where the parabola through three neighbours, of which the middle one is highest, has its vertex."""
    bend = 2 * here - before - after
    return 0.5 * (after - before) / bend if bend > 0 else 0.0


@njit
def _in_order(n: int, m: int, strength: Any, logit: Any) -> tuple[int, int]:
    """Return the better one of two candidates first."""
    first, second = _rank(strength[n], logit[n]), _rank(strength[m], logit[m])
    return (n, m) if first > second or (first == second and n < m) else (m, n)


@njit
def _rank(evidence: float, logit: float) -> float:
    evidence = min(evidence, _STRONGEST)
    return (_UNSEEN if np.isnan(logit) else logit) + 0.25 * evidence * evidence


@njit
def _share(by: Any, pixel: Any, outputs: Any, evidence: float, sigmas: Any) -> tuple[Any, float]:
    """Return the filter with most evidence `by` one candidate, and what share of it shows at a `pixel` beside, or 0.

    A spot at distance d from another of the same sigma has exp(-d² / (4 sigma²)) of the other one's evidence.
    """
    if evidence < _EXPLAINS:
        return 0, 0.0
    size = np.argmax(outputs)
    square = ((by["x"] - pixel[0]) ** 2 + (by["y"] - pixel[1]) ** 2) / (sigmas[size] * sigmas[size])
    return size, math.exp(-0.25 * square) if square < _NEIGHBOUR * _NEIGHBOUR else 0.0


@njit
def _explain(share: float, strength: float, output: float, other: int, evidence: Any, explained: Any) -> None:
    """Take from the evidence of the `other` candidate what one of this `strength` explains of its filter's output."""
    explained[other] = max(explained[other], share * strength)
    own = (output - share * strength) / math.sqrt(max(1 - share * share, _LEAST_OWN))
    evidence[other] = min(evidence[other], own)
