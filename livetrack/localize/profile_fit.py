"""Precision: the centre of a round particle by least squares on its own radial profile.

The network says where a particle is to a fraction of a pixel, whatever else is in the picture. From there the
grey levels around it are fitted by

    z(x, y) = f(r) + a dx + b dy,    f(r) = sum over k of c_k B(r / h - k),

with dx, dy and r taken from the centre, B the cubic B-spline, and f even in r. Nothing is assumed of the particle
but that it is round: it may be a spot, a bead, a ring, dark or bright; a and b are the slope of the background.
Profile, slope and centre are solved for together, by Gauss-Newton steps. A profile is even about the centre and a
shift is odd, so that the one unknown costs the other nothing: the fit stays near the Cramer-Rao bound of a known
particle, and has no floor at high signal.

The noise's variance is 1 + g f, in units of the background's: g is the shot noise, found from each image by the
residuals of a first, unweighted round. Second differences of f are held small by a prior, so that the profile of
a faint particle does not follow the noise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.jit import njit
from livetrack.particles import Flag, Rows

__all__ = ["fit_profiles"]

_KNOT_PX = 0.9
_ROUGHNESS = 0.3  # of the height: the prior's standard deviation of the profile's second differences
_PRIOR = 1e-3  # information that keeps knots without pixels solvable
_FIRST_STEPS, _SECOND_STEPS = 2, 1  # solutions in each round; the first one holds the centre still
_LARGEST_STEP_PX = 0.7
_FURTHEST_PX = 2.0  # from where the network saw it; beyond that the network is believed
_NEIGHBOURS = 16
_LEAST_PIXELS = 24
_LEAST_RADIUS_PX = 4.5
_SAMPLE = 16  # particles that the useful radius is found from
_USEFUL = 0.98  # share of the information on the position that lies within it
_MARGIN, _MARGIN_PX = 1.25, 1.5  # beyond it, for the background
_LARGEST_GAIN = 1.0  # one photoelectron of background noise
_LEAST_VARIANCE = 0.2


def fit_profiles(grey: npt.NDArray[np.float32], noise: float, rows: Rows, radius_px: float) -> None:
    """Bring `rows` to the bound, in place: x, y, x_std, y_std, xy_cov.

    Parameters
    ----------
    grey
        (H, W) grey levels.
    noise
        Standard deviation of the background's noise, grey levels, > 0 where there are rows.
    rows
        (N,) as the network gives them; those at the edge, and those that the fit takes too far, stay as they are.
    radius_px
        Of the largest window that is used, px; where the particles are smaller, so is the window.
    """
    if not len(rows):
        return
    x, y = rows["x"].astype(np.float64), rows["y"].astype(np.float64)
    height = rows["intensity"].astype(np.float64) / noise
    wanted = (rows["flags"] & Flag.EDGE) == 0
    brightest = np.argsort(-np.abs(height) * wanted, kind="stable")[:_SAMPLE]
    radius = _useful_radius(grey, 1 / noise, x, y, height, brightest, min(radius_px, _spacing(x, y)))
    found = np.empty((len(rows), 5))
    good = _fit_all(grey, 1 / noise, x, y, height, wanted, radius, found)
    share = [_mix(rows, name, good, found[:, axis], found[:, 2 + axis]) for axis, name in enumerate("xy")]
    rows["xy_cov"][good] = share[0] * share[1] * found[good, 4]


def _mix(rows: Rows, name: str, good: Any, fitted: Any, variance: Any) -> npt.NDArray[np.float64]:
    """Average the network's and the fit's coordinate by their variances; return the fit's share in it.

    A faint particle is known better to the network, which has seen many, a bright one to the fit. Both have seen
    the same noise, so that the mean is no more certain than its parts.
    """
    std, fitted_std = rows[name + "_std"][good].astype(np.float64), np.sqrt(variance[good])
    share: npt.NDArray[np.float64] = std**2 / (std**2 + fitted_std**2)
    rows[name][good] += share * (fitted[good] - rows[name][good])
    rows[name + "_std"][good] = share * fitted_std + (1 - share) * std
    return share


@njit
def _useful_radius(grey: Any, scale: float, x: Any, y: Any, height: Any, sample: Any, radius: float) -> float:
    """Return the radius that holds `_USEFUL` of the information on the position, sum of f'(r)^2 r, plus a margin."""
    knots = int(radius / _KNOT_PX) + 3
    normal, right = np.empty((knots + 4, knots + 4)), np.empty(knots + 4)
    pixels = np.empty(((2 * int(radius) + 3) ** 2, 3))
    mean = np.zeros(knots)
    profile = np.zeros(knots + 2)
    for n in sample:
        count = _gather(grey, scale, x, y, n, x[n], y[n], radius, pixels)
        if count < _LEAST_PIXELS:
            continue
        profile[:] = 0
        _normal_equations(pixels, count, x[n], y[n], knots, profile, 0.0, False, normal, right)
        _add_prior(normal, knots, height[n])
        if _solve(normal, right, knots + 2):
            weight = min(abs(height[n]), 10.0) / max(abs(height[n]), 1.0)  # a shape, and one particle does not rule
            mean += math.copysign(weight, height[n]) * right[:knots]
    within = 0.0
    information = np.zeros(knots)
    for k in range(1, knots - 1):
        within += (0.5 * (mean[k + 1] - mean[k - 1])) ** 2 * k
        information[k] = within
    k = 1
    while k < knots - 1 and information[k] < _USEFUL * within:
        k += 1
    return min(radius, _MARGIN * k * _KNOT_PX + _MARGIN_PX)


