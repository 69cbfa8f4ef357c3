"""Any maps of a network: rows inside the image, each particle once; and maps of given particles give these back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from livetrack.localize.crops import Crops
from livetrack.localize.decode import BLOCK, CELL, MAPS, decode, decode_nearest
from livetrack.particles import NO_ID, empty_rows

Maps = npt.NDArray[np.float32]

SIDE = 8  # blocks of the largest map
NOISE = 2.0
VALUES = st.floats(-8, 8, width=32) | st.floats(-(2.0**60), 2.0**60, width=32)  # what a network's maps may contain


def channel(m: int, i: Any, j: Any) -> Any:
    """Return where value `m` of cell (i, j) is in the maps."""
    return 4 * m + 2 * (i % 2) + j % 2, i // 2, j // 2


def maps_of(x: Any, y: Any, width: int, height: int) -> Maps:
    """Return the maps, (32, H/4, W/4), of particles of height 5 noises that are at least 3 cells apart."""
    maps = np.zeros((4 * MAPS, height // BLOCK, width // BLOCK), np.float32)
    maps[:4], maps[4:8] = -20.0, 50.0  # no other cell agrees on a position
    i, j = ((each + 0.5) // CELL for each in (y, x))
    i, j = i.astype(int), j.astype(int)
    values = [3.0, x - (CELL * j + 0.5), y - (CELL * i + 0.5), np.log(0.1), np.log(0.2), np.arcsinh(5.0), 1.0, 0.0]
    for m, value in enumerate(values):
        maps[channel(m, i, j)] = value
    return maps


@st.composite
def particles(draw: st.DrawFn) -> tuple[Any, Any]:
    """Return x and y, (N,), of particles in an image of 64 x 64 px, far from one another."""
    places = draw(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
    offset = st.floats(0, 1.9375, width=32)
    xy = [(8 * i + 3 + draw(offset), 8 * j + 3 + draw(offset)) for i, j in sorted(places)]
    x, y = np.array(xy, np.float64).reshape(-1, 2).T
    return x, y


def whole(maps: Maps) -> list[tuple[Maps, Crops]]:
    origin = np.zeros(1, np.int64)
    return [(maps[None], Crops(BLOCK * maps.shape[2], BLOCK * maps.shape[1], origin, origin))]


def in_crops(maps: Maps) -> list[tuple[Maps, Crops]]:
    """Return the same maps as overlapping crops of half the width and height and a quarter more."""
    side, starts = SIDE, np.array([0, 4, 8])
    top, left = (each.ravel() for each in np.meshgrid(starts, starts, indexing="ij"))
    parts = [maps[:, i : i + side, j : j + side] for i, j in zip(top, left, strict=True)]
    crops = Crops(BLOCK * side, BLOCK * side, BLOCK * left, BLOCK * top)
    return [(np.ascontiguousarray(parts), crops)]


ANY_MAPS = arrays.arrays(
    np.float32, st.tuples(st.just(4 * MAPS), st.integers(1, 3), st.integers(1, 3)), elements=VALUES, fill=VALUES
)


@given(ANY_MAPS, st.integers(0, 3), st.integers(0, 3), st.sampled_from([0.0, 0.01, 0.5, 0.99]), st.booleans())
def test_any_maps_give_rows_inside_the_image(
    maps: Maps, right: int, below: int, threshold: float, oriented: bool
) -> None:
    width, height = BLOCK * maps.shape[2] - right, BLOCK * maps.shape[1] - below
    rows = decode(whole(maps), width, height, 2.0, NOISE, threshold, oriented)
    assert np.all((rows["x"] >= -0.5) & (rows["x"] <= width - 0.5) & (rows["y"] >= -0.5) & (rows["y"] <= height - 0.5))
    assert np.all((rows["score"] >= threshold) & (rows["score"] <= 1))
    assert np.all((rows["x_std"] >= 0) & (rows["y_std"] >= 0))
    assert np.isfinite(rows["intensity"]).all()
    assert np.isfinite(rows["angle"]).all() if oriented else np.isnan(rows["angle"]).all()
    assert np.all(rows["id"] == NO_ID)
    assert np.isfinite(rows["x_std"]).all()
    assert np.isfinite(rows["y_std"]).all()
    again = decode(whole(maps), width, height, 2.0, NOISE, threshold, oriented)
    assert again.tobytes() == rows.tobytes()


@given(ANY_MAPS, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_any_maps_give_finite_measurements(maps: Maps, x: float, y: float) -> None:
    rows, origin = empty_rows(1), np.zeros(1, np.int64)
    rows["x"], rows["y"] = x, y
    decode_nearest(maps[None], origin, origin, NOISE, rows)
    for name in ("x", "y", "x_std", "y_std", "intensity", "score"):
        assert np.isfinite(rows[name]).all(), name


@given(particles())
def test_particles_are_decoded_from_their_maps(places: tuple[Any, Any]) -> None:
    x, y = places
    for batches in (whole(maps_of(x, y, 64, 64)), in_crops(maps_of(x, y, 64, 64))):
        rows = decode(batches, 64, 64, 4.0, NOISE, 0.5, oriented=True)
        order = np.lexsort((rows["x"] // 8, rows["y"] // 8))
        expected = np.lexsort((x // 8, y // 8))
        np.testing.assert_allclose(rows["x"][order], x[expected], atol=1e-5)
        np.testing.assert_allclose(rows["y"][order], y[expected], atol=1e-5)
        np.testing.assert_allclose(rows["x_std"], 0.1, rtol=1e-5)
        np.testing.assert_allclose(rows["y_std"], 0.2, rtol=1e-5)
        np.testing.assert_allclose(rows["intensity"], 5 * NOISE, rtol=1e-5)
        np.testing.assert_allclose(rows["score"], 1 / (1 + np.exp(-3)), rtol=1e-5)
        assert not rows["angle"].any()


@given(particles(), st.data())
def test_particles_are_measured_again_near_where_they_are_expected(places: tuple[Any, Any], data: Any) -> None:
    x, y = places
    rows = empty_rows(len(x))
    off = arrays.arrays(np.float32, len(x), elements=st.floats(-1.5, 1.5, width=32))
    rows["x"], rows["y"] = x + data.draw(off), y + data.draw(off)
    maps, crops = in_crops(maps_of(x, y, 64, 64))[0]
    for row, x_here, y_here in zip(rows, x, y, strict=True):
        k = int(np.argmin(np.hypot(crops.left + 15.5 - x_here, crops.top + 15.5 - y_here)))
        one = np.array([row])
        decode_nearest(maps[k : k + 1], crops.left[k : k + 1], crops.top[k : k + 1], NOISE, one)
        np.testing.assert_allclose((one["x"][0], one["y"][0]), (x_here, y_here), atol=1e-5)
