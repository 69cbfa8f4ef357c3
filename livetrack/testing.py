"""Checks of a camera driver or a localizer against its protocol, for the tests of whoever writes one.

    from livetrack.testing import check_camera, check_localizer


    def test_my_camera():
        check_camera(MyCamera, MyCamera.Settings(serial="simulated"))


    def test_my_localizer():
        check_localizer(MyLocalizer())

Both return nothing, or raise `AssertionError` with the requirement that is not met.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from livetrack.camera import Camera, CameraType, Frame, Geometry, Picture
from livetrack.config import CameraSettings
from livetrack.devices import (
    EXPOSURE,
    Actuated,
    Actuator,
    HasOptics,
    HasProperties,
    HasRoi,
    Limited,
    Property,
    Targeted,
)
from livetrack.devices.lifecycle import HasRecovery, HasTiming
from livetrack.errors import CameraError, InputError
from livetrack.localize import Localizer
from livetrack.particles import NO_ID, ROW, Rows, empty_rows
from livetrack.session.acquisition import Acquisition

__all__ = ["check_actuator", "check_camera", "check_localizer"]

_MAX_SILENCE_S = 1.0  # the protocol asks for 0.1 s; a busy machine may take longer
_MIN_ROI_PX = 64  # smaller full frames are not divided
_STEPS = 5  # of an actuator


def check_camera(driver: CameraType, settings: Any = None, *, frames: int = 10, timeout_s: float = 30.0) -> None:
    """Check a camera driver: its settings, its stream of images, its ROI, properties and actuators where it has them.

    The camera is opened three times. Properties are set to the values that they have, the ROI to the middle of the full
    frame and back. Actuators are only asked for their positions: nothing moves.

    Parameters
    ----------
    driver
        The class that the entry point names.
    settings
        An instance of `driver.Settings`; None takes the defaults. A movie must have at least 10 times `frames` frames.
    frames
        Images to take at each step.
    timeout_s
        Maximum time for each step.

    Raises
    ------
    AssertionError
        The requirement of `livetrack.camera` or `livetrack.devices` that is not met.
    LivetrackError
        The camera cannot be opened, or fails.
    """
    _check_settings(driver)
    camera = driver(driver.Settings() if settings is None else settings)
    camera.close()  # harmless while it is not open
    for _ in range(2):
        try:
            geometry = camera.open()
            _require(isinstance(geometry, Geometry), f"open() returned {geometry!r}, not a Geometry")
            _check_stream(camera, geometry, frames, timeout_s)
            if isinstance(camera, HasRecovery):
                _check_recovery(camera, frames, timeout_s)
        finally:
            camera.close()
    acquisition = Acquisition(camera, CameraSettings())
    try:
        acquisition.open()
        acquisition.start()
        if isinstance(camera, HasProperties):
            _check_properties(camera, driver)
        if isinstance(camera, HasOptics):
            _require(isinstance(camera.read_geometry(), Geometry), "read_geometry() did not return a Geometry")
        if isinstance(camera, HasTiming):
            _require(camera.timing().interval_s >= 0, f"timing() returned {camera.timing()}")
        if isinstance(camera, HasRoi):
            _check_roi(camera, acquisition, timeout_s)
        if isinstance(camera, Actuated):
            _check_actuators(camera)
    finally:
        acquisition.close()
    camera.close()


def _check_settings(driver: CameraType) -> None:
    kind = driver.Settings
    _require(issubclass(kind, Struct), f"{kind.__name__} is no msgspec.Struct")
    config = kind.__struct_config__
    _require(config.frozen and config.forbid_unknown_fields, f"{kind.__name__} lacks frozen or forbid_unknown_fields")
    try:
        kind()
    except TypeError as error:
        raise AssertionError(f"{kind.__name__}: every field needs a default: {error}") from None


def _check_stream(camera: Camera, geometry: Geometry, frames: int, timeout_s: float) -> None:
    """Take `frames` images as the camera thread does."""
    taken: list[tuple[Picture, npt.NDArray[Any]]] = []
    deadline_s = time.perf_counter() + timeout_s
    called_s = time.perf_counter()
    for picture in camera.pictures():
        now_s = time.perf_counter()
        silence_s = now_s - called_s
        _require(silence_s < _MAX_SILENCE_S, f"pictures() blocked for {silence_s:.1f} s: yield None every 0.1 s")
        _require(now_s < deadline_s, f"only {len(taken)} of {frames} images came in {timeout_s:g} s")
        if picture is not None:
            geometry = picture.geometry or geometry
            _check_picture(picture, geometry)
            if taken:
                _check_order(taken[-1][0], picture)
            taken.append((picture, picture.pixels.copy()))
        if len(taken) == frames:
            break
        called_s = time.perf_counter()
    _require(bool(taken), "pictures() ended without an image")
    for picture, pixels in taken:
        _require(np.array_equal(picture.pixels, pixels, equal_nan=True), "an image was written to after it was yielded")


def _check_recovery(camera: HasRecovery, frames: int, timeout_s: float) -> None:
    """Stop and start the camera alone."""
    for start in (camera.resume, camera.recover):
        camera.suspend()
        camera.suspend()  # harmless
        geometry = start()
        _require(isinstance(geometry, Geometry), f"{start.__name__}() returned {geometry!r}, not a Geometry")
        _check_stream(cast("Camera", camera), geometry, frames, timeout_s)


def _check_picture(picture: Picture, geometry: Geometry) -> None:
    _require(isinstance(picture, Picture), f"pictures() yielded {type(picture).__name__}, not a Picture")
    pixels = picture.pixels
    _require(isinstance(pixels, np.ndarray) and pixels.ndim == 2, "pixels is not an array of shape (H, W)")
    _require(pixels.dtype.kind in "uif", f"pixels are {pixels.dtype}, not integers or floats")
    expected = (geometry.height, geometry.width)
    _require(pixels.shape == expected, f"pixels have the shape {pixels.shape}, the geometry in force {expected}")
    now_ns = time.perf_counter_ns()
    for name in ("t_exposed_ns", "t_received_ns"):
        value = getattr(picture, name)
        if value is not None:
            _require(isinstance(value, int | np.integer) and bool(value > 0), f"{name} is {value!r}, not a time in ns")
            _require(bool(value <= now_ns), f"{name} lies in the future")
    t_s, number = picture.t_s, picture.number
    _require(t_s is None or (math.isfinite(t_s) and t_s >= 0), f"t_s is {t_s}")
    _require(number is None or (isinstance(number, int | np.integer) and 0 <= number < 2**63), f"number is {number!r}")


def _check_order(last: Picture, picture: Picture) -> None:
    """Check that nothing steps back from one picture of a stream to the next, and that the pixel type stays."""
    for name in ("number", "t_exposed_ns", "t_received_ns", "t_s"):
        before, after = getattr(last, name), getattr(picture, name)
        if before is not None and after is not None:
            _require(before <= after, f"{name} steps back from {before} to {after}")
    types = last.pixels.dtype, picture.pixels.dtype
    _require(types[0] == types[1], f"pixels are {types[0]}, then {types[1]}, and nobody has changed it")


def _check_properties(camera: HasProperties, driver: CameraType) -> None:
    properties = camera.properties()
    names = [item.name for item in properties]
    _require(len(set(names)) == len(names), f"properties() names one twice: {names}")
    for item in properties:
        _require(isinstance(item, Property), f"properties() returned {item!r}")
        if not item.read_only:
            after = camera.set_property(item.name, item.value)
            same = isinstance(item.value, str) or bool(np.isclose(float(after.value), float(item.value), rtol=0.01))
            _require(after.name == item.name and same, f"{item.name} = {item.value!r} became {after.value!r}")
    _require(isinstance(camera.settings, driver.Settings), "settings is no instance of Settings")
    _refuses(
        lambda: camera.set_property("no such property", 1),
        CameraError,
        "set_property took a name that it does not have",
    )
    if EXPOSURE in names:
        _refuses(lambda: camera.set_property(EXPOSURE, -1.0), CameraError, f"set_property took {EXPOSURE} = -1")


def _check_roi(camera: HasRoi, acquisition: Acquisition, timeout_s: float) -> None:
    full = acquisition.geometry
    if min(full.width, full.height) < _MIN_ROI_PX:
        return
    part = camera.set_roi(full.width // 4, full.height // 4, full.width // 2, full.height // 2)
    frame = _frame_of(acquisition, part, timeout_s)
    _require(frame.pixels.shape == (part.height, part.width), f"set_roi: {frame.pixels.shape} came for {part}")
    outside = "set_roi took a ROI outside of the image"
    _refuses(lambda: camera.set_roi(0, 0, 2 * full.width, 2 * full.height), CameraError, outside)
    _require(camera.clear_roi() == full, "clear_roi() did not return the geometry of the full frame")
    frame = _frame_of(acquisition, full, timeout_s)
    _require(frame.pixels.shape == (full.height, full.width), "clear_roi: the full frame did not come back")


def _frame_of(acquisition: Acquisition, geometry: Geometry, timeout_s: float) -> Frame:
    """Return the first frame that has `geometry`."""
    deadline_s = time.perf_counter() + timeout_s
    while time.perf_counter() < deadline_s and not acquisition.ended:
        frame = acquisition.next_frame(_MAX_SILENCE_S)
        if frame is not None and frame.geometry == geometry:
            return frame
    raise AssertionError(f"no frame came with {geometry}: the first image of a new geometry must carry it")


def _check_actuators(camera: Actuated) -> None:
    for name, actuator in camera.actuators().items():
        position = actuator.position()
        _require(len(position) == len(actuator.axes), f"{name}: {len(position)} positions for {actuator.axes}")
        _require(all(map(math.isfinite, position)), f"{name}: its position is {position}")
        _require(bool(actuator.unit), f"{name}: it has no unit")
        if isinstance(actuator, Limited):
            limits = actuator.limits()
            _require(len(limits) == len(position), f"{name}: {len(limits)} limits for {actuator.axes}")
            _require(all(low < high for low, high in limits), f"{name}: its limits are {limits}")
        if isinstance(actuator, Targeted):
            target = actuator.target()
            _require(len(target) == len(position) and all(map(math.isfinite, target)), f"{name}: target {target}")


def check_actuator(actuator: Actuator, step: float) -> None:
    """Check an actuator that may move: by 5 times `step` along each axis, and back.

    Parameters
    ----------
    actuator
        One of `Actuated.actuators()`.
    step
        Size of a step, in its unit; larger than 10 times its accuracy.

    Raises
    ------
    AssertionError
        Steps do not add up, or a position that does not exist is accepted.
    """
    actuator.wait()
    start = actuator.position()
    bad = {"NaN": math.nan, "infinity": math.inf}
    if isinstance(actuator, Limited):
        bad["a position beyond its limits"] = actuator.limits()[0][1] + step
    for name, value in bad.items():
        _refuses(partial(actuator.move_to, (value, *start[1:])), CameraError, f"move_to took {name}")
    actuator.wait()
    moved = max(map(abs, np.subtract(actuator.position(), start)))
    _require(moved < step / 2, f"a move that was refused has moved it by {moved:g}")
    for change in (step, -step):
        end = np.add(start, _STEPS * step) if change > 0 else np.asarray(start)
        for _ in range(_STEPS):
            actuator.move_by([change] * len(start))
        actuator.wait()
        position = actuator.position()
        close = bool(np.all(np.abs(np.subtract(position, end)) < step / 2))
        _require(close, f"{_STEPS} steps of {change:g} ended at {position}, not {tuple(end.tolist())}")


def check_localizer(localizer: Localizer, image: npt.NDArray[Any] | None = None) -> None:
    """Check a localizer: its rows, that it keeps nothing from image to image, and what it refuses.

    Parameters
    ----------
    localizer
        As `livetrack.load_localizer` returns it.
    image
        (H, W) an image in which it finds particles; None takes 16 bright spots of sigma 1.5 px in 128x128 px.

    Raises
    ------
    AssertionError
        The requirement of `livetrack.localize.Localizer` that is not met.
    """
    image = _spots() if image is None else image
    localizer.warmup((image.shape[0], image.shape[1]), image.dtype)
    before = image.copy()
    rows = localizer.localize(image).copy()
    _require(np.array_equal(image, before), "the image was written to")
    _require(len(rows) > 0, "it finds nothing in the image: give one in which it does")
    _check_rows(localizer, rows, image.shape)
    _check_repeats(localizer, rows, image)
    _check_refine(localizer, rows, image)
    _check_threshold(localizer, rows, image)
    _require(len(localizer.localize(np.full_like(image, 7))) == 0, "it finds particles in an image of one grey level")
    with_nan = image.astype(np.float32)
    with_nan[0, 0] = np.nan
    wrong = {"3 dimensions": image[None], "complex numbers": image.astype(complex), "NaN": with_nan}
    for name, bad in wrong.items():
        _refuses(partial(localizer.localize, bad), InputError, f"it took an image with {name}")


def _spots() -> npt.NDArray[np.uint16]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    image = np.full((128, 128), 100.0)
    for i, j in np.ndindex(4, 4):
        centre_x, centre_y = 20 + 28 * j + rng.uniform(-3, 3), 20 + 28 * i + rng.uniform(-3, 3)
        image += 200 * np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * 1.5**2))
    return rng.normal(image, 5).round().astype(np.uint16)


def _check_rows(localizer: Localizer, rows: Rows, shape: tuple[int, ...]) -> None:
    _require(rows.dtype == ROW and rows.ndim == 1, f"rows are {rows.dtype} of shape {rows.shape}, not (N,) of ROW")
    height, width = shape
    _require(
        bool(np.all((rows["x"] >= -0.5) & (rows["x"] <= width - 0.5))), "an x lies outside of the image, or is NaN"
    )
    _require(
        bool(np.all((rows["y"] >= -0.5) & (rows["y"] <= height - 0.5))), "a y lies outside of the image, or is NaN"
    )
    low = np.float32(localizer.threshold)
    _require(bool(np.all((rows["score"] >= low) & (rows["score"] <= 1))), "a score is not within threshold to 1")
    _require(bool(np.all(rows["id"] == NO_ID)), "a row has an id: only the linker gives one")
    _require(
        bool(np.all(np.isnan(rows["vx"]) & np.isnan(rows["vy"]))), "a row has a velocity: only the linker gives one"
    )
    for name in ("x_std", "y_std"):
        _require(bool(np.all(np.isnan(rows[name]) | (rows[name] > 0))), f"{name} is not positive (NaN: unknown)")


def _check_repeats(localizer: Localizer, rows: Rows, image: npt.NDArray[Any]) -> None:
    localizer.localize(np.ascontiguousarray(image[::-1]))
    _require(_same(localizer.localize(image), rows), "another image in between changed the rows: keep nothing")
    read_only = image.copy()
    read_only.flags.writeable = False
    layouts = {
        "read-only": read_only,
        "a view": np.repeat(image, 2, axis=1)[:, ::2],
        "float32": image.astype(np.float32),
    }
    for name, other in layouts.items():
        _require(_close(localizer.localize(other), rows, 0.02), f"an image that is {name} has other rows")
    brighter = _close(localizer.localize(2.0 * image + 50), rows, 0.02)
    _require(brighter, "an image of twice the contrast on another background has particles at other places")


def _check_refine(localizer: Localizer, rows: Rows, image: npt.NDArray[Any]) -> None:
    given = rows.copy()
    given["id"], given["vx"] = np.arange(len(rows)), 3.0
    kept = given.copy()
    refined = localizer.refine(image, given)
    _require(_same(given, kept), "refine() wrote to the rows that it was given: return a copy")
    _require(len(refined) == len(rows), "refine() returned another number of rows")
    _require(
        bool(np.all(refined["id"] == kept["id"]) and np.all(refined["vx"] == 3)), "refine() lost ids or velocities"
    )
    _require(_close(refined, rows, 0.5), "refine() moved particles that localize() had found by more than 0.5 px")
    _require(len(localizer.refine(image, empty_rows())) == 0, "refine() of no rows returned some")


def _check_threshold(localizer: Localizer, rows: Rows, image: npt.NDArray[Any]) -> None:
    threshold, localizer.threshold = localizer.threshold, (1 + localizer.threshold) / 2
    try:
        fewer = len(localizer.localize(image))
    finally:
        localizer.threshold = threshold
    _require(fewer <= len(rows), "a higher threshold found more particles")


def _same(rows: Rows, others: Rows) -> bool:
    return all(np.array_equal(rows[name], others[name], equal_nan=True) for name in ROW.names or ())


def _close(rows: Rows, others: Rows, distance_px: float) -> bool:
    """Whether both hold the same particles, in whatever order."""
    if len(rows) != len(others):
        return False
    dx, dy = (np.subtract.outer(rows[name], others[name]) for name in ("x", "y"))
    return bool(np.all(np.hypot(dx, dy).min(axis=1, initial=np.inf) <= distance_px))


def _refuses(call: Callable[[], object], error: type[Exception], otherwise: str) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"{otherwise}: raise {error.__name__}, and change nothing")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise AssertionError(otherwise)
