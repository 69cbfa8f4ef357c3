"""The software ROI: crops, reports each new geometry once, and rejects what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from livetrack.camera import Geometry, Picture
from livetrack.devices import Adjustable, HasProperties, HasRoi
from livetrack.errors import CameraError
from livetrack.software_roi import SoftwareRoi

FULL = Geometry(64, 48, x_origin=10, y_origin=20, binning=2, pixel_size_um=0.2)
IMAGE = np.arange(48 * 64).reshape(48, 64)


def test_images_are_cropped_and_a_new_geometry_is_reported_once() -> None:
    roi = SoftwareRoi()
    assert roi.open(FULL) == FULL
    pixels, geometry = roi.crop(IMAGE)
    assert pixels is IMAGE
    assert geometry is None
    cropped = roi.set(8, 4, 16, 20)
    assert cropped == Geometry(16, 20, x_origin=26, y_origin=28, binning=2, pixel_size_um=0.2)
    pixels, geometry = roi.crop(IMAGE)
    np.testing.assert_array_equal(pixels, IMAGE[4:24, 8:24])
    assert pixels.flags.c_contiguous
    assert geometry == cropped
    assert roi.crop(IMAGE)[1] is None
    assert roi.clear() == FULL
    assert roi.crop(IMAGE)[1] == FULL


def test_the_roi_remains_when_the_camera_is_opened_again_with_the_same_frame() -> None:
    roi = SoftwareRoi()
    roi.open(FULL)
    cropped = roi.set(0, 0, 32, 32)
    assert roi.open(FULL) == cropped
    assert roi.crop(IMAGE)[1] is None  # `open` has reported it
    other = Geometry(32, 24)
    assert roi.open(other) == other


@pytest.mark.parametrize("rectangle", [(-1, 0, 20, 20), (0, 0, 15, 20), (50, 0, 20, 20), (0, 40, 20, 20)])
def test_what_does_not_fit_is_rejected_and_changes_nothing(rectangle: tuple[int, int, int, int]) -> None:
    roi = SoftwareRoi()
    with pytest.raises(CameraError, match="not open"):
        roi.set(*rectangle)
    roi.open(FULL)
    with pytest.raises(CameraError, match="the full frame has 64 x 48 px, and the minimum is 16 x 16 px"):
        roi.set(*rectangle)
    assert roi.crop(IMAGE)[0] is IMAGE


class Cropped:
    """A driver with a software ROI and nothing else."""

    waits = True

    def __init__(self) -> None:
        self._roi = SoftwareRoi()
        self.set_roi, self.clear_roi = self._roi.set, self._roi.clear

    def open(self) -> Geometry:
        return self._roi.open(FULL)

    def pictures(self) -> Iterator[Picture]:
        pixels, geometry = self._roi.crop(IMAGE)
        yield Picture(pixels, geometry=geometry)

    def close(self) -> None:
        pass


def test_three_lines_make_a_camera_with_a_roi() -> None:
    camera: Any = Cropped()
    assert isinstance(camera, HasRoi)
    assert not isinstance(camera, HasProperties)
    assert not isinstance(camera, Adjustable)
    camera.open()
    cropped = camera.set_roi(0, 0, 16, 16)
    assert next(camera.pictures()).geometry == cropped