@njit
def _spacing(x: Any, y: Any) -> float:
    """Return the median distance to the nearest neighbour, px: pixels further away belong to others."""
    nearest = np.full(x.size, np.inf)
    for n in range(x.size):
        for m in range(n):
            square = (x[n] - x[m]) ** 2 + (y[n] - y[m]) ** 2
            nearest[n] = min(nearest[n], square)
            nearest[m] = min(nearest[m], square)
    return max(math.sqrt(np.median(nearest)), _LEAST_RADIUS_PX)


@njit
def _fit_all(grey: Any, scale: float, x: Any, y: Any, height: Any, wanted: Any, radius: float, found: Any) -> Any:
    """Write (x, y, var x, var y, cov) of each particle into `found`; return which ones succeeded."""
    knots = int(radius / _KNOT_PX) + 3
    normal, right = np.empty((knots + 4, knots + 4)), np.empty(knots + 4)
    pixels = np.empty(((2 * int(radius) + 3) ** 2, 3))
    profiles = np.zeros((x.size, knots + 2))
    law = np.zeros(2)
    good = wanted.copy()
    found[:, 0] = x
    found[:, 1] = y
    gain = 0.0
    for second in range(2):
        for n in range(x.size):
            if good[n]:
                count = _gather(grey, scale, x, y, n, found[n, 0], found[n, 1], radius, pixels)
                good[n] = count >= _LEAST_PIXELS and _fit(
                    pixels, count, x[n], y[n], height[n], knots, profiles[n], gain, second, normal, right, law, found[n]
                )
        if not second:
            gain = min(max(law[0] / law[1], 0.0), _LARGEST_GAIN) if law[1] > 0 else 0.0
    return good


