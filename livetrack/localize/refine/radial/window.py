"""The window of one particle: rows of numbers, one for each of its pixels, and sums over them.

All loops run over consecutive pixels, which the processor's vectors need. Indices are unsigned where a loop does not
begin at 0: a negative one would stand for another pixel, and had to be looked at one by one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from livetrack.jit import njit

__all__ = [
    "COS", "DX", "DY", "GOOD", "OTHERS", "OUTSIDE", "PROFILE", "RESIDUAL", "SHIFT_X", "SHIFT_Y", "SIN", "SLOPE",
    "SPLINES", "WEIGHT", "R", "Z", "cut", "fill_background", "fill_model", "fill_profile", "fill_residuals",
    "fill_shift", "fill_splines", "load", "place", "rescale", "subtract_level", "subtract_others", "weigh",
]  # fmt: skip

# Rows of a window, (SPLINES + 2 K, P) float32; grey levels are in units of the noise.
Z = 0  # grey level
GOOD = 1  # share of its weight that a pixel keeps
OTHERS = 2  # what neighbours add
WEIGHT = 3  # one over the variance
DX, DY, R, COS, SIN = range(4, 9)  # place of the pixel from the centre: px, px, knots, direction
PROFILE, SLOPE = 9, 10  # the particle, and its derivative by r, 1/px
SHIFT_X, SHIFT_Y = 11, 12  # weighted derivatives by the centre
RESIDUAL = 13  # weighted
SPLINES = 14  # the K splines, then their derivatives by r, 1/px

OUTSIDE = np.float32(1e30)
"""Stands for the grey level of a pixel outside the image."""

_OTHERS_MISFIT = np.float32(0.3**2)  # variance of what neighbours add, over its square
_HEIGHT = np.float32(1 / 0.1**2)  # information on the height that the network gave, over its square
_LOWEST, _HIGHEST = np.float32(0.6), np.float32(1.6)  # of the height that the network gave
_ZERO, _HALF, _ONE, _TWO, _FOUR, _SIXTH = (np.float32(value) for value in (0, 0.5, 1, 2, 4, 1 / 6))
_TINY = np.float32(1e-6)


@njit(fastmath=True, error_model="numpy")
def load(m: int, raw: Any, levels: Any, rows: Any) -> None:
    """Read grey levels from `raw` (N, P); pixels that are stuck or outside the image have no weight."""
    scale, zero = np.float32(levels[0]), np.float32(levels[1])
    lowest, highest = np.float32(levels[2]), np.float32(levels[3])
    for p in range(rows.shape[1]):
        good = lowest < raw[m, p] and raw[m, p] < highest
        rows[GOOD, p] = _ONE if good else _ZERO
        rows[Z, p] = scale * (raw[m, p] - zero) if good else _ZERO


@njit(fastmath=True, error_model="numpy")
def subtract_others(m: int, first: int, offsets: Any, in_core: int, added: Any, painted: Any, rows: Any) -> None:
    """Subtract what all crowded particles but this one have `added`, flat, where the middle pixel is at `first`."""
    for p in range(offsets.size):
        rows[OTHERS, p] = added[np.uint64(first + offsets[p])]
    for p in range(in_core):
        rows[OTHERS, p] -= painted[m, p]
    for p in range(offsets.size):
        rows[Z, p] -= rows[OTHERS, p]


@njit(fastmath=True, error_model="numpy")
def subtract_level(in_core: int, rows: Any) -> Any:
    """Subtract the mean around the core. Return it, and the number of pixels of the window that count."""
    level = around = within = _ZERO
    for p in range(np.uint64(in_core), np.uint64(rows.shape[1])):
        level += rows[GOOD, p] * rows[Z, p]
        around += rows[GOOD, p]
    for p in range(in_core):
        within += rows[GOOD, p]
    level /= max(around, _ONE)
    for p in range(rows.shape[1]):
        rows[Z, p] -= level
    return level, within + around


@njit(fastmath=True, error_model="numpy")
def place(row: Any, column: Any, x: Any, y: Any, per_px: Any, rows: Any) -> None:
    """Fill the pixels' places, from a centre at (x, y) px in the window; there are `per_px` knots to a pixel."""
    for p in range(row.size):
        dx, dy = np.float32(column[p]) - x, np.float32(row[p]) - y
        r = math.sqrt(dx * dx + dy * dy) + _TINY
        one_over = _ONE / r
        rows[DX, p], rows[DY, p], rows[R, p] = dx, dy, r * per_px
        rows[COS, p], rows[SIN, p] = dx * one_over, dy * one_over


