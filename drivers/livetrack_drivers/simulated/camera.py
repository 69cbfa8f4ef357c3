"""The simulated camera: numbered exposures by the clock or in lock-step, and faults to order."""

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
from livetrack.errors import CameraError, CameraLostError
from livetrack.software_roi import SoftwareRoi
from livetrack_drivers.simulated.actuators import simulated_actuators
from livetrack_drivers.simulated.adjust import STIFFNESS, adjusted, declared
from livetrack_drivers.simulated.settings import SimulatedSettings

if TYPE_CHECKING:
    from livetrack_drivers.simulated.microscope import Loop, Microscope

__all__ = ["SimulatedCamera"]

_BUFFER = 32  # frames that the camera holds for a reader who is late
_PATIENCE_NS = 50_000_000  # between two signs of life while there is no picture


class SimulatedCamera:
    """A camera on a simulated sample; it is `Adjustable` and `Actuated` (`livetrack.devices`).

    What moves: the stage, a trap that holds the first particle, and a flow (`livetrack_drivers.simulated.actuators`).

    `Picture.number` counts exposures: those that were lost, to order or because the reader was too slow, are gaps.
    A camera that is opened again goes on with the same sample and count.
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
        self._lock = threading.Condition()  # the film: it moves on, or is changed
        self._film: Microscope | Loop | None = None
        self._open = False
        self._next = 0  # exposure
        self._moves = 0  # ordered so far
        self._disconnect_at_s = self._settings.disconnect_at_s or inf
        self.waits = self._settings.lockstep

    def open(self) -> Geometry:
        """Make the sample, and the loop where one is wanted.

        Raises
        ------
        CameraError
            Settings that contradict each other.
        """
        settings = self._settings
        _check(settings)
        self._film = self._film or _film(settings)
        self._open = True
        return self._roi.open(Geometry(settings.width, settings.height, pixel_size_um=settings.pixel_size_um))

    def pictures(self) -> Iterator[Picture | None]:
        """Yield picture after picture for ever, and None while waiting for the clock.

        Raises
        ------
        CameraLostError
            The disconnection that was ordered, or the camera is not open.
        """
        if not self._open or self._film is None:
            raise CameraLostError("the simulated camera is not open")
        settings, film = self._settings, self._film
        number = self._next
        clock = _Lockstep(settings) if settings.lockstep else _Live(settings, number)
        while number / settings.fps < self._disconnect_at_s:
            if not _lost(settings, number):
                while not self._ordered(number):
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
        raise CameraLostError(f"the simulated camera is gone, as disconnect_at_s = {settings.disconnect_at_s} orders")

    @property
    def settings(self) -> SimulatedSettings:
        """What was set last, at the start or since."""
        return self._settings

    def properties(self) -> list[Property]:
        """Return the light, motion, exposure and camera noise as they are."""
        return declared(self._settings)

    def set_property(self, name: str, value: Value) -> Property:
        """Set one of them, from the next exposure on.

        Raises
        ------
        CameraError
            There is none of this name, it does not take the value, or the pictures were all made at the start.
        """
        changed = adjusted(self._settings, name, value)
        with self._lock:
            microscope = self._live()
            microscope.adjust(changed)
            if name == STIFFNESS:
                microscope.stiffen(changed.trap_stiffness_pn_um)
            self._settings = changed
        return next(each for each in declared(changed) if each.name == name)

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Deliver a part of the picture, px."""
        return self._roi.set(x, y, width, height)

    def clear_roi(self) -> Geometry:
        """Deliver the whole picture."""
        return self._roi.clear()

    def actuators(self) -> Mapping[str, Actuator]:
        """Return what moves; in a film that was made at the start nothing does."""
        return {} if self._settings.loop_frames else self._actuators

    def truth(self, number: int) -> npt.NDArray[np.void]:
        """Return where the particles were in exposure `number`: fields `particle`, `x`, `y` (mean, px).

        Those outside the image are there too. It can still be asked for after `close`.

        Raises
        ------
        LookupError
            There is no such exposure yet, or it is so long ago that it was forgotten (4096 exposures).
        """
        if self._film is None:
            raise LookupError("the simulated camera was never opened")
        return self._film.truth(number)

    def close(self) -> None:
        """Stop; the sample stays as it is."""
        self._open = False

    def _live(self) -> Microscope:
        """Return the microscope, where one makes each picture anew."""
        if self._film is None:
            raise CameraError("the simulated camera is not open")
        if self._settings.loop_frames:
            raise CameraError("camera.simulated: with loop_frames all pictures are made at the start; set it to 0")
        return cast("Microscope", self._film)

    def _move(self, order: Callable[[Microscope], None]) -> None:
        """Give an order to what moves, and let the exposure that waits for it begin."""
        with self._lock:
            order(self._live())
            self._moves += 1
            self._lock.notify_all()

    def _ordered(self, number: int) -> bool:
        """Wait a while for the order that exposure `number` needs, where it needs one; False while it is not there."""
        if not (self._settings.lockstep and self._settings.await_orders):
            return True
        with self._lock:
            return self._lock.wait_for(lambda: self._moves > number, _PATIENCE_NS / 1e9)