@njit
def _fit(
    pixels: Any, count: int, x: float, y: float, height: float, knots: int, profile: Any, gain: float, second: int,
    normal: Any, right: Any, law: Any, found: Any,
) -> bool:  # fmt: skip
    """Fit one particle, from `found` on; False where it leads away from (x, y)."""
    steps = _SECOND_STEPS if second else _FIRST_STEPS
    size = knots + 4
    for step in range(steps):
        moves = second == 1 or step > 0
        size = knots + 4 if moves else knots + 2
        _normal_equations(pixels, count, found[0], found[1], knots, profile, gain, moves, normal, right)
        _add_prior(normal, knots, height)
        if not _solve(normal, right, size):
            return False
        profile[:] = right[: knots + 2]
        if moves:
            found[0] += min(max(right[size - 2], -_LARGEST_STEP_PX), _LARGEST_STEP_PX)
            found[1] += min(max(right[size - 1], -_LARGEST_STEP_PX), _LARGEST_STEP_PX)
            if not (abs(found[0] - x) < _FURTHEST_PX and abs(found[1] - y) < _FURTHEST_PX):
                return False
    if not second:
        _gather_law(pixels, count, found[0], found[1], knots, profile, normal, law)
    # the last corner of the Cholesky factor holds the information on the centre, all else being unknown
    a, b, d = normal[size - 2, size - 2], normal[size - 1, size - 2], normal[size - 1, size - 1]
    found[2] = (1 + (b / d) ** 2) / (a * a)
    found[3] = 1 / (d * d)
    found[4] = -b / (a * d * d)
    return True


@njit
def _gather(
    grey: Any, scale: float, x: Any, y: Any, n: int, at_x: float, at_y: float, radius: float, pixels: Any
) -> int:
    """Write (x, y, z) of the pixels that are nearer to particle `n` than to any other into `pixels`; return how many.

    z is in units of the noise, over the mean of the window's outer ring.
    """
    rows, columns = grey.shape
    near = np.empty((_NEIGHBOURS, 2))
    neighbours = 0
    for m in range(x.size):
        if m != n and neighbours < _NEIGHBOURS and abs(x[m] - at_x) < 2 * radius and abs(y[m] - at_y) < 2 * radius:
            near[neighbours, 0] = x[m]
            near[neighbours, 1] = y[m]
            neighbours += 1
    count = 0
    ring, ring_count = 0.0, 0
    for i in range(max(0, math.ceil(at_y - radius)), min(rows - 1, math.floor(at_y + radius)) + 1):
        for j in range(max(0, math.ceil(at_x - radius)), min(columns - 1, math.floor(at_x + radius)) + 1):
            square = (j - at_x) ** 2 + (i - at_y) ** 2
            own = square <= radius * radius
            for m in range(neighbours):
                own = own and (j - near[m, 0]) ** 2 + (i - near[m, 1]) ** 2 >= square
            if own:
                z = scale * grey[i, j]
                pixels[count, 0], pixels[count, 1], pixels[count, 2] = j, i, z
                count += 1
                if square > 0.6 * radius * radius:
                    ring += z
                    ring_count += 1
    if ring_count:
        pixels[:count, 2] -= ring / ring_count
    return count


@njit(fastmath=True)
def _gradient(
    dx: float, dy: float, profile: Any, b: Any, s: Any, knots: int, moves: bool, row: Any
) -> tuple[int, int, float]:
    """Write how z at (dx, dy) depends on each unknown: knots into `b`, slope and centre into `row`.

    Returns the first knot, how many there are, and f.
    """
    distance = math.sqrt(dx * dx + dy * dy)
    first = int(distance / _KNOT_PX) - 1
    u = distance / _KNOT_PX - (first + 1)
    w = 1 - u
    b[0], b[1], b[2], b[3] = w**3 / 6, (4 - 6 * u**2 + 3 * u**3) / 6, (4 - 6 * w**2 + 3 * w**3) / 6, u**3 / 6
    s[0], s[1], s[2], s[3] = -(w**2) / 2, u * (3 * u - 4) / 2, -w * (3 * w - 4) / 2, u**2 / 2
    terms = 4
    if first < 0:  # the profile is even: the knot at -1 is the knot at 1
        b[2] += b[0]
        s[2] += s[0]
        for k in range(3):
            b[k], s[k] = b[k + 1], s[k + 1]
        first, terms = 0, 3
    row[0], row[1], row[2], row[3] = dx, dy, 0.0, 0.0
    f = df = 0.0
    if moves:
        for k in range(terms):
            f += b[k] * profile[first + k]
            df += s[k] * profile[first + k]
        df = df / (_KNOT_PX * distance) if distance > 0 else 0.0
        row[2], row[3] = -df * dx - profile[knots], -df * dy - profile[knots + 1]
    return first, terms, f