@njit(fastmath=True, error_model="numpy")
def cut(lattice: Any, core: Any, radius: Any, rows: Any) -> None:
    """Leave out what is outside: the core, of that radius, counts in full, the rest on a lattice; radii in knots.

    The window is round about the centre, wherever in its pixel that is: what the profile does not describe, such as
    its tails beyond the core, would otherwise draw the centre to the middle of the pixel.
    """
    for p in range(lattice.size):
        outer = lattice[p] if rows[R, p] <= radius else _ZERO
        rows[GOOD, p] *= _ONE if rows[R, p] < core else outer


@njit(fastmath=True, error_model="numpy")
def fill_splines(splines: int, runs: Any, per_px: Any, rows: Any) -> None:
    """Fill the splines and their derivatives."""
    for k in range(splines):
        value, derivative, knot = SPLINES + k, SPLINES + splines + k, np.float32(k)
        for p in range(runs[k, 0], runs[k, 1]):
            t = rows[R, p] - knot
            wide, narrow = max(_TWO - abs(t), _ZERO), max(_ONE - abs(t), _ZERO)
            rows[value, p] = (wide * wide * wide - _FOUR * narrow * narrow * narrow) * _SIXTH
            rows[derivative, p] = (_TWO * narrow * narrow - _HALF * wide * wide) * math.copysign(per_px, t)
    for p in range(runs[1, 0], runs[0, 1]):  # the spline around the knot before the centre, mirrored
        near = max(_ONE - rows[R, p], _ZERO)
        rows[SPLINES + 1, p] += near * near * near * _SIXTH
        rows[SPLINES + splines + 1, p] -= _HALF * near * near * per_px


@njit(fastmath=True, error_model="numpy")
def fill_model(splines: int, runs: Any, coefficients: Any, first: int, rows: Any) -> None:
    """Fill the profile, and its slope, from the coefficients from number `first` on."""
    for p in range(rows.shape[1]):
        rows[PROFILE, p] = rows[SLOPE, p] = _ZERO
    for k in range(splines):
        value, derivative, factor = SPLINES + k, SPLINES + splines + k, np.float32(coefficients[first + k])
        for p in range(runs[k, 0], runs[k, 1]):
            rows[PROFILE, p] += factor * rows[value, p]
            rows[SLOPE, p] += factor * rows[derivative, p]


@njit(fastmath=True, error_model="numpy")
def rescale(in_core: int, rows: Any) -> Any:
    """Scale the profile to the grey levels, as far as these are more certain than the network. Return the factor."""
    square = product = _ZERO
    for p in range(in_core):
        square += rows[GOOD, p] * rows[PROFILE, p] * rows[PROFILE, p]
        product += rows[GOOD, p] * rows[PROFILE, p] * rows[Z, p]
    factor = min(max((_HEIGHT + product) / (_HEIGHT + square), _LOWEST), _HIGHEST)
    for p in range(rows.shape[1]):
        rows[PROFILE, p] *= factor
    return factor


@njit(fastmath=True, error_model="numpy")
def weigh(at_level: Any, rise: Any, least: Any, crowded: bool, rows: Any) -> None:
    """Fill the weights: one over the variance that the noise model gives to the profile and to what neighbours add."""
    if not crowded:
        for p in range(rows.shape[1]):
            rows[WEIGHT, p] = rows[GOOD, p] / max(at_level + rise * rows[PROFILE, p], least)
        return
    for p in range(rows.shape[1]):
        others = rows[OTHERS, p]
        variance = max(at_level + rise * (rows[PROFILE, p] + others), least) + _OTHERS_MISFIT * others * others
        rows[WEIGHT, p] = rows[GOOD, p] / variance


