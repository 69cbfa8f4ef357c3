"""`livetrack.testing`: what livetrack ships passes, and each breach of a protocol is named."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import tifffile
from livetrack_drivers.micromanager import MicroManagerCamera
from livetrack_drivers.movie import MovieCamera
from livetrack_drivers.simulated import SimulatedCamera

from livetrack.camera import Geometry, Picture
from livetrack.devices import Property, Value
from livetrack.errors import CameraError
from livetrack.localize import load_localizer
from livetrack.localize.classical import ClassicalLocalizer
from livetrack.particles import Rows
from livetrack.testing import check_camera, check_localizer


@pytest.mark.parametrize("lockstep", [False, True])
def test_the_simulated_camera_passes(lockstep: bool) -> None:
    check_camera(SimulatedCamera, SimulatedCamera.Settings(lockstep=lockstep, width=128, height=96))


def test_the_real_core_with_its_demo_camera_passes() -> None:
    check_camera(MicroManagerCamera)


def test_a_movie_passes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "movie.tif", np.zeros((500, 64, 80), np.uint8), photometric="minisblack")
    check_camera(MovieCamera, MovieCamera.Settings(path=str(tmp_path / "movie.tif"), fps=200))


@pytest.mark.parametrize("model", ["spot", "bead", "centroid", "radial_symmetry"])
def test_shipped_localizers_pass(model: str) -> None:
    check_localizer(load_localizer(model))


class Camera:
    """A camera without a fault; those below have one each."""

    class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        pass

    waits = False

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.exposure_ms = 10.0

    def open(self) -> Geometry:
        return Geometry(80, 64)

    def pictures(self) -> Iterator[Picture | None]:
        while True:
            time.sleep(0.001)
            yield Picture(np.zeros((64, 80), np.uint8))

    def close(self) -> None:
        pass

    def properties(self) -> list[Property]:
        return [Property(name="exposure_ms", value=self.exposure_ms)]

    def set_property(self, name: str, value: Value) -> Property:
        if name != "exposure_ms" or not isinstance(value, float) or value <= 0:
            raise CameraError(f"{name} = {value}")
        self.exposure_ms = value
        return self.properties()[0]


def test_a_camera_without_a_fault_passes() -> None:
    check_camera(Camera)


class NoDefault(Camera):
    class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
        port: str


class Lenient(Camera):
    class Settings(msgspec.Struct, frozen=True, kw_only=True):
        pass


class Silent(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        time.sleep(1.2)
        yield None


class NeverReady(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        while True:
            time.sleep(0.01)
            yield None


class Colour(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        yield Picture(np.zeros((64, 80, 3), np.uint8))


class Turned(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        yield Picture(np.zeros((80, 64), np.uint8))


class Reused(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        pixels = np.zeros((64, 80), np.uint8)
        while True:
            pixels[0, 0] += 1
            yield Picture(pixels)


class Future(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        yield Picture(np.zeros((64, 80), np.uint8), t_exposed_ns=time.perf_counter_ns() + 10**9)


class TooLarge(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        yield Picture(np.zeros((64, 80), np.uint8), 2**63)


class NoTime(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        yield Picture(np.zeros((64, 80), np.uint8), t_received_ns=-1)


class StepsBack(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        yield Picture(np.zeros((64, 80), np.uint8), t_s=2.0)
        yield Picture(np.zeros((64, 80), np.uint8), t_s=1.0)


class Mixed(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        yield Picture(np.zeros((64, 80), np.uint8))
        yield Picture(np.zeros((64, 80), np.uint16))


class Ended(Camera):
    def pictures(self) -> Iterator[Picture | None]:
        return iter([])


class Obliging(Camera):
    def set_property(self, name: str, value: Value) -> Property:
        return Property(name=name, value=value)


class Deaf(Camera):
    """Its ROI does not reach the images."""

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        return Geometry(width, height, x, y)

    def clear_roi(self) -> Geometry:
        return Geometry(80, 64)


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (NoDefault, "every field needs a default"),
        (Lenient, "forbid_unknown_fields"),
        (Silent, "blocked for 1.2 s"),
        (NeverReady, "only 0 of 10 images"),
        (Colour, r"not an array of shape \(H, W\)"),
        (Turned, r"shape \(80, 64\)"),
        (Reused, "written to after it was yielded"),
        (Future, "future"),
        (TooLarge, "number is 9223372036854775808"),
        (NoTime, "t_received_ns is -1"),
        (StepsBack, "t_s steps back from 2.0 to 1.0"),
        (Mixed, "uint8, then uint16"),
        (Ended, "ended without an image"),
        (Obliging, "a name that it does not have"),
        (Deaf, "no frame came with"),
    ],
)
def test_a_camera_fault_is_named(driver: Any, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_camera(driver, timeout_s=1.5)


def with_ids(rows: Rows) -> None:
    rows["id"] = 3


def outside(rows: Rows) -> None:
    rows["x"] += 1000


def unsure(rows: Rows) -> None:
    rows["score"] = 2


@pytest.mark.parametrize(
    ("fault", "words"), [(with_ids, "only the linker"), (outside, "outside of the image"), (unsure, "score")]
)
def test_a_fault_in_rows_is_named(fault: Callable[[Rows], None], words: str) -> None:
    class Faulty(ClassicalLocalizer):
        def localize(self, image: Any) -> Rows:
            rows = super().localize(image)
            fault(rows)
            return rows

    with pytest.raises(AssertionError, match=words):
        check_localizer(Faulty("centroid"))


class Remembers(ClassicalLocalizer):
    calls = 0

    def localize(self, image: Any) -> Rows:
        self.calls += 1
        rows = super().localize(image)
        rows["x"] += 1e-3 * self.calls
        return rows


class Writes(ClassicalLocalizer):
    def localize(self, image: Any) -> Rows:
        rows = super().localize(image)
        if image.flags.writeable:
            image[0, 0] += 1
        return rows


class Absolute(ClassicalLocalizer):
    def localize(self, image: Any) -> Rows:
        rows = super().localize(image)
        return rows if image.max() < 400 else rows[:3]


class InPlace(ClassicalLocalizer):
    def refine(self, image: Any, rows: Rows) -> Rows:
        rows["x"] += 0.1
        return rows


class TakesAnything(ClassicalLocalizer):
    def localize(self, image: Any) -> Rows:
        return super().localize(np.nan_to_num(image))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Remembers, "keep nothing"),
        (Writes, "image was written to"),
        (Absolute, "contrast"),
        (InPlace, "return a copy"),
        (TakesAnything, "it took an image with"),
    ],
)
def test_a_localizer_fault_is_named(kind: type[ClassicalLocalizer], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_localizer(kind("centroid"))


def test_a_localizer_that_finds_nothing_needs_an_image() -> None:
    with pytest.raises(AssertionError, match="finds nothing in the image"):
        check_localizer(ClassicalLocalizer("centroid", threshold=0.999))