@njit(fastmath=True)
def _normal_equations(
    pixels: Any, count: int, x: float, y: float, knots: int, profile: Any, gain: float, moves: bool,
    normal: Any, right: Any,
) -> None:  # fmt: skip
    """Fill the lower half of `normal`, and `right`: knots, slope (2), and where the fit `moves` the centre (2)."""
    normal[: knots + 4, : knots + 4] = 0
    right[: knots + 4] = 0
    b, s, row = np.empty(4), np.empty(4), np.empty(4)
    for p in range(count):
        z = pixels[p, 2]
        first, terms, f = _gradient(pixels[p, 0] - x, pixels[p, 1] - y, profile, b, s, knots, moves, row)
        weight = 1 / max(1 + gain * f, _LEAST_VARIANCE)
        for k in range(terms):
            value = weight * b[k]
            right[first + k] += value * z
            for m in range(k + 1):
                normal[first + k, first + m] += value * b[m]
            for m in range(4):
                normal[knots + m, first + k] += value * row[m]
        for k in range(4):
            value = weight * row[k]
            right[knots + k] += value * z
            for m in range(k + 1):
                normal[knots + k, knots + m] += value * row[m]


@njit(fastmath=True)
def _gather_law(pixels: Any, count: int, x: float, y: float, knots: int, profile: Any, factor: Any, law: Any) -> None:
    """Add to `law` how the squared residuals exceed the background's noise where the signal is f.

    Each is set right for its leverage, the share of its noise that the fit has followed.
    """
    b, s, row = np.empty(4), np.empty(4), np.empty(4)
    v = np.empty(knots + 4)
    for p in range(count):
        dx, dy = pixels[p, 0] - x, pixels[p, 1] - y
        first, terms, f = _gradient(dx, dy, profile, b, s, knots, True, row)
        if abs(f) < 1:
            continue
        v[:] = 0
        v[first : first + terms] = b[:terms]
        v[knots:] = row
        leverage = 0.0
        for i in range(first, knots + 4):
            for k in range(first, i):
                v[i] -= factor[i, k] * v[k]
            v[i] /= factor[i, i]
            leverage += v[i] * v[i]
        residual = pixels[p, 2] - f - profile[knots] * dx - profile[knots + 1] * dy
        weight = 1 / (1 + abs(f)) ** 2
        law[0] += weight * f * (residual * residual / max(1 - leverage, 0.1) - 1)
        law[1] += weight * f * f


@njit
def _add_prior(normal: Any, knots: int, height: float) -> None:
    rough = 1 / (_ROUGHNESS * max(abs(height), 1.0)) ** 2
    for k in range(knots):
        normal[k, k] += _PRIOR
    normal[0, 0] += 4 * rough  # the second difference at the centre of an even profile: 2 (c_1 - c_0)
    normal[1, 0] -= 4 * rough
    normal[1, 1] += 4 * rough
    for k in range(1, knots - 1):
        normal[k - 1, k - 1] += rough
        normal[k, k] += 4 * rough
        normal[k + 1, k + 1] += rough
        normal[k, k - 1] -= 2 * rough
        normal[k + 1, k] -= 2 * rough
        normal[k + 1, k - 1] += rough


@njit(fastmath=True)
def _solve(normal: Any, right: Any, size: int) -> bool:
    """Replace `normal` by its Cholesky factor and `right` by the solution; False where there is none."""
    for i in range(size):
        for j in range(i + 1):
            rest = normal[i, j]
            for k in range(j):
                rest -= normal[i, k] * normal[j, k]
            if j < i:
                normal[i, j] = rest / normal[j, j]
            elif rest > 0:
                normal[i, i] = math.sqrt(rest)
            else:
                return False
    for i in range(size):
        for k in range(i):
            right[i] -= normal[i, k] * right[k]
        right[i] /= normal[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            right[i] -= normal[k, i] * right[k]
        right[i] /= normal[i, i]
    return True
