"""Simulated camera: numbered exposures in real time or in lock-step, and faults on request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from livetrack.camera import Geometry, Picture
from livetrack.devices import Actuator, Property, Value
from livetrack.devices.lifecycle import FrameTiming
from livetrack.devices.microscope import DeviceList
from livetrack.errors import CameraError, CameraLostError
from livetrack.software_roi import SoftwareRoi
from livetrack_drivers.simulated.actuators import simulated_actuators
from livetrack_drivers.simulated.adjust import STIFFNESS, change_property, list_properties
from livetrack_drivers.simulated.settings import SimulatedSettings

if TYPE_CHECKING:
    from livetrack_drivers.simulated.microscope import Loop, Microscope

__all__ = ["SimulatedCamera"]

_BUFFER_FRAMES = 32  # kept for a late reader
_MAX_SLEEP_NS = 50_000_000  # between two checks by the caller, while there is no picture


class SimulatedCamera:
    """A camera on a simulated sample; it is `Adjustable` and `Actuated` (`livetrack.devices`).

    Its actuators are the stage, a trap that holds the first particle, and a flow.

    `Picture.number` counts exposures: those that were lost, on request or because the reader was too slow, are gaps.
    When the camera is opened again, it continues with the same sample and count.
    """

    Settings = SimulatedSettings

    def __init__(self, settings: SimulatedSettings | None = None) -> None:
        self._settings = settings or SimulatedSettings()
        self._roi = SoftwareRoi()
        self._actuators = simulated_actuators(
            shift=lambda dx, dy: self._move(lambda microscope: microscope.shift(dx, dy)),
            trap=lambda x, y: self._move(lambda microscope: microscope.trap(x, y)),
            flow=lambda vx, vy: self._move(lambda microscope: microscope.flow(vx, vy)),
        )
        self._lock = threading.Condition()  # of the film
        self._film: Microscope | Loop | None = None
        self._open = False
        self._next = 0  # number of the next exposure
        self._moves = 0  # commanded so far
        self._disconnect_at_s = self._settings.disconnect_at_s or inf
        self.waits = self._settings.lockstep

    def open(self) -> Geometry:
        """Create the sample, and render the loop if there is one.

        Raises
        ------
        CameraError
            Settings contradict each other.
        """
        settings = self._settings
        _check(settings)
        self._film = self._film or _film(settings)
        self._open = True
        return self._roi.open(Geometry(settings.width, settings.height, pixel_size_um=settings.pixel_size_um))

    def pictures(self) -> Iterator[Picture | None]:
        """Yield pictures without end, and None while waiting.

        Raises
        ------
        CameraLostError
            At `disconnect_at_s`, or if the camera is not open.
        """
        if not self._open or self._film is None:
            raise CameraLostError("the simulated camera is not open")
        settings, film = self._settings, self._film
        number = self._next
        clock = _Lockstep(settings) if settings.lockstep else _Live(settings, number)
        while number / settings.fps < self._disconnect_at_s:
            if not _lost(settings, number):
                while not self._command_received(number):
                    yield None
                with self._lock:
                    pixels = film.frame(number)
                    clock.exposure_ms = self._settings.exposure_ms
                self._next = number + 1
                yield from clock.wait(number)
                pixels, geometry = self._roi.crop(pixels)
                yield clock.stamp(pixels, number)._replace(geometry=geometry)
            number = clock.following(number)
        yield from clock.wait(number)
        self._disconnect_at_s = inf
        raise CameraLostError(
            f"the simulated camera has disconnected, as requested by disconnect_at_s = {settings.disconnect_at_s}"
        )

    @property
    def settings(self) -> SimulatedSettings:
        """The current settings."""
        return self._settings

    def timing(self) -> FrameTiming:
        """Return the time between two exposures."""
        return FrameTiming(1 / self._settings.fps)

    def devices(self) -> DeviceList:
        """Return that none is real."""
        return DeviceList(opening="all simulated: no device is touched", simulated=True)

    def properties(self) -> list[Property]:
        """Return the properties of illumination, motion, exposure and camera noise."""
        return list_properties(self._settings)

    def set_property(self, name: str, value: Value) -> Property:
        """Set a property from the next exposure on.

        Raises
        ------
        CameraError
            There is no such property, it does not accept the value, or all frames were rendered at the start.
        """
        changed = change_property(self._settings, name, value)
        with self._lock:
            microscope = self._live()
            microscope.adjust(changed)
            if name == STIFFNESS:
                microscope.stiffen(changed.trap_stiffness_pn_um)
            self._settings = changed
        return next(item for item in list_properties(changed) if item.name == name)

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Crop the frames, px."""
        return self._roi.set(x, y, width, height)

    def clear_roi(self) -> Geometry:
        """Deliver full frames."""
        return self._roi.clear()

    def actuators(self) -> Mapping[str, Actuator]:
        """Return the actuators; there are none if all frames were rendered at the start."""
        return {} if self._settings.loop_frames else self._actuators

    def truth(self, number: int) -> npt.NDArray[np.void]:
        """Return the true mean positions in exposure `number`: rows with `particle`, `x`, `y` (px).

        They include particles outside the image, and are available after `close`.

        Raises
        ------
        LookupError
            The exposure has not been made yet, or is not among the last 4096.
        """
        if self._film is None:
            raise LookupError("the simulated camera was never opened")
        return self._film.truth(number)

    def close(self) -> None:
        """Stop; the sample is kept."""
        self._open = False

    def _live(self) -> Microscope:
        """Return the microscope, if it renders every frame."""
        if self._film is None:
            raise CameraError("the simulated camera is not open")
        if self._settings.loop_frames:
            raise CameraError("camera.simulated: with loop_frames, all frames are rendered at the start; set it to 0")
        return cast("Microscope", self._film)

    def _move(self, command: Callable[[Microscope], None]) -> None:
        """Command a move, and start the exposure that waits for it."""
        with self._lock:
            command(self._live())
            self._moves += 1
            self._lock.notify_all()

    def _command_received(self, number: int) -> bool:
        """Wait a moment for the command that exposure `number` requires, if any; False if it has not arrived."""
        if not (self._settings.lockstep and self._settings.await_orders):
            return True
        with self._lock:
            return self._lock.wait_for(lambda: self._moves > number, _MAX_SLEEP_NS / 1e9)