class _Lockstep:
    """Time is the simulation's: the next exposure is there when the reader asks for it."""

    def __init__(self, settings: SimulatedSettings) -> None:
        self._fps = settings.fps
        self.exposure_ms = settings.exposure_ms

    def wait(self, number: int) -> Iterator[None]:
        """Yield None now and then until exposure `number` is over: at once."""
        return iter(())

    def stamp(self, pixels: npt.NDArray[np.generic], number: int) -> Picture:
        """Make the picture of exposure `number`."""
        middle_s = number / self._fps + self.exposure_ms / 2000
        return Picture(pixels, number, t_s=middle_s)

    def following(self, number: int) -> int:
        """Return the number of the next exposure that the reader can have."""
        return number + 1


class _Live:
    """Time is the machine's: exposure n starts n frame times after the first, so that the rate never drifts.

    A reader who is late finds up to `_BUFFER` exposures waiting; when there are more, all but the newest are lost.
    """

    def __init__(self, settings: SimulatedSettings, first: int) -> None:
        self._frame_ns = 1e9 / settings.fps
        self.exposure_ms = settings.exposure_ms
        self._start_ns = time.perf_counter_ns() - first * self._frame_ns

    def wait(self, number: int) -> Iterator[None]:
        over_ns = self._start_ns + number * self._frame_ns + 1e6 * self.exposure_ms
        while (left_ns := over_ns - time.perf_counter_ns()) > 0:
            time.sleep(min(left_ns, _PATIENCE_NS) / 1e9)
            if left_ns > _PATIENCE_NS:
                yield None

    def stamp(self, pixels: npt.NDArray[np.generic], number: int) -> Picture:
        middle_ns = self._start_ns + number * self._frame_ns + 1e6 * self.exposure_ms / 2
        return Picture(pixels, number, t_exposed_ns=int(middle_ns))

    def following(self, number: int) -> int:
        newest = int((time.perf_counter_ns() - self._start_ns - 1e6 * self.exposure_ms) // self._frame_ns)
        return newest if newest - number > _BUFFER else number + 1


def _film(settings: SimulatedSettings) -> Microscope | Loop:
    from livetrack_drivers.simulated.microscope import Loop, Microscope  # Numba: not for reading the settings

    if settings.loop_frames:
        return Loop(settings, settings.loop_frames)
    Microscope(settings).frame(0)  # compiles what is not yet compiled, before the clock runs
    return Microscope(settings)


def _lost(settings: SimulatedSettings, number: int) -> bool:
    """Say whether exposure `number` is one of those that are lost to order."""
    dropped = settings.drop_every and number % (settings.drop_every + settings.drop_frames) >= settings.drop_every
    stalled = 0 <= number / settings.fps - settings.stall_at_s < settings.stall_s
    return bool(dropped or stalled)


def _check(settings: SimulatedSettings) -> None:
    """Refuse settings that contradict each other; each by itself was checked by its type."""
    interval_ms = 1000 / settings.fps
    if settings.exposure_ms > interval_ms * (1 + 1e-9):
        raise CameraError(
            f"camera.simulated: exposure_ms = {settings.exposure_ms} is longer than the {interval_ms:.4g} ms "
            f"between frames at fps = {settings.fps}; make one of them less"
        )
    if settings.await_orders and (settings.loop_frames or not settings.lockstep):
        raise CameraError("camera.simulated: await_orders needs lockstep = true and loop_frames = 0")
    if settings.trap_stiffness_pn_um and settings.loop_frames:
        raise CameraError("camera.simulated: a trap (trap_stiffness_pn_um) needs loop_frames = 0")
    if settings.contrast == "dark" and settings.signal > settings.background:
        raise CameraError(
            f"camera.simulated: signal = {settings.signal} of dark particles is more than the light there is "
            f"(background = {settings.background}); make it less"
        )
