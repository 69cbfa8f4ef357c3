"""The simulated camera: numbered exposures by the clock or in lock-step, and faults to order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from livetrack.camera import Geometry, Picture
from livetrack.errors import CameraError, CameraLostError
from livetrack_drivers.simulated.settings import SimulatedSettings

if TYPE_CHECKING:
    from livetrack_drivers.simulated.microscope import Loop, Microscope

__all__ = ["SimulatedCamera"]

_BUFFER = 32  # frames that the camera holds for a reader who is late
_PATIENCE_NS = 50_000_000  # between two signs of life while there is no picture


class SimulatedCamera:
    """A camera on a simulated sample.

    `Picture.number` counts exposures: those that were lost, to order or because the reader was too slow, are gaps.
    A camera that is opened again goes on with the same sample and count.
    """

    Settings = SimulatedSettings

    def __init__(self, settings: SimulatedSettings | None = None) -> None:
        self._settings = settings or SimulatedSettings()
        self._film: Microscope | Loop | None = None
        self._open = False
        self._next = 0  # exposure
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
        return Geometry(settings.width, settings.height, pixel_size_um=settings.pixel_size_um)

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
                pixels = film.frame(number)
                self._next = number + 1
                yield from clock.wait(number)
                yield clock.stamp(pixels, number)
            number = clock.following(number)
        yield from clock.wait(number)
        self._disconnect_at_s = inf
        raise CameraLostError(f"the simulated camera is gone, as disconnect_at_s = {settings.disconnect_at_s} orders")

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


class _Lockstep:
    """Time is the simulation's: the next exposure is there when the reader asks for it."""

    def __init__(self, settings: SimulatedSettings) -> None:
        self._settings = settings

    def wait(self, number: int) -> Iterator[None]:
        """Yield None now and then until exposure `number` is over: at once."""
        return iter(())

    def stamp(self, pixels: npt.NDArray[np.generic], number: int) -> Picture:
        """Make the picture of exposure `number`."""
        middle_s = number / self._settings.fps + self._settings.exposure_ms / 2000
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
        self._exposure_ns = settings.exposure_ms * 1e6
        self._start_ns = time.perf_counter_ns() - first * self._frame_ns

    def wait(self, number: int) -> Iterator[None]:
        over_ns = self._start_ns + number * self._frame_ns + self._exposure_ns
        while (left_ns := over_ns - time.perf_counter_ns()) > 0:
            time.sleep(min(left_ns, _PATIENCE_NS) / 1e9)
            if left_ns > _PATIENCE_NS:
                yield None

    def stamp(self, pixels: npt.NDArray[np.generic], number: int) -> Picture:
        middle_ns = self._start_ns + number * self._frame_ns + self._exposure_ns / 2
        return Picture(pixels, number, t_exposed_ns=int(middle_ns))

    def following(self, number: int) -> int:
        newest = int((time.perf_counter_ns() - self._start_ns - self._exposure_ns) // self._frame_ns)
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
    if settings.contrast == "dark" and settings.signal > settings.background:
        raise CameraError(
            f"camera.simulated: signal = {settings.signal} of dark particles is more than the light there is "
            f"(background = {settings.background}); make it less"
        )