class _Lockstep:
    """Simulated time: the next exposure is ready when the reader requests it."""

    def __init__(self, settings: SimulatedSettings) -> None:
        self._fps = settings.fps
        self.exposure_ms = settings.exposure_ms

    def wait(self, number: int) -> Iterator[None]:
        """Yield None regularly until exposure `number` is over: at once."""
        return iter(())

    def stamp(self, pixels: npt.NDArray[np.generic], number: int) -> Picture:
        """Return the picture of exposure `number`."""
        middle_s = number / self._fps + self.exposure_ms / 2000
        return Picture(pixels, number, t_s=middle_s)

    def following(self, number: int) -> int:
        """Return the number of the next exposure that the reader can get."""
        return number + 1


class _Live:
    """Real time: exposure n starts n frame intervals after the first one, so that the rate does not drift.

    A late reader finds up to `_BUFFER_FRAMES` exposures waiting; when there are more, all but the newest are lost.
    """

    def __init__(self, settings: SimulatedSettings, first: int) -> None:
        self._frame_ns = 1e9 / settings.fps
        self.exposure_ms = settings.exposure_ms
        self._start_ns = time.perf_counter_ns() - first * self._frame_ns

    def wait(self, number: int) -> Iterator[None]:
        over_ns = self._start_ns + number * self._frame_ns + 1e6 * self.exposure_ms
        while (left_ns := over_ns - time.perf_counter_ns()) > 0:
            time.sleep(min(left_ns, _MAX_SLEEP_NS) / 1e9)
            if left_ns > _MAX_SLEEP_NS:
                yield None

    def stamp(self, pixels: npt.NDArray[np.generic], number: int) -> Picture:
        middle_ns = self._start_ns + number * self._frame_ns + 1e6 * self.exposure_ms / 2
        return Picture(pixels, number, t_exposed_ns=int(middle_ns))

    def following(self, number: int) -> int:
        newest = int((time.perf_counter_ns() - self._start_ns - 1e6 * self.exposure_ms) // self._frame_ns)
        return newest if newest - number > _BUFFER_FRAMES else number + 1


def _film(settings: SimulatedSettings) -> Microscope | Loop:
    from livetrack_drivers.simulated.microscope import (
        Loop,
        Microscope,
    )  # imports Numba, which is not needed for the settings

    if settings.loop_frames:
        return Loop(settings, settings.loop_frames)
    Microscope(settings).frame(0)  # compiles before the clock starts
    return Microscope(settings)


def _lost(settings: SimulatedSettings, number: int) -> bool:
    """Return whether exposure `number` is lost on request."""
    dropped = settings.drop_every and number % (settings.drop_every + settings.drop_frames) >= settings.drop_every
    stalled = 0 <= number / settings.fps - settings.stall_at_s < settings.stall_s
    return bool(dropped or stalled)


def _check(settings: SimulatedSettings) -> None:
    """Reject settings that contradict each other; the bounds of each are in its type."""
    interval_ms = 1000 / settings.fps
    if settings.exposure_ms > interval_ms * (1 + 1e-9):
        raise CameraError(
            f"camera.simulated: exposure_ms = {settings.exposure_ms} is longer than the {interval_ms:.4g} ms "
            f"between frames at fps = {settings.fps}; reduce one of them"
        )
    if settings.await_orders and (settings.loop_frames or not settings.lockstep):
        raise CameraError("camera.simulated: await_orders needs lockstep = true and loop_frames = 0")
    if settings.trap_stiffness_pn_um and settings.loop_frames:
        raise CameraError("camera.simulated: a trap (trap_stiffness_pn_um) needs loop_frames = 0")
    if settings.contrast == "dark" and settings.signal > settings.background:
        raise CameraError(
            f"camera.simulated: signal = {settings.signal} of dark particles exceeds "
            f"background = {settings.background}; reduce it"
        )