@njit(fastmath=True, error_model="numpy")
def fill_background(rows: Any, normal: Any, right: Any) -> None:
    """Fill the equations of level and slopes."""
    a = b = c = d = e = f = u = v = w = _ZERO
    for p in range(rows.shape[1]):
        weight, dx, dy, z = rows[WEIGHT, p], rows[DX, p], rows[DY, p], rows[Z, p]
        along, down = weight * dx, weight * dy
        a += weight
        b += along
        c += down
        d += along * dx
        e += along * dy
        f += down * dy
        u += weight * z
        v += along * z
        w += down * z
    normal[0, 0], normal[1, 0], normal[1, 1], normal[2, 0], normal[2, 1], normal[2, 2] = a, b, d, c, e, f
    right[0], right[1], right[2] = u, v, w


@njit(fastmath=True, error_model="numpy")
def fill_profile(splines: int, runs: Any, rows: Any, normal: Any, right: Any) -> None:
    """Fill the equations of the splines' coefficients."""
    for k in range(splines):
        i, value = 3 + k, SPLINES + k
        a = b = c = d = e = _ZERO
        for p in range(runs[k, 0], runs[k, 1]):
            part = rows[WEIGHT, p] * rows[value, p]
            a += part
            b += part * rows[DX, p]
            c += part * rows[DY, p]
            d += part * rows[value, p]
            e += part * rows[Z, p]
        normal[i, 0], normal[i, 1], normal[i, 2], normal[i, i], right[i] = a, b, c, d, e
        for m in range(k):
            a = _ZERO
            for p in range(runs[k, 0], runs[m, 1]):  # none where the two are far apart
                a += rows[WEIGHT, p] * rows[value, p] * rows[SPLINES + m, p]
            normal[i, 3 + m] = a


@njit(fastmath=True, error_model="numpy")
def fill_shift(splines: int, runs: Any, rows: Any, normal: Any, right: Any) -> None:
    """Fill the equations of the centre's shift; the background's plane stays where it is."""
    a = b = c = d = e = f = xx = xy = yy = u = v = _ZERO
    for p in range(rows.shape[1]):
        x, y = -rows[SLOPE, p] * rows[COS, p], -rows[SLOPE, p] * rows[SIN, p]
        along, down = rows[WEIGHT, p] * x, rows[WEIGHT, p] * y
        rows[SHIFT_X, p], rows[SHIFT_Y, p] = along, down
        a += along
        b += along * rows[DX, p]
        c += along * rows[DY, p]
        d += down
        e += down * rows[DX, p]
        f += down * rows[DY, p]
        xx += along * x
        xy += along * y
        yy += down * y
        u += along * rows[Z, p]
        v += down * rows[Z, p]
    i = 3 + splines
    normal[i, 0], normal[i, 1], normal[i, 2], normal[i, i] = a, b, c, xx
    normal[i + 1, 0], normal[i + 1, 1], normal[i + 1, 2], normal[i + 1, i], normal[i + 1, i + 1] = d, e, f, xy, yy
    right[i], right[i + 1] = u, v
    for k in range(splines):
        a = b = _ZERO
        for p in range(runs[k, 0], runs[k, 1]):
            a += rows[SHIFT_X, p] * rows[SPLINES + k, p]
            b += rows[SHIFT_Y, p] * rows[SPLINES + k, p]
        normal[i, 3 + k], normal[i + 1, 3 + k] = a, b


@njit(fastmath=True, error_model="numpy")
def fill_residuals(in_core: int, solution: Any, rows: Any) -> Any:
    """Fill the residuals. Return the core's chi-square and pixels, the window's excess of chi-square, and SNR²."""
    level, along, down = np.float32(solution[0]), np.float32(solution[1]), np.float32(solution[2])
    x, y = np.float32(solution[-2]), np.float32(solution[-1])
    for p in range(rows.shape[1]):
        shift = rows[SLOPE, p] * (x * rows[COS, p] + y * rows[SIN, p])
        residual = rows[Z, p] - level - along * rows[DX, p] - down * rows[DY, p] - rows[PROFILE, p] + shift
        rows[RESIDUAL, p] = rows[WEIGHT, p] * residual
        rows[SHIFT_X, p] = rows[RESIDUAL, p] * residual
    square = pixels = seen = excess = _ZERO
    for p in range(in_core):
        square += rows[SHIFT_X, p]
        pixels += rows[GOOD, p]
        seen += rows[WEIGHT, p] * rows[PROFILE, p] * rows[PROFILE, p]
    for p in range(rows.shape[1]):
        excess += rows[SHIFT_X, p] - rows[GOOD, p]
    return square, pixels, excess, seen
